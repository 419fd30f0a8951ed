/** Which settings each commit of a span comes under: those accepted before it, however many commits one look finds. */
import type { Problem } from '../../base/problem.ts';
import { resolveSignatures } from '../../domain/safety/signatures.ts';
import type { ConfigurationRepository } from '../../ports/repository.ts';
import { accept, nothingAccepted, type Accepted } from './admission.ts';
import type { Fitness, Rules, Unfit } from './fitness.ts';
import { changesOf, touchedPaths, type LastChange, type Span } from './history.ts';
import type { Loader } from './loader.ts';

export interface PassageDeps {
  readonly loader: Loader;
  readonly repository: ConfigurationRepository;
  readonly fitness: Fitness;
}

export interface Passage {
  /** With the whole span. */
  readonly accepted: Accepted;
  /** Why some of it was not; what was accepted before stays in force there. */
  readonly problems: readonly Problem[];
  readonly unfit: Unfit;
  under(change: Pick<LastChange, 'commit' | 'isOld'>): Under;
}

export interface Under {
  readonly inForce: Accepted;
  /** Settings that came before it may be admitted yet: what they say of it is not known. */
  readonly isOpen: boolean;
}

interface Stage extends Under {
  readonly span: Span;
}

/** Of more changes of settings in one look, the oldest are taken together. */
const mostStages = 50;

/** `before`: null: nothing was accepted yet, and the first commit is taken as it is. `isOpen`: settings at the span's start wait to be admitted. */
export async function pass(deps: PassageDeps, span: Span, before: Accepted | null, isOpen: boolean): Promise<Passage> {
  if (before === null) {
    const { accepted, problems } = await accept(deps.loader, span.tree, nothingAccepted, new Map());
    return { accepted, problems, unfit: new Map(), under: () => ({ inForce: accepted, isOpen: false }) };
  }
  const stages: Stage[] = [];
  let now: Under & { problems: readonly Problem[]; unfit: Unfit } = { inForce: before, isOpen: false, problems: [], unfit: new Map() };
  for (const part of await parts(deps.repository, span, isOpen)) {
    stages.push({ span: part, inForce: now.inForce, isOpen: now.isOpen });
    const unfit = await deps.fitness.look(part, rulesOf(now.inForce));
    const { accepted, problems } = await accept(deps.loader, part.tree, now.inForce, unfit);
    now = { inForce: accepted, isOpen: problems.some(({ code }) => code === 'unavailable'), problems, unfit };
  }
  const { inForce: accepted, problems, unfit } = now;
  return {
    accepted,
    problems,
    unfit,
    under(change) {
      const { inForce, isOpen: wasOpen } = stageOf(stages, span, change) ?? now;
      // What a service is made of besides its file: a change of it is a change of the service.
      return { inForce: { ...inForce, catalogue: accepted.catalogue }, isOpen: wasOpen };
    },
  };
}

/** Null: all that the branch holds came before it. */
function stageOf(stages: readonly Stage[], { commits }: Span, { commit, isOld }: Pick<LastChange, 'commit' | 'isOld'>): Stage | null {
  if (commits?.length === 0) return null;
  const own = isOld ? undefined : stages.find(({ span }) => span.commits?.includes(commit) === true);
  return own ?? stages.at(-1) ?? null;
}

function rulesOf({ repository }: Accepted): Rules {
  return { signatures: resolveSignatures(repository), directPushes: repository.versioning?.direct_pushes ?? 'refuse' };
}

/** Each ends with a commit that changes settings, and the last one with the tip. */
async function parts(repository: ConfigurationRepository, span: Span, isOpen: boolean): Promise<readonly Span[]> {
  const { commits, from, tree } = span;
  if (commits === null || commits.length === 0) return [span];
  const ends = await endsOf(repository, span);
  const found: Span[] = isOpen ? [{ from, tree: await repository.tree(from), commits: [] }] : [];
  let begun = 0;
  for (const end of ends) {
    const own = commits.slice(begun, end + 1);
    const last = commits[end] ?? tree.commit;
    found.push({ from: commits[begun - 1] ?? from, tree: last === tree.commit ? tree : await repository.tree(last), commits: own });
    begun = end + 1;
  }
  return found;
}

async function endsOf(repository: ConfigurationRepository, span: Span): Promise<readonly number[]> {
  const tip = (span.commits?.length ?? 0) - 1;
  const ends = new Set<number>();
  for (const path of (await touchedPaths(repository, span)).filter(isSettings))
    for (const commit of await changesOf(repository, span, path)) ends.add(span.commits?.indexOf(commit) ?? tip);
  ends.delete(tip);
  return [...[...ends].sort((a, b) => a - b).slice(-mostStages), tip];
}

function isSettings(path: string): boolean {
  return path !== 'models.yaml' && !path.endsWith('/config.yaml');
}

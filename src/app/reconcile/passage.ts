/**
 * Which settings each commit comes under: those accepted before it, however many commits one look finds. The commits since the base are
 * gone through in stages, each ending with a change of settings or models, as if each had been looked at by itself.
 */
import type { Problem } from '../../base/problem.ts';
import { resolveSignatures } from '../../domain/safety/signatures.ts';
import type { ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';
import { accept, nothingAccepted, type Accepted } from './admission.ts';
import { unfitOf, waiting, type Asked, type Decisions, type Fitness, type Rules, type Unfit } from './fitness.ts';
import { changesOf, isServedFile, isServiceFile, touchedPaths, type Span } from './history.ts';
import type { Loader } from './loader.ts';
import type { Base, Progress } from './progress.ts';

export interface PassageDeps {
  readonly loader: Loader;
  readonly repository: ConfigurationRepository;
  readonly fitness: Fitness;
}

export interface Passage extends Pick<Progress, 'accepted' | 'base' | 'decisions'> {
  /** Why some settings are not accepted; what was accepted before stays in force there. */
  readonly problems: readonly Problem[];
  /** At the tip. */
  readonly unfit: Unfit;
  /** That the commit is of; null: none, it is older, or nothing is new. */
  stageOf(commit: string): Stage | null;
  /** For what is in no stage. */
  readonly last: Stage;
}

export interface Stage {
  /** Settings that its commits come under. */
  readonly inForce: Accepted;
  /** Files of settings that came before it and may be admitted yet: what they say is not known. */
  readonly open: readonly string[];
  readonly previous: Stage | null;
  /** Where it ends, and what is admitted there. */
  readonly tree: RepositoryTree;
  readonly after: Accepted;
  /** What is not. */
  readonly out: Unfit;
}

type At = Base & { readonly problems: readonly Problem[] };

/** `from`: null: nothing was accepted yet, and the first commit is taken as it is. `span`: from its base to the tip. */
export async function pass(deps: PassageDeps, span: Span, from: Progress | null): Promise<Passage> {
  const { commit } = span.tree;
  if (from === null) {
    const { accepted, problems } = await accept(deps.loader, span.tree, nothingAccepted, new Map());
    const base = { commit, accepted, records: {} };
    return { accepted, problems, unfit: new Map(), base, decisions: {}, stageOf: () => null, last: taken(span.tree, accepted) };
  }
  let at: At = { ...from.base, problems: [] };
  let { base } = from;
  let decisions: Decisions = {};
  let last: Stage | null = null;
  let open: readonly string[] = [];
  const stages = new Map<string, Stage>();
  const asked: Asked = new Map();
  // None of ours waits at the base; an older version knew no base.
  const fromOlder = waiting(from.base.records);
  const before = fromOlder.length === 0 ? [] : [{ from: span.from, tree: await deps.repository.tree(span.from), commits: [] }];
  for (const part of [...before, ...(await parts(deps.repository, span))]) {
    const { accepted: inForce, records } = at;
    // Also where it has been taken back since: by what may not be admitted itself.
    open = [...new Set([...open, ...waiting(records).filter((path) => !isServedFile(path))])];
    const look = await deps.fitness.look(
      part,
      rulesOf(inForce),
      { records, decisions: from.decisions },
      { asked, also: last === null ? fromOlder : [] },
    );
    const out = unfitOf(look.records);
    const { accepted, problems } = await accept(deps.loader, part.tree, inForce, out);
    last = { inForce, open, previous: last, tree: part.tree, after: accepted, out };
    for (const one of part.commits ?? [commit]) stages.set(one, last);
    decisions = { ...decisions, ...look.decisions };
    const isSettled = base.commit === at.commit && waiting(look.records).length === 0;
    at = { commit: part.tree.commit, accepted, records: look.records, problems };
    if (isSettled) base = { commit: at.commit, accepted, records: at.records };
  }
  const { accepted, problems } = at;
  return {
    accepted,
    problems,
    unfit: unfitOf(at.records),
    base,
    decisions: base.commit === commit ? {} : decisions,
    stageOf: (one) => stages.get(one) ?? null,
    last: last ?? taken(span.tree, accepted),
  };
}

/** As it is. */
function taken(tree: RepositoryTree, accepted: Accepted): Stage {
  return { inForce: accepted, open: [], previous: null, tree, after: accepted, out: new Map() };
}

function rulesOf({ repository }: Accepted): Rules {
  return { signatures: resolveSignatures(repository), directPushes: repository.versioning?.direct_pushes ?? 'refuse' };
}

/** Each ends with a commit that changes settings or models, and the last one with the tip. */
async function parts(repository: ConfigurationRepository, span: Span): Promise<readonly Span[]> {
  const { commits, from, tree } = span;
  if (commits === null || commits.length < 2) return [span];
  const ends = await endsOf(repository, span);
  if (ends.length === 1) return [span];
  const found: Span[] = [];
  let begun = 0;
  for (const end of ends) {
    const last = commits[end] ?? tree.commit;
    const own = last === tree.commit ? tree : await repository.tree(last);
    found.push({ from: commits[begun - 1] ?? from, tree: own, commits: commits.slice(begun, end + 1) });
    begun = end + 1;
  }
  return found;
}

async function endsOf(repository: ConfigurationRepository, span: Span): Promise<readonly number[]> {
  const { commits } = span;
  const order = new Map((commits ?? []).map((commit, index) => [commit, index]));
  const ends = new Set<number>([order.size - 1]);
  for (const path of (await touchedPaths(repository, span)).filter((one) => !isServiceFile(one)))
    for (const commit of await changesOf(repository, span, path)) ends.add(order.get(commit) ?? order.size - 1);
  return [...ends].sort((a, b) => a - b);
}

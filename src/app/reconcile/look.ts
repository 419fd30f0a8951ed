/** A look at one service: what its file means under the settings that it comes under, and what keeps it from being tried. */
import type { Problem } from '../../base/problem.ts';
import { utcDay } from '../../base/time.ts';
import { groundProblems } from '../../domain/config/arms.ts';
import type { ServiceDefinition } from '../../domain/config/service-definition.ts';
import { isAskedForBy, isPutOff, isWithinRollbackWindow, type ServiceState } from '../../domain/rollout/state.ts';
import { resolvePeople } from '../../domain/safety/gates.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';
import type { Accepted } from './admission.ts';
import { authorOf, hasReason, noReason } from './commit-facts.ts';
import type { LastChange } from './history.ts';
import type { Passage, Stage } from './passage.ts';
import { keepPeople } from './people.ts';
import { readService, save, servingsOf, type Read, type ReadingDeps } from './read-service.ts';

export interface LookDeps extends ReadingDeps {
  readonly repository: ConfigurationRepository;
  readonly clock: Clock;
}

export interface Look {
  readonly tree: RepositoryTree;
  readonly passage: Passage;
}

/** Whose events these are. */
export const actor = 'git';

const settingsOpen: Problem = {
  code: 'unavailable',
  message:
    'Settings that came to the branch before this wait to be admitted, and may say how it is to be rolled out; it is looked at again when that is known.',
};

/** What the tree holds of the service, told to it: seen, or refused. */
export async function lookAt(deps: LookDeps, step: Look, service: string, change: LastChange): Promise<void> {
  // Looked at again: what brought it has not changed by that.
  const commit = (change.isOld ? deps.engine.state(service)?.seen?.commit : undefined) ?? change.commit;
  const { inForce, isOpen } = await under(deps, step, service, commit);
  const read = await readService(deps, step.tree, service, inForce);
  const problems = read.ok
    ? await problemsOf(deps, { ...step, isOpen }, read.value.definition, commit)
    : [...(isOpen || isCatalogueOpen(step.passage) ? [settingsOpen] : []), ...read.error];
  if (read.ok && problems.length === 0) await tellSeen(deps, { ...change, commit }, read.value, inForce);
  else if (!isDecided(deps.engine.state(service), commit) || !isPutOff({ problems }))
    await reject(deps, service, { ...change, commit }, problems);
}

async function tellSeen(deps: LookDeps, { commit, passedOver, isOld }: LastChange, read: Read, inForce: Accepted): Promise<void> {
  const { definition } = read;
  const { service, digest, plan } = definition;
  const known = await servingsOf(deps, definition);
  await save(deps, read, commit);
  const author = await authorOf(deps, commit, passedOver);
  await keepPeople(deps.store, resolvePeople(inForce.repository.people ?? []));
  await deps.engine.dispatch(
    service,
    {
      type: 'revision-seen',
      revision: { commit, digest },
      deploymentId: await newDeploymentId(deps),
      plan,
      author,
      ...(isOld ? { isOld } : {}),
      ...(passedOver.length === 0 ? {} : { passedOver }),
    },
    actor,
  );
  const servings = [definition, ...definition.arms].map(({ serving }) => JSON.stringify(serving));
  const pricesChanged = servings.some((serving, index) => known[index] != null && known[index] !== serving);
  if (pricesChanged) await deps.engine.dispatch(service, { type: 'catalogue-changed' }, actor);
}

/** That settings wait takes nothing back. */
function isDecided(state: ServiceState | undefined, commit: string): boolean {
  const { rejection = null } = state ?? {};
  return rejection?.commit === commit && ['forbidden', 'conflict', 'gateway-refused'].includes(rejection.problems[0]?.code ?? '');
}

interface Under {
  readonly inForce: Accepted;
  /** Settings that came before it may be admitted yet. */
  readonly isOpen: boolean;
}

async function under(deps: LookDeps, step: Look, service: string, commit: string): Promise<Under> {
  const { inForce, open } = await stageFor(deps, step, service, commit);
  return { inForce: withModelsOf(step.passage, inForce), isOpen: open.some((path) => saysOf(path, service)) };
}

/** What a service is made of besides its file: a change of it is a change of the service. */
export function withModelsOf({ accepted }: Passage, inForce: Accepted): Accepted {
  return { ...inForce, catalogue: accepted.catalogue };
}

/** The stage by whose end the service came to mean what it means, and was seen: what came after it has changed nothing of that. */
async function stageFor(deps: LookDeps, { passage, tree }: Look, service: string, commit: string): Promise<Stage> {
  const found = passage.stageOf(commit);
  if (found?.previous == null) return found ?? passage.last;
  const meant = await meantIn(deps, { ...found, tree, after: passage.accepted }, service);
  let stage = found;
  while (stage.previous !== null && meant !== null && (await meantIn(deps, stage.previous, service)) === meant) stage = stage.previous;
  return stage;
}

/** What would have begun at its end; null: nothing. */
async function meantIn(deps: LookDeps, { tree, inForce, after, out }: Stage, service: string): Promise<string | null> {
  if (out.has(`services/${service}/config.yaml`)) return null;
  const read = await readService(deps, tree, service, { ...inForce, catalogue: after.catalogue });
  // Whether a commit of then gave a reason is not looked at: it is asked for under the newer settings.
  return read.ok && !read.value.definition.plan.gates.needsReason ? read.value.definition.digest : null;
}

/** Overrides of another service say nothing of this one. */
function saysOf(path: string, service: string): boolean {
  return !/^services\//.test(path) || path.startsWith(`services/${service}/`);
}

function isCatalogueOpen({ unfit }: Passage): boolean {
  return unfit.get('models.yaml')?.code === 'unavailable';
}

/** Why it is not tried although it could be served. */
async function problemsOf(
  deps: LookDeps,
  step: Look & Pick<Under, 'isOpen'>,
  definition: ServiceDefinition,
  commit: string,
): Promise<readonly Problem[]> {
  const { service, digest, config, plan } = definition;
  const barred = barredBecause(deps, step, service, digest);
  if (barred !== null) return [barred];
  const unfounded = groundProblems(config, deps.engine.state(service)?.stable != null);
  if (unfounded.length > 0) return unfounded;
  return plan.gates.needsReason && !hasReason(await deps.repository.message(commit)) ? [noReason] : [];
}

/** What serves the same as before needs nobody's signature, and no settings are waited for; our own reverts restore that. */
function barredBecause(
  { engine, clock }: LookDeps,
  { passage, isOpen }: Pick<Look, 'passage'> & Pick<Under, 'isOpen'>,
  service: string,
  digest: string,
): Problem | null {
  const state = engine.state(service);
  if (state !== undefined && isServed(state, digest)) return null;
  const file = `services/${service}/config.yaml`;
  const unsigned = passage.unfit.get(file);
  if (unsigned !== undefined) return unsigned;
  const isWayBack = state !== undefined && isWithinRollbackWindow(state, digest, clock.now());
  return isOpen && !isWayBack ? { ...settingsOpen, file } : null;
}

/** One that is being taken back begins anew when its content comes again. */
function isServed({ stable, active }: ServiceState, digest: string): boolean {
  const isLeaving = active?.phase.name === 'rolling-back' || active?.phase.name === 'recovering';
  return isAskedForBy(stable, digest) || (!isLeaving && isAskedForBy(active?.revision, digest));
}

export async function reject(
  deps: LookDeps,
  service: string,
  { commit, passedOver, isOld }: LastChange,
  problems: readonly Problem[],
): Promise<void> {
  const already = deps.engine.state(service)?.rejection;
  if (already?.commit === commit && JSON.stringify(already.problems) === JSON.stringify(problems)) return;
  await deps.engine.dispatch(
    service,
    {
      type: 'revision-rejected',
      commit,
      deploymentId: await newDeploymentId(deps),
      problems,
      author: await authorOf(deps, commit, passedOver),
      ...(isOld ? { isOld } : {}),
      ...(passedOver.length === 0 ? {} : { passedOver }),
    },
    actor,
  );
}

async function newDeploymentId({ clock, store }: LookDeps): Promise<string> {
  const day = utcDay(clock.now());
  return `deploy-${day}-${String(await store.nextDeploymentNumber(day)).padStart(3, '0')}`;
}

/** A look at one service: what its file means under the settings that it comes under, and what keeps it from being tried. */
import type { Problem } from '../../base/problem.ts';
import { utcDay } from '../../base/time.ts';
import { groundProblems } from '../../domain/config/arms.ts';
import type { ServiceDefinition } from '../../domain/config/service-definition.ts';
import { isAskedForBy, isWithinRollbackWindow } from '../../domain/rollout/state.ts';
import { resolvePeople } from '../../domain/safety/gates.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';
import { authorOf, hasReason, noReason } from './commit-facts.ts';
import type { LastChange } from './history.ts';
import type { Passage } from './passage.ts';
import { keepPeople } from './people.ts';
import { readService, save, servingsOf, type ReadingDeps } from './read-service.ts';

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

/** Why it is not tried although it could be served. */
async function problemsOf(
  deps: LookDeps,
  { passage, isOpen }: { readonly passage: Passage; readonly isOpen: boolean },
  definition: ServiceDefinition,
  commit: string,
): Promise<readonly Problem[]> {
  const { service, digest, config, plan } = definition;
  const barred = barredBecause(deps, { passage, isOpen }, service, digest);
  if (barred !== null) return [barred];
  const unfounded = groundProblems(config, deps.engine.state(service)?.stable != null);
  if (unfounded.length > 0) return unfounded;
  return plan.gates.needsReason && !hasReason(await deps.repository.message(commit)) ? [noReason] : [];
}

/** What the tree holds of the service, told to it: seen, or refused. */
export async function lookAt(deps: LookDeps, step: Look, service: string, change: LastChange): Promise<void> {
  const { passedOver, isOld } = change;
  // Looked at again: what brought it has not changed by that.
  const commit = (isOld ? deps.engine.state(service)?.seen?.commit : undefined) ?? change.commit;
  const { passage } = step;
  const { inForce, isOpen } = passage.under(change);
  const read = await readService(deps, step.tree, service, inForce);
  const problems = read.ok ? await problemsOf(deps, { passage, isOpen }, read.value.definition, commit) : read.error;
  if (!read.ok || problems.length > 0) {
    await reject(deps, service, { ...change, commit }, problems);
    return;
  }
  const { definition } = read.value;
  const known = await servingsOf(deps, definition);
  await save(deps, read.value, commit);
  const revision = { commit, digest: definition.digest };
  const author = await authorOf(deps, commit, passedOver);
  await keepPeople(deps.store, resolvePeople(inForce.repository.people ?? []));
  await deps.engine.dispatch(
    service,
    {
      type: 'revision-seen',
      revision,
      deploymentId: await newDeploymentId(deps),
      plan: definition.plan,
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

/** What serves the same as before needs nobody's signature, and no settings are waited for; our own reverts restore that. */
function barredBecause(
  { engine, clock }: LookDeps,
  { passage, isOpen }: { readonly passage: Passage; readonly isOpen: boolean },
  service: string,
  digest: string,
): Problem | null {
  const state = engine.state(service);
  if (isAskedForBy(state?.stable, digest) || isAskedForBy(state?.active?.revision, digest)) return null;
  const file = `services/${service}/config.yaml`;
  const unsigned = passage.unfit.get(file) ?? null;
  const isWayBack = state !== undefined && isWithinRollbackWindow(state, digest, clock.now());
  return unsigned ?? (isOpen && !isWayBack ? { ...settingsOpen, file } : null);
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

/** After a rollback: it counts as done when stable is seen to be well (guide 4.4). */
import type { Instant } from '../../base/time.ts';
import type { ServiceEvent } from './event.ts';
import { isAskedForBy, type Deployment, type Phase, type RevertProgress, type Revision, type ServiceState } from './state.ts';
import { finish, notice, reassign, unchanged, withPhase, type Transition } from './transitions.ts';
import { since } from './undoing.ts';
import { blockRevert, restoring } from './unreverted.ts';

type Recovering = Extract<Phase, { name: 'recovering' }>;
type Returned = Pick<Recovering, 'reason' | 'detectedBy' | 'revert'>;

/** Traffic is back and the branch is settled. */
export function beginRecovery(state: ServiceState, active: Deployment, { reason, detectedBy, revert }: Returned, now: Instant): Transition {
  if (active.plan.recovery.durationMs === 0 || state.stable === null || active.startedAt === null)
    return endRollback(state, active, { reason, detectedBy, revert }, '', now);
  return unchanged(withPhase(state, active, { name: 'recovering', reason, detectedBy, revert, since: now, round: 1 }));
}

export function reduceRecovering(state: ServiceState, event: Extract<ServiceEvent, { type: 'recovery-judged' }>, now: Instant): Transition {
  const { active } = state;
  if (active?.phase.name !== 'recovering') return unchanged(state);
  const { phase } = active;
  switch (event.outcome) {
    case 'recovered':
      return endRollback(state, active, phase, `; ${event.reason}`, now);
    case 'unverified':
      return endRollback(state, active, phase, `; recovery could not be verified: ${event.reason}`, now);
    case 'failed':
      return notRecovered(state, active, phase, event.reason, now);
  }
}

/** A person goes on to another version: this one has its end, whatever of it is still on its way to the branch. */
export function endForAnother(state: ServiceState, active: Deployment, now: Instant): Transition {
  const { phase } = active;
  if (phase.name !== 'recovering' && phase.name !== 'rolling-back') return unchanged(state);
  return endRollback(state, active, phase, '; another version was chosen before it was seen to be well', now);
}

/** The branch has answered to the second of two reverts. */
export function settleFurther(state: ServiceState, event: Extract<ServiceEvent, { type: 'revert-settled' }>, now: Instant): Transition {
  const { active } = state;
  if (active?.phase.name !== 'recovering' || event.deploymentId !== active.id || active.phase.revert.kind !== 'pending')
    return unchanged(state);
  const next = withPhase(state, active, { ...active.phase, revert: event.outcome });
  if (event.outcome.kind !== 'blocked') return unchanged(next);
  const { id: deploymentId, base, revision, phase } = active;
  const { message } = event.outcome;
  // Where the first revert did not come either, the branch holds what was tried first; or what neither of them is about.
  const held = state.seen?.digest ?? null;
  const bad = [revision, base].find((one) => one !== null && isAskedForBy(one, held));
  if (bad == null) return unchanged(next);
  return unchanged(blockRevert(next, { deploymentId, bad, restore: state.stable, reason: phase.reason, message }, now));
}

/** Something newer came before recovery was seen to its end. */
export function cutRecoveryShort(state: ServiceState, active: Deployment, now: Instant): Transition {
  if (active.phase.name !== 'recovering') return unchanged(state);
  return endRollback(state, active, active.phase, '; recovery was not watched to its end, a newer change came', now);
}

function endRollback(state: ServiceState, active: Deployment, { reason, revert }: Returned, more: string, now: Instant): Transition {
  return finish(
    state,
    active,
    { phase: 'rolled-back', reason: reason + mainSays(revert, state.unreverted) + more, revertCommit: commitOf(revert) },
    now,
  );
}

function commitOf(revert: RevertProgress): string | null {
  return revert.kind === 'committed' ? revert.commit : null;
}

function mainSays(revert: RevertProgress, unreverted: ServiceState['unreverted']): string {
  if (revert.kind === 'pending') return '; its revert is still on its way to main';
  if (revert.kind === 'blocked' && unreverted?.pullRequest != null)
    return `; pull request #${unreverted.pullRequest.number} takes it back on main, until then the content stays in quarantine`;
  // What the branch said stands with what it holds; a pull request may still come.
  if (revert.kind === 'blocked') return '; its revert could not be pushed, until main is taken back the content stays in quarantine';
  return revert.kind === 'not-needed' ? '; main had moved on already' : '';
}

/** Stable is not well either: further back, once, where settings say so and there is something; else it is held for a person. */
function notRecovered(state: ServiceState, active: Deployment, phase: Recovering, reason: string, now: Instant): Transition {
  const { onFailure, channels } = active.plan.recovery;
  const further = onFailure === 'rollback_further' && phase.round === 1 ? furtherBack(state, active) : null;
  const message = `${state.service}: not recovered after the rollback of ${active.id}: ${reason}`;
  if (further !== null) {
    const bad = active.base ?? active.revision;
    const entry = { digest: bad.digest, deploymentId: active.id, reason: `not recovered: ${reason}`, at: now };
    const left = {
      ...state,
      stable: further,
      previous: null,
      watch: null,
      unreverted: restoring(state.unreverted, further),
      // What failed must not come back on the fast path.
      quarantine: [entry, ...state.quarantine.filter(({ digest }) => digest !== bad.digest)],
      promoted: since(state.promoted, further.digest),
    };
    const next = withPhase(left, active, { ...phase, since: now, round: 2, revert: { kind: 'pending' } });
    return reassign(next, [
      notice(active, 'further-back', 'critical', `${message}; going back to ${further.commit.slice(0, 12)}`, channels),
      { kind: 'commit-revert', deploymentId: active.id, bad, restore: further, reason, actor: 'actuator' },
    ]);
  }
  const [next, effects] = finish(
    { ...state, held: `not recovered: ${reason}` },
    active,
    { phase: 'held', reason: `${phase.reason}; not recovered: ${reason}`, revertCommit: commitOf(phase.revert) },
    now,
  );
  return [next, [notice(active, 'not-recovered', 'critical', `${message}; a person must act`, channels), ...effects]];
}

/** The newest that was promoted before what is stable now, and that nobody has rolled back. */
function furtherBack({ promoted, stable, quarantine }: ServiceState, { revision }: Deployment): Revision | null {
  const bad = new Set([revision.digest, stable?.digest, ...quarantine.map(({ digest }) => digest)]);
  // Only what is older than stable: going on to something newer would be no way back.
  const found = since(promoted, stable?.digest ?? '').find(({ digest }) => !bad.has(digest));
  return found === undefined ? null : { commit: found.commit, digest: found.digest };
}

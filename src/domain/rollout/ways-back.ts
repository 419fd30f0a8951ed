/** Backward: rolling back, and the watch after a promotion. */
import type { Instant } from '../../base/time.ts';
import type { ServiceEvent } from './event.ts';
import type { Deployment, Phase, RevertProgress, ServiceState, Watch } from './state.ts';
import { finish, rollBackPromoted, unchanged, withPhase, type Transition } from './transitions.ts';

type RollingBack = Extract<Phase, { name: 'rolling-back' }>;

export function reduceRollingBack(
  state: ServiceState,
  event: Extract<ServiceEvent, { type: 'applied' | 'revert-settled' }>,
  now: Instant,
): Transition {
  const { active } = state;
  if (active?.phase.name !== 'rolling-back') return unchanged(state);
  if (event.type === 'applied') {
    if (event.generation < state.generation || active.phase.trafficReturned) return unchanged(state);
    return settle(state, active, { ...active.phase, trafficReturned: true }, now);
  }
  if (event.deploymentId !== active.id || active.phase.revert.kind === 'committed') return unchanged(state);
  return settle(state, active, { ...active.phase, revert: event.outcome }, now);
}

/** Ends when traffic is back and main is settled, in whatever order the two happen. */
function settle(state: ServiceState, active: Deployment, phase: RollingBack, now: Instant): Transition {
  const next = withPhase(state, active, phase);
  if (!phase.trafficReturned || phase.revert.kind === 'pending') return unchanged(next);
  const revertCommit = phase.revert.kind === 'committed' ? phase.revert.commit : null;
  return finish(
    withBlockedRevert(next, active, phase.revert, now),
    active,
    { phase: 'rolled-back', reason: phase.reason + mainSays(phase.revert), revertCommit },
    now,
  );
}

/** The branch still holds the bad content, which quarantine keeps out: a person must take it back, and is told so until then. */
function withBlockedRevert(state: ServiceState, active: Deployment, revert: RevertProgress, now: Instant): ServiceState {
  if (revert.kind !== 'blocked' || state.seen?.digest !== active.revision.digest) return state;
  const message = `the branch still holds what ${active.id} tried, and could not be reverted: ${revert.message}; revert it by hand`;
  return { ...state, rejection: { commit: active.revision.commit, problems: [{ code: 'conflict', message }], at: now } };
}

function mainSays(revert: RevertProgress): string {
  if (revert.kind === 'blocked') return `; main could not be reverted (${revert.message}), the content stays in quarantine`;
  return revert.kind === 'not-needed' ? '; main had moved on already' : '';
}

/** The promoted revision is watched for a while; then it is simply stable. */
export function reduceWatch(
  state: ServiceState,
  event: Extract<ServiceEvent, { type: 'woken' | 'watch-failed' }>,
  now: Instant,
): Transition {
  if (state.watch === null) return unchanged(state);
  if (event.type === 'woken') return unchanged(now < state.watch.until ? state : { ...state, watch: null });
  if (state.active !== null && state.active.phase.name !== 'pending') return unchanged(state);
  const { judgement } = event;
  if (state.previous === null || !state.watch.plan.autoRollback || !mayBlame(state.watch)) return hold(state, judgement.reason);
  const order = { cause: 'critical', reason: `after its promotion: ${judgement.reason}`, judgement, revert: { kind: 'pending' } } as const;
  return rollBackPromoted(requeue(state), order, now);
}

/** Without knowing how stable did before, or after a way back that a person chose, the promoted revision is not to blame for an outage. */
function mayBlame(watch: Watch): boolean {
  return watch.plan.kind !== 'fast-path' && watch.baseErrorRate !== null;
}

/** What had not started yet starts after the rollback. */
function requeue(state: ServiceState): ServiceState {
  const { active } = state;
  if (active === null) return state;
  const waiting = { deploymentId: active.id, revision: active.revision, plan: active.plan };
  return { ...state, active: null, waiting: state.waiting ?? waiting };
}

/** Nothing to go back to: it goes on serving, and people are told. */
function hold(state: ServiceState, reason: string): Transition {
  if (state.held !== null) return unchanged(state);
  const message = `${state.service}: ${reason}; a person must act`;
  return [
    { ...state, held: reason },
    [{ kind: 'notify', key: `${state.watch?.deploymentId ?? state.service}/held`, severity: 'critical', message }],
  ];
}

/** Backward: traffic and branch go back, at once or little by little; and the watch after a promotion. */
import type { Instant } from '../../base/time.ts';
import type { ServiceEvent } from './event.ts';
import { isAskedForBy, type Deployment, type Phase, type ServiceState, type Watch } from './state.ts';
import { beginRecovery } from './recovering.ts';
import { reassign, unchanged, withPhase, type Transition } from './transitions.ts';
import { rollBackPromoted, setAside } from './undoing.ts';
import { blockRevert } from './unreverted.ts';

type RollingBack = Extract<Phase, { name: 'rolling-back' }>;

export function reduceRollingBack(
  state: ServiceState,
  event: Extract<ServiceEvent, { type: 'applied' | 'revert-settled' | 'woken' }>,
  now: Instant,
): Transition {
  const { active } = state;
  if (active?.phase.name !== 'rolling-back') return unchanged(state);
  const { phase } = active;
  switch (event.type) {
    case 'woken':
      return lower(state, active, phase, now);
    case 'applied':
      if (event.generation < state.generation || phase.trafficReturned || phase.weight > 0) return unchanged(state);
      return settle(state, active, { ...phase, trafficReturned: true }, now);
    case 'revert-settled':
      if (event.deploymentId !== active.id || phase.revert.kind === 'committed') return unchanged(state);
      return settle(state, active, { ...phase, revert: event.outcome }, now);
  }
}

/** The next part of a gradual return. */
function lower(state: ServiceState, active: Deployment, phase: RollingBack, now: Instant): Transition {
  const { gradual } = phase;
  if (gradual === null || now < gradual.nextAt) return unchanged(state);
  const weight = Math.max(0, phase.weight - gradual.by);
  // What is left of rounding is no part of its own.
  const isLast = weight < gradual.by / 2;
  return reassign(
    withPhase(state, active, {
      ...phase,
      weight: isLast ? 0 : weight,
      gradual: isLast ? null : { ...gradual, nextAt: now + gradual.everyMs },
    }),
  );
}

/** Ends when traffic is back and main is settled, in whatever order the two happen. */
function settle(state: ServiceState, active: Deployment, phase: RollingBack, now: Instant): Transition {
  const next = withPhase(state, active, phase);
  if (!phase.trafficReturned || phase.revert.kind === 'pending') return unchanged(next);
  return beginRecovery(withBlockedRevert(next, active, phase, now), active, phase, now);
}

function withBlockedRevert(state: ServiceState, active: Deployment, { revert, reason }: RollingBack, now: Instant): ServiceState {
  if (revert.kind !== 'blocked' || !isAskedForBy(active.revision, state.seen?.digest ?? null)) return state;
  const { id: deploymentId, revision: bad, base: restore } = active;
  return blockRevert(state, { deploymentId, bad, restore, reason, message: revert.message }, now);
}

/** The promoted revision is watched for a while; then it is simply stable. */
export function reduceWatch(
  state: ServiceState,
  event: Extract<ServiceEvent, { type: 'woken' | 'watch-failed' }>,
  now: Instant,
): Transition {
  if (state.watch === null) return unchanged(state);
  if (event.type === 'woken') return unchanged(now < state.watch.until ? state : { ...state, watch: null });
  const phase = state.active?.phase.name;
  if (phase !== undefined && phase !== 'pending' && phase !== 'promoting') return unchanged(state);
  const { judgement } = event;
  if (state.previous === null || !state.watch.plan.autoRollback || !mayBlame(state.watch)) return hold(state, judgement.reason);
  const order = { cause: 'critical', reason: `after its promotion: ${judgement.reason}`, judgement, revert: { kind: 'pending' } } as const;
  return rollBackPromoted(setAside(state), { revision: state.previous, plan: state.watch.plan }, order, now);
}

/** Without knowing how stable did before, or after a way back that a person chose, the promoted revision is not to blame for an outage. */
function mayBlame(watch: Watch): boolean {
  return watch.plan.kind !== 'fast-path' && watch.baseErrorRate !== null;
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

/** Into a pause and out of it. */
import type { Instant } from '../../base/time.ts';
import type { Judgement } from '../analysis/look.ts';
import { canaryWeight, mirrorShare } from './shares.ts';
import { currentStep, type Deployment, type PauseReason, type Phase, type ServiceState } from './state.ts';
import { notice, reassign, unchanged, withPhase, type Transition } from './transitions.ts';

export interface PauseOrder {
  readonly reason: PauseReason;
  readonly message: string;
  readonly judgement: Judgement | null;
  /** When it goes on by itself; left out: when a person says so. */
  readonly until?: Instant | null;
}

/** Weight stays as it is, but for an incident, a refusal or a test without a winner, where it goes to 0. Pausing again for the same reason changes nothing. */
export function pause(state: ServiceState, active: Deployment, order: PauseOrder, now: Instant): Transition {
  const { phase } = active;
  if (phase.name !== 'progressing' && phase.name !== 'paused') return unchanged(state);
  if (phase.name === 'paused' && isCovered(phase, order)) return unchanged(state);
  const before = canaryWeight(state);
  const weight = takesTraffic.has(order.reason) ? 0 : before;
  // One that was paused already goes on with the same pause, for another reason.
  const { since, heldMs } = phase.name === 'paused' ? phase : { since: now, heldMs: now - phase.stepStartedAt };
  const judgedActive = { ...active, judgement: order.judgement ?? active.judgement };
  const next = withPhase(state, judgedActive, {
    name: 'paused',
    step: phase.step,
    weight,
    reason: order.reason,
    message: order.message,
    since,
    heldMs,
    extraHoldMs: phase.extraHoldMs,
    until: order.until ?? null,
  });
  const told = notice(
    active,
    `paused/${order.reason}`,
    severityOf(order.reason),
    `${state.service}: paused ${active.id}: ${order.message}`,
  );
  return weight === before && mirrorShare(state) === 0 ? [next, [told]] : reassign(next, [told]);
}

const takesTraffic: ReadonlySet<PauseReason> = new Set(['incident', 'refused', 'no-winner']);

/** What pauses it already is as strong as this. */
function isCovered(phase: Extract<Phase, { name: 'paused' }>, order: PauseOrder): boolean {
  const isEmpty = phase.weight === 0 && takesTraffic.has(phase.reason);
  return phase.reason === order.reason || isEmpty || order.reason === 'held-up';
}

function severityOf(reason: PauseReason): 'info' | 'warning' | 'critical' {
  switch (reason) {
    case 'operator':
    case 'held-up':
      return 'info';
    case 'warning':
    case 'low-traffic':
    case 'planned':
    case 'mirror-budget':
    case 'winner':
    case 'no-winner':
      return 'warning';
    default:
      return 'critical';
  }
}

/** A step of the plan at which a person decides. */
export function pausedAtStep(state: ServiceState, now: Instant): Transition {
  const { active } = state;
  if (active === null) return unchanged(state);
  const message =
    active.plan.kind === 'blue-green'
      ? 'green is validated; `actuator cutover` moves the traffic over'
      : 'the plan waits here for a person; `actuator promote` goes on';
  return pause(state, active, { reason: 'planned', message, judgement: null }, now);
}

/** What was held before the pause counts. */
export function resume(state: ServiceState, active: Deployment, now: Instant): Transition {
  const { phase } = active;
  if (phase.name !== 'paused') return unchanged(state);
  const planned = currentStep(active)?.weight ?? 0;
  const setTo = isSetByHand(phase, planned) ? phase.weight : null;
  const resumed = withPhase(
    state,
    // What was found is looked at anew.
    { ...active, startedAt: restartedAt(active, phase, now), comparison: null },
    {
      name: 'progressing',
      step: phase.step,
      stepStartedAt: now - phase.heldMs,
      passed: false,
      setTo,
      extraHoldMs: phase.extraHoldMs,
    },
  );
  // A step at which a person decides is not passed by ending another pause.
  if (currentStep(active)?.kind === 'pause') return pausedAtStep(resumed, now);
  const isSame = canaryWeight(resumed) === phase.weight && mirrorShare(resumed) === 0;
  return isSame ? unchanged(resumed) : reassign(resumed);
}

/** 0 is what an incident took away, not what somebody chose. */
function isSetByHand({ weight }: Extract<Phase, { name: 'paused' }>, planned: number): boolean {
  return weight > 0 && weight !== planned;
}

/** A pause that a person ends does not count towards the deadline; one that ends by itself does, or a lasting warning would never meet it. */
function restartedAt({ startedAt }: Deployment, { reason, since, until }: Extract<Phase, { name: 'paused' }>, now: Instant): Instant {
  if (reason === 'deadline' || startedAt === null) return now;
  return until === null ? startedAt + (now - since) : startedAt;
}

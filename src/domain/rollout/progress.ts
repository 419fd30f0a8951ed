/** Forward: pending, progressing, paused, promoting. */
import { formatDuration, type Instant } from '../../base/time.ts';
import type { Judgement } from '../analysis/look.ts';
import type { Effect } from './effect.ts';
import type { ServiceEvent } from './event.ts';
import { canaryWeight, type Deployment, type PauseReason, type Phase, type ServiceState } from './state.ts';
import { finish, notice, promote, reassign, rollBack, unchanged, withPhase, type Transition } from './transitions.ts';

type ProgressEvent = Extract<ServiceEvent, { type: 'slot-granted' | 'judged' | 'applied' | 'woken' | 'gateway-refused' }>;

export function reduceProgress(state: ServiceState, event: ProgressEvent, now: Instant): Transition {
  const { active } = state;
  if (active === null) return unchanged(state);
  switch (event.type) {
    case 'slot-granted':
      return active.phase.name === 'pending'
        ? start(state, { ...active, stableWasBreaching: event.stableIsBreaching, stableErrorRate: event.stableErrorRate }, now)
        : unchanged(state);
    case 'judged':
      return judged(state, active, event.judgement, now);
    case 'woken':
      return woken(state, active, now);
    case 'applied':
      return applied(state, active, event.generation, now);
    case 'gateway-refused':
      return refused(state, active, event, now);
  }
}

function start(state: ServiceState, active: Deployment, now: Instant): Transition {
  const started = { ...active, startedAt: now };
  if (active.plan.steps.length === 0) return promote(state, started, now);
  return reassign(withPhase(state, started, { name: 'progressing', step: 0, stepStartedAt: now, passed: false, widenedTo: null }));
}

function judged(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition {
  const { phase } = active;
  if (phase.name !== 'progressing' && phase.name !== 'paused') return unchanged(state);
  if (judgement.verdict === 'fail') return failed(state, active, judgement, now);
  if (judgement.verdict === 'incident') {
    return active.stableWasBreaching
      ? unchanged(state)
      : pause(state, active, { reason: 'incident', message: judgement.reason, judgement }, now);
  }
  // A look that was under way while the weight changed speaks of the weight before.
  if (judgement.weight !== canaryWeight(state)) return unchanged(state);
  const [told, notices] = warn(active, judgement);
  if (phase.name !== 'progressing') return [{ ...state, active: told }, notices];
  const [next, effects] = stepped(state, told, judgement, now);
  return [next, [...effects, ...notices]];
}

/** Says each warning once. */
function warn(active: Deployment, { warnings }: Judgement): readonly [Deployment, readonly Effect[]] {
  const fresh = warnings.filter(({ key }) => !active.warned.includes(key));
  if (fresh.length === 0) return [active, []];
  const severity = active.plan.policy.warning.action === 'continue' ? 'info' : 'warning';
  return [
    { ...active, warned: [...active.warned, ...fresh.map(({ key }) => key)] },
    fresh.map(({ key, reason }) => notice(active, `warning/${key}`, severity, `${active.id}: ${reason}`)),
  ];
}

function stepped(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition {
  const { phase, plan } = active;
  if (phase.name !== 'progressing') return unchanged(state);
  const isNew = judgement.warnings.some(({ level, key }) => level === 'severe' && !active.overruled.includes(key));
  if (judgement.verdict === 'warn' && isNew) {
    const { requiresApproval, pauseMs } = plan.policy.warning;
    return pause(
      state,
      active,
      { reason: 'warning', message: judgement.reason, judgement, until: requiresApproval ? null : now + pauseMs },
      now,
    );
  }
  const passed = judgement.verdict === 'pass';
  if (passed && holdIsOver(active, now)) return advance(state, { ...active, judgement }, now);
  if (judgement.remedy === 'weight' && holdIsOver(active, now)) {
    const answer = answerLowTraffic(state, active, judgement, now);
    if (answer !== null) return answer;
  }
  const unmoved = { ...state, active };
  // Kept in the state, so that the end of the hold can act on it without a further look.
  if (passed === phase.passed) return unchanged(unmoved);
  return unchanged(withPhase(unmoved, { ...active, judgement }, { ...phase, passed }));
}

/** The hold is over and samples are missing. Null: wait for them. */
function answerLowTraffic(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition | null {
  const { plan, phase } = active;
  const { policy, maxWeight } = plan.policy.lowTraffic;
  if (phase.name !== 'progressing' || policy === 'extend') return null;
  if (policy === 'hold') return pause(state, active, { reason: 'low-traffic', message: judgement.reason, judgement }, now);
  const weight = canaryWeight(state);
  const next = plan.steps[phase.step + 1]?.weight ?? 100;
  const wider = Math.min(weight * 2, maxWeight, next);
  if (wider <= weight) return null;
  // Held anew: a wider step is looked at for as long as a narrow one before it is widened again.
  return reassign(withPhase(state, { ...active, judgement }, { ...phase, stepStartedAt: now, passed: false, widenedTo: wider }));
}

function failed(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition {
  if (!active.plan.autoRollback) {
    const message = `${judgement.reason}; automatic rollback is disabled, a person must decide`;
    return pause(state, active, { reason: 'auto-rollback-disabled', message, judgement }, now);
  }
  const cause = judgement.detected_by ?? 'sequential';
  return rollBack(state, active, { cause, reason: judgement.reason, judgement, revert: { kind: 'pending' } }, now);
}

function holdIsOver(active: Deployment, now: Instant): boolean {
  if (active.phase.name !== 'progressing') return false;
  const step = active.plan.steps[active.phase.step];
  return step !== undefined && now >= active.phase.stepStartedAt + step.holdMs;
}

function advance(state: ServiceState, active: Deployment, now: Instant): Transition {
  if (active.phase.name !== 'progressing') return unchanged(state);
  const step = active.phase.step + 1;
  if (step >= active.plan.steps.length) return promote(state, active, now);
  return reassign(withPhase(state, active, { name: 'progressing', step, stepStartedAt: now, passed: false, widenedTo: null }));
}

function woken(state: ServiceState, active: Deployment, now: Instant): Transition {
  const { phase, plan } = active;
  if (phase.name === 'paused') return phase.until !== null && now >= phase.until ? resume(state, active, now) : unchanged(state);
  if (phase.name !== 'progressing') return unchanged(state);
  if (phase.passed && holdIsOver(active, now)) return advance(state, active, now);
  if (active.startedAt === null || now < active.startedAt + plan.maxTotalMs) return unchanged(state);
  const message = `not finished within ${formatDuration(plan.maxTotalMs)}`;
  if (plan.policy.deadline === 'rollback')
    return rollBack(state, active, { cause: 'deadline', reason: message, judgement: active.judgement, revert: { kind: 'pending' } }, now);
  const order = {
    reason: 'deadline',
    message: `${message}; resume it to go on for as long again, or roll it back`,
    judgement: active.judgement,
  } as const;
  return pause(state, active, order, now);
}

/** A pause that a person ends does not count towards the deadline; one that ends by itself does, or a lasting warning would never meet it. */
function restartedAt({ startedAt }: Deployment, { reason, since, until }: Extract<Phase, { name: 'paused' }>, now: Instant): Instant {
  if (reason === 'deadline' || startedAt === null) return now;
  return until === null ? startedAt + (now - since) : startedAt;
}

/** Goes on with what was left of the hold; after a deadline, with a new one of the same length. */
export function resume(state: ServiceState, active: Deployment, now: Instant): Transition {
  if (active.phase.name !== 'paused') return unchanged(state);
  const { phase } = active;
  const startedAt = restartedAt(active, phase, now);
  const planned = active.plan.steps[phase.step]?.weight ?? 0;
  const widenedTo = phase.weight > planned ? phase.weight : null;
  const resumed = withPhase(
    state,
    { ...active, startedAt },
    { name: 'progressing', step: phase.step, stepStartedAt: now - phase.heldMs, passed: false, widenedTo },
  );
  return phase.weight === (widenedTo ?? planned) ? unchanged(resumed) : reassign(resumed);
}

export interface PauseOrder {
  readonly reason: PauseReason;
  readonly message: string;
  readonly judgement: Judgement | null;
  /** When it goes on by itself; left out: when a person says so. */
  readonly until?: Instant | null;
}

/** Weight stays as it is, but for an incident, where it goes to 0. Pausing again for the same reason changes nothing. */
export function pause(state: ServiceState, active: Deployment, order: PauseOrder, now: Instant): Transition {
  const { phase } = active;
  if (phase.name !== 'progressing' && phase.name !== 'paused') return unchanged(state);
  if (phase.name === 'paused' && (phase.reason === order.reason || phase.weight === 0)) return unchanged(state);
  const before = canaryWeight(state);
  const weight = order.reason === 'incident' || order.reason === 'refused' ? 0 : before;
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
    until: order.until ?? null,
  });
  const severity = severityOf(order.reason);
  const told = notice(active, `paused/${order.reason}`, severity, `${state.service}: paused ${active.id}: ${order.message}`);
  return weight === before ? [next, [told]] : reassign(next, [told]);
}

function severityOf(reason: PauseReason): 'info' | 'warning' | 'critical' {
  if (reason === 'operator') return 'info';
  return reason === 'warning' || reason === 'low-traffic' ? 'warning' : 'critical';
}

function applied(state: ServiceState, active: Deployment, generation: number, now: Instant): Transition {
  if (active.phase.name !== 'promoting' || generation < state.generation) return unchanged(state);
  return finish(state, active, { phase: 'completed', reason: completionReason(active) }, now);
}

function completionReason(active: Deployment): string {
  switch (active.plan.kind) {
    case 'canary':
      return `promoted after ${active.plan.steps.length} steps`;
    case 'fast-path':
      return 'back on a revision that was promoted not long ago';
    case 'first':
      return 'first revision of the service';
    case 'immediate':
      return 'promoted at once';
  }
}

/**
 * A gateway can't serve it (a missing key, say). In its first moment it is rejected like any other configuration that can't be
 * served; later on, when others have served it, it waits without traffic for a person.
 */
function refused(
  state: ServiceState,
  active: Deployment,
  event: Extract<ProgressEvent, { type: 'gateway-refused' }>,
  now: Instant,
): Transition {
  if (event.generation < state.generation) return unchanged(state);
  const message = `gateway ${event.gateway} refused it: ${event.problems.join('; ')}`;
  const { phase } = active;
  const isFirst = phase.name === 'promoting' ? isUntried(active) : phase.name === 'progressing' && phase.step === 0;
  if (!isFirst) return pause(state, active, { reason: 'refused', message, judgement: null }, now);
  const rejection = { commit: active.revision.commit, problems: [{ code: 'gateway-refused', message }], at: now } as const;
  const restored = phase.name === 'promoting' ? { ...state, ...withoutRevision(state, active) } : state;
  const [ended, endEffects] = finish({ ...restored, rejection }, active, { phase: 'rejected', reason: message }, now);
  const [next, assignEffects] = reassign(ended);
  return [next, [...assignEffects, ...endEffects]];
}

function isUntried({ plan }: Deployment): boolean {
  return plan.kind === 'immediate' || plan.kind === 'first';
}

/** As it was before an immediate promotion. */
function withoutRevision(
  state: ServiceState,
  active: Deployment,
): Pick<ServiceState, 'stable' | 'previous' | 'promoted' | 'watch' | 'held'> {
  const promoted = state.promoted.filter((entry) => entry.digest !== active.revision.digest);
  const before = active.replaced ?? { previous: null, watch: null, held: null };
  return { ...before, stable: active.base, promoted };
}

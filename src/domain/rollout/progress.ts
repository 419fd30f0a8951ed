/** Forward: what verdicts, time and gateways do to a deployment that is under way. */
import { formatDuration, type Instant } from '../../base/time.ts';
import type { AbTestVerdict } from '../analysis/ab-test.ts';
import type { Judgement } from '../analysis/look.ts';
import { allocated, compared } from './arms.ts';
import type { Effect } from './effect.ts';
import type { ServiceEvent } from './event.ts';
import { pause, resume } from './pausing.ts';
import { canaryWeight, judgedShare } from './shares.ts';
import { approvalsNeeded, currentStep, isOnTrial, isUntried, type Deployment, type ServiceState } from './state.ts';
import { advance, holdIsOver, largestWeight, setWeight, start } from './steps.ts';
import { finish, notice, promote, reassign, rollBack, unchanged, withPhase, type Transition } from './transitions.ts';

type ProgressEvent = Extract<
  ServiceEvent,
  {
    type:
      | 'gates-checked'
      | 'slot-granted'
      | 'judged'
      | 'applied'
      | 'woken'
      | 'gateway-refused'
      | 'held-up'
      | 'released'
      | 'mirror-exhausted'
      | 'arms-allocated';
  }
>;

export function reduceProgress(state: ServiceState, event: ProgressEvent, now: Instant): Transition {
  const { active } = state;
  if (active === null) return unchanged(state);
  switch (event.type) {
    case 'gates-checked':
      return active.phase.name === 'pending'
        ? unchanged(withPhase(state, active, { name: 'pending', waitsFor: event.waitsFor }))
        : unchanged(state);
    case 'slot-granted':
      return granted(state, active, event, now);
    case 'judged':
      return judged(state, active, event, now);
    case 'arms-allocated':
      return allocated(state, active, event.shares);
    case 'woken':
      return woken(state, active, now);
    case 'applied':
      return applied(state, active, event.generation, now);
    case 'gateway-refused':
      return refused(state, active, event, now);
    case 'held-up':
      return pause(state, active, { reason: 'held-up', message: event.message, judgement: null }, now);
    case 'released':
      return active.phase.name === 'paused' && active.phase.reason === 'held-up' ? resume(state, active, now) : unchanged(state);
    case 'mirror-exhausted':
      return exhausted(state, active, event.spentUsd, now);
  }
}

/** Whoever grants it has looked at windows, freezes and other services; what can have changed since then is looked at here once more. */
function granted(
  state: ServiceState,
  active: Deployment,
  event: Extract<ProgressEvent, { type: 'slot-granted' }>,
  now: Instant,
): Transition {
  const { phase, plan, approvals, id } = active;
  const isMeant = phase.name === 'pending' && (event.deploymentId ?? id) === id;
  if (!isMeant || approvals.length < approvalsNeeded(active) || state.freeze !== null) return unchanged(state);
  const begun = {
    ...active,
    stableWasBreaching: event.stableIsBreaching,
    stableErrorRate: event.stableErrorRate,
    fleet: plan.steps.some(({ fleet }) => fleet !== null) ? event.gateways : null,
  };
  return plan.steps.length === 0 ? promote(state, { ...begun, startedAt: now }, now) : start(state, begun, now);
}

function exhausted(state: ServiceState, active: Deployment, spentUsd: number, now: Instant): Transition {
  const cap = currentStep(active)?.maxCostUsd ?? null;
  if (active.phase.name !== 'progressing' || cap === null || spentUsd < cap) return unchanged(state);
  const message = `copies have cost ${spentUsd.toFixed(2)} of ${cap.toFixed(2)} US dollars before the judge was sure; promote it to go on without more, or roll it back`;
  return pause(state, active, { reason: 'mirror-budget', message, judgement: null }, now);
}

function judged(
  state: ServiceState,
  active: Deployment,
  { judgement, comparison }: Pick<Extract<ProgressEvent, { type: 'judged' }>, 'judgement' | 'comparison'>,
  now: Instant,
): Transition {
  const { phase } = active;
  const ended = endedBy(state, active, judgement, comparison, now);
  if (ended !== null) return ended;
  const [told, notices] = warn(active, judgement);
  if (phase.name !== 'progressing') return [told === active ? state : { ...state, active: told }, notices];
  const [next, effects] =
    comparison !== undefined && !(judgement.verdict === 'warn' && isNew(told, judgement))
      ? compared(state, told, comparison, now)
      : stepped(state, told, judgement, now);
  return [next, [...effects, ...notices]];
}

/** What a verdict ends, or says nothing about; null: the deployment goes on with it. */
function endedBy(
  state: ServiceState,
  active: Deployment,
  judgement: Judgement,
  comparison: AbTestVerdict | undefined,
  now: Instant,
): Transition | null {
  if (!isOnTrial(active)) return unchanged(state);
  if (judgement.verdict === 'fail') return failed(state, withComparison(active, comparison), judgement, now);
  if (active.phase.name === 'rolling-back') return unchanged(state);
  if (judgement.verdict === 'incident' && !active.stableWasBreaching)
    return pause(state, active, { reason: 'incident', message: judgement.reason, judgement }, now);
  if (judgement.verdict === 'incident' && comparison === undefined) return unchanged(state);
  // A look that was under way while the weight changed speaks of the weight before. That of an arm is its own.
  return active.shares === null && judgement.weight !== judgedShare(state) ? unchanged(state) : null;
}

function withComparison(active: Deployment, comparison: Deployment['comparison'] = active.comparison): Deployment {
  return comparison === active.comparison ? active : { ...active, comparison };
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

/** A severe warning that no person has gone on in spite of. */
function isNew({ overruled }: Deployment, { warnings }: Judgement): boolean {
  return warnings.some(({ level, key }) => level === 'severe' && !overruled.includes(key));
}

function pauseForWarning(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition {
  const { requiresApproval, pauseMs } = active.plan.policy.warning;
  const until = requiresApproval ? null : now + pauseMs;
  return pause(state, active, { reason: 'warning', message: judgement.reason, judgement, until }, now);
}

function stepped(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition {
  const { phase } = active;
  if (phase.name !== 'progressing') return unchanged(state);
  if (judgement.verdict === 'warn' && isNew(active, judgement)) return pauseForWarning(state, active, judgement, now);
  const passed = meets(active, judgement);
  if (passed && holdIsOver(active, now)) return advance(state, { ...active, judgement }, now);
  const answer = judgement.remedy === 'weight' ? answerLowTraffic(state, active, judgement, now) : null;
  if (answer !== null) return answer;
  const unmoved = active === state.active ? state : { ...state, active };
  // Kept in the state, so that the end of the hold can act on it without a further look.
  if (passed === phase.passed) return unchanged(unmoved);
  return unchanged(withPhase(unmoved, { ...active, judgement }, { ...phase, passed }));
}

/** A step that only waits asks for nothing but that it does not fail; arms are left when one has won. */
function meets(active: Deployment, { verdict }: Judgement): boolean {
  const kind = currentStep(active)?.kind;
  return kind === 'hold' || (kind !== 'compare' && verdict === 'pass');
}

/** Its share is a weight that can be raised, not copies, and not gateways. */
function isWeighed(active: Deployment): boolean {
  const step = currentStep(active);
  return step !== null && step.kind !== 'mirror' && step.kind !== 'compare' && step.fleet === null;
}

/** The hold is over and samples are missing. Null: wait for them. */
function answerLowTraffic(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition | null {
  const { plan, phase } = active;
  const { policy, maxWeight } = plan.policy.lowTraffic;
  if (phase.name !== 'progressing' || policy === 'extend' || !isWeighed(active) || !holdIsOver(active, now)) return null;
  if (policy === 'hold') return pause(state, active, { reason: 'low-traffic', message: judgement.reason, judgement }, now);
  const weight = canaryWeight(state);
  const next = Math.max(plan.steps[phase.step + 1]?.weight ?? 100, weight);
  const wider = Math.min(weight * 2, maxWeight, next, largestWeight(active));
  if (wider <= weight) return null;
  return setWeight(state, { ...active, judgement }, wider, now);
}

function failed(state: ServiceState, active: Deployment, judgement: Judgement, now: Instant): Transition {
  if (active.phase.name === 'rolling-back') return returnAtOnce(state, active, judgement);
  if (active.autoRollbackPausedUntil !== null && now < active.autoRollbackPausedUntil) return heldOff(state, active, judgement);
  if (!active.plan.autoRollback) {
    const message = `${judgement.reason}; automatic rollback is disabled, a person must decide`;
    return pause(state, active, { reason: 'auto-rollback-disabled', message, judgement }, now);
  }
  const cause = judgement.detected_by ?? 'sequential';
  return rollBack(state, active, { cause, reason: judgement.reason, judgement, revert: { kind: 'pending' } }, now);
}

/** What goes back little by little turns out to be so bad that it goes at once. */
function returnAtOnce(state: ServiceState, active: Deployment, judgement: Judgement): Transition {
  const { phase } = active;
  if (phase.name !== 'rolling-back' || phase.weight === 0) return unchanged(state);
  const next = withPhase(state, { ...active, judgement }, { ...phase, weight: 0, gradual: null });
  return reassign(next, [notice(active, 'at-once', 'critical', `${state.service}: ${active.id} goes back at once: ${judgement.reason}`)]);
}

/** A person has taken the rollback on themselves for a while: said once, and loudly. */
function heldOff(state: ServiceState, active: Deployment, judgement: Judgement): Transition {
  const key = `held-off/${active.autoRollbackPausedUntil ?? 0}`;
  if (active.warned.includes(key)) return unchanged(state);
  const message = `${state.service}: ${active.id} would be rolled back (${judgement.reason}), but automatic rollback is paused`;
  const told = { ...active, judgement, warned: [...active.warned, key] };
  return [{ ...state, active: told }, [notice(active, key, 'critical', message)]];
}

function woken(state: ServiceState, active: Deployment, now: Instant): Transition {
  const { phase, plan } = active;
  if (phase.name === 'paused') return phase.until !== null && now >= phase.until ? resume(state, active, now) : unchanged(state);
  if (phase.name !== 'progressing') return unchanged(state);
  const isTimed = currentStep(active)?.kind === 'hold';
  if ((phase.passed || isTimed) && holdIsOver(active, now)) return advance(state, active, now);
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

function applied(state: ServiceState, active: Deployment, generation: number, now: Instant): Transition {
  if (active.phase.name !== 'promoting' || generation < state.generation) return unchanged(state);
  const [next, effects] = finish(state, active, { phase: 'completed', reason: completionReason(active) }, now);
  // What was only said for this rollout leaves the file: the branch then says what is served, and no more.
  const isOneOff = active.plan.kind === 'blue-green' || active.plan.kind === 'ab-test';
  const collapse = isOneOff ? [{ kind: 'write-config', deploymentId: active.id, revision: active.revision } as const] : [];
  return [next, [...effects, ...collapse]];
}

function completionReason(active: Deployment): string {
  switch (active.plan.kind) {
    case 'fast-path':
      return 'back on a revision that was promoted not long ago';
    case 'first':
      return 'first revision of the service';
    case 'ab-test': {
      const { arm = '' } = active.revision;
      return active.comparison?.winner === arm
        ? `promoted "${arm}", the winner of its A/B test`
        : `promoted "${arm}", which a person chose`;
    }
    default:
      return active.plan.steps.length === 0 ? 'promoted at once' : `promoted after ${active.plan.steps.length} steps`;
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
  const isFirst = phase.name === 'promoting' ? isUntried(active) : isFirstMoment(active, now);
  if (!isFirst) return pause(state, active, { reason: 'refused', message, judgement: null }, now);
  const rejection = { commit: active.revision.commit, problems: [{ code: 'gateway-refused', message }], at: now } as const;
  const restored = phase.name === 'promoting' ? { ...state, ...withoutRevision(state, active) } : state;
  const [ended, endEffects] = finish({ ...restored, rejection }, active, { phase: 'rejected', reason: message }, now);
  const [next, assignEffects] = reassign(ended);
  return [next, [...assignEffects, ...endEffects]];
}

/** Of an A/B test its one step lasts to its end, so only the first minute of it. */
function isFirstMoment(active: Deployment, now: Instant): boolean {
  const { phase } = active;
  if (phase.name !== 'progressing' || phase.step > 0) return false;
  return currentStep(active)?.kind !== 'compare' || now - phase.stepStartedAt < 60_000;
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

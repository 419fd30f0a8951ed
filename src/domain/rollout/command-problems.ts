/** Why an order can't be followed, in one sentence with the way out. */
import { assertNever } from '../../base/assert-never.ts';
import type { Problem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { Command } from './event.ts';
import { canaryWeight } from './shares.ts';
import { approvalsNeeded, currentStep, isQuarantined, type Deployment, type Phase, type ServiceState } from './state.ts';
import { largestWeight } from './steps.ts';

/** Null when the order can be followed. */
export function commandProblem(state: ServiceState, command: Command, now: Instant): Problem | null {
  const because = otherDeployment(state, command.deploymentId) ?? reasonAgainst(state, command, now);
  return because === null
    ? null
    : { code: 'not-applicable', message: `Cannot ${verbs[command.type]} ${state.service} (${phaseOf(state)}): ${because}.` };
}

const verbs: Readonly<Record<Command['type'], string>> = {
  paused: 'pause',
  resumed: 'resume',
  'rollback-requested': 'roll back',
  'promotion-requested': 'promote',
  'cutover-requested': 'cut over',
  'winner-chosen': 'promote an arm of',
  'traffic-set': 'set the traffic of',
  'phase-extended': 'extend the step of',
  'auto-rollback-paused': 'pause automatic rollback of',
  'auto-rollback-armed': 'arm automatic rollback of',
  rebalanced: 'rebalance',
  'monitoring-restarted': 'restart the monitoring of',
  approved: 'approve',
  'turned-down': 'reject',
  retried: 'retry',
  frozen: 'freeze',
  unfrozen: 'unfreeze',
};

function phaseOf({ active }: ServiceState): string {
  return active?.phase.name ?? 'idle';
}

function otherDeployment(state: ServiceState, asked: string | null): string | null {
  if (asked === null) return null;
  const current = state.active?.id ?? state.watch?.deploymentId ?? state.last?.id;
  if (asked === current || (phaseOf(state) === 'pending' && asked === state.watch?.deploymentId)) return null;
  return `${asked} is not its deployment in force${current === undefined ? '' : `, ${current} is`}`;
}

function reasonAgainst(state: ServiceState, command: Command, now: Instant): string | null {
  switch (command.type) {
    case 'rollback-requested':
      return againstRollback(state, command);
    case 'retried':
      return isQuarantined(state, command.digest) ? null : 'that content is not in quarantine, so there is nothing to retry';
    case 'frozen':
      // A drain can be tightened to a freeze.
      return state.freeze === null || (state.freeze.drains && !command.drains)
        ? null
        : `it is frozen already, by ${state.freeze.actor}: ${state.freeze.reason}`;
    case 'unfrozen':
      return state.freeze === null ? 'it is not frozen' : null;
    case 'auto-rollback-armed':
      return againstArming(state);
    case 'approved':
    case 'turned-down':
      return againstApproval(state, command);
    default:
      return againstActive(state, command, now);
  }
}

type RollbackCommand = Extract<Command, { type: 'rollback-requested' }>;

type ToActive = Exclude<
  Command,
  { type: 'rollback-requested' | 'retried' | 'frozen' | 'unfrozen' | 'auto-rollback-armed' | 'approved' | 'turned-down' }
>;

function againstActive(state: ServiceState, command: ToActive, now: Instant): string | null {
  const { active } = state;
  const name = active?.phase.name;
  const isUnderWay = name === 'progressing' || name === 'paused';
  switch (command.type) {
    case 'paused':
      return name === 'progressing' ? null : 'only a deployment that is progressing can be paused';
    case 'resumed':
      return againstResume(state);
    case 'cutover-requested':
      return againstCutover(state);
    case 'winner-chosen':
      return againstWinner(state, command.arm);
    case 'promotion-requested':
      return isUnderWay ? againstPromotion(active, command.full) : 'no step of it is under way';
    case 'phase-extended':
    case 'monitoring-restarted':
      return isUnderWay ? null : 'no step of it is under way';
    case 'auto-rollback-paused':
      return isUnderWay ? againstDisarming(state, now + command.forMs) : 'no step of it is under way';
    case 'traffic-set':
      return againstWeight(state, command);
    case 'rebalanced':
      return canaryWeight(state) > 0 && isUnderWay ? null : 'no traffic is divided now';
    default:
      return assertNever(command);
  }
}

/** What an A/B test promotes is one of its arms. */
function againstPromotion(active: Deployment | null, isFull: boolean): string | null {
  const asksForArm = active?.plan.abTest != null && (isFull || currentStep(active)?.kind === 'compare');
  return asksForArm ? 'it is an A/B test; name the arm with `actuator ab-test-promote`' : null;
}

function againstWinner({ active }: ServiceState, arm: string): string | null {
  const arms = active?.plan.abTest?.arms.map(({ name }) => name);
  if (arms === undefined || currentStep(active)?.kind !== 'compare') return 'no A/B test of it compares now';
  return arms.includes(arm) ? null : `there is no arm "${arm}", there is ${arms.join(', ')}`;
}

function againstArming({ active, watch }: ServiceState): string | null {
  if (active === null && watch === null) return 'nothing is under way or watched';
  const isArmed =
    (active === null || (active.plan.autoRollback && active.autoRollbackPausedUntil === null)) && watch?.plan.autoRollback !== false;
  return isArmed ? 'it is armed already' : null;
}

function againstResume({ active }: ServiceState): string | null {
  if (active?.phase.name !== 'paused') return 'only a paused deployment can be resumed';
  if (active.phase.reason === 'winner') return 'its test has a winner; promote it with `actuator ab-test-promote`, or abort the test';
  if (active.phase.reason === 'no-winner' && active.phase.heldMs >= (currentStep(active)?.holdMs ?? 0) + active.phase.extraHoldMs)
    return 'its time is over; promote an arm with `actuator ab-test-promote`, extend it first with `actuator extend-phase`, or abort it';
  return active.phase.reason === 'mirror-budget'
    ? 'its copies have cost what they may; promote it to go on without more, or roll it back'
    : null;
}

function againstDisarming({ active }: ServiceState, until: Instant): string | null {
  return (active?.autoRollbackPausedUntil ?? 0) > until ? 'it is paused for longer than that already' : null;
}

function againstRollback(state: ServiceState, command: RollbackCommand): string | null {
  const { active } = state;
  const { target } = command;
  switch (active?.phase.name) {
    case undefined:
      return target === null ? againstUndoing(state) : againstTarget(state, target.revision.digest);
    case 'promoting':
      return target === null ? againstUndoing(state) : againstTarget(state, target.revision.digest);
    case 'rolling-back':
      return againstMore(state, command, active.phase);
    case 'recovering':
      return target === null
        ? 'it was rolled back, and recovery is being watched; name a version with --to-version to go further'
        : againstTarget(state, target.revision.digest);
    default:
      return target === null ? null : againstTarget(state, target.revision.digest);
  }
}

/** What goes back gradually can be made to go at once; once traffic is back, a person may want another version still. */
function againstMore(
  state: ServiceState,
  { target, gradualMs }: RollbackCommand,
  phase: Extract<Phase, { name: 'rolling-back' }>,
): string | null {
  if (target !== null && phase.trafficReturned) return againstTarget(state, target.revision.digest);
  return phase.weight > 0 && gradualMs === null && target === null ? null : 'it is being rolled back already';
}

function againstTarget(state: ServiceState, digest: string): string | null {
  if (digest === state.active?.revision.digest && state.active.phase.name !== 'promoting')
    return 'that version is what is being rolled out; promote it, or name another';
  if (isQuarantined(state, digest)) return 'that version was rolled back before and is in quarantine; lift it with `actuator retry` first';
  return digest === state.stable?.digest && state.active === null ? 'that version is in force' : null;
}

function againstUndoing({ previous, watch }: ServiceState): string | null {
  if (previous !== null && watch !== null) return null;
  const because =
    previous === null
      ? 'nothing is being rolled out, and there is no revision from before the present one'
      : 'nothing is being rolled out, and the time in which the revision before the present one is kept ready is over';
  return `${because}; name a version with --to-version, or revert the commit in Git`;
}

function againstCutover({ active }: ServiceState): string | null {
  if (active?.phase.name === 'paused' && active.phase.reason === 'planned') return null;
  if (currentStep(active)?.kind === 'mirror') return 'it is still being validated; `actuator promote` goes on without that';
  return 'it does not wait for a cutover';
}

function againstWeight(state: ServiceState, { percentage }: Extract<Command, { type: 'traffic-set' }>): string | null {
  const { active } = state;
  const step = currentStep(active);
  if (active === null || step === null) return 'no step of it is under way';
  if (step.kind === 'mirror' || step.kind === 'pause') return 'no user is on the canary in this step';
  if (step.fleet !== null) return 'it goes over the gateways in batches, which have no weight';
  if (active.phase.name === 'paused' && active.phase.weight === 0) return 'its traffic was taken away; resume it first';
  const most = largestWeight(active);
  return percentage > most ? `its plan never gives the canary more than ${most} %` : null;
}

function againstApproval({ active }: ServiceState, command: Extract<Command, { type: 'approved' | 'turned-down' }>): string | null {
  if (active?.phase.name !== 'pending') return 'only a deployment that has not started can be approved or rejected';
  if (command.type === 'turned-down') return null;
  if (command.digest !== active.revision.digest) return `what was reviewed is not what waits (${active.revision.digest.slice(0, 19)})`;
  if (approvalsNeeded(active) === 0) return 'it needs no approval';
  return active.approvals.some(({ approver }) => approver === command.actor) ? `${command.actor} has approved it already` : null;
}

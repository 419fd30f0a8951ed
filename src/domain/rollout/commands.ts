/** What people order. `commandProblem` says beforehand whether an order makes sense; one that does not changes nothing. */
import { assertNever } from '../../base/assert-never.ts';
import { formatDuration, type Instant } from '../../base/time.ts';
import { promoteArm } from './arms.ts';
import { commandProblem } from './command-problems.ts';
import type { Command, ServiceEvent } from './event.ts';
import { pause, resume } from './pausing.ts';
import { canaryWeight } from './shares.ts';
import type { Deployment, ServiceState } from './state.ts';
import { advance, setWeight } from './steps.ts';
import { endForAnother } from './recovering.ts';
import { finish, notice, promote, reassign, rollBack, unchanged, withoutRevertOf, withPhase, type Transition } from './transitions.ts';
import { rollBackPromoted, setAside, since } from './undoing.ts';

const commands = new Set<ServiceEvent['type']>([
  'paused',
  'resumed',
  'rollback-requested',
  'promotion-requested',
  'cutover-requested',
  'winner-chosen',
  'traffic-set',
  'phase-extended',
  'auto-rollback-paused',
  'auto-rollback-armed',
  'rebalanced',
  'monitoring-restarted',
  'approved',
  'turned-down',
  'retried',
  'frozen',
  'unfrozen',
]);

export function isCommand(event: ServiceEvent): event is Command {
  return commands.has(event.type);
}

export function reduceCommand(state: ServiceState, command: Command, now: Instant): Transition {
  if (commandProblem(state, command, now) !== null) return unchanged(state);
  switch (command.type) {
    case 'rollback-requested':
      return rolledBack(state, command, now);
    case 'auto-rollback-armed':
      return armed(state);
    case 'retried':
      return unchanged({
        ...withoutRevertOf(state, command.digest),
        quarantine: without(state.quarantine, command.digest),
        rejection: null,
      });
    case 'frozen':
      return unchanged({ ...state, freeze: { drains: command.drains, reason: command.reason, actor: command.actor, at: now } });
    case 'unfrozen':
      return unchanged({ ...state, freeze: null });
    default:
      return state.active === null ? unchanged(state) : toActive(state, state.active, command, now);
  }
}

type ToActive = Exclude<Command, { type: 'rollback-requested' | 'auto-rollback-armed' | 'retried' | 'frozen' | 'unfrozen' }>;

function toActive(state: ServiceState, active: Deployment, command: ToActive, now: Instant): Transition {
  switch (command.type) {
    case 'paused':
      return pause(state, active, { reason: 'operator', message: command.reason, judgement: null }, now);
    case 'resumed':
      return active.phase.name === 'paused' && active.phase.reason === 'planned'
        ? advance(state, active, now)
        : resume(state, overrule(active), now);
    case 'cutover-requested':
      return advance(state, active, now);
    case 'winner-chosen':
      return promoteArm(state, active, command.arm, command.comparison, now);
    case 'promotion-requested':
      return command.full ? promote(state, active, now) : advance(state, overrule(active), now);
    case 'traffic-set':
      return weighed(state, active, command, now);
    case 'phase-extended':
      return extended(state, active, command.byMs);
    case 'auto-rollback-paused':
      return disarmed(state, active, command, now);
    case 'rebalanced':
      return reassign({ ...state, active: { ...active, resalted: active.resalted + 1, ...forgetting(active) } });
    case 'monitoring-restarted':
      return anew(state, active, now);
    case 'approved':
      return approved(state, active, command, now);
    case 'turned-down':
      return turnedDown(state, active, command, now);
    default:
      return assertNever(command);
  }
}

function rolledBack(state: ServiceState, command: RollbackCommand, now: Instant): Transition {
  const { active } = state;
  const { reason, actor, gradualMs, target, channels = [] } = command;
  const order = { cause: 'operator', reason, actor, gradualMs, channels, judgement: null, revert: { kind: 'pending' } } as const;
  if (active?.phase.name === 'recovering' || active?.phase.name === 'rolling-back') return oncemore(state, active, command, now);
  if (target !== null) return restored(state, order, target, now);
  if (active !== null && !meansPromoted(state, active, command)) return rollBack(state, active, order, now);
  const { previous, watch } = state;
  if (previous === null || watch === null) return unchanged(state);
  return rollBackPromoted(setAside(state), { revision: previous, plan: watch.plan }, order, now);
}

type RollbackCommand = Extract<Command, { type: 'rollback-requested' }>;

/** Beside what was promoted another one waits that has never had traffic: unless it is named, it is not what must go. */
function meansPromoted({ previous, watch }: ServiceState, active: Deployment, { deploymentId }: RollbackCommand): boolean {
  if (active.phase.name === 'promoting') return true;
  return active.phase.name === 'pending' && deploymentId !== active.id && previous !== null && watch !== null;
}

/** A rollback that is under way goes faster, or, once traffic is back, on to another version. */
function oncemore(state: ServiceState, active: Deployment, command: RollbackCommand, now: Instant): Transition {
  const { phase } = active;
  if (phase.name === 'rolling-back' && phase.weight > 0)
    return reassign(withPhase(state, active, { ...phase, weight: 0, gradual: null, reason: command.reason }));
  const [ended, effects] = endForAnother(state, active, now);
  const [next, more] = rolledBack(ended, command, now);
  return [next, [...effects, ...more]];
}

/** To a version that a person has chosen, whatever is under way. */
function restored(
  state: ServiceState,
  order: Parameters<typeof rollBack>[2],
  target: NonNullable<RollbackCommand['target']>,
  now: Instant,
): Transition {
  const { active, stable } = state;
  if (active === null || active.phase.name === 'pending' || active.phase.name === 'promoting')
    return target.revision.digest === stable?.digest && active !== null
      ? rollBack(state, active, order, now)
      : rollBackPromoted(setAside(state), target, order, now);
  // The canary goes back to stable, which is the target already.
  if (target.revision.digest === stable?.digest) return rollBack(state, active, order, now);
  const entry = stable === null ? [] : [{ digest: stable.digest, deploymentId: active.id, reason: order.reason, at: now }];
  const promoted = since(state.promoted, target.revision.digest);
  const next = {
    ...state,
    stable: target.revision,
    previous: null,
    watch: null,
    held: null,
    promoted,
    quarantine: [...entry, ...state.quarantine],
  };
  return rollBack(next, { ...active, base: target.revision }, order, now);
}

/** A person goes on in spite of the warnings that there are: they pause it no more. */
function overrule(active: Deployment): Deployment {
  if (active.phase.name !== 'paused' || active.phase.reason !== 'warning') return active;
  const severe = active.judgement?.warnings.filter(({ level }) => level === 'severe').map(({ key }) => key) ?? [];
  return { ...active, overruled: [...new Set([...active.overruled, ...severe])] };
}

function weighed(state: ServiceState, active: Deployment, command: Extract<Command, { type: 'traffic-set' }>, now: Instant): Transition {
  const [weighted, effects] =
    command.percentage === canaryWeight(state) ? unchanged(state) : setWeight(state, active, command.percentage, now);
  if (!command.pauses || weighted.active === null) return [weighted, effects];
  const [paused, more] = pause(weighted, weighted.active, { reason: 'operator', message: command.reason, judgement: null }, now);
  return [paused, [...effects, ...more]];
}

function extended(state: ServiceState, active: Deployment, byMs: number): Transition {
  const { phase } = active;
  if (phase.name !== 'progressing' && phase.name !== 'paused') return unchanged(state);
  const longer = { ...active.plan, maxTotalMs: active.plan.maxTotalMs + byMs };
  return unchanged(withPhase(state, { ...active, plan: longer }, { ...phase, extraHoldMs: phase.extraHoldMs + byMs }));
}

/** What was found is found anew, but for a decision that the deployment waits with. */
function forgetting({ phase, comparison }: Deployment): Pick<Deployment, 'comparison'> {
  return { comparison: phase.name === 'paused' ? comparison : null };
}

/** Of an A/B test also the winner that it waits with is found anew. */
function anew(state: ServiceState, active: Deployment, now: Instant): Transition {
  const begun = { ...active, warned: [], monitoringSince: now, ...forgetting(active) };
  const hadWinner = active.phase.name === 'paused' && active.phase.reason === 'winner';
  return hadWinner ? resume(state, begun, now) : unchanged({ ...state, active: begun });
}

/** With it all that the same rollback put there: a test and the arm of it that failed. */
function without(quarantine: ServiceState['quarantine'], lifted: string): ServiceState['quarantine'] {
  const entry = quarantine.find(({ digest }) => digest === lifted);
  return quarantine.filter(({ deploymentId }) => deploymentId !== entry?.deploymentId);
}

/** Loud, since a canary that fails now goes on. */
function disarmed(
  state: ServiceState,
  active: Deployment,
  command: Extract<Command, { type: 'auto-rollback-paused' }>,
  now: Instant,
): Transition {
  const message = `${state.service}: ${command.actor} has paused automatic rollback of ${active.id} for ${formatDuration(command.forMs)}: ${command.reason}`;
  const next = { ...active, autoRollbackPausedUntil: now + command.forMs };
  return [{ ...state, active: next }, [notice(active, `disarmed/${now}`, 'critical', message)]];
}

/** Verdicts roll back again, also what has been promoted. */
function armed(state: ServiceState): Transition {
  const { active, watch } = state;
  return unchanged({
    ...state,
    active: active === null ? null : { ...active, autoRollbackPausedUntil: null, plan: { ...active.plan, autoRollback: true } },
    watch: watch === null ? null : { ...watch, plan: { ...watch.plan, autoRollback: true } },
  });
}

function approved(
  state: ServiceState,
  active: Deployment,
  { actor, reason }: Extract<Command, { type: 'approved' }>,
  now: Instant,
): Transition {
  const approvals = [...active.approvals, { approver: actor, comment: reason === '' ? null : reason, at: now }];
  return unchanged({ ...state, active: { ...active, approvals } });
}

/** Nothing was tried, so nothing goes to quarantine; the branch still holds it, which the rejection says. */
function turnedDown(
  state: ServiceState,
  active: Deployment,
  { actor, reason }: Extract<Command, { type: 'turned-down' }>,
  now: Instant,
): Transition {
  const message = `turned down by ${actor}: ${reason}`;
  const rejection = { commit: active.revision.commit, problems: [{ code: 'forbidden', message }], at: now } as const;
  return finish({ ...state, rejection }, active, { phase: 'rejected', reason: message }, now);
}

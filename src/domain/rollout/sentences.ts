/** The story of a transition in one plain sentence: subject of status commits, line of logs and timelines. */
import { assertNever } from '../../base/assert-never.ts';
import { formatProblem } from '../../base/problem.ts';
import { oneLine } from '../../base/text.ts';
import { formatDuration } from '../../base/time.ts';
import { shortDigest } from '../config/digest.ts';
import { describeStep } from '../planning/step.ts';
import { isCommand } from './commands.ts';
import type { Command, ServiceEvent } from './event.ts';
import { canaryWeight } from './shares.ts';
import { isAskedForBy, isPutOff, type Deployment, type FinishedDeployment, type ServiceState } from './state.ts';
import { nameOfStep } from './steps.ts';

/** Without the service's name, which stands before it. */
export function describeTransition(before: ServiceState, event: ServiceEvent, after: ServiceState): string {
  const ended = isSameEnd(before.last, after.last) ? null : after.last;
  const begun = newOf(before.active, after.active);
  if (ended?.phase === 'superseded' && begun !== null) return `superseded ${ended.id} by ${begun.id}`;
  if (ended !== null && event.type !== 'revision-rejected') return describeEnd(ended);
  return begun === null ? describeEvent(before, event, after) : describeBeginning(begun);
}

/** One deployment can end twice: promoted, and taken back later. */
function isSameEnd(a: FinishedDeployment | null, b: FinishedDeployment | null): boolean {
  return a?.id === b?.id && a?.finishedAt === b?.finishedAt && a?.phase === b?.phase;
}

function newOf<T extends { readonly id: string }>(before: T | null, after: T | null): T | null {
  return after?.id === before?.id ? null : after;
}

function describeEnd(ended: FinishedDeployment): string {
  return `${ended.phase === 'rejected' ? 'refused' : ended.phase.replace('-', ' ')} ${ended.id}, ${ended.reason}`;
}

function describeBeginning(active: Deployment): string {
  const what = `${active.id} for ${active.revision.commit.slice(0, 12)} (${shortDigest(active.revision.digest)})`;
  switch (active.phase.name) {
    case 'pending':
      return `planned ${what}: ${describePlan(active)}`;
    case 'rolling-back':
      return describeReturn(active.id, active.phase);
    case 'promoting':
      return `promoting ${what} at once, ${active.plan.kind === 'fast-path' ? 'it was promoted not long ago' : 'without a canary'}`;
    case 'progressing':
    case 'paused':
    case 'recovering':
      return `started ${what}`;
    default:
      return assertNever(active.phase);
  }
}

function describeReturn(id: string, { weight, reason }: Extract<Deployment['phase'], { name: 'rolling-back' }>): string {
  return `rolling back ${id}${weight > 0 ? ` gradually, ${Math.round(weight)} % left` : ''}, ${reason}`;
}

function describePlan(active: Deployment): string {
  const { kind, steps, choice } = active.plan;
  const chosen = choice === null ? '' : `, chosen for ${choice.paths.slice(0, 3).join(', ') || 'want of a comparison'} (${choice.change})`;
  return `${kind}${steps.length === 0 ? '' : ` ${steps.map(describeStep).join(', ')}`}${chosen}`;
}

function describeRejected({ commit, problems }: Extract<ServiceEvent, { type: 'revision-rejected' }>): string {
  const [first] = problems;
  const what = isPutOff({ problems }) ? 'not decided on yet:' : 'rejected';
  return `${what} ${commit.slice(0, 12)}: ${first === undefined ? 'not valid' : formatProblem(first)}`;
}

function describeEvent(before: ServiceState, event: ServiceEvent, after: ServiceState): string {
  if (isCommand(event)) return describeCommand(before, event, after);
  switch (event.type) {
    case 'adopted':
      return `adopted ${event.revision.commit.slice(0, 12)} (${shortDigest(event.revision.digest)}) as stable`;
    case 'revision-seen':
      return describeSeen(event, after);
    case 'revision-rejected':
      return describeRejected(event);
    case 'service-removed':
      return 'orphaned, its folder is gone from the branch; it goes on serving stable';
    case 'gateway-refused':
      return `paused, gateway ${oneLine(event.gateway, 60)} refused: ${oneLine(event.problems.join('; '), 200)}`;
    case 'revert-settled':
      return event.outcome.kind === 'committed'
        ? `reverted on the branch by ${event.outcome.commit.slice(0, 12)}`
        : `revert commit ${event.outcome.kind.replace('-', ' ')}`;
    case 'watch-failed':
      return `held, ${event.judgement.reason}`;
    case 'catalogue-changed':
      return 'reassigned, the catalogue changed';
    case 'gates-checked':
      return `${after.active?.id ?? ''} waits${event.waitsFor.length === 0 ? ' for nothing more' : `: ${event.waitsFor.join('; ')}`}`;
    case 'origin-found':
      return describeOrigin(event, after);
    case 'revert-proposed':
      return `opened pull request #${event.pullRequest.number}, which takes back what ${event.deploymentId} tried`;
    case 'arms-allocated':
      return `${after.active?.id ?? ''} divides its traffic anew: ${describeShares(after.active)}`;
    case 'recovery-judged':
      return `${after.active?.id ?? ''} goes further back, ${event.reason}`;
    case 'slot-granted':
    case 'judged':
    case 'applied':
    case 'woken':
    case 'held-up':
    case 'released':
    case 'mirror-exhausted':
      return describePhase(before, after);
    default:
      return assertNever(event);
  }
}

function describeOrigin({ origin }: Extract<ServiceEvent, { type: 'origin-found' }>, { active }: ServiceState): string {
  const from = origin.kind === 'push' ? 'by a direct push' : `by pull request #${origin.number}`;
  const reviewers = (active?.approvals ?? []).filter(({ review }) => review === true).map(({ approver }) => approver);
  return `${active?.id ?? ''} came ${from}${reviewers.length === 0 ? '' : `, approved there by ${reviewers.join(', ')}`}`;
}

function describeShares(active: Deployment | null): string {
  const arms = active?.plan.abTest?.arms ?? [];
  return arms.map(({ name }, index) => `${name} ${Math.round(1000 * (active?.shares?.[index] ?? 0)) / 10} %`).join(', ');
}

/** Who has done what, and why. */
function describeCommand(before: ServiceState, command: Command, after: ServiceState): string {
  const { reason, actor } = command;
  const id = after.active?.id ?? after.watch?.deploymentId ?? '';
  switch (command.type) {
    case 'paused':
    case 'resumed':
    case 'rollback-requested':
    case 'promotion-requested':
    case 'cutover-requested':
      return describePhase(before, after);
    case 'winner-chosen':
      return `${actor} chose "${command.arm}" of ${id}, ${reason}`;
    case 'traffic-set':
      return `${actor} set ${id} to ${command.percentage} %, ${reason}`;
    case 'phase-extended':
      return `${actor} extended the step of ${id} by ${formatDuration(command.byMs)}, ${reason}`;
    case 'auto-rollback-paused':
      return `${actor} paused automatic rollback of ${id} for ${formatDuration(command.forMs)}, ${reason}`;
    case 'auto-rollback-armed':
      return `${actor} armed automatic rollback of ${id}, ${reason}`;
    case 'rebalanced':
      return `${actor} made ${id} draw its traffic anew, ${reason}`;
    case 'monitoring-restarted':
      return `${actor} made the judge of ${id} begin anew, ${reason}`;
    case 'approved':
      return `${actor} approved ${id}${reason === '' ? '' : `, ${reason}`}`;
    case 'turned-down':
      return `${actor} rejected ${id}, ${reason}`;
    case 'retried':
      return `${actor} lifted the quarantine of ${shortDigest(command.digest)}, ${reason}`;
    case 'frozen':
      return `frozen by ${actor}, ${reason}`;
    case 'unfrozen':
      return `no longer frozen, ${actor}: ${reason}`;
    default:
      return assertNever(command);
  }
}

function describeSeen(event: Extract<ServiceEvent, { type: 'revision-seen' }>, after: ServiceState): string {
  const commit = event.revision.commit.slice(0, 12);
  if (after.waiting?.revision.commit === event.revision.commit) return `saw ${commit}, it waits for ${after.active?.id ?? ''}`;
  return `saw ${commit}, nothing to do: its content is ${isAskedForBy(after.stable, event.revision.digest) ? 'stable' : 'on its way'}`;
}

function describePhase(before: ServiceState, after: ServiceState): string {
  const active = after.active;
  if (active === null) return before.watch !== null && after.watch === null ? 'left the watch after its promotion' : 'unchanged';
  const { phase } = active;
  switch (phase.name) {
    case 'pending':
      return `${active.id} is pending`;
    case 'progressing':
      return describeProgress(before, active, phase.step, phase.passed);
    case 'paused':
      return `paused ${active.id}, ${phase.message}`;
    case 'promoting':
      return `promoting ${active.id}${describeArm(active)}`;
    case 'recovering':
      return `${active.id} is back on stable, recovery is being watched`;
    case 'rolling-back':
      if (phase.weight > 0) return describeReturn(active.id, phase);
      return before.active?.phase.name === 'rolling-back' ? `traffic of ${active.id} is back on stable` : describeReturn(active.id, phase);
    default:
      return assertNever(phase);
  }
}

function describeArm(active: Deployment): string {
  const { arm } = active.revision;
  return arm === undefined ? '' : `, arm "${arm}": ${active.comparison?.reason ?? ''}`;
}

function describeProgress(before: ServiceState, active: Deployment, step: number, passed: boolean): string {
  const name = nameOfStep(active);
  const was = before.active;
  if (was?.phase.name === 'progressing' && was.phase.step === step) return describeStay(was, active, name, passed);
  return was?.phase.name === 'paused' ? `resumed ${active.id} at ${name}` : `${active.id} began ${name}`;
}

function weightOf(active: Deployment): number {
  return canaryWeight({ active });
}

/** Something changed within a step. */
function describeStay(was: Deployment, active: Deployment, name: string, passed: boolean): string {
  if (weightOf(was) !== weightOf(active)) return `widened ${active.id} to ${weightOf(active)} %, traffic is too low for its samples`;
  if (active.comparison !== null && active.comparison !== was.comparison)
    return `${active.id} compares its arms: ${active.comparison.arms.map((arm) => `${arm.name} ${arm.samples} values`).join(', ')}; ${active.comparison.reason}`;
  const gateIsSame = was.phase.name === 'progressing' && was.phase.passed === passed;
  if (gateIsSame && active.warned.length > was.warned.length) return `${active.id} warns: ${active.warned.at(-1) ?? ''}`;
  return `${active.id} ${passed ? 'meets' : 'no longer meets'} the gate of ${name}`;
}

/** The story of a transition in one plain sentence: subject of status commits, line of logs and timelines. */
import { assertNever } from '../../base/assert-never.ts';
import { formatProblem } from '../../base/problem.ts';
import { oneLine } from '../../base/text.ts';
import { shortDigest } from '../config/digest.ts';
import type { ServiceEvent } from './event.ts';
import type { Deployment, FinishedDeployment, ServiceState } from './state.ts';

/** Without the service's name, which stands before it. */
export function describeTransition(before: ServiceState, event: ServiceEvent, after: ServiceState): string {
  const ended = newOf(before.last, after.last);
  const begun = newOf(before.active, after.active);
  if (ended?.phase === 'superseded' && begun !== null) return `superseded ${ended.id} by ${begun.id}`;
  if (ended !== null && event.type !== 'revision-rejected') return describeEnd(ended);
  return begun === null ? describeEvent(before, event, after) : describeBeginning(begun);
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
      return `rolling back ${active.id}, ${active.phase.reason}`;
    case 'promoting':
      return `promoting ${what} at once, ${active.plan.kind === 'fast-path' ? 'it was promoted not long ago' : 'without a canary'}`;
    case 'progressing':
    case 'paused':
      return `started ${what}`;
    default:
      return assertNever(active.phase);
  }
}

function describePlan(active: Deployment): string {
  if (active.plan.steps.length === 0) return active.plan.kind;
  return `canary ${active.plan.steps.map((step) => step.weight).join(', ')} %`;
}

function describeEvent(before: ServiceState, event: ServiceEvent, after: ServiceState): string {
  switch (event.type) {
    case 'adopted':
      return `adopted ${event.revision.commit.slice(0, 12)} (${shortDigest(event.revision.digest)}) as stable`;
    case 'revision-seen':
      return describeSeen(event, after);
    case 'revision-rejected':
      return `rejected ${event.commit.slice(0, 12)}: ${event.problems[0] === undefined ? 'not valid' : formatProblem(event.problems[0])}`;
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
    case 'slot-granted':
    case 'judged':
    case 'applied':
    case 'woken':
    case 'paused':
    case 'resumed':
    case 'rollback-requested':
      return describePhase(before, after);
    default:
      return assertNever(event);
  }
}

function describeSeen(event: Extract<ServiceEvent, { type: 'revision-seen' }>, after: ServiceState): string {
  const commit = event.revision.commit.slice(0, 12);
  if (after.waiting?.revision.commit === event.revision.commit) return `saw ${commit}, it waits for ${after.active?.id ?? ''}`;
  return `saw ${commit}, nothing to do: its content is ${event.revision.digest === after.stable?.digest ? 'stable' : 'on its way'}`;
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
      return `promoting ${active.id}`;
    case 'rolling-back':
      return before.active?.phase.name === 'rolling-back'
        ? `traffic of ${active.id} is back on stable`
        : `rolling back ${active.id}, ${phase.reason}`;
    default:
      return assertNever(phase);
  }
}

function describeProgress(before: ServiceState, active: Deployment, step: number, passed: boolean): string {
  const name = `step ${step + 1} of ${active.plan.steps.length} (${weightOf(active)} %)`;
  const was = before.active;
  if (was?.phase.name === 'progressing' && was.phase.step === step) return describeStay(was, active, name, passed);
  return was?.phase.name === 'paused' ? `resumed ${active.id} at ${name}` : `${active.id} began ${name}`;
}

function weightOf({ phase, plan }: Deployment): number {
  if (phase.name !== 'progressing') return 0;
  return phase.widenedTo ?? plan.steps[phase.step]?.weight ?? 0;
}

/** Something changed within a step. */
function describeStay(was: Deployment, active: Deployment, name: string, passed: boolean): string {
  if (weightOf(was) !== weightOf(active)) return `widened ${active.id} to ${weightOf(active)} %, traffic is too low for its samples`;
  const gateIsSame = was.phase.name === 'progressing' && was.phase.passed === passed;
  if (gateIsSame && active.warned.length > was.warned.length) return `${active.id} warns: ${active.warned.at(-1) ?? ''}`;
  return `${active.id} ${passed ? 'meets' : 'no longer meets'} the gate of ${name}`;
}

/** What a transition means for the commits that it is about: pending up to a terminal state, for each commit that touches a service. Pure. */
import { formatProblem } from '../../base/problem.ts';
import { formatDuration } from '../../base/time.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { describeStep } from '../../domain/planning/step.ts';
import {
  isAskedForBy,
  isPutOff,
  newService,
  type Deployment,
  type FinishedDeployment,
  type Rejection,
  type ServiceState,
  type TerminalPhase,
  type Unreverted,
} from '../../domain/rollout/state.ts';
import { nameOfStep } from '../../domain/rollout/steps.ts';
import type { ServiceEvent } from '../../domain/rollout/event.ts';
import type { CommitStatus } from '../../ports/code-host.ts';
import type { JournalRow } from '../../ports/store.ts';

export interface ServiceReport {
  readonly commit: string;
  readonly service: string;
  readonly state: CommitStatus['state'];
  /** Of the deployment; `skipped` where none was needed. */
  readonly phase: string;
  /** One sentence. */
  readonly text: string;
  /** Null: it never came to one. */
  readonly deployment: { readonly id: string; readonly plan: string } | null;
  readonly judgement: Judgement | null;
  readonly revertCommit: string | null;
  /** Of the revert that could not be pushed. */
  readonly revertPullRequest: string | null;
}

/** Where several are about one commit, the last one counts. */
export function reportsOf({ event, stateAfter: after }: JournalRow, before: ServiceState | null): readonly ServiceReport[] {
  const was = before ?? newService(after.service);
  return [
    ...ofEvent(event, after),
    ...outOfLine(was, after),
    ...(hasEnded(event, was.last, after.last) ? [ended(after, after.last, was.active?.id === after.last.id)] : []),
    ...(after.active === null ? [] : [underWay(after, after.active)]),
  ];
}

/** What the branch holds now. */
function ofEvent(event: ServiceEvent, after: ServiceState): readonly ServiceReport[] {
  switch (event.type) {
    case 'revision-seen':
      return [
        ...(event.passedOver ?? []).map((commit) => superseded(after, commit, event.revision.commit)),
        ...seen(after, event.revision.commit, event.revision.digest),
      ];
    case 'revision-rejected':
      return [
        ...(event.passedOver ?? []).map((commit) => superseded(after, commit, event.commit)),
        ...(after.rejection === null ? [] : [rejected(after, event.commit, after.rejection)]),
      ];
    case 'service-removed':
      return [bare(after, event.commit, 'success', 'skipped', 'its folder is gone; stable goes on being served')];
    default:
      return [];
  }
}

/** Also once more: where its revert is, and when it has come. */
function hasEnded(event: ServiceEvent, was: FinishedDeployment | null, last: FinishedDeployment | null): last is FinishedDeployment {
  if (last === null) return false;
  return !isSame(last, was) || (event.type === 'revert-proposed' && last.id === event.deploymentId);
}

function isSame(a: FinishedDeployment, b: FinishedDeployment | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const nothing = { judgement: null, revertCommit: null, revertPullRequest: null } as const;

function bare({ service }: ServiceState, commit: string, state: CommitStatus['state'], phase: string, text: string): ServiceReport {
  return { commit, service, state, phase, text, deployment: null, ...nothing };
}

function superseded(state: ServiceState, commit: string, by: string): ServiceReport {
  return bare(state, commit, 'error', 'superseded', `superseded by ${by.slice(0, 12)}`);
}

/** A commit that begins nothing by itself. */
function seen(state: ServiceState, commit: string, digest: string): readonly ServiceReport[] {
  const { active, waiting, stable, rejection } = state;
  const id = active?.id ?? 'what is under way';
  if (waiting?.revision.commit === commit) return [bare(state, commit, 'pending', 'waiting', `waits for ${id}`)];
  if (active?.revision.commit === commit) return [];
  const skipped = (why: string): readonly ServiceReport[] => [bare(state, commit, 'success', 'skipped', `nothing to do, ${why}`)];
  if (isAskedForBy(stable, digest)) return skipped('its content is stable');
  if (isAskedForBy(active?.revision, digest)) return skipped(`${id} brings its content`);
  return rejection?.commit === commit ? [rejected(state, commit, rejection)] : [];
}

function rejected(state: ServiceState, commit: string, { problems }: Rejection): ServiceReport {
  const text = problems.map(formatProblem)[0] ?? 'not valid';
  if (isPutOff({ problems })) return bare(state, commit, 'pending', 'waiting', text);
  return bare(state, commit, 'failure', problems[0]?.code === 'conflict' ? 'quarantined' : 'rejected', text);
}

/** What waited and was replaced, or was taken back before its turn came. */
function outOfLine(was: ServiceState, after: ServiceState): readonly ServiceReport[] {
  const commit = commitThatWaits(was);
  if (commit === null) return [];
  if (after.rejection?.commit === commit) return [rejected(after, commit, after.rejection)];
  const isThere = [after.waiting?.revision.commit, after.active?.revision.commit, after.last?.revision.commit, after.seen?.commit];
  if (isThere.includes(commit)) return [];
  return [superseded(after, commit, after.seen?.commit ?? '')];
}

function commitThatWaits({ waiting, rejection }: ServiceState): string | null {
  if (waiting !== null) return waiting.revision.commit;
  return rejection !== null && isPutOff(rejection) ? rejection.commit : null;
}

const terminal: Readonly<Record<TerminalPhase, CommitStatus['state']>> = {
  completed: 'success',
  'rolled-back': 'failure',
  rejected: 'failure',
  held: 'failure',
  failed: 'failure',
  superseded: 'error',
};

function ended({ service, unreverted }: ServiceState, last: FinishedDeployment, wasActive: boolean): ServiceReport {
  const { id, revision, phase, reason, judgement, revertCommit } = last;
  return {
    commit: revision.commit,
    service,
    state: terminal[phase],
    phase,
    text: `${phase.replace('-', ' ')}${toMerge(unreverted, id)}: ${reason}`,
    // One that was refused before it began has no deployment that anybody could look at.
    deployment: phase === 'rejected' && !wasActive ? null : { id, plan: '' },
    judgement,
    revertCommit,
    revertPullRequest: pullRequestOf(unreverted, id),
  };
}

function underWay(state: ServiceState, active: Deployment): ServiceReport {
  const { id, revision, plan, phase, judgement } = active;
  return {
    commit: revision.commit,
    service: state.service,
    state: 'pending',
    phase: phase.name,
    text: textOf(active),
    deployment: { id, plan: [plan.kind, ...plan.steps.map(describeStep)].join(', ') },
    judgement,
    revertCommit: 'revert' in phase && phase.revert.kind === 'committed' ? phase.revert.commit : null,
    revertPullRequest: pullRequestOf(state.unreverted, id),
  };
}

/** First, since hosts cut a status off. */
function toMerge(unreverted: Unreverted | null, id: string): string {
  const pull = unreverted?.deploymentId === id ? unreverted.pullRequest : null;
  return pull === null ? '' : ` (merge #${pull.number}, which takes it back)`;
}

function pullRequestOf(unreverted: Unreverted | null, id: string): string | null {
  return unreverted?.deploymentId === id ? (unreverted.pullRequest?.url ?? null) : null;
}

function textOf(active: Deployment): string {
  const { phase } = active;
  switch (phase.name) {
    case 'pending':
      return phase.waitsFor.length === 0 ? 'about to start' : `waits: ${phase.waitsFor.join('; ')}`;
    case 'progressing':
      return phase.passed ? `${nameOfStep(active)}, meets its gate` : nameOfStep(active);
    case 'paused':
      return `paused${phase.until === null ? '' : ` for ${formatDuration(Math.max(0, phase.until - phase.since))}`}: ${phase.message}`;
    case 'promoting':
      return 'promoting, every gateway is being told';
    case 'rolling-back':
      return `rolling back: ${phase.reason}`;
    case 'recovering':
      return `rolled back, recovery is being watched: ${phase.reason}`;
  }
}

/** The moves that several phases share. Each returns the state and what must be done for it. */
import type { Instant } from '../../base/time.ts';
import type { Judgement } from '../analysis/look.ts';
import { withoutSteps, type Plan } from '../planning/plan.ts';
import type { Effect } from './effect.ts';
import {
  isQuarantined,
  isWithinRollbackWindow,
  type Candidate,
  type Deployment,
  type FinishedDeployment,
  type Phase,
  type PromotedRevision,
  type Revision,
  type RevertProgress,
  type RollbackCause,
  type ServiceState,
  type TerminalPhase,
} from './state.ts';

export type Transition = readonly [ServiceState, readonly Effect[]];

const stabilisationMs = 24 * 3_600_000;
const promotedKept = 10;
const quarantineKept = 100;

export function unchanged(state: ServiceState): Transition {
  return [state, []];
}

/** A new generation: what the gateways must serve has changed. */
export function reassign(state: ServiceState, effects: readonly Effect[] = []): Transition {
  const generation = state.generation + 1;
  return [{ ...state, generation }, [{ kind: 'assign', generation }, ...effects]];
}

export function withPhase(state: ServiceState, deployment: Deployment, phase: Phase): ServiceState {
  return { ...state, active: { ...deployment, phase } };
}

export function notice(
  deployment: { readonly id: string },
  phase: string,
  severity: 'info' | 'warning' | 'critical',
  message: string,
): Effect {
  return { kind: 'notify', key: `${deployment.id}/${phase}`, severity, message };
}

/** Begins what was waiting, or nothing. */
export function nextInLine(state: ServiceState, now: Instant): Transition {
  const { waiting } = state;
  if (waiting === null) return unchanged(state);
  const idle = { ...state, waiting: null };
  // What is stable or in quarantine may have changed while it waited.
  if (waiting.revision.digest === state.stable?.digest) return unchanged(idle);
  if (isQuarantined(state, waiting.revision.digest)) return refuseQuarantined(idle, waiting, now);
  return begin(idle, waiting, now);
}

/** Content that we rolled back is not tried again, whoever brings it. */
export function refuseQuarantined(state: ServiceState, candidate: Pick<Candidate, 'deploymentId' | 'revision'>, now: Instant): Transition {
  const { digest, commit } = candidate.revision;
  const entry = state.quarantine.find((other) => other.digest === digest);
  const message = `this content was rolled back by ${entry?.deploymentId ?? 'us'} (${entry?.reason ?? ''}) and is in quarantine; change it to try again`;
  const last = refusal(state, candidate, message, now);
  const rejection = { commit, problems: [{ code: 'conflict', message }], at: now } as const;
  const next = { ...state, waiting: null, rejection, last: state.active === null ? last : state.last };
  return [next, [notice(last, 'rejected', 'warning', `${state.service}: ${message}`)]];
}

/** A deployment that ended before it began. */
export function refusal(
  state: ServiceState,
  candidate: Pick<Candidate, 'deploymentId' | 'revision'>,
  reason: string,
  now: Instant,
): FinishedDeployment {
  return {
    id: candidate.deploymentId,
    revision: candidate.revision,
    base: state.stable,
    attempt: (state.attempts[candidate.revision.digest] ?? 0) + 1,
    phase: 'rejected',
    reason,
    createdAt: now,
    finishedAt: now,
    revertCommit: null,
    judgement: null,
  };
}

/** Puts a candidate in the empty place of the active deployment. */
export function begin(state: ServiceState, candidate: Candidate, now: Instant): Transition {
  const digest = candidate.revision.digest;
  const attempt = (state.attempts[digest] ?? 0) + 1;
  const deployment: Deployment = {
    id: candidate.deploymentId,
    revision: candidate.revision,
    base: state.stable,
    attempt,
    plan: planFor(state, candidate, now),
    createdAt: now,
    startedAt: null,
    stableWasBreaching: false,
    stableErrorRate: null,
    phase: { name: 'pending' },
    warned: [],
    overruled: [],
    judgement: null,
  };
  const counted = { ...state, attempts: { ...state.attempts, [digest]: attempt } };
  // A way back never waits for a slot.
  if (deployment.plan.kind === 'fast-path') return promote(counted, deployment, now);
  return unchanged({ ...counted, active: deployment });
}

function planFor(state: ServiceState, candidate: Candidate, now: Instant): Plan {
  if (state.stable === null) return withoutSteps(candidate.plan, 'first');
  if (isWithinRollbackWindow(state, candidate.revision.digest, now)) return withoutSteps(candidate.plan, 'fast-path');
  return candidate.plan;
}

/** The revision is stable from this moment on; the deployment ends when every gateway has acknowledged that. */
export function promote(state: ServiceState, deployment: Deployment, now: Instant): Transition {
  const { previous, watch, held } = state;
  const started = { ...deployment, startedAt: deployment.startedAt ?? now, replaced: { previous, watch, held } };
  const promoting = withPhase({ ...state, held: null }, started, { name: 'promoting' });
  return reassign(makeStable(promoting, deployment.revision, now, deployment));
}

export function makeStable(state: ServiceState, revision: Revision, now: Instant, by: Deployment | null): ServiceState {
  const entry: PromotedRevision = { ...revision, promotedAt: now };
  const others = state.promoted.filter((promoted) => promoted.digest !== revision.digest);
  const judged = by?.judgement?.stable.rate ?? by?.stableErrorRate ?? null;
  return {
    ...state,
    stable: revision,
    previous: state.stable?.digest === revision.digest ? state.previous : state.stable,
    promoted: [entry, ...others].slice(0, promotedKept),
    watch: by === null ? null : { deploymentId: by.id, until: now + stabilisationMs, plan: by.plan, baseErrorRate: judged },
  };
}

/** Ends the active deployment and gives the place to what was waiting. */
export function finish(
  state: ServiceState,
  deployment: Deployment,
  outcome: { readonly phase: TerminalPhase; readonly reason: string; readonly revertCommit?: string | null },
  now: Instant,
): Transition {
  const finished: FinishedDeployment = {
    id: deployment.id,
    revision: deployment.revision,
    base: deployment.base,
    attempt: deployment.attempt,
    phase: outcome.phase,
    reason: outcome.reason,
    createdAt: deployment.createdAt,
    finishedAt: now,
    revertCommit: outcome.revertCommit ?? null,
    judgement: deployment.judgement,
  };
  const severity = outcome.phase === 'completed' || outcome.phase === 'superseded' ? 'info' : 'warning';
  const [next, effects] = nextInLine({ ...state, active: null, last: finished }, now);
  return [
    next,
    [notice(deployment, outcome.phase, severity, `${state.service}: ${deployment.id} ${outcome.phase}: ${outcome.reason}`), ...effects],
  ];
}

export interface RollbackOrder {
  readonly cause: RollbackCause;
  readonly reason: string;
  readonly judgement: Judgement | null;
  /** Who ordered it; the actuator itself where nobody did. */
  readonly actor?: string;
  /** What main needs: a revert commit of ours, or nothing because a person has written one. */
  readonly revert: RevertProgress;
}

/** Traffic back to stable, and where we decided it, quarantine in the same transition. */
export function rollBack(state: ServiceState, deployment: Deployment, order: RollbackOrder, now: Instant): Transition {
  const byUs = order.cause !== 'git';
  const entry = { digest: deployment.revision.digest, deploymentId: deployment.id, reason: order.reason, at: now };
  const quarantine = byUs
    ? [entry, ...state.quarantine.filter((other) => other.digest !== entry.digest)].slice(0, quarantineKept)
    : state.quarantine;
  // A first deployment that is taken back has nothing that main could be reverted to.
  const progress: RevertProgress = deployment.base === null ? { kind: 'not-needed' } : order.revert;
  const phase: Phase = {
    name: 'rolling-back',
    reason: order.reason,
    detectedBy: order.cause,
    since: now,
    // A deployment that was only planned has no traffic to bring back.
    trafficReturned: deployment.phase.name === 'pending' && deployment.startedAt === null,
    revert: progress,
  };
  const judged = { ...deployment, judgement: order.judgement ?? deployment.judgement };
  const revert = progress.kind === 'pending' ? revertEffects(deployment, order) : [];
  const byJudge = order.cause !== 'operator' && order.cause !== 'git';
  const next = withPhase({ ...state, quarantine }, judged, phase);
  if (phase.trafficReturned && progress.kind !== 'pending') {
    const revertCommit = progress.kind === 'committed' ? progress.commit : null;
    return finish(next, judged, { phase: 'rolled-back', reason: order.reason, revertCommit }, now);
  }
  return reassign(next, [
    ...revert,
    notice(
      deployment,
      'rolling-back',
      byJudge ? 'critical' : 'warning',
      `${state.service}: rolling back ${deployment.id}: ${order.reason}`,
    ),
  ]);
}

function revertEffects({ id, revision, base }: Deployment, { reason, actor = 'actuator' }: RollbackOrder): readonly Effect[] {
  return base === null ? [] : [{ kind: 'commit-revert', deploymentId: id, bad: revision, restore: base, reason, actor }];
}

/** A promoted revision turned out bad: its base is stable again, then the rollback runs as any other. */
export function rollBackPromoted(state: ServiceState, order: RollbackOrder, now: Instant): Transition {
  const { stable, previous, last, watch } = state;
  if (stable === null || previous === null || watch === null) return unchanged(state);
  const deployment: Deployment = {
    id: watch.deploymentId,
    revision: stable,
    base: previous,
    attempt: last?.attempt ?? 1,
    plan: watch.plan,
    createdAt: last?.createdAt ?? now,
    startedAt: now,
    stableWasBreaching: false,
    stableErrorRate: watch.baseErrorRate,
    phase: { name: 'pending' },
    warned: [],
    overruled: [],
    judgement: order.judgement,
  };
  const withoutBad = state.promoted.filter((entry) => entry.digest !== stable.digest);
  const restored = { ...state, stable: previous, previous: null, promoted: withoutBad, watch: null, held: null };
  return rollBack(restored, deployment, order, now);
}

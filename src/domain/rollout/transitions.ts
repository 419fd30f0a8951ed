/** The moves that several phases share. Each returns the state and what must be done for it. */
import type { Instant } from '../../base/time.ts';
import type { Judgement } from '../analysis/look.ts';
import { withoutSteps, type Plan } from '../planning/plan.ts';
import type { Effect } from './effect.ts';
import { canaryWeight } from './shares.ts';
import {
  isAskedForBy,
  isWithinRollbackWindow,
  quarantineOf,
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
import { beyond } from './trail.ts';

export type Transition = readonly [ServiceState, readonly Effect[]];

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
  channels: readonly string[] = [],
): Effect {
  return { kind: 'notify', key: `${deployment.id}/${phase}`, severity, message, ...(channels.length === 0 ? {} : { channels }) };
}

/** Begins what was waiting, or nothing. */
export function nextInLine(state: ServiceState, now: Instant): Transition {
  const { waiting } = state;
  if (waiting === null) return unchanged(state);
  const idle = { ...state, waiting: null };
  // What is stable or in quarantine may have changed while it waited.
  if (isAskedForBy(state.stable, waiting.revision.digest)) return unchanged(idle);
  if (quarantineOf(state, waiting) !== undefined) {
    // What has just ended stays the last one: its end must not be lost for one that never began.
    const [refused, effects] = refuseQuarantined(idle, waiting, now);
    return [{ ...refused, last: state.last }, effects];
  }
  return begin(idle, waiting, now);
}

/** Content that we rolled back is not tried again, whoever brings it. */
export function refuseQuarantined(
  state: ServiceState,
  candidate: Pick<Candidate, 'deploymentId' | 'revision' | 'plan'>,
  now: Instant,
): Transition {
  const { commit } = candidate.revision;
  const entry = quarantineOf(state, candidate);
  const arm = candidate.plan.abTest?.arms.find(({ digest }) => digest === entry?.digest)?.name;
  const message = `${arm === undefined ? 'this content' : `its arm "${arm}"`} was rolled back by ${entry?.deploymentId ?? 'us'} (${entry?.reason ?? ''}) and is in quarantine; change it to try again`;
  const last = refusal(state, candidate, message, now);
  const rejection = { commit, problems: [{ code: 'conflict', message }], at: now } as const;
  // The end of this very commit says more than that it is not tried again.
  const isToldAlready = state.active !== null || state.last?.revision.commit === commit;
  const next = { ...state, waiting: null, rejection, last: isToldAlready ? state.last : last };
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
    comparison: null,
  };
}

/** What is tried again must not be taken back by what was to take it back before. */
export function withoutRevertOf(state: ServiceState, digest: string): ServiceState {
  return isAskedForBy(state.unreverted?.bad, digest) ? { ...state, unreverted: null } : state;
}

/** Of the contents tried last: the state is stored with each transition, and must not grow for ever. */
const mostAttempts = 200;

function counting(attempts: ServiceState['attempts'], digest: string, attempt: number): ServiceState['attempts'] {
  const others = Object.entries(attempts).filter(([one]) => one !== digest);
  return Object.fromEntries([...others.slice(1 - mostAttempts), [digest, attempt]]);
}

/** Puts a candidate in the empty place of the active deployment. */
export function begin(state: ServiceState, candidate: Candidate, now: Instant): Transition {
  if (candidate.plan.abTest !== null && state.stable === null) return refuseGroundless(state, candidate, now);
  const digest = candidate.revision.digest;
  const attempt = (state.attempts[digest] ?? 0) + 1;
  const plan = planFor(state, candidate, now);
  const deployment: Deployment = {
    id: candidate.deploymentId,
    revision: candidate.revision,
    base: state.stable,
    attempt,
    plan,
    createdAt: now,
    startedAt: null,
    stableWasBreaching: false,
    stableErrorRate: null,
    phase: { name: 'pending', waitsFor: [] },
    ...nothingOrdered,
    shares: plan.abTest?.settings.weights ?? null,
    author: candidate.author,
    judgement: null,
  };
  const counted = { ...withoutRevertOf(state, digest), attempts: counting(state.attempts, digest, attempt) };
  // A way back never waits for a slot.
  if (deployment.plan.kind === 'fast-path')
    return promote({ ...counted, trail: beyond(counted.trail, candidate.revision.commit) }, deployment, now);
  return unchanged({ ...counted, active: deployment });
}

/** What it was to be compared with is gone since it was planned. */
function refuseGroundless(state: ServiceState, candidate: Candidate, now: Instant): Transition {
  const message = 'an A/B test needs a configuration in force, beside which its variants are tried; bring one without variants first';
  const rejection = { commit: candidate.revision.commit, problems: [{ code: 'conflict', message }], at: now } as const;
  const last = refusal(state, candidate, message, now);
  return [{ ...state, rejection, last: state.last ?? last }, [notice(last, 'rejected', 'warning', `${state.service}: ${message}`)]];
}

/** What people and the engine have said of a deployment so far. */
export const nothingOrdered: Pick<
  Deployment,
  | 'approvals'
  | 'origin'
  | 'autoRollbackPausedUntil'
  | 'fleet'
  | 'shares'
  | 'comparison'
  | 'resalted'
  | 'monitoringSince'
  | 'warned'
  | 'overruled'
> = {
  approvals: [],
  origin: null,
  autoRollbackPausedUntil: null,
  fleet: null,
  shares: null,
  comparison: null,
  resalted: 0,
  monitoringSince: null,
  warned: [],
  overruled: [],
};

function planFor(state: ServiceState, candidate: Candidate, now: Instant): Plan {
  if (state.stable === null) return withoutSteps(candidate.plan, 'first');
  if (isWithinRollbackWindow(state, candidate.revision.digest, now)) return withoutSteps(candidate.plan, 'fast-path');
  return candidate.plan;
}

/** The revision is stable from this moment on; the deployment ends when every gateway has acknowledged that. */
export function promote(state: ServiceState, deployment: Deployment, now: Instant): Transition {
  const { previous, watch, held } = state;
  const started = { ...deployment, startedAt: deployment.startedAt ?? now, replaced: { previous, watch, held } };
  const promoting = withPhase({ ...state, held: null, decided: stillDecided(state, deployment.revision) }, started, { name: 'promoting' });
  return reassign(makeStable(promoting, deployment.revision, now, deployment));
}

/** Who goes back to what was in force before a test was decided wants the test undone, not only what it found. */
function stillDecided({ decided, promoted }: ServiceState, { digest }: Revision): ServiceState['decided'] {
  const at = promoted.find((entry) => entry.digest === digest)?.promotedAt ?? Infinity;
  return decided.filter((one) => one.armDigest === digest || one.at < at);
}

export function makeStable(state: ServiceState, revision: Revision, now: Instant, by: Deployment | null): ServiceState {
  const entry: PromotedRevision = { ...revision, promotedAt: now, deploymentId: by?.id ?? null };
  const others = state.promoted.filter((promoted) => promoted.digest !== revision.digest);
  const judged = by?.judgement?.stable.rate ?? by?.stableErrorRate ?? null;
  return {
    ...state,
    stable: revision,
    previous: state.stable?.digest === revision.digest ? state.previous : state.stable,
    promoted: [entry, ...others].slice(0, promotedKept),
    watch: by === null ? null : { deploymentId: by.id, until: now + by.plan.watchMs, plan: by.plan, baseErrorRate: judged },
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
    comparison: deployment.comparison,
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
  /** Who is told besides the usual. */
  readonly channels?: readonly string[];
  /** Time in which traffic goes back; left out: at once. */
  readonly gradualMs?: number | null;
  /** What main needs: a revert commit of ours, or nothing because a person has written one. */
  readonly revert: RevertProgress;
}

/** Traffic back to stable, and where we decided it, quarantine in the same transition. */
export function rollBack(state: ServiceState, deployment: Deployment, order: RollbackOrder, now: Instant): Transition {
  const quarantine = isByUs(order) ? quarantined(state, deployment, order, now) : state.quarantine;
  // A first deployment that is taken back has nothing that main could be reverted to.
  const progress: RevertProgress = deployment.base === null ? { kind: 'not-needed' } : order.revert;
  const phase = {
    name: 'rolling-back',
    reason: order.reason,
    detectedBy: order.cause,
    since: now,
    // A deployment that was only planned has no traffic to bring back.
    trafficReturned: deployment.phase.name === 'pending' && deployment.startedAt === null,
    revert: progress,
    ...returning(canaryWeight({ active: deployment }), order.gradualMs ?? null, now),
  } as const satisfies Phase;
  const judged = { ...deployment, judgement: order.judgement ?? deployment.judgement };
  const next = withPhase({ ...state, quarantine }, judged, phase);
  if (phase.trafficReturned && progress.kind !== 'pending') {
    const revertCommit = progress.kind === 'committed' ? progress.commit : null;
    return finish(next, judged, { phase: 'rolled-back', reason: order.reason, revertCommit }, now);
  }
  const revert = progress.kind === 'pending' ? revertEffects(deployment, order) : [];
  const message = `${state.service}: rolling back ${deployment.id}: ${order.reason}`;
  return reassign(next, [
    ...revert,
    notice(deployment, 'rolling-back', isByJudge(order) ? 'critical' : 'warning', message, order.channels),
  ]);
}

/** The content itself; of an A/B test also the arm that failed, and of an arm also the test that it had won. */
function quarantined(
  { quarantine, stable }: ServiceState,
  { id: deploymentId, revision, plan, shares }: Deployment,
  { reason, judgement }: RollbackOrder,
  now: Instant,
): ServiceState['quarantine'] {
  const failed = shares === null ? undefined : plan.abTest?.arms.find(({ name }) => name === judgement?.arm)?.digest;
  const digests = [revision.digest, revision.wonTest, failed === stable?.digest ? undefined : failed].filter(
    (digest) => digest !== undefined,
  );
  const entries = digests.map((digest) => ({ digest, deploymentId, reason, at: now }));
  return [...entries, ...quarantine.filter((other) => !digests.includes(other.digest))].slice(0, quarantineKept);
}

/** What a person took back in Git may be tried again as it is; what we took back may not. */
function isByUs({ cause }: RollbackOrder): boolean {
  return cause !== 'git';
}

function isByJudge({ cause }: RollbackOrder): boolean {
  return cause !== 'operator' && cause !== 'git';
}

const gradualParts = 10;

function returning(
  weight: number,
  gradualMs: number | null,
  now: Instant,
): Pick<Extract<Phase, { name: 'rolling-back' }>, 'weight' | 'gradual'> {
  if (gradualMs === null || weight === 0) return { weight: 0, gradual: null };
  const everyMs = Math.max(1, Math.round(gradualMs / gradualParts));
  const by = weight / gradualParts;
  return { weight: weight - by, gradual: { by, everyMs, nextAt: now + everyMs } };
}

function revertEffects({ id, revision, base }: Deployment, { reason, actor = 'actuator' }: RollbackOrder): readonly Effect[] {
  return base === null ? [] : [{ kind: 'commit-revert', deploymentId: id, bad: revision, restore: base, reason, actor }];
}

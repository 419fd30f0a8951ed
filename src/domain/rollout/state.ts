/** The state of one service, the only thing that the reducer reads and writes. */
import type { Problem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { Judgement } from '../analysis/look.ts';
import type { AbTestVerdict } from '../analysis/ab-test.ts';
import type { Plan } from '../planning/plan.ts';
import type { Step } from '../planning/step.ts';

export interface Revision {
  /** The commit that brought the digest. */
  readonly commit: string;
  readonly digest: string;
  /** Digest of the A/B test that this arm has won: the commit's file may still hold the test. Absent for everything else. */
  readonly wonTest?: string;
  /** Its name in that test. */
  readonly arm?: string;
}

export interface PromotedRevision extends Revision {
  /** What promoted it; null: it was adopted. */
  readonly deploymentId: string | null;
  readonly promotedAt: Instant;
}

export interface QuarantinedDigest {
  readonly digest: string;
  readonly deploymentId: string;
  readonly reason: string;
  readonly at: Instant;
}

export type PauseReason =
  | 'operator'
  | 'deadline'
  | 'incident'
  | 'auto-rollback-disabled'
  | 'refused'
  | 'warning'
  | 'low-traffic'
  /** A step of the plan: a person decides when it goes on. */
  | 'planned'
  /** Copies have cost what they may. */
  | 'mirror-budget'
  /** An A/B test has its winner, and a person promotes it. */
  | 'winner'
  /** An A/B test is over without one. */
  | 'no-winner'
  /** The world around it: a window has closed, gateways are away. Goes on by itself when that is over. */
  | 'held-up';

export type Phase =
  /** `waitsFor`: what must happen before it starts, in sentences. */
  | { readonly name: 'pending'; readonly waitsFor: readonly string[] }
  | {
      readonly name: 'progressing';
      readonly step: number;
      readonly stepStartedAt: Instant;
      readonly passed: boolean;
      /** Weight other than the step's own: widened for its samples, or set by a person; null: as planned. */
      readonly setTo: number | null;
      /** Added to the hold by a person. */
      readonly extraHoldMs: number;
    }
  | {
      readonly name: 'paused';
      readonly step: number;
      /** Weight while paused: that of the step, or 0 in an incident and after a test without a winner. */
      readonly weight: number;
      readonly reason: PauseReason;
      readonly message: string;
      readonly since: Instant;
      /** Part of the hold that was over when the pause began. */
      readonly heldMs: number;
      readonly extraHoldMs: number;
      /** Goes on by itself then; null: a person resumes it. */
      readonly until: Instant | null;
    }
  | { readonly name: 'promoting' }
  | {
      readonly name: 'rolling-back';
      readonly reason: string;
      readonly detectedBy: RollbackCause;
      readonly since: Instant;
      /** Every leased gateway has acknowledged that it serves stable only. */
      readonly trafficReturned: boolean;
      readonly revert: RevertProgress;
      /** Traffic that it still has, in percent; 0 unless it goes gradually. */
      readonly weight: number;
      readonly gradual: GradualReturn | null;
    }
  | {
      readonly name: 'recovering';
      readonly reason: string;
      readonly detectedBy: RollbackCause;
      readonly revert: RevertProgress;
      readonly since: Instant;
      /** Which try: 2 after going further back. */
      readonly round: 1 | 2;
    };

/** Weight goes down by `by` percent each `everyMs`. */
export interface GradualReturn {
  readonly by: number;
  readonly everyMs: number;
  readonly nextAt: Instant;
}

export interface Approval {
  /** Name of a person in settings; of somebody else the name of the API key, or `@login` at the code host. */
  readonly approver: string;
  readonly comment: string | null;
  readonly at: Instant;
  /** Left on the pull request: it counts as long as it stands there. Absent: given to us. */
  readonly review?: true;
}

export interface PullRequestRef {
  readonly number: number;
  readonly url: string;
}

/** How a commit came to the branch. */
export type Origin = (({ readonly kind: 'pull-request' } & PullRequestRef) | { readonly kind: 'push' }) & {
  /** Why approvals that are there do not count. */
  readonly notes: readonly string[];
  /** Why it is not known who had a hand in it, so that nobody can approve it. */
  readonly unknown?: string;
};

export interface DecidedTest {
  /** Digest of the A/B test. */
  readonly test: string;
  readonly arm: string;
  readonly armDigest: string;
  readonly at: Instant;
}

export type RollbackCause = 'sequential' | 'critical' | 'health' | 'deadline' | 'operator' | 'git';

export type RevertProgress =
  | { readonly kind: 'pending' }
  | { readonly kind: 'committed'; readonly commit: string }
  /** Main holds something else by now, so there is nothing to revert. */
  | { readonly kind: 'not-needed' }
  /** Main can't be written; quarantine holds meanwhile, and a person must act. */
  | { readonly kind: 'blocked'; readonly message: string };

export interface Deployment {
  readonly id: string;
  readonly revision: Revision;
  /** What was stable when it began, and what it goes back to; null for a first deployment. */
  readonly base: Revision | null;
  /** Counts the deployments of this digest on this service, from 1. Evidence is never shared between attempts. */
  readonly attempt: number;
  readonly plan: Plan;
  readonly createdAt: Instant;
  readonly startedAt: Instant | null;
  /** Stable was beyond the critical bound when it began: then this is the fix, and comparison alone decides. */
  readonly stableWasBreaching: boolean;
  /** Error rate of stable over the minutes before it began; null when unknown. */
  readonly stableErrorRate: number | null;
  /** What an immediate promotion displaced, should a gateway refuse to serve it. */
  readonly replaced?: Pick<ServiceState, 'previous' | 'watch' | 'held'>;
  readonly phase: Phase;
  /** Who brought it: the author of the commit, or whoever asked us to commit it. */
  readonly author: string;
  readonly approvals: readonly Approval[];
  /** Null: not known, or there is no code host to ask. */
  readonly origin: Origin | null;
  /** Verdicts roll nothing back until then; null: they do. */
  readonly autoRollbackPausedUntil: Instant | null;
  /** Gateways in the order in which they go over; null: the fleet is not divided. */
  readonly fleet: readonly string[] | null;
  /** Of the arms of an A/B test, in the order of the plan; they add up to 1. Null: it has no arms. */
  readonly shares: readonly number[] | null;
  /** What the A/B test found when it was decided; null before, and without one. */
  readonly comparison: AbTestVerdict | null;
  /** Makes the split draw anew; counts a person's orders to rebalance. */
  readonly resalted: number;
  /** When a person made the judge begin anew; null: never. */
  readonly monitoringSince: Instant | null;
  /** Warnings that people were told of, and those that a person has gone on in spite of. */
  readonly warned: readonly string[];
  readonly overruled: readonly string[];
  /** What decided the present phase, for people and for the record. */
  readonly judgement: Judgement | null;
}

export type TerminalPhase = 'completed' | 'rolled-back' | 'superseded' | 'rejected' | 'held' | 'failed';

export interface FinishedDeployment {
  readonly id: string;
  readonly revision: Revision;
  readonly base: Revision | null;
  readonly attempt: number;
  readonly phase: TerminalPhase;
  readonly reason: string;
  readonly createdAt: Instant;
  readonly finishedAt: Instant;
  readonly revertCommit: string | null;
  readonly judgement: Judgement | null;
  /** Of an A/B test; null where nothing was compared. */
  readonly comparison: AbTestVerdict | null;
}

/** A revision that waits for the active deployment to get out of the way. */
export interface Candidate {
  readonly deploymentId: string;
  readonly revision: Revision;
  readonly plan: Plan;
  readonly author: string;
}

export interface Freeze {
  /** Deployments that are under way go on. */
  readonly drains: boolean;
  readonly reason: string;
  readonly actor: string;
  readonly at: Instant;
}

/** After a promotion: the service is still watched against the critical bound, without holding a slot. */
export interface Watch {
  readonly deploymentId: string;
  readonly until: Instant;
  readonly plan: Plan;
  /** Error rate of stable before the promotion; null when nobody knows. */
  readonly baseErrorRate: number | null;
}

/** A revert that the branch did not let us push. Stands until the branch holds something else. */
export interface Unreverted {
  readonly deploymentId: string;
  readonly bad: Revision;
  readonly restore: Revision;
  readonly reason: string;
  /** Null: not open yet, or there is no code host. */
  readonly pullRequest: PullRequestRef | null;
}

/** What the branch is built on that has never been tried: who approves the newest approves all of it. */
export interface Trail {
  /** The oldest first; bounded. */
  readonly entries: readonly TrailEntry[];
  /** There were more than are kept, so that nobody knows all of it. */
  readonly isCut: boolean;
}

export interface TrailEntry {
  readonly commit: string;
  /** Everybody who had a hand in it, between semicolons. */
  readonly author: string;
}

export const noTrail: Trail = { entries: [], isCut: false };

export interface Rejection {
  readonly commit: string;
  readonly problems: readonly Problem[];
  readonly at: Instant;
}

/** It could not be decided on yet, and is looked at again until it can. */
export function isPutOff(rejection: Pick<Rejection, 'problems'> | null): boolean {
  return rejection?.problems[0]?.code === 'unavailable';
}

export interface ServiceState {
  readonly service: string;
  readonly stable: Revision | null;
  readonly previous: Revision | null;
  /** Most recent first; bounded. */
  readonly promoted: readonly PromotedRevision[];
  readonly quarantine: readonly QuarantinedDigest[];
  /** A/B tests that are over: a branch that holds one means the arm. The newest first; bounded. */
  readonly decided: readonly DecidedTest[];
  /** What the branch held last: the digest is null when it could not be read. */
  readonly seen: { readonly commit: string; readonly digest: string | null } | null;
  readonly active: Deployment | null;
  readonly waiting: Candidate | null;
  readonly watch: Watch | null;
  readonly last: FinishedDeployment | null;
  /** Why what the branch holds now is not tried. */
  readonly rejection: Rejection | null;
  readonly unreverted: Unreverted | null;
  readonly trail: Trail;
  /** The folder is gone from the branch; what was stable goes on serving. */
  readonly orphaned: boolean;
  /** Set by a person: nothing starts while it is there. */
  readonly freeze: Freeze | null;
  /** Set when stable itself failed and there was nothing to go back to. */
  readonly held: string | null;
  /** Rises with each change of what the gateways must serve. The leader's term comes before it: (term, generation). */
  readonly generation: number;
  /** Deployments of each digest so far, for `attempt`. */
  readonly attempts: Readonly<Record<string, number>>;
}

/** Stands for all services where an order is for all of them; no folder can have this name. */
export const everyService = '_all';

export function newService(service: string): ServiceState {
  return {
    service,
    stable: null,
    previous: null,
    promoted: [],
    quarantine: [],
    decided: [],
    seen: null,
    active: null,
    waiting: null,
    watch: null,
    last: null,
    rejection: null,
    unreverted: null,
    trail: noTrail,
    orphaned: false,
    freeze: null,
    held: null,
    generation: 0,
    attempts: {},
  };
}

/** The step that is under way, or at which it is paused; null in other phases. */
export function currentStep(active: Deployment | null): Step | null {
  if (active === null || (active.phase.name !== 'progressing' && active.phase.name !== 'paused')) return null;
  return active.plan.steps[active.phase.step] ?? null;
}

/** Promoted without a gateway ever having served it, so that a refusal can still stop it. */
export function isUntried({ plan }: Deployment): boolean {
  return plan.kind !== 'fast-path' && plan.steps.length === 0;
}

/** A push that settings hold needs one more than none. */
export function approvalsNeeded({ plan, origin }: Deployment): number {
  const { approvals, directPushes } = plan.gates;
  return origin?.kind === 'push' && directPushes === 'hold' ? Math.max(1, approvals) : approvals;
}

/** Whether measurements of it are judged now. */
export function isOnTrial({ phase }: Deployment): boolean {
  return phase.name === 'progressing' || phase.name === 'paused' || (phase.name === 'rolling-back' && phase.weight > 0);
}

/** Whether it shifts traffic and so holds one of `max_concurrent_deployments`. */
export function holdsSlot(state: ServiceState): boolean {
  const phase = state.active?.phase;
  if (phase?.name === 'rolling-back') return !phase.trafficReturned;
  return phase?.name === 'progressing' || phase?.name === 'promoting';
}

export function isQuarantined(state: ServiceState, digest: string): boolean {
  return state.quarantine.some((entry) => entry.digest === digest);
}

/** What keeps a candidate out: its own content, or that of an arm. */
export function quarantineOf(state: ServiceState, { revision, plan }: Pick<Candidate, 'revision' | 'plan'>): QuarantinedDigest | undefined {
  const digests = [revision.digest, ...(plan.abTest?.arms ?? []).map(({ digest }) => digest)];
  return state.quarantine.find((entry) => digests.includes(entry.digest));
}

/** Promoted within the window: approved content that needs no canary to come back to. */
export function isWithinRollbackWindow(state: ServiceState, digest: string, now: Instant): boolean {
  const windowMs = 7 * 24 * 3_600_000;
  return state.promoted.slice(0, 4).some((entry) => entry.digest === digest && entry.promotedAt > now - windowMs);
}

/** Whether the file with this digest asks for what the revision serves: it holds it, or the test that the revision has won. */
export function isAskedForBy(revision: Revision | null | undefined, digest: string | null): boolean {
  return revision != null && digest !== null && (revision.digest === digest || revision.wonTest === digest);
}

/** Time that the present step lasts at least. */
export function holdOf(active: Deployment): number {
  const { phase } = active;
  return phase.name === 'progressing' ? (currentStep(active)?.holdMs ?? 0) + phase.extraHoldMs : 0;
}

/** When the reducer wants to be woken although nothing happens; null for never. */
export function nextWake(state: ServiceState): Instant | null {
  const candidates: Instant[] = [];
  if (state.watch !== null) candidates.push(state.watch.until);
  const active = state.active;
  if (active?.phase.name === 'progressing') {
    candidates.push(active.phase.stepStartedAt + holdOf(active));
    if (active.startedAt !== null) candidates.push(active.startedAt + active.plan.maxTotalMs);
  }
  if (active?.phase.name === 'paused' && active.phase.until !== null) candidates.push(active.phase.until);
  if (active?.phase.name === 'rolling-back' && active.phase.gradual !== null) candidates.push(active.phase.gradual.nextAt);
  return candidates.length === 0 ? null : Math.min(...candidates);
}

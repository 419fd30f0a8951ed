/** The state of one service, the only thing that the reducer reads and writes. */
import type { Problem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { Judgement } from '../analysis/look.ts';
import type { Plan } from '../planning/plan.ts';

export interface Revision {
  /** The commit that brought the digest. */
  readonly commit: string;
  readonly digest: string;
}

export interface PromotedRevision extends Revision {
  readonly promotedAt: Instant;
}

export interface QuarantinedDigest {
  readonly digest: string;
  readonly deploymentId: string;
  readonly reason: string;
  readonly at: Instant;
}

export type PauseReason = 'operator' | 'deadline' | 'incident' | 'auto-rollback-disabled' | 'refused' | 'warning' | 'low-traffic';

export type Phase =
  | { readonly name: 'pending' }
  | {
      readonly name: 'progressing';
      readonly step: number;
      readonly stepStartedAt: Instant;
      readonly passed: boolean;
      /** Weight above the step's own, where traffic was too low for its samples; null: as planned. */
      readonly widenedTo: number | null;
    }
  | {
      readonly name: 'paused';
      readonly step: number;
      /** Weight while paused: that of the step, or 0 in an incident. */
      readonly weight: number;
      readonly reason: PauseReason;
      readonly message: string;
      readonly since: Instant;
      /** Part of the hold that was over when the pause began. */
      readonly heldMs: number;
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
    };

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
}

/** A revision that waits for the active deployment to get out of the way. */
export interface Candidate {
  readonly deploymentId: string;
  readonly revision: Revision;
  readonly plan: Plan;
}

/** After a promotion: the service is still watched against the critical bound, without holding a slot. */
export interface Watch {
  readonly deploymentId: string;
  readonly until: Instant;
  readonly plan: Plan;
  /** Error rate of stable before the promotion; null when nobody knows. */
  readonly baseErrorRate: number | null;
}

export interface Rejection {
  readonly commit: string;
  readonly problems: readonly Problem[];
  readonly at: Instant;
}

export interface ServiceState {
  readonly service: string;
  readonly stable: Revision | null;
  readonly previous: Revision | null;
  /** Most recent first; bounded. */
  readonly promoted: readonly PromotedRevision[];
  readonly quarantine: readonly QuarantinedDigest[];
  /** What the branch held last: the digest is null when it could not be read. */
  readonly seen: { readonly commit: string; readonly digest: string | null } | null;
  readonly active: Deployment | null;
  readonly waiting: Candidate | null;
  readonly watch: Watch | null;
  readonly last: FinishedDeployment | null;
  /** Why what the branch holds now is not tried. */
  readonly rejection: Rejection | null;
  /** The folder is gone from the branch; what was stable goes on serving. */
  readonly orphaned: boolean;
  /** Set when stable itself failed and there was nothing to go back to. */
  readonly held: string | null;
  /** Rises with each change of what the gateways must serve. The leader's term comes before it: (term, generation). */
  readonly generation: number;
  /** Deployments of each digest so far, for `attempt`. */
  readonly attempts: Readonly<Record<string, number>>;
}

export function newService(service: string): ServiceState {
  return {
    service,
    stable: null,
    previous: null,
    promoted: [],
    quarantine: [],
    seen: null,
    active: null,
    waiting: null,
    watch: null,
    last: null,
    rejection: null,
    orphaned: false,
    held: null,
    generation: 0,
    attempts: {},
  };
}

/** Percent of traffic that the active deployment has now. */
export function canaryWeight(state: ServiceState): number {
  const phase = state.active?.phase;
  if (phase?.name === 'paused') return phase.weight;
  if (phase?.name !== 'progressing') return 0;
  return phase.widenedTo ?? state.active?.plan.steps[phase.step]?.weight ?? 0;
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

/** Promoted within the window: approved content that needs no canary to come back to. */
export function isWithinRollbackWindow(state: ServiceState, digest: string, now: Instant): boolean {
  const windowMs = 7 * 24 * 3_600_000;
  return state.promoted.slice(0, 4).some((entry) => entry.digest === digest && entry.promotedAt > now - windowMs);
}

export interface AssignedVariant {
  readonly name: 'canary' | 'stable';
  readonly weight: number;
  readonly revision: Revision;
}

/** What the gateways must serve, canary first. Empty before the first promotion. */
export function assignedVariants(state: ServiceState): readonly AssignedVariant[] {
  const { active, stable } = state;
  const weight = canaryWeight(state);
  if (stable === null) return [];
  if (active === null || weight === 0) return [{ name: 'stable', weight: 100, revision: stable }];
  return [
    { name: 'canary', weight, revision: active.revision },
    { name: 'stable', weight: 100 - weight, revision: stable },
  ];
}

/** When the reducer wants to be woken although nothing happens; null for never. */
export function nextWake(state: ServiceState): Instant | null {
  const candidates: Instant[] = [];
  if (state.watch !== null) candidates.push(state.watch.until);
  const active = state.active;
  if (active?.phase.name === 'progressing') {
    const hold = active.plan.steps[active.phase.step]?.holdMs ?? 0;
    candidates.push(active.phase.stepStartedAt + hold);
    if (active.startedAt !== null) candidates.push(active.startedAt + active.plan.maxTotalMs);
  }
  if (active?.phase.name === 'paused' && active.phase.until !== null) candidates.push(active.phase.until);
  return candidates.length === 0 ? null : Math.min(...candidates);
}

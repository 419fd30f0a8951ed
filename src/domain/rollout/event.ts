/** What can happen to a service. Past tense: an event is a fact; whether it changes anything is the reducer's business. */
import type { Problem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { AbTestVerdict } from '../analysis/ab-test.ts';
import type { Judgement } from '../analysis/look.ts';
import type { Moment } from '../analysis/record.ts';
import type { Plan } from '../planning/plan.ts';
import type { Approval, Origin, PullRequestRef, Revision } from './state.ts';

export type ServiceEvent =
  /** First start on a repository without a record of ours: what is there is stable. */
  | { readonly type: 'adopted'; readonly revision: Revision }
  /** The branch holds a valid configuration. */
  | {
      readonly type: 'revision-seen';
      readonly revision: Revision;
      readonly deploymentId: string;
      readonly plan: Plan;
      readonly author: string;
      /** Commits of the same push that brought other content before it, the oldest first; absent: none. */
      readonly passedOver?: readonly string[];
      /** No commit has touched it since it was looked at before, or it is the first look of all: it is built on nothing new. */
      readonly isOld?: true;
    }
  /** The branch holds something that can't be served. */
  | {
      readonly type: 'revision-rejected';
      readonly commit: string;
      readonly deploymentId: string;
      readonly problems: readonly Problem[];
      readonly author?: string;
      readonly passedOver?: readonly string[];
      readonly isOld?: true;
    }
  | { readonly type: 'service-removed'; readonly commit: string }
  /** What a pending deployment waits for has changed. */
  | { readonly type: 'gates-checked'; readonly waitsFor: readonly string[] }
  /** How the commit of a pending deployment came to the branch, and who has approved it there. `refusal`: why it may not be tried. */
  | {
      readonly type: 'origin-found';
      readonly deploymentId: string;
      readonly origin: Origin;
      /** Who has a hand in it besides those that Git names. */
      readonly authors: readonly string[];
      /** Whom Git names only because they had the code host merge it. */
      readonly mergers?: readonly string[];
      /** Approvals given to us that do not count, since their givers have a hand in it. */
      readonly withdrawn: readonly string[];
      /** The reviews that count now; they take the place of those before. */
      readonly reviews: readonly Approval[];
      readonly refusal: string | null;
    }
  /** A pull request takes the place of a revert that could not be pushed. */
  | {
      readonly type: 'revert-proposed';
      readonly deploymentId: string;
      readonly pullRequest: PullRequestRef;
      /** Digests of what it is about: the state can have moved on while it was opened. */
      readonly change?: { readonly bad: string; readonly restore: string };
    }
  /** All gates are open. `gateways`: who is there, in the order in which a rolling deployment goes over them. */
  | {
      readonly type: 'slot-granted';
      /** Whose gates were looked at: another one can have taken its place. Missing in journals of older versions. */
      readonly deploymentId?: string;
      readonly stableIsBreaching: boolean;
      readonly stableErrorRate: number | null;
      readonly gateways: readonly string[];
    }
  /** Every leased gateway serves this generation. */
  | { readonly type: 'applied'; readonly generation: number }
  | { readonly type: 'gateway-refused'; readonly generation: number; readonly gateway: string; readonly problems: readonly string[] }
  /** `arrivedAt`: when the measurements that decided it arrived. `moment`: what the verdict can be recomputed from, with the blocks before it. */
  | {
      readonly type: 'judged';
      readonly judgement: Judgement;
      readonly arrivedAt: Instant;
      readonly moment: Moment;
      /** Of an A/B test that compares; absent elsewhere. */
      readonly comparison?: AbTestVerdict;
    }
  /** Shares of the arms of an A/B test for what comes next, in the order of the plan. */
  | { readonly type: 'arms-allocated'; readonly shares: readonly number[] }
  /** Stable, in its watch, is beyond the critical bound. */
  | { readonly type: 'watch-failed'; readonly judgement: Judgement; readonly arrivedAt: Instant }
  | { readonly type: 'woken' }
  | Command
  /** The world is not as a running deployment needs it, and is again. */
  | { readonly type: 'held-up'; readonly message: string }
  | { readonly type: 'released' }
  | { readonly type: 'mirror-exhausted'; readonly spentUsd: number }
  /** What was asked of stable after a rollback. */
  | { readonly type: 'recovery-judged'; readonly outcome: 'recovered' | 'unverified' | 'failed'; readonly reason: string }
  | { readonly type: 'revert-settled'; readonly deploymentId: string; readonly outcome: RevertOutcome }
  /** What a digest in force resolves to has changed without changing the digest: prices. */
  | { readonly type: 'catalogue-changed' };

/** What people order. `deploymentId`: the one that is meant; null: whatever is in force. */
export type Command = { readonly deploymentId: string | null; readonly reason: string; readonly actor: string } & Order;

export type Order =
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  /** `gradualMs`: time in which traffic goes back; null: at once. `target`: null: what was stable before. */
  | {
      readonly type: 'rollback-requested';
      readonly gradualMs: number | null;
      readonly target: { readonly revision: Revision; readonly plan: Plan } | null;
      readonly channels?: readonly string[];
    }
  /** To the next step, or to the end. */
  | { readonly type: 'promotion-requested'; readonly full: boolean }
  | { readonly type: 'cutover-requested' }
  /** `comparison`: what the test had found when a person chose; null: nothing yet. */
  | { readonly type: 'winner-chosen'; readonly arm: string; readonly comparison: AbTestVerdict | null }
  /** `pauses`: it waits at the new weight. */
  | { readonly type: 'traffic-set'; readonly percentage: number; readonly pauses: boolean }
  | { readonly type: 'phase-extended'; readonly byMs: number }
  | { readonly type: 'auto-rollback-paused'; readonly forMs: number }
  | { readonly type: 'auto-rollback-armed' }
  | { readonly type: 'rebalanced' }
  | { readonly type: 'monitoring-restarted' }
  /** `digest`: what the approver has seen. */
  | { readonly type: 'approved'; readonly digest: string }
  | { readonly type: 'turned-down' }
  | { readonly type: 'retried'; readonly digest: string }
  /** `drains`: what is under way goes on. */
  | { readonly type: 'frozen'; readonly drains: boolean }
  | { readonly type: 'unfrozen' };

export type RevertOutcome =
  | { readonly kind: 'committed'; readonly commit: string }
  | { readonly kind: 'not-needed' }
  | { readonly kind: 'blocked'; readonly message: string };

/** What can happen to a service. Past tense: an event is a fact; whether it changes anything is the reducer's business. */
import type { Problem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { Judgement } from '../analysis/look.ts';
import type { Moment } from '../analysis/record.ts';
import type { Plan } from '../planning/plan.ts';
import type { Revision } from './state.ts';

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
    }
  /** The branch holds something that can't be served. */
  | { readonly type: 'revision-rejected'; readonly commit: string; readonly deploymentId: string; readonly problems: readonly Problem[] }
  | { readonly type: 'service-removed'; readonly commit: string }
  | { readonly type: 'slot-granted'; readonly stableIsBreaching: boolean; readonly stableErrorRate: number | null }
  /** Every leased gateway serves this generation. */
  | { readonly type: 'applied'; readonly generation: number }
  | { readonly type: 'gateway-refused'; readonly generation: number; readonly gateway: string; readonly problems: readonly string[] }
  /** `arrivedAt`: when the measurements that decided it arrived. `moment`: what the verdict can be recomputed from, with the blocks before it. */
  | { readonly type: 'judged'; readonly judgement: Judgement; readonly arrivedAt: Instant; readonly moment: Moment }
  /** Stable, in its watch, is beyond the critical bound. */
  | { readonly type: 'watch-failed'; readonly judgement: Judgement; readonly arrivedAt: Instant }
  | { readonly type: 'woken' }
  | { readonly type: 'paused'; readonly deploymentId: string | null; readonly reason: string }
  | { readonly type: 'resumed'; readonly deploymentId: string | null; readonly reason: string }
  | { readonly type: 'rollback-requested'; readonly deploymentId: string | null; readonly reason: string; readonly actor: string }
  | { readonly type: 'revert-settled'; readonly deploymentId: string; readonly outcome: RevertOutcome }
  /** What a digest in force resolves to has changed without changing the digest: prices. */
  | { readonly type: 'catalogue-changed' };

export type RevertOutcome =
  | { readonly kind: 'committed'; readonly commit: string }
  | { readonly kind: 'not-needed' }
  | { readonly kind: 'blocked'; readonly message: string };

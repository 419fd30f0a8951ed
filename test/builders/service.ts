import { newJudge } from '../../src/domain/analysis/judge.ts';
import type { Judgement, Verdict } from '../../src/domain/analysis/look.ts';
import { momentOf } from '../../src/domain/analysis/record.ts';
import type { Plan } from '../../src/domain/planning/plan.ts';
import type { Command, Order, ServiceEvent } from '../../src/domain/rollout/event.ts';
import { analyse } from '../../src/domain/planning/step.ts';
import type { RecoveryPolicy } from '../../src/domain/settings/recovery.ts';
import type { Effect } from '../../src/domain/rollout/effect.ts';
import { reduce } from '../../src/domain/rollout/reduce.ts';
import { aPolicy } from './judge.ts';
import { newService, type ServiceState } from '../../src/domain/rollout/state.ts';

/** None, unless a test is about it. */
export function aRecovery(change: Partial<RecoveryPolicy> = {}): RecoveryPolicy {
  return {
    durationMs: 0,
    checks: [],
    decides: { http: true, metrics: true },
    noNewErrors: false,
    onFailure: 'alert_and_hold',
    channels: [],
    ...change,
  };
}

export function granted(change: Partial<Extract<ServiceEvent, { type: 'slot-granted' }>> = {}): ServiceEvent {
  return { type: 'slot-granted', stableIsBreaching: false, stableErrorRate: 0.01, gateways: ['g1', 'g2', 'g3', 'g4'], ...change };
}

/** As somebody orders it. */
export function ordered(order: Order, reason = 'because', actor = 'operator'): Command {
  return { ...order, deploymentId: null, reason, actor };
}

export const rollbackOrder: Order = { type: 'rollback-requested', gradualMs: null, target: null };

export function aPlan(change: Partial<Plan> = {}): Plan {
  return {
    kind: 'canary',
    choice: null,
    steps: [analyse(5, 1000), analyse(50, 1000), analyse(100, 1000)],
    maxTotalMs: 60_000,
    policy: aPolicy({ success_criteria: { min_sample_size: 10 } }),
    autoRollback: true,
    split: { method: 'weighted_random', hashKey: 'user_id', stickyMs: null },
    gates: {
      approvals: 0,
      roles: [],
      approvers: [],
      teams: [],
      owners: [],
      people: '',
      directPushes: null,
      needsReason: false,
      dryRun: null,
      safetyChecks: [],
      dependsOn: [],
    },
    recovery: aRecovery(),
    watchMs: 24 * 3_600_000,
    maxUnavailable: null,
    abTest: null,
    settingsDigest: 'sha256:settings',
    ...change,
  };
}

export function aJudgement(verdict: Verdict, weight: number, change: Partial<Judgement> = {}): Judgement {
  return {
    verdict,
    detected_by: verdict === 'fail' ? 'sequential' : null,
    metric: 'error_rate',
    reason: `it is ${verdict}`,
    remedy: null,
    weight,
    canary: { requests: 100, errors: 1, rate: 0.01 },
    stable: { requests: 100, errors: 1, rate: 0.01 },
    step_requests: 100,
    step_errors: 1,
    step_requests_needed: 10,
    criteria: [],
    warnings: [],
    p_value: 1,
    statistical_significance: false,
    traffic: null,
    blocks: 3,
    ...change,
  };
}

export function judged(verdict: Verdict, weight: number, change: Partial<Judgement> = {}): ServiceEvent {
  const moment = momentOf(newJudge(0, weight), { weight, now: 0, rates: {}, drawn: null });
  return { type: 'judged', judgement: aJudgement(verdict, weight, change), arrivedAt: 0, moment };
}

export function seen(digest: string, id: string, plan: Plan = aPlan()): ServiceEvent {
  return { type: 'revision-seen', revision: { commit: `commit-${digest}-${id}`, digest }, deploymentId: id, plan, author: 'Ada' };
}

/** A service and its clock; every event goes through the real reducer. */
export interface Bench {
  state: ServiceState;
  now: number;
  readonly effects: Effect[];
  take(event: ServiceEvent): Bench;
  after(ms: number): Bench;
}

export function aService(): Bench {
  const bench: Bench = {
    state: newService('chat'),
    now: 1_000_000,
    effects: [],
    take(event) {
      const [state, effects] = reduce(bench.state, event, bench.now);
      bench.state = state;
      bench.effects.push(...effects);
      return bench;
    },
    after(ms) {
      bench.now += ms;
      return bench;
    },
  };
  return bench.take({ type: 'adopted', revision: { commit: 'c0', digest: 'good' } });
}

/** With a canary of digest `new` in its first step. */
export function aCanary(plan: Plan = aPlan()): Bench {
  return aService()
    .take(seen('new', 'deploy-1', plan))
    .take(granted());
}

/** Feeds the judge with buckets as they arrive, and the reducer with what it says. */
import type { Instant } from '../../base/time.ts';
import { addArms, noArmCounts, rateOf, type ArmCounts } from '../../domain/analysis/counts.ts';
import { surelyAbove } from '../../domain/analysis/critical.ts';
import { inPercent, judge, observe, type Judgement } from '../../domain/analysis/judge.ts';
import { canaryWeight, type Deployment, type ServiceState, type Watch } from '../../domain/rollout/state.ts';
import type { Bucket } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';
import type { Engine } from '../engine/engine.ts';
import { countsOf, createRecentTraffic, type RecentTraffic } from './traffic.ts';
import { createTrials } from './trials.ts';

const actor = 'judge';

export interface Judging {
  /** Restores checkpoints of the deployments that are under way. */
  load(): Promise<void>;
  readonly knows: (service: string) => boolean;
  /** Buckets of one service, none of them taken before. Resolves when every verdict they led to has been acted on. */
  take(service: string, buckets: readonly Bucket[], arrivedAt: Instant): Promise<void>;
  /** What must outlive a crash. */
  checkpoint(): Promise<void>;
  /** Looks at every active deployment although nothing arrived: that silence is a verdict too. */
  tick(): Promise<void>;
  judgement(service: string): Judgement | null;
  traffic(service: string): RecentTraffic;
  /** How stable does by itself, before anything is tried. */
  stableNow(state: ServiceState): { readonly stableIsBreaching: boolean; readonly stableErrorRate: number | null };
}

export interface JudgingDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export function createJudging({ engine, store, clock, log }: JudgingDeps): Judging {
  const trials = createTrials(store, clock, log);
  const traffic = new Map<string, RecentTraffic>();

  function trafficOf(service: string): RecentTraffic {
    const known = traffic.get(service) ?? createRecentTraffic();
    traffic.set(service, known);
    return known;
  }

  /** Also with nothing arrived: then only time has passed. */
  async function look(state: ServiceState | undefined, arrived: ArmCounts, arrivedAt: Instant): Promise<void> {
    const active = state?.active ?? null;
    if (state === undefined || active === null || !isOnTrial(active)) return;
    const trial = trials.of(state, active);
    trial.judge = observe(trial.judge, arrived, active.plan.blockMs, arrivedAt);
    trial.judgement = judge(trial.judge, active.plan.criteria, canaryWeight(state));
    await engine.dispatch(state.service, { type: 'judged', judgement: trial.judgement, arrivedAt }, actor);
  }

  async function lookAtWatch(state: ServiceState, arrivedAt: Instant): Promise<void> {
    const { watch, stable } = state;
    if (watch === null || stable === null || state.held !== null) return;
    const promotedAt = state.promoted[0]?.promotedAt ?? arrivedAt;
    const counts = trafficOf(state.service).stableCounts(stable.digest, promotedAt, arrivedAt);
    const judgement = watchFinding(watch, counts);
    if (judgement !== null) await engine.dispatch(state.service, { type: 'watch-failed', judgement, arrivedAt }, actor);
  }

  async function takeBuckets(service: string, buckets: readonly Bucket[], arrivedAt: Instant): Promise<void> {
    const state = engine.state(service);
    if (state === undefined) return;
    for (const bucket of buckets) trafficOf(service).add(bucket, arrivedAt);
    await look(state, armCounts(state, buckets), arrivedAt);
    await lookAtWatch(engine.state(service) ?? state, arrivedAt);
  }

  engine.onTransition((notice) => trials.after(notice));
  return {
    load: () => trials.load(engine.states()),
    knows: (service) => engine.state(service) !== undefined,
    take: takeBuckets,
    checkpoint: () => trials.checkpoint(),
    async tick() {
      for (const { service } of engine.states()) {
        // As it is now: it may have changed while another was looked at.
        await look(engine.state(service), noArmCounts, clock.now());
      }
    },
    judgement: (service) => trials.judgement(service),
    traffic: trafficOf,
    stableNow({ service, active, stable }) {
      const threshold = active?.plan.criteria.criticalErrorRate;
      if (stable === null || threshold === undefined) return { stableIsBreaching: false, stableErrorRate: null };
      const counts = trafficOf(service).stableCounts(stable.digest, 0, clock.now());
      return { stableIsBreaching: surelyAbove(counts, threshold), stableErrorRate: rateOf(counts) };
    },
  };
}

function isOnTrial({ phase }: Deployment): boolean {
  return phase.name === 'progressing' || phase.name === 'paused';
}

/** Only what was measured during this deployment, on its own two revisions: a late bucket of another one says nothing about it. */
function armCounts(state: ServiceState, buckets: readonly Bucket[]): ArmCounts {
  const { active, stable } = state;
  if (active === null) return noArmCounts;
  return buckets
    .filter((bucket) => bucket.deployment_id === active.id)
    .map((bucket): ArmCounts => {
      const isCanary = bucket.variant === 'canary' && bucket.digest === active.revision.digest;
      const isStable = bucket.variant === 'stable' && bucket.digest === stable?.digest;
      return {
        canary: isCanary ? countsOf(bucket) : noArmCounts.canary,
        stable: isStable ? countsOf(bucket) : noArmCounts.stable,
      };
    })
    .reduce(addArms, noArmCounts);
}

/** After a promotion nothing concurrent is left to compare with: only what is surely critical, and was not so before, counts. */
function watchFinding(watch: Watch, counts: { readonly requests: number; readonly errors: number }): Judgement | null {
  const { criticalErrorRate: threshold, maxErrorRateIncrease, minSampleSize } = watch.plan.criteria;
  const rate = rateOf(counts);
  if (rate === null || !surelyAbove(counts, threshold)) return null;
  if (rate - (watch.baseErrorRate ?? 0) < threshold / 2) return null;
  return {
    verdict: 'fail',
    criterion: 'error_rate',
    detected_by: 'critical',
    reason: `error rate ${inPercent(rate)}, above the critical ${inPercent(threshold)}; it was ${inPercent(watch.baseErrorRate)} before`,
    weight: 100,
    canary: { ...counts, rate },
    stable: { requests: 0, errors: 0, rate: watch.baseErrorRate },
    step_requests: counts.requests,
    step_errors: counts.errors,
    step_requests_needed: minSampleSize,
    delta: watch.baseErrorRate === null ? null : rate - watch.baseErrorRate,
    allowed_increase: maxErrorRateIncrease,
    margin_z: null,
    gate_z: null,
    ln_e: 0,
    ln_e_needed: 0,
    p_value: 1,
    blocks: 0,
  };
}

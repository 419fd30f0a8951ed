/** Feeds the judge with buckets as they arrive, and the reducer with what it says. */
import { messageOf } from '../../base/failures.ts';
import type { Instant } from '../../base/time.ts';
import { addArms, noArmCounts, rateOf, type ArmCounts } from '../../domain/analysis/counts.ts';
import { surelyAbove } from '../../domain/analysis/critical.ts';
import { beginStep, inPercent, judge, newJudge, observe, type JudgeState, type Judgement } from '../../domain/analysis/judge.ts';
import { canaryWeight, type Deployment, type ServiceState, type Watch } from '../../domain/rollout/state.ts';
import type { Bucket, BucketBatch } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';
import type { Engine, TransitionNotice } from '../engine/engine.ts';
import { countsOf, createRecentTraffic, type RecentTraffic } from './traffic.ts';

const actor = 'judge';
const checkpointMs = 5000;

interface Trial {
  readonly deploymentId: string;
  judge: JudgeState;
  judgement: Judgement | null;
}

export interface Judging {
  /** Restores checkpoints of the deployments that are under way. */
  load(): Promise<void>;
  /** False for a batch that was taken in before. Resolves when every verdict it led to has been acted on. */
  take(batch: BucketBatch): Promise<boolean>;
  /** Looks at every active deployment although nothing arrived: that silence is a verdict too. */
  tick(): Promise<void>;
  judgement(service: string): Judgement | null;
  traffic(service: string): RecentTraffic;
  /** Stable is beyond the critical bound by itself. */
  stableIsBreaching(state: ServiceState): boolean;
}

export interface JudgingDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export function createJudging(deps: JudgingDeps): Judging {
  const { engine, store, clock } = deps;
  const trials = new Map<string, Trial>();
  const traffic = new Map<string, RecentTraffic>();
  const taken = new Map<string, { readonly epoch: string; readonly seq: number }>();
  let checkpointedAt = 0;

  function trafficOf(service: string): RecentTraffic {
    const known = traffic.get(service) ?? createRecentTraffic();
    traffic.set(service, known);
    return known;
  }

  function trialOf(service: string, deployment: Deployment): Trial {
    const known = trials.get(service);
    if (known?.deploymentId === deployment.id) return known;
    const created: Trial = { deploymentId: deployment.id, judge: newJudge(clock.now()), judgement: null };
    trials.set(service, created);
    return created;
  }

  /** Also with nothing arrived: then only time has passed. */
  async function look(state: ServiceState, arrived: ArmCounts, arrivedAt: Instant): Promise<void> {
    const { active } = state;
    if (active?.phase.name !== 'progressing' && active?.phase.name !== 'paused') return;
    const trial = trialOf(state.service, active);
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

  function onTransition({ before, row }: TransitionNotice): void {
    const { active } = row.stateAfter;
    const trial = trials.get(row.service);
    if (active === null || active.phase.name === 'promoting' || active.phase.name === 'rolling-back') {
      trials.delete(row.service);
      if (trial !== undefined) store.remove(checkpointKey(row.service)).catch((thrown: unknown) => deps.log.warn({ error: messageOf(thrown) }, 'checkpoint not removed'));
    } else if (trial?.deploymentId === active.id && canaryWeight(before) !== canaryWeight(row.stateAfter)) {
      trial.judge = beginStep(trial.judge, row.at);
    }
  }

  async function checkpoint(): Promise<void> {
    const now = clock.now();
    if (now - checkpointedAt < checkpointMs || trials.size === 0) return;
    checkpointedAt = now;
    for (const [service, { deploymentId, judge: state }] of trials) await store.put(checkpointKey(service), JSON.stringify({ deploymentId, judge: state }));
    await store.put('batches', JSON.stringify([...taken]));
  }

  engine.onTransition(onTransition);
  return {
    async load() {
      for (const [gateway, position] of JSON.parse((await store.get('batches')) ?? '[]') as [string, { epoch: string; seq: number }][]) taken.set(gateway, position);
      for (const { service, active } of engine.states()) {
        const body = active === null ? null : await store.get(checkpointKey(service));
        if (body === null) continue;
        const saved = JSON.parse(body) as { deploymentId: string; judge: JudgeState };
        if (saved.deploymentId === active?.id) trials.set(service, { ...saved, judgement: null });
      }
    },
    async take(batch) {
      const last = taken.get(batch.gateway);
      if (last?.epoch === batch.epoch && batch.seq <= last.seq) return false;
      taken.set(batch.gateway, { epoch: batch.epoch, seq: batch.seq });
      const arrivedAt = clock.now();
      for (const [service, buckets] of Map.groupBy(batch.buckets, (bucket) => bucket.service)) {
        const state = engine.state(service);
        if (state === undefined) continue;
        for (const bucket of buckets) trafficOf(service).add(bucket, arrivedAt);
        await look(state, armCounts(state, buckets), arrivedAt);
        await lookAtWatch(engine.state(service) ?? state, arrivedAt);
      }
      await checkpoint();
      return true;
    },
    async tick() {
      const now = clock.now();
      for (const state of engine.states()) if (state.active !== null) await look(state, noArmCounts, now);
    },
    judgement: (service) => trials.get(service)?.judgement ?? null,
    traffic: trafficOf,
    stableIsBreaching(state) {
      const threshold = state.active?.plan.criteria.criticalErrorRate;
      if (state.stable === null || threshold === undefined) return false;
      const now = clock.now();
      return surelyAbove(trafficOf(state.service).stableCounts(state.stable.digest, 0, now), threshold);
    },
  };
}

function checkpointKey(service: string): string {
  return `judge/${service}`;
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

/** Feeds the judge with buckets as they arrive, and the reducer with what it says. */
import type { Instant } from '../../base/time.ts';
import { summarise, type TrafficSummary } from '../../domain/analysis/baseline.ts';
import type { BlockRow } from '../../domain/analysis/block.ts';
import { rateOf } from '../../domain/analysis/counts.ts';
import type { Judgement, LookContext } from '../../domain/analysis/look.ts';
import type { Moment } from '../../domain/analysis/record.ts';
import { addPairs, addSamples, noPair, noSample, sampleOf, type ArmPair, type ArmSample } from '../../domain/analysis/sample.ts';
import { surelyAbove } from '../../domain/analysis/triggers.ts';
import { criticalErrorRate, watchFinding } from '../../domain/analysis/watch.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { Bucket } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';
import type { Engine } from '../engine/engine.ts';
import { createBaselines } from './baselines.ts';
import { readEvidence } from './evidence-log.ts';
import { createLooking, type Arrived } from './looking.ts';
import { createRecentTraffic, type RecentTraffic } from './traffic.ts';
import { createTrials } from './trials.ts';

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
  /** A verdict on the running deployment as of now, with what it was made of; null when none is on trial. Nothing is decided by it. */
  present(service: string): Promise<{ readonly judgement: Judgement; readonly moment: Moment } | null>;
  /** The first `count` closed blocks of a deployment. */
  blocks(deploymentId: string, count: number): Promise<readonly BlockRow[]>;
  traffic(service: string): RecentTraffic;
  /** What plans are reckoned with: traffic, error rate and spread of stable lately. */
  summary(service: string): TrafficSummary;
  /** How stable does by itself, before anything is tried. */
  stableNow(state: ServiceState): { readonly stableIsBreaching: boolean; readonly stableErrorRate: number | null };
}

export interface JudgingDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly drawn: (state: ServiceState) => LookContext['drawn'];
}

export function createJudging({ engine, store, clock, log, drawn }: JudgingDeps): Judging {
  const trials = createTrials(store, clock, log);
  const baselines = createBaselines(store);
  const looking = createLooking({ engine, trials, baselines, drawn });
  const traffic = new Map<string, RecentTraffic>();

  function trafficOf(service: string): RecentTraffic {
    const known = traffic.get(service) ?? createRecentTraffic();
    traffic.set(service, known);
    return known;
  }

  async function lookAtWatch(service: string, arrivedAt: Instant): Promise<void> {
    const state = engine.state(service);
    const { watch, stable, held } = state ?? { watch: null, stable: null, held: null };
    if (state === undefined || watch === null || stable === null || held !== null) return;
    const promotedAt = state.promoted[0]?.promotedAt ?? arrivedAt;
    const counts = trafficOf(service).stableCounts(stable.digest, promotedAt, arrivedAt);
    const judgement = watchFinding(watch.plan.policy, watch.baseErrorRate, counts);
    if (judgement !== null) await engine.dispatch(service, { type: 'watch-failed', judgement, arrivedAt }, 'judge');
  }

  async function takeBuckets(service: string, buckets: readonly Bucket[], arrivedAt: Instant): Promise<void> {
    const state = engine.state(service);
    if (state === undefined) return;
    for (const bucket of buckets) trafficOf(service).add(bucket, arrivedAt);
    await looking.take(service, arrivedOf(state, buckets), arrivedAt);
    const digest = state.stable?.digest;
    // After the look: thresholds never know what they are used on.
    if (digest !== undefined) await baselines.add(service, digest, stableSample(digest, buckets), arrivedAt);
    await lookAtWatch(service, arrivedAt);
  }

  engine.onTransition((notice) => trials.after(notice));
  return {
    load: () => trials.load(engine.states()),
    knows: (service) => engine.state(service) !== undefined,
    take: takeBuckets,
    async checkpoint() {
      await trials.checkpoint();
      await baselines.checkpoint(clock.now());
    },
    async tick() {
      for (const { service } of engine.states()) await looking.take(service, nothingArrived, clock.now());
    },
    judgement: (service) => trials.judgement(service),
    present: (service) => looking.present(service, clock.now()),
    async blocks(deploymentId, count) {
      await trials.settled();
      return readEvidence(store, deploymentId, count);
    },
    traffic: trafficOf,
    summary: (service) => summarise(baselines.known(service), clock.now()),
    stableNow({ service, active, stable }) {
      const threshold = active === null ? null : criticalErrorRate(active.plan.policy);
      if (stable === null || threshold === null) return { stableIsBreaching: false, stableErrorRate: null };
      const counts = trafficOf(service).stableCounts(stable.digest, 0, clock.now());
      return { stableIsBreaching: surelyAbove(counts.errors, counts.requests, threshold), stableErrorRate: rateOf(counts) };
    },
  };
}

const nothingArrived: Arrived = { arms: noPair, unusable: null };

/** Only what was measured during this deployment, on its own two revisions: a late bucket of another one says nothing about it. */
function arrivedOf(state: ServiceState, buckets: readonly Bucket[]): Arrived {
  const { active, stable } = state;
  if (active === null) return nothingArrived;
  const { criteria, triggers } = active.plan.policy;
  const judged = new Set([...criteria, ...triggers].map(({ metric }) => metric));
  let [arms, unusable]: [ArmPair, string | null] = [noPair, null];
  for (const bucket of buckets) {
    const isCanary = bucket.variant === 'canary' && bucket.digest === active.revision.digest;
    const isStable = bucket.variant === 'stable' && bucket.digest === stable?.digest;
    if (bucket.deployment_id !== active.id || (!isCanary && !isStable)) continue;
    const sample = sampleOf(bucket, judged);
    if (typeof sample === 'string') unusable = sample;
    else arms = addPairs(arms, isCanary ? { canary: sample, stable: noSample } : { canary: noSample, stable: sample });
  }
  return { arms, unusable };
}

/** Of stable, whether a deployment is under way or not. */
function stableSample(digest: string, buckets: readonly Bucket[]): ArmSample {
  return buckets.reduce((sum, bucket) => {
    const sample = bucket.variant === 'stable' && bucket.digest === digest ? sampleOf(bucket) : noSample;
    return typeof sample === 'string' ? sum : addSamples(sum, sample);
  }, noSample);
}

/** Feeds the judge with buckets as they arrive, and the reducer with what it says. */
import type { Rng } from '../../base/random.ts';
import type { Instant } from '../../base/time.ts';
import type { AbTestVerdict } from '../../domain/analysis/ab-test.ts';
import { summarise, type TrafficSummary } from '../../domain/analysis/baseline.ts';
import type { BlockRow } from '../../domain/analysis/block.ts';
import { rateOf } from '../../domain/analysis/counts.ts';
import type { Judgement, LookContext } from '../../domain/analysis/look.ts';
import { addSamples, noSample, sampleOf, type ArmSample } from '../../domain/analysis/sample.ts';
import { surelyAbove } from '../../domain/analysis/triggers.ts';
import { criticalErrorRate, watchFinding } from '../../domain/analysis/watch.ts';
import type { Plan } from '../../domain/planning/plan.ts';
import { triedArms } from '../../domain/rollout/shares.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { Bucket } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';
import type { Engine } from '../engine/engine.ts';
import { createBaselines } from './baselines.ts';
import { evidenceName, readEvidence } from './evidence-log.ts';
import { createLooking, type Arrived, type Look } from './looking.ts';
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
  /** What the A/B test under way has found so far; null without one. */
  comparison(service: string): AbTestVerdict | null;
  /** A verdict on the running deployment as of now, with what it was made of; null when none is on trial. Nothing is decided by it. */
  present(service: string): Promise<Look | null>;
  /** The first `count` closed blocks of a deployment, or of one of its arms. */
  blocks(deploymentId: string, arm: string | undefined, count: number): Promise<readonly BlockRow[]>;
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
  /** Chance in how arms of A/B tests are tried. */
  readonly rng: Rng;
}

export function createJudging({ engine, store, clock, log, drawn, rng }: JudgingDeps): Judging {
  const trials = createTrials(store, clock, log);
  const baselines = createBaselines(store);
  const looking = createLooking({ engine, trials, baselines, drawn, rng });
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
    comparison: (service) => trials.comparison(service),
    present: (service) => looking.present(service, clock.now()),
    async blocks(deploymentId, arm, count) {
      await trials.settled();
      return readEvidence(store, evidenceName(deploymentId, arm), count);
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

const nothingArrived: Arrived = { canaries: new Map(), stable: noSample, unusable: null };

/** Only what was measured during this deployment, on its own revisions: a late bucket of another one says nothing about it. */
function arrivedOf({ active, stable }: ServiceState, buckets: readonly Bucket[]): Arrived {
  if (active === null) return nothingArrived;
  const judged = judgedMetrics(active.plan);
  const tried = new Set(triedArms(active).map(({ digest }) => digest));
  const canaries = new Map<string, ArmSample>();
  let [stableSum, unusable]: [ArmSample, string | null] = [noSample, null];
  for (const bucket of buckets.filter((one) => one.deployment_id === active.id)) {
    const isCanary = bucket.variant === 'canary' && tried.has(bucket.digest);
    const isStable = bucket.variant === 'stable' && bucket.digest === stable?.digest;
    if (!isCanary && !isStable) continue;
    const sample = sampleOf(bucket, judged);
    if (typeof sample === 'string') unusable = sample;
    else if (isCanary) canaries.set(bucket.digest, addSamples(canaries.get(bucket.digest) ?? noSample, sample));
    else stableSum = addSamples(stableSum, sample);
  }
  return { canaries, stable: stableSum, unusable };
}

function judgedMetrics({ policy, abTest }: Plan): ReadonlySet<string> {
  const compared = abTest === null ? [] : [abTest.settings.metric];
  return new Set([...compared, ...[...policy.criteria, ...policy.triggers].map(({ metric }) => metric)]);
}

/** Of stable, whether a deployment is under way or not. */
function stableSample(digest: string, buckets: readonly Bucket[]): ArmSample {
  return buckets.reduce((sum, bucket) => {
    const sample = bucket.variant === 'stable' && bucket.digest === digest ? sampleOf(bucket) : noSample;
    return typeof sample === 'string' ? sum : addSamples(sum, sample);
  }, noSample);
}

/**
 * The real judge behind a plain interface, so that anyone can run it in a world of their own. Buckets are filled by the code that the
 * gateway fills them with. A block is ten seconds of both arms.
 */
import { addToBaseline, noBaseline, ratesOf, thresholdsOf } from '../../src/domain/analysis/baseline.ts';
import { newHistogram, newMoments, packHistogram, recordMoment, recordScore, recordValue } from '../../src/domain/analysis/histogram.ts';
import { beginStep, benchOf, newJudge, observe, type Bench } from '../../src/domain/analysis/judge.ts';
import { look, type Judgement } from '../../src/domain/analysis/look.ts';
import { sampleOf, type ArmSample } from '../../src/domain/analysis/sample.ts';
import type { AnalysisPolicy } from '../../src/domain/settings/policy.ts';
import { resolvePolicy } from '../../src/domain/settings/resolve-policy.ts';
import type { Bucket } from '../../src/generated/types.ts';

/** Counts by bin: canary, stable, and the bins' centres (milliseconds, US dollars, 0 to 1). */
export interface Binned {
  readonly c: ArrayLike<number>;
  readonly s: ArrayLike<number>;
  readonly mid: ArrayLike<number>;
}

export interface SimulatedBlock {
  readonly t: number;
  /** Share of the canary, as a fraction or in percent. */
  readonly weight: number;
  readonly nC: number;
  readonly nS: number;
  readonly eC: number;
  readonly eS: number;
  readonly lat: Binned;
  readonly cost: Binned;
  readonly qual: Binned;
}

export interface Margins {
  readonly error_rate_increase: number;
  readonly latency_p95_increase: number;
  readonly latency_p99_increase: number;
  readonly latency_p50_increase: number;
  readonly cost_increase: number;
  readonly quality_degradation: number;
}

export interface ContenderOptions {
  readonly rps: number;
  readonly margins: Margins;
  readonly confidence: number;
  /** Of the policy, for experiments. */
  readonly change?: Partial<AnalysisPolicy>;
}

export interface Action {
  readonly action: 'rollback' | 'hold';
  readonly metric: string;
}

export interface Contender {
  warm(block: SimulatedBlock): void;
  observe(block: SimulatedBlock): Action | null;
  /** What it found last, for those who drive a rollout by it. */
  judgement(): Judgement | null;
}

const blockMs = 10_000;

export function policyOf({ margins, confidence, change = {} }: ContenderOptions): AnalysisPolicy {
  const criteria = {
    max_error_rate_increase: margins.error_rate_increase,
    max_latency_p50_increase: margins.latency_p50_increase,
    max_latency_p95_increase: margins.latency_p95_increase,
    max_latency_p99_increase: margins.latency_p99_increase,
    max_cost_increase: margins.cost_increase,
    max_quality_degradation: margins.quality_degradation,
    confidence_level: confidence,
    min_sample_size: 50,
  };
  const canary = { success_criteria: criteria, statistical_validation: { alpha: 1 - confidence } };
  return { ...resolvePolicy(canary, false, blockMs), ...change };
}

export default function create(options: ContenderOptions): Contender {
  const bench: Bench = benchOf(policyOf(options));
  let now = blockMs;
  let weight: number | null = null;
  let baseline = noBaseline;
  let state = newJudge(now, 0);
  let judgement: Judgement | null = null;

  return {
    warm(block) {
      baseline = addToBaseline(baseline, sampleIn(block, 's'), (now += blockMs));
    },
    observe(block) {
      const percent = percentOf(block);
      if (weight === null) state = newJudge(now, percent);
      else if (weight !== percent) state = beginStep(state, bench, percent, now).state;
      weight = percent;
      now += blockMs;
      const arms = { canary: sampleIn(block, 'c'), stable: sampleIn(block, 's') };
      const observed = observe(state, { arms, thresholds: thresholdsOf(baseline) }, bench, now).state;
      baseline = addToBaseline(baseline, arms.stable, now);
      const looked = look(observed, bench, { weight: percent, now, rates: ratesOf(baseline, now, 3_600_000), drawn: { unit: 'requests' } });
      state = looked.state;
      judgement = looked.judgement;
      // A warning pauses a rollout while the judging goes on: it ends nothing.
      if (judgement.verdict === 'fail') return { action: 'rollback', metric: judgement.metric ?? 'error_rate' };
      return judgement.verdict === 'incident' ? { action: 'hold', metric: judgement.metric ?? 'error_rate' } : null;
    },
    judgement: () => judgement,
  };
}

/** 0.05 and 5 both mean five percent; 1 is what the block's own counts say it is. */
function percentOf({ weight, nC, nS }: SimulatedBlock): number {
  if (weight < 1) return weight * 100;
  return weight === 1 && nC > nS ? 100 : weight;
}

function sampleIn({ nC, nS, eC, eS, lat, cost, qual }: SimulatedBlock, arm: 'c' | 's'): ArmSample {
  const [requests, errors] = arm === 'c' ? [nC, eC] : [nS, eS];
  const [latency, costs, scores] = [newHistogram(), newHistogram(), newHistogram()];
  const [costMoments, scoreMoments] = [newMoments(), newMoments()];
  each(lat, arm, (value, count) => recordValue(latency, value, count));
  each(cost, arm, (value, count) => {
    recordValue(costs, value * 1e6, count);
    recordMoment(costMoments, value, count);
  });
  each(qual, arm, (value, count) => {
    recordScore(scores, value, count);
    recordMoment(scoreMoments, value, count);
  });
  const bucket = {
    requests,
    errors: errors > 0 ? { upstream_5xx: errors } : {},
    latency_ms: packHistogram(latency),
    first_token_ms: { zero: 0, bins: [] },
    cost_usd: costMoments,
    cost_micro_usd: packHistogram(costs),
    scores: scoreMoments.n > 0 ? { quality_score: scoreMoments } : {},
    score_histograms: { quality_score: packHistogram(scores) },
    shards: [],
  };
  const sample = sampleOf(bucket as unknown as Bucket);
  if (typeof sample === 'string') throw new Error(`the simulated block can't be: ${sample}`);
  return sample;
}

function each(binned: Binned, arm: 'c' | 's', visit: (value: number, count: number) => void): void {
  const counts = binned[arm];
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i] ?? 0;
    if (count > 0) visit(binned.mid[i] ?? 0, count);
  }
}

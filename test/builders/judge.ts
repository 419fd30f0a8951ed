/** A judge and the traffic that it looks at, without a control plane around it. */
import { addToBaseline, noBaseline, ratesOf, thresholdsOf, type Baseline } from '../../src/domain/analysis/baseline.ts';
import type { BlockRow } from '../../src/domain/analysis/block.ts';
import { newHistogram, newMoments, packHistogram, recordMoment, recordScore, recordValue } from '../../src/domain/analysis/histogram.ts';
import { beginStep, benchOf, newJudge, observe, type Bench, type JudgeState, type Observed } from '../../src/domain/analysis/judge.ts';
import { look, type Judgement, type LookContext } from '../../src/domain/analysis/look.ts';
import { noPair, sampleOf, type ArmSample } from '../../src/domain/analysis/sample.ts';
import type { AnalysisPolicy } from '../../src/domain/settings/policy.ts';
import { resolvePolicy } from '../../src/domain/settings/resolve-policy.ts';
import type { WrittenSettingsCanary } from '../../src/generated/types.ts';
import { aBucket } from './bucket.ts';

export function aPolicy(written: WrittenSettingsCanary = {}, change: Partial<AnalysisPolicy> = {}): AnalysisPolicy {
  return { ...resolvePolicy(written, false, 1000), ...change };
}

/** What one variant measured: plain lists, and a number of failed requests among them. */
export interface Measured {
  readonly requests: number;
  readonly errors?: number;
  readonly latencies?: readonly number[];
  readonly firstTokens?: readonly number[];
  readonly costs?: readonly number[];
  readonly tokens?: readonly number[];
  readonly scores?: Readonly<Record<string, readonly number[]>>;
  /** Rows of seven, as in a bucket. */
  readonly shards?: readonly number[];
}

function histogramOf(values: readonly number[]): ReturnType<typeof packHistogram> {
  const histogram = newHistogram();
  for (const value of values) recordValue(histogram, value);
  return packHistogram(histogram);
}

function momentsOf(values: readonly number[]): ReturnType<typeof newMoments> {
  const moments = newMoments();
  for (const value of values) recordMoment(moments, value);
  return moments;
}

export function aSample({
  requests,
  errors = 0,
  latencies = [],
  firstTokens = [],
  costs = [],
  tokens = [],
  scores = {},
  shards = [],
}: Measured): ArmSample {
  const scored = (values: readonly number[]): ReturnType<typeof packHistogram> => {
    const histogram = newHistogram();
    for (const value of values) recordScore(histogram, value);
    return packHistogram(histogram);
  };
  const ranked = Object.entries(scores).filter(([metric]) => metric === 'quality_score' || metric === 'judged_quality');
  const sample = sampleOf(
    aBucket({
      requests,
      errors: errors > 0 ? { upstream_5xx: errors } : {},
      latency_ms: histogramOf(latencies),
      first_token_ms: histogramOf(firstTokens),
      cost_usd: momentsOf(costs),
      cost_micro_usd: histogramOf(costs.map((cost) => cost * 1e6)),
      tokens: momentsOf(tokens),
      tokens_histogram: histogramOf(tokens),
      scores: Object.fromEntries(Object.entries(scores).map(([metric, values]) => [metric, momentsOf(values)])),
      score_histograms: Object.fromEntries(ranked.map(([metric, values]) => [metric, scored(values)])),
      shards: [...shards],
    }),
  );
  if (typeof sample === 'string') throw new Error(sample);
  return sample;
}

export interface Court {
  state: JudgeState;
  baseline: Baseline;
  now: number;
  weight: number;
  readonly bench: Bench;
  readonly rows: BlockRow[];
  /** A second of traffic before anything was tried. */
  warm(stable: Measured): void;
  /** `ms` pass, then this arrives. */
  arrive(canary: Measured | null, stable: Measured | null, ms?: number): Judgement;
  begin(weight: number): void;
  look(change?: Partial<LookContext>): Judgement;
}

export function aCourt(policy: AnalysisPolicy, weight = 5, startedAt = 1_000_000): Court {
  const keep = (observed: Observed): void => {
    if (observed.closed !== null) court.rows.push(observed.closed);
    court.state = observed.state;
  };
  const court: Court = {
    state: newJudge(startedAt, weight),
    baseline: noBaseline,
    now: startedAt,
    weight,
    bench: benchOf(policy),
    rows: [],
    warm(stable) {
      court.now += 1000;
      court.baseline = addToBaseline(court.baseline, aSample(stable), court.now);
      court.state = newJudge(court.now, court.weight);
    },
    arrive(canary, stable, ms = 1000) {
      court.now += ms;
      const none = noPair.canary;
      const arms = { canary: canary === null ? none : aSample(canary), stable: stable === null ? none : aSample(stable) };
      keep(observe(court.state, { arms, thresholds: thresholdsOf(court.baseline) }, court.bench, court.now));
      court.baseline = addToBaseline(court.baseline, arms.stable, court.now);
      return court.look();
    },
    begin(next) {
      court.weight = next;
      keep(beginStep(court.state, court.bench, next, court.now));
    },
    look(change = {}) {
      const rates = ratesOf(court.baseline, court.now, policy.watchedMs);
      const context = { weight: court.weight, now: court.now, rates, drawn: { unit: 'requests' }, ...change } as const;
      const looked = look(court.state, court.bench, context);
      court.state = looked.state;
      return looked.judgement;
    },
  };
  return court;
}

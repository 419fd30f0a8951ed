/** A block: the requests of both variants in one stretch of time, at one weight, and the sums that are kept of it. */
import type { Instant } from '../../base/time.ts';
import { alignedCounts, countOf, countsAbove, meanOf, newMoments, squaresOf } from './histogram.ts';
import { quantileMetrics, type QuantileMetric, type TimeSeries } from './metric.ts';
import type { ArmPair, ArmSample, Sample } from './sample.ts';
import { rankSum } from './stats/classical.ts';

/** The bin that stable's quantile lies in, from before the block: chosen without a look at what is compared by it. */
export type Thresholds = Readonly<Partial<Record<QuantileMetric, number>>>;

const leastPerArm = 8;
const longestBlockMs = 120_000;

/** By time and counts only, never by outcomes: otherwise the evidence would not be valid. */
export function isBlockDue(arms: readonly ArmSample[], from: Instant, blockMs: number, now: Instant): boolean {
  const age = now - from;
  // A clock that was set back: what is open has no length any more, and is closed as it is.
  if (age < 0) return true;
  if (age < blockMs) return false;
  return arms.every(({ requests }) => requests >= leastPerArm) || age >= Math.max(longestBlockMs, blockMs);
}

export interface OpenBlock {
  readonly from: Instant;
  readonly weight: number;
  readonly thresholds: Thresholds;
  readonly arms: ArmPair;
}

/** Counts of both variants above several bins around a threshold. */
export interface TailRow {
  /** Threshold, as a bin of the histogram. */
  readonly bin: number;
  readonly nc: number;
  readonly ns: number;
  /** Above `bin + offset`, for each offset of the policy. */
  readonly canary: readonly number[];
  readonly stable: readonly number[];
}

/** n, mean and sum of squares of both, and the rank sum's distance from its expectation with its variance, both weighted by 1/(N+1). */
export interface MeanRow {
  readonly nc: number;
  readonly mc: number;
  readonly qc: number;
  readonly ns: number;
  readonly ms: number;
  readonly qs: number;
  readonly rank: number;
  readonly rankVariance: number;
}

/** What is kept of a closed block, and all that verdicts are made of. Field names are those of evidence.json. */
export interface BlockRow {
  readonly from: Instant;
  readonly at: Instant;
  readonly weight: number;
  readonly nc: number;
  readonly xc: number;
  readonly ns: number;
  readonly xs: number;
  readonly tails: Readonly<Partial<Record<QuantileMetric, TailRow>>>;
  readonly means: Readonly<Record<string, MeanRow>>;
  /** Rank sums of the times, as of a mean. */
  readonly ranks: Readonly<Partial<Record<TimeSeries, { readonly rank: number; readonly rankVariance: number }>>>;
  /** Latencies above fixed limits: [limit as a bin, canary above, stable above]. */
  readonly limits: readonly (readonly [number, number, number])[];
  /** By series: how many times the variance of independent requests the variance over shards is; 1 without keys. */
  readonly design: Readonly<Record<string, number>>;
}

export interface Grid {
  /** In bins, rising, with 0 among them. */
  readonly offsets: readonly number[];
  /** In bins, rising. */
  readonly limits: readonly number[];
}

export function closeBlock({ from, weight, thresholds, arms }: OpenBlock, grid: Grid, at: Instant, design: BlockRow['design']): BlockRow {
  const { canary, stable } = arms;
  const [above, aboveStable] = [countsAbove(canary.latency, grid.limits), countsAbove(stable.latency, grid.limits)];
  return {
    from,
    at,
    weight,
    nc: canary.requests,
    xc: canary.errors,
    ns: stable.requests,
    xs: stable.errors,
    tails: tailsOf(arms, thresholds, grid.offsets),
    means: meansOf(canary, stable),
    ranks: { latency: ranksOf(canary.latency, stable.latency), firstToken: ranksOf(canary.firstToken, stable.firstToken) },
    limits: grid.limits.map((limit, index) => [limit, above[index] ?? 0, aboveStable[index] ?? 0] as const),
    design,
  };
}

function tailsOf({ canary, stable }: ArmPair, thresholds: Thresholds, offsets: readonly number[]): BlockRow['tails'] {
  const tails: Partial<Record<QuantileMetric, TailRow>> = {};
  for (const metric of Object.keys(quantileMetrics) as QuantileMetric[]) {
    const bin = thresholds[metric];
    const { series } = quantileMetrics[metric];
    const [nc, ns] = [countOf(canary[series]), countOf(stable[series])];
    if (bin === undefined || nc + ns === 0) continue;
    const bins = offsets.map((offset) => bin + offset);
    tails[metric] = { bin, nc, ns, canary: countsAbove(canary[series], bins), stable: countsAbove(stable[series], bins) };
  }
  return tails;
}

function meansOf(canary: ArmSample, stable: ArmSample): BlockRow['means'] {
  const rows: Record<string, MeanRow> = {};
  for (const metric of new Set([...Object.keys(canary.means), ...Object.keys(stable.means)])) {
    const [c, s] = [canary.means[metric] ?? noValues, stable.means[metric] ?? noValues];
    const ranks = c.histogram === null || s.histogram === null ? { rank: 0, rankVariance: 0 } : ranksOf(c.histogram, s.histogram);
    const [mc, ms] = [meanOf(c.moments) ?? 0, meanOf(s.moments) ?? 0];
    rows[metric] = { nc: c.moments.n, mc, qc: squaresOf(c.moments), ns: s.moments.n, ms, qs: squaresOf(s.moments), ...ranks };
  }
  return rows;
}

const noValues: Sample = { moments: newMoments(), histogram: null };

/** Van Elteren's weights (1960): one block's part of the stratified rank test. */
function ranksOf(canary: ArmSample['latency'], stable: ArmSample['latency']): { readonly rank: number; readonly rankVariance: number } {
  const { na, nb, w, variance } = rankSum(...alignedCounts(canary, stable));
  if (na === 0 || nb === 0) return { rank: 0, rankVariance: 0 };
  const weight = 1 / (na + nb + 1);
  return { rank: weight * (w - (na * nb) / 2), rankVariance: weight * weight * variance };
}

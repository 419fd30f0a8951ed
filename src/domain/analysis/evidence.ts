/** What closed blocks add up to, metric by metric. Sums are additive, so that a step's own part is a difference of two of them. */
import type { AnalysisPolicy, Criterion } from '../settings/policy.ts';
import { binsOfFactor } from './histogram.ts';
import type { BlockRow, Grid, MeanRow } from './block.ts';
import { higherIsWorse, isQuantile, leastForMean, quantileMetrics } from './metric.ts';
import { addLikelihoods, lnMeanExp, lnNormalMixture, noLikelihoods, scoreOf, type Fourfold } from './stats/sequential.ts';

/**
 * Sums over blocks with data in both arms. h = n_c n_s / N. `hits` of a quantile are values above its threshold, `shifted` the same with
 * stable held against threshold / (1 + margin).
 */
export interface Sums {
  readonly blocks: number;
  readonly nc: number;
  readonly ns: number;
  /** Sum of h, of h times each arm's value (rate or mean), and of h^2 / n. */
  readonly h: number;
  readonly canary: number;
  readonly stable: number;
  readonly canarySpread: number;
  readonly stableSpread: number;
  readonly score: number;
  readonly variance: number;
  readonly shiftedScore: number;
  readonly shiftedVariance: number;
  /** Within-block squares and degrees of freedom, of means. */
  readonly canarySquares: number;
  readonly canaryFreedom: number;
  readonly stableSquares: number;
  readonly stableFreedom: number;
  readonly rank: number;
  readonly rankVariance: number;
}

export const noSums: Sums = {
  blocks: 0,
  nc: 0,
  ns: 0,
  h: 0,
  canary: 0,
  stable: 0,
  canarySpread: 0,
  stableSpread: 0,
  score: 0,
  variance: 0,
  shiftedScore: 0,
  shiftedVariance: 0,
  canarySquares: 0,
  canaryFreedom: 0,
  stableSquares: 0,
  stableFreedom: 0,
  rank: 0,
  rankVariance: 0,
};

export interface MetricEvidence {
  readonly sums: Sums;
  readonly likelihoods: readonly number[];
  /** Largest ln e so far (that of now where requests share keys): what anytime-valid p-values and the fail rule go by. */
  readonly maxLnE: number;
  /** Design effect of the last block: how many requests weigh as much as one independent one. */
  readonly design: number;
}

export const noEvidence: MetricEvidence = { sums: noSums, likelihoods: noLikelihoods, maxLnE: 0, design: 1 };

const standardFactors = [1.02, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5, 2, 3];

/** Bins around a threshold that rows keep counts for: those that this policy compares, and those that another one may ask for later. */
export function gridOf(policy: AnalysisPolicy): Grid {
  const margins = policy.criteria.filter(({ metric }) => isQuantile(metric)).map(({ margin }) => 1 + (margin ?? 0));
  const increases = policy.triggers.filter(({ metric, kind }) => isQuantile(metric) && kind === 'increase').map((one) => 1 + one.threshold);
  const offsets = new Set([
    0,
    ...[...standardFactors, ...margins, ...increases].flatMap((factor) => [-binsOfFactor(factor), binsOfFactor(factor)]),
  ]);
  const limits = new Set(
    [
      ...policy.criteria.flatMap(({ metric, max }) => (isLatency(metric) && max !== null ? [max] : [])),
      ...policy.triggers.flatMap(({ metric, kind, threshold }) => (isLatency(metric) && kind === 'above' ? [threshold] : [])),
    ].map(limitBin),
  );
  const rising = (set: ReadonlySet<number>): number[] => [...set].sort((a, b) => a - b);
  return { offsets: rising(offsets), limits: rising(limits) };
}

function isLatency(metric: string): boolean {
  return isQuantile(metric) && quantileMetrics[metric].series === 'latency';
}

/** A fixed limit in milliseconds as a bin: what is above it surely exceeds the limit. */
export function limitBin(limit: number): number {
  return binsOfFactor(limit);
}

/** Of the recorded offsets, the one nearest to the asked one. */
export function nearestOffset(offsets: readonly number[], asked: number): number {
  return offsets.reduce((best, offset, index) => (Math.abs(offset - asked) < Math.abs((offsets[best] ?? 0) - asked) ? index : best), 0);
}

/** Hits of both arms in one row: the canary above bin + `canaryFactor`, stable above bin + `stableFactor` (factors of the threshold). */
export function tailCounts(row: BlockRow, metric: string, grid: Grid, canaryFactor: number, stableFactor: number): Fourfold | null {
  const tail = isQuantile(metric) ? row.tails[metric] : undefined;
  if (tail === undefined || tail.nc === 0 || tail.ns === 0) return null;
  const at = (factor: number): number => nearestOffset(grid.offsets, binsOfFactor(factor));
  return { nc: tail.nc, ns: tail.ns, xc: tail.canary[at(canaryFactor)] ?? 0, xs: tail.stable[at(stableFactor)] ?? 0 };
}

/** What one block adds to the sums of a metric; null without data in both arms, which says nothing about a difference. */
export function rowSums(row: BlockRow, metric: string, grid: Grid, canaryFactor: number, stableFactor: number): Sums | null {
  if (metric === 'error_rate') return row.nc === 0 || row.ns === 0 ? null : proportionSums(row, row);
  if (!isQuantile(metric)) return meanSums(row.means[metric]);
  const plain = tailCounts(row, metric, grid, 1, 1);
  const shifted = tailCounts(row, metric, grid, canaryFactor, stableFactor);
  if (plain === null || shifted === null) return null;
  const ranks = row.ranks[quantileMetrics[metric].series];
  return { ...proportionSums(plain, shifted), rank: ranks?.rank ?? 0, rankVariance: ranks?.rankVariance ?? 0 };
}

function proportionSums({ nc, xc, ns, xs }: Fourfold, shifted: Fourfold): Sums {
  const h = (nc * ns) / (nc + ns);
  const other = scoreOf(shifted);
  return {
    ...noSums,
    ...scoreOf({ nc, xc, ns, xs }),
    blocks: 1,
    nc,
    ns,
    h,
    canary: (h * xc) / nc,
    stable: (h * xs) / ns,
    canarySpread: (h * h) / nc,
    stableSpread: (h * h) / ns,
    shiftedScore: other.score,
    shiftedVariance: other.variance,
  };
}

function meanSums(row: MeanRow | undefined): Sums | null {
  if (row === undefined || row.nc === 0 || row.ns === 0) return null;
  const { nc, mc, qc, ns, ms, qs } = row;
  const h = (nc * ns) / (nc + ns);
  return {
    ...noSums,
    blocks: 1,
    nc,
    ns,
    h,
    canary: h * mc,
    stable: h * ms,
    canarySpread: (h * h) / nc,
    stableSpread: (h * h) / ns,
    canarySquares: qc,
    canaryFreedom: nc - 1,
    stableSquares: qs,
    stableFreedom: ns - 1,
    rank: row.rank,
    rankVariance: row.rankVariance,
  };
}

/** Evidence on one criterion after one more block. */
export function addRow(before: MetricEvidence, row: BlockRow, criterion: Criterion, policy: AnalysisPolicy, grid: Grid): MetricEvidence {
  const { metric, margin } = criterion;
  const added = rowSums(row, metric, grid, 1, 1 / (1 + (margin ?? 0)));
  if (added === null) return before;
  const design = policy.clustered ? designOf(row, metric) : 1;
  const sums = plus(before.sums, added);
  const counts = metric === 'error_rate' ? row : tailCounts(row, metric, grid, 1, 1);
  const likelihoods = counts === null ? before.likelihoods : addLikelihoods(before.likelihoods, counts);
  const lnE = counts === null ? lnEOfMean(metric, sums, design, policy) : lnEOfProportion(metric, sums, likelihoods, design, policy);
  // The variance over shards is known better with each block: evidence of an early, too narrow one must not stand.
  return { sums, likelihoods, design, maxLnE: policy.clustered ? lnE : Math.max(before.maxLnE, lnE) };
}

function designOf(row: BlockRow, metric: string): number {
  const series = isQuantile(metric) ? 'latency' : metric;
  return Math.max(1, row.design[series] ?? 1);
}

/** Mixing variances, in the unit of the statistic that each is used with. */
const scoreSpreads = [1.5, 15, 200];
const rankSpreads = [0.14, 2.2, 35];
const meanSpreads = [1.6, 25, 400];

function lnEOfProportion(metric: string, sums: Sums, likelihoods: readonly number[], design: number, policy: AnalysisPolicy): number {
  // Counts of requests of the same keys are not what EBin is exact for.
  const counts =
    policy.clustered || metric === 'latency_p50'
      ? lnNormalMixture(sums.score, sums.variance * design, scoreSpreads)
      : lnMeanExp(likelihoods);
  if (metric !== 'latency_p50') return counts;
  return byMethod(policy, counts, lnNormalMixture(sums.rank, sums.rankVariance * design, rankSpreads));
}

/** `mann_whitney`: ranks alone; `welch_t_test`: means (or counts) alone; otherwise the average of both, which is an e-value again. */
function byMethod({ testMethod }: AnalysisPolicy, parametric: number, ranks: number): number {
  if (testMethod === 'mann_whitney') return ranks;
  return testMethod === 'welch_t_test' ? parametric : lnMeanExp([parametric, ranks]);
}

function lnEOfMean(metric: string, sums: Sums, design: number, policy: AnalysisPolicy): number {
  const sign = higherIsWorse(metric) ? 1 : -1;
  const { canary, stable } = withinVariances(sums);
  const mean =
    sums.nc >= leastForMean(metric) && stable > 0
      ? lnNormalMixture(
          (sign * (sums.canary - sums.stable)) / Math.sqrt(stable),
          (design * (canary * sums.canarySpread + stable * sums.stableSpread)) / stable,
          meanSpreads,
        )
      : 0;
  // Without classes there are no ranks: custom metrics have means only.
  if (sums.rankVariance === 0) return mean;
  return byMethod(policy, mean, lnNormalMixture(sign * sums.rank, sums.rankVariance * design, rankSpreads));
}

/** Variances within blocks. Until the canary has a hundred degrees of freedom its own is no smaller than stable's. */
export function withinVariances(sums: Sums): { readonly canary: number; readonly stable: number } {
  const stable = sums.stableFreedom > 0 ? sums.stableSquares / sums.stableFreedom : 0;
  const own = sums.canaryFreedom > 0 ? sums.canarySquares / sums.canaryFreedom : 0;
  return { canary: sums.canaryFreedom < 100 ? Math.max(own, stable) : own, stable };
}

function combine(a: Sums, b: Sums, sign: 1 | -1): Sums {
  const sum: Record<string, number> = {};
  for (const key of Object.keys(a) as (keyof Sums)[]) sum[key] = a[key] + sign * b[key];
  return sum as unknown as Sums;
}

export function plus(a: Sums, b: Sums): Sums {
  return combine(a, b, 1);
}

export function minus(a: Sums, b: Sums): Sums {
  return combine(a, b, -1);
}

/**
 * Where all requests of a key go to one variant, they are no independent samples. Sums over 64 shards of the keys say how much wider the
 * variance is (cluster-robust, after Liang and Zeger, 1986): u_g = sum over blocks of h (+-1/n_arm)(x_g - n_g mean_b); V = sum u_g^2 64/63.
 */
import { shardCount } from '../traffic/split.ts';
import { histogramVariance, squaresOf } from './histogram.ts';
import { shardSeries, type ArmPair, type ArmSample, type ShardSeries } from './sample.ts';

interface SeriesClusters {
  readonly canary: readonly number[];
  readonly stable: readonly number[];
  /** Variance of the same statistic if requests were independent, and stable's part of it. */
  readonly independent: number;
  readonly stableIndependent: number;
}

export type Clusters = Readonly<Partial<Record<ShardSeries, SeriesClusters>>>;

export const noClusters: Clusters = {};

/** Adds a block, and says for each series how many times as wide the variance is. 1 where nothing is known. */
export function designEffects(
  before: Clusters,
  { canary, stable }: ArmPair,
): { readonly clusters: Clusters; readonly design: Readonly<Record<string, number>> } {
  const clusters: Partial<Record<ShardSeries, SeriesClusters>> = { ...before };
  const design: Record<string, number> = {};
  for (const series of shardSeries) {
    const [c, s] = [armSums(canary, series), armSums(stable, series)];
    if (c.n > 0 && s.n > 0) clusters[series] = addBlock(before[series], c, s);
    const known = clusters[series];
    design[series] = known === undefined ? 1 : effectOf(known);
  }
  return { clusters, design };
}

interface ArmSums {
  readonly n: number;
  /** Residual of each shard: x_g - n_g mean. */
  readonly residuals: ReadonlyMap<number, number>;
  /** Of one request. */
  readonly variance: number;
}

function armSums(arm: ArmSample, series: ShardSeries): ArmSums {
  const column = shardSeries.indexOf(series) + 1;
  let [n, sum] = [0, 0];
  const rows = Object.entries(arm.shards);
  for (const [, row] of rows) {
    n += row[0] ?? 0;
    sum += row[column] ?? 0;
  }
  const mean = n === 0 ? 0 : sum / n;
  const residuals = new Map(rows.map(([shard, row]) => [Number(shard), (row[column] ?? 0) - (row[0] ?? 0) * mean]));
  return { n, residuals, variance: varianceOf(arm, series) };
}

function varianceOf(arm: ArmSample, series: ShardSeries): number {
  if (series === 'error_rate') {
    const rate = arm.requests === 0 ? 0 : arm.errors / arm.requests;
    return rate * (1 - rate);
  }
  if (series === 'latency') return histogramVariance(arm.latency);
  const sample = arm.means[series];
  return sample === undefined || sample.moments.n < 2 ? 0 : squaresOf(sample.moments) / (sample.moments.n - 1);
}

function addBlock(before: SeriesClusters | undefined, c: ArmSums, s: ArmSums): SeriesClusters {
  const h = (c.n * s.n) / (c.n + s.n);
  const zeros = (): number[] => Array.from({ length: shardCount }, () => 0);
  const add = (sums: readonly number[], arm: ArmSums): number[] =>
    sums.map((sum, shard) => sum + (h / arm.n) * (arm.residuals.get(shard) ?? 0));
  return {
    canary: add(before?.canary ?? zeros(), c),
    stable: add(before?.stable ?? zeros(), s),
    independent: (before?.independent ?? 0) + h * h * (c.variance / c.n + s.variance / s.n),
    stableIndependent: (before?.stableIndependent ?? 0) + (h * h * s.variance) / s.n,
  };
}

function effectOf({ canary, stable, independent, stableIndependent }: SeriesClusters): number {
  const robust = (sums: readonly number[]): number => sums.reduce((sum, u) => sum + u * u, 0) * (shardCount / (shardCount - 1));
  const ratio = (variance: number, expected: number): number => (expected > 0 ? variance / expected : 1);
  // A canary of few keys lies close to its own few keys' mean: stable, which has most of them, knows how they spread.
  return Math.max(1, ratio(robust([...canary, ...stable]), independent), ratio(robust(stable), stableIndependent));
}

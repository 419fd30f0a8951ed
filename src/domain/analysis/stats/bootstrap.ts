/** Percentile bootstrap (Efron, 1979) of means and quantiles, on classes instead of values, so that its cost does not grow with the traffic. */
import type { Rng } from '../../../base/random.ts';
import type { Interval } from './classical.ts';
import { drawGamma, drawPoisson } from './draw.ts';

/** A value and how often it was seen; rising. */
export interface Class {
  readonly value: number;
  readonly count: number;
}

/** Draws the statistic of one resample. */
export type Draw = () => number;

/** The interval of `compare(a, b)` over `iterations` resamples of both arms. */
export function bootstrapInterval(
  a: Draw,
  b: Draw,
  compare: (a: number, b: number) => number,
  { iterations, confidence }: { readonly iterations: number; readonly confidence: number },
): Interval {
  const values = Float64Array.from({ length: iterations }, () => compare(a(), b())).sort();
  const at = (share: number): number => values[Math.min(values.length - 1, Math.max(0, Math.floor(share * values.length)))] ?? 0;
  return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
}

/**
 * Quantile of a resample of n: its rank k = ceil(q n) is the k-th of n uniform numbers, which is Beta(k, n - k + 1), read off the
 * distribution that was seen. No value is resampled one by one.
 */
export function quantileDraw(classes: readonly Class[], q: number, rng: Rng): Draw {
  const cumulative: number[] = [];
  let n = 0;
  for (const { count } of classes) cumulative.push((n += count));
  const k = Math.max(1, Math.ceil(q * n));
  return () => {
    const [x, y] = [drawGamma(k, rng), drawGamma(n - k + 1, rng)];
    const rank = (x / (x + y)) * n;
    const index = cumulative.findIndex((total) => total >= rank);
    return classes.at(index)?.value ?? 0;
  };
}

const mostClasses = 64;

/** Mean of a resample: Poisson weights for each class (Hanley and MacGibbon, 2006), of which neighbours are merged beyond 64. */
export function meanDraw(classes: readonly Class[], rng: Rng): Draw {
  const merged = merge(classes, mostClasses);
  return () => {
    let [n, sum] = [0, 0];
    for (const { value, count } of merged) {
      const weight = drawPoisson(count, rng);
      n += weight;
      sum += weight * value;
    }
    return n === 0 ? 0 : sum / n;
  };
}

/** Neighbours together, each group at its mean. */
function merge(classes: readonly Class[], most: number): readonly Class[] {
  const size = Math.ceil(classes.length / most);
  if (size <= 1) return classes;
  return Array.from({ length: Math.ceil(classes.length / size) }, (_, group) => {
    const part = classes.slice(group * size, (group + 1) * size);
    const count = part.reduce((sum, one) => sum + one.count, 0);
    return { value: part.reduce((sum, one) => sum + one.value * one.count, 0) / count, count };
  });
}

/** Mergeable summaries of one second of measurements: log histograms and moments about a pivot. */
import type { BucketHistogram, BucketMoments } from '../../generated/types.ts';

/** Bins grow by 2 percent, so a quantile is right within 1 percent. */
const lnGamma = Math.log(1.02);
const smallest = 0.001;

export interface Histogram {
  zero: number;
  readonly bins: Map<number, number>;
}

export function newHistogram(): Histogram {
  return { zero: 0, bins: new Map() };
}

/** Changes `histogram`: this is the hot path of every request. `count` values at once, for those who replay counts. */
export function recordValue(histogram: Histogram, value: number, count = 1): void {
  if (!(value > smallest)) {
    histogram.zero += count;
    return;
  }
  const bin = binOf(value);
  histogram.bins.set(bin, (histogram.bins.get(bin) ?? 0) + count);
}

/** The bin of a value above 0.001: bin i ends at 1.02^i. */
export function binOf(value: number): number {
  return Math.ceil(Math.log(value) / lnGamma);
}

/** Bins that a factor spans, rounded: how a relative margin looks on the grid of the histogram. */
export function binsOfFactor(factor: number): number {
  return Math.round(Math.log(factor) / lnGamma);
}

/** Upper end of a bin. */
export function endOfBin(bin: number): number {
  return Math.exp(bin * lnGamma);
}

/** Changes `histogram`: scores from 0 to 1 lie on a hundred equal bins, of which 0 is `zero`. */
export function recordScore(histogram: Histogram, score: number, count = 1): void {
  const bin = Math.ceil(Math.min(1, Math.max(0, score)) * 100);
  if (bin === 0) histogram.zero += count;
  else histogram.bins.set(bin, (histogram.bins.get(bin) ?? 0) + count);
}

export function packHistogram(histogram: Histogram): BucketHistogram {
  const bins = [...histogram.bins].sort(([a], [b]) => a - b).flat();
  return { zero: histogram.zero, bins };
}

export const emptyHistogram: BucketHistogram = { zero: 0, bins: [] };

/** Merges two lists of pairs that are in rising order. */
export function addPacked(a: BucketHistogram, b: BucketHistogram): BucketHistogram {
  if (b.bins.length === 0 && b.zero === 0) return a;
  if (a.bins.length === 0 && a.zero === 0) return b;
  const bins: number[] = [];
  eachClass(a.bins, b.bins, (bin, x, y) => bins.push(bin, x + y));
  return { zero: a.zero + b.zero, bins };
}

/** Calls `visit` with each bin that either list has, in rising order, and its count in both. */
function eachClass(a: readonly number[], b: readonly number[], visit: (bin: number, x: number, y: number) => void): void {
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i] ?? Infinity, b[j] ?? Infinity];
    const bin = Math.min(left, right);
    visit(bin, left === bin ? (a[i + 1] ?? 0) : 0, right === bin ? (b[j + 1] ?? 0) : 0);
    if (left === bin) i += 2;
    if (right === bin) j += 2;
  }
}

/** The counts of both by class, in rising order: what rank tests work on. */
export function alignedCounts(a: BucketHistogram, b: BucketHistogram): readonly [number[], number[]] {
  const [x, y] = [[a.zero], [b.zero]];
  eachClass(a.bins, b.bins, (_bin, left, right) => {
    x.push(left);
    y.push(right);
  });
  return [x, y];
}

export function countOf({ zero, bins }: BucketHistogram): number {
  let total = zero;
  for (let i = 1; i < bins.length; i += 2) total += bins[i] ?? 0;
  return total;
}

/** How many values lie in bins above each of `bins`, which rise. */
export function countsAbove(histogram: BucketHistogram, thresholds: readonly number[]): number[] {
  const above = thresholds.map(() => 0);
  let last = thresholds.length - 1;
  let sum = 0;
  for (let i = histogram.bins.length - 2; i >= 0; i -= 2) {
    const bin = histogram.bins[i] ?? 0;
    while (last >= 0 && (thresholds[last] ?? 0) >= bin) above[last--] = sum;
    if (last < 0) return above;
    sum += histogram.bins[i + 1] ?? 0;
  }
  while (last >= 0) above[last--] = sum;
  return above;
}

/** The q-quantile (nearest rank) as the middle of its bin, within 1 percent; null when empty. */
export function quantileOf(histogram: BucketHistogram, q: number): number | null {
  const total = countOf(histogram);
  if (total === 0) return null;
  let rank = Math.max(1, Math.ceil(q * total)) - histogram.zero;
  if (rank <= 0) return 0;
  for (let i = 0; i + 1 < histogram.bins.length; i += 2) {
    rank -= histogram.bins[i + 1] ?? 0;
    if (rank <= 0) return middleOf(histogram.bins[i] ?? 0);
  }
  // Weights that are no whole numbers can end just short of the rank.
  return middleOf(histogram.bins.at(-2) ?? 0);
}

export interface Moments {
  n: number;
  pivot: number;
  sum: number;
  sum_squares: number;
}

export function newMoments(): Moments {
  return { n: 0, pivot: 0, sum: 0, sum_squares: 0 };
}

/** Changes `moments`. About the first value, since plain sums of squares lose all digits when the mean is large. */
export function recordMoment(moments: Moments, value: number, count = 1): void {
  if (moments.n === 0) moments.pivot = value;
  const distance = value - moments.pivot;
  moments.n += count;
  moments.sum += distance * count;
  moments.sum_squares += distance * distance * count;
}

/** The sum of the values themselves. */
export function totalOf({ n, pivot, sum }: BucketMoments): number {
  return n * pivot + sum;
}

/** Both about the pivot of `a`. */
export function addMoments(a: BucketMoments, b: BucketMoments): BucketMoments {
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  const shift = b.pivot - a.pivot;
  return {
    n: a.n + b.n,
    pivot: a.pivot,
    sum: a.sum + b.sum + b.n * shift,
    sum_squares: a.sum_squares + b.sum_squares + 2 * shift * b.sum + b.n * shift * shift,
  };
}

export function meanOf(moments: BucketMoments): number | null {
  return moments.n === 0 ? null : moments.pivot + moments.sum / moments.n;
}

/** Sum of squared deviations from the mean, never below 0. */
export function squaresOf({ n, sum, sum_squares: squares }: BucketMoments): number {
  return n === 0 ? 0 : Math.max(0, squares - (sum * sum) / n);
}

function middleOf(bin: number): number {
  return (2 * endOfBin(bin)) / (1 + 1.02);
}

/** Variance of the values, each taken as the middle of its bin. */
export function histogramVariance(histogram: BucketHistogram): number {
  const moments = newMoments();
  if (histogram.zero > 0) recordMoment(moments, 0, histogram.zero);
  for (let i = 0; i < histogram.bins.length; i += 2) recordMoment(moments, middleOf(histogram.bins[i] ?? 0), histogram.bins[i + 1] ?? 0);
  return moments.n < 2 ? 0 : squaresOf(moments) / (moments.n - 1);
}

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

/** Changes `histogram`: this is the hot path of every request. */
export function recordValue(histogram: Histogram, value: number): void {
  if (!(value > smallest)) {
    histogram.zero++;
    return;
  }
  const bin = Math.ceil(Math.log(value) / lnGamma);
  histogram.bins.set(bin, (histogram.bins.get(bin) ?? 0) + 1);
}

export function packHistogram(histogram: Histogram): BucketHistogram {
  const bins = [...histogram.bins].sort(([a], [b]) => a - b).flat();
  return { zero: histogram.zero, bins };
}

export function addPacked(a: BucketHistogram, b: BucketHistogram): BucketHistogram {
  const sum: Histogram = { zero: a.zero + b.zero, bins: new Map() };
  for (const { bins } of [a, b]) {
    for (let i = 0; i + 1 < bins.length; i += 2) {
      const bin = bins[i] ?? 0;
      sum.bins.set(bin, (sum.bins.get(bin) ?? 0) + (bins[i + 1] ?? 0));
    }
  }
  return packHistogram(sum);
}

/** The q-quantile (nearest rank) as the middle of its bin, within 1 percent; null when empty. */
export function quantileOf(histogram: BucketHistogram, q: number): number | null {
  let total = histogram.zero;
  for (let i = 1; i < histogram.bins.length; i += 2) total += histogram.bins[i] ?? 0;
  if (total === 0) return null;
  let rank = Math.max(1, Math.ceil(q * total)) - histogram.zero;
  if (rank <= 0) return 0;
  for (let i = 0; i + 1 < histogram.bins.length; i += 2) {
    rank -= histogram.bins[i + 1] ?? 0;
    if (rank <= 0) return (2 * Math.exp((histogram.bins[i] ?? 0) * lnGamma)) / (1 + 1.02);
  }
  return null;
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
export function recordMoment(moments: Moments, value: number): void {
  if (moments.n === 0) moments.pivot = value;
  const distance = value - moments.pivot;
  moments.n++;
  moments.sum += distance;
  moments.sum_squares += distance * distance;
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

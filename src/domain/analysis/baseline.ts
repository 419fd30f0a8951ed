/** What stable did lately: thresholds chosen before a block begins, which metrics somebody measures, and how much they spread. */
import type { Instant } from '../../base/time.ts';
import type { BucketHistogram } from '../../generated/types.ts';
import type { Thresholds } from './block.ts';
import { addPacked, binOf, countOf, countsAbove, emptyHistogram, meanOf, quantileOf, squaresOf } from './histogram.ts';
import { isCustom, isQuantile, quantileMetrics, type QuantileMetric } from './metric.ts';
import type { ArmSample } from './sample.ts';

interface Spread {
  readonly n: number;
  readonly mean: number;
  /** Sum of squared deviations. */
  readonly squares: number;
}

interface Slot {
  readonly from: Instant;
  /** Values by metric. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Baseline {
  readonly at: Instant;
  /** Counts that halve in ten minutes. */
  readonly latency: BucketHistogram;
  readonly firstToken: BucketHistogram;
  readonly requests: number;
  readonly errors: number;
  readonly means: Readonly<Record<string, Spread>>;
  /** The newest last. */
  readonly slots: readonly Slot[];
}

const halfLifeMs = 600_000;
/** Applications may report any name: so many are watched, and one that has all but faded away makes room. */
const mostMetrics = 50;
const fadedAway = 1e-3;
const slotMs = 300_000;
const mostSlots = 288;
/** Values that a threshold needs. */
const leastForThreshold = 20;

export const noBaseline: Baseline = {
  at: 0,
  latency: emptyHistogram,
  firstToken: emptyHistogram,
  requests: 0,
  errors: 0,
  means: {},
  slots: [],
};

/** `sample`: of stable, as it arrived. */
export function addToBaseline(before: Baseline, sample: ArmSample, now: Instant): Baseline {
  const factor = before.at === 0 ? 1 : 0.5 ** (Math.max(0, now - before.at) / halfLifeMs);
  const means: Record<string, Spread> = {};
  for (const [metric, spread] of Object.entries(before.means))
    if (spread.n * factor > fadedAway) means[metric] = { ...spread, n: spread.n * factor, squares: spread.squares * factor };
  for (const [metric, { moments }] of Object.entries(sample.means)) {
    if (isCustom(metric) && !Object.hasOwn(means, metric) && Object.keys(means).length >= mostMetrics) continue;
    const own = { n: moments.n, mean: meanOf(moments) ?? 0, squares: squaresOf(moments) };
    const known = means[metric];
    means[metric] = known === undefined ? own : merge(known, own);
  }
  return {
    at: Math.max(before.at, now),
    latency: addPacked(faded(before.latency, factor), sample.latency),
    firstToken: addPacked(faded(before.firstToken, factor), sample.firstToken),
    requests: before.requests * factor + sample.requests,
    errors: before.errors * factor + sample.errors,
    means,
    slots: addToSlots(before.slots, countsIn(sample, means), now),
  };
}

/** Chan, Golub and LeVeque (1983). */
function merge(a: Spread, b: Spread): Spread {
  const n = a.n + b.n;
  if (n === 0) return b;
  const apart = b.mean - a.mean;
  return { n, mean: a.mean + (apart * b.n) / n, squares: a.squares + b.squares + (apart * apart * a.n * b.n) / n };
}

/** Bins that have all but faded away are dropped. */
function faded({ zero, bins }: BucketHistogram, factor: number): BucketHistogram {
  if (factor === 1) return { zero, bins };
  const kept: number[] = [];
  for (let i = 0; i < bins.length; i += 2) {
    const count = (bins[i + 1] ?? 0) * factor;
    if (count > 1e-6) kept.push(bins[i] ?? 0, count);
  }
  return { zero: zero * factor, bins: kept };
}

function countsIn(sample: ArmSample, known: Baseline['means']): Record<string, number> {
  const counts: Record<string, number> = {};
  const put = (metric: string, n: number): void => {
    if (n > 0) counts[metric] = n;
  };
  put('error_rate', sample.requests);
  for (const [metric, { series }] of Object.entries(quantileMetrics)) put(metric, countOf(sample[series]));
  for (const [metric, { moments }] of Object.entries(sample.means)) if (Object.hasOwn(known, metric)) put(metric, moments.n);
  return counts;
}

function addToSlots(slots: readonly Slot[], counts: Readonly<Record<string, number>>, now: Instant): readonly Slot[] {
  const last = slots.at(-1);
  if (last === undefined || now - last.from >= slotMs) return [...slots.slice(1 - mostSlots), { from: now, counts }];
  const sum = { ...last.counts };
  for (const [metric, n] of Object.entries(counts)) sum[metric] = (sum[metric] ?? 0) + n;
  return [...slots.slice(0, -1), { from: last.from, counts: sum }];
}

/** The bin of each quantile of stable; none where it has too few values. */
export function thresholdsOf(baseline: Baseline): Thresholds {
  const thresholds: Partial<Record<QuantileMetric, number>> = {};
  for (const [metric, { q, series }] of Object.entries(quantileMetrics)) {
    const histogram = baseline[series];
    if (countOf(histogram) < leastForThreshold) continue;
    const value = quantileOf(histogram, q) ?? 0;
    if (value > 0) thresholds[metric as QuantileMetric] = binOf(value);
  }
  return thresholds;
}

/** Values of stable per second in the last `windowMs`, by metric; a metric that had none is absent. */
export function ratesOf(baseline: Baseline, now: Instant, windowMs: number): Readonly<Record<string, number>> {
  const recent = baseline.slots.filter(({ from }) => from > now - windowMs - slotMs && from <= now);
  const first = recent[0];
  if (first === undefined) return {};
  const seconds = Math.max(1, (now - first.from) / 1000);
  const counts: Record<string, number> = {};
  for (const slot of recent) for (const [metric, n] of Object.entries(slot.counts)) counts[metric] = (counts[metric] ?? 0) + n;
  return Object.fromEntries(Object.entries(counts).map(([metric, n]) => [metric, n / seconds]));
}

/** As the status file has it: what a plan is reckoned with. Spreads are standard deviations over means. */
export interface TrafficSummary {
  readonly error_rate: number | null;
  readonly metrics: Readonly<
    Record<string, { readonly per_second: number; readonly mean: number | null; readonly relative_sd: number | null }>
  >;
}

export function summarise(baseline: Baseline, now: Instant): TrafficSummary {
  const metrics = Object.entries(ratesOf(baseline, now, 3_600_000)).map(
    ([metric, perSecond]) => [metric, { per_second: rounded(perSecond), ...spreadOf(baseline, metric) }] as const,
  );
  return {
    error_rate: baseline.requests === 0 ? null : rounded(baseline.errors / baseline.requests),
    metrics: Object.fromEntries(metrics),
  };
}

interface Spreading {
  readonly mean: number | null;
  readonly relative_sd: number | null;
}

const unknownSpread: Spreading = { mean: null, relative_sd: null };
/** The slope at a quantile is taken over so many bins to either side: a tenth. */
const slopeBins = 5;

/** Of a quantile: its value, and sqrt(q (1 - q)) over the slope of the distribution in ln(value), as its estimate from one value spreads. */
function spreadOf(baseline: Baseline, metric: string): Spreading {
  if (!isQuantile(metric)) {
    const spread = baseline.means[metric];
    if (spread === undefined || spread.n <= 1 || spread.mean === 0) return unknownSpread;
    return { mean: rounded(spread.mean), relative_sd: rounded(Math.sqrt(spread.squares / spread.n) / Math.abs(spread.mean)) };
  }
  const { q, series } = quantileMetrics[metric];
  const histogram = baseline[series];
  const value = quantileOf(histogram, q) ?? 0;
  if (value <= 0) return unknownSpread;
  const bin = binOf(value);
  const [above = 0, below = 0] = countsAbove(histogram, [bin - slopeBins, bin + slopeBins]);
  const slope = (above - below) / countOf(histogram) / (2 * slopeBins * Math.log(1.02));
  return { mean: rounded(value), relative_sd: slope > 0 ? rounded(Math.sqrt(q * (1 - q)) / slope) : null };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

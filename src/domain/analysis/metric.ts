/** What is measured of a variant, by the names of the guide (3.3, 3.6). A metric of another name is a custom one, from feedback. */

/** Quantiles of a time: latency to the last byte, or to the first token of a stream. */
export const quantileMetrics = {
  latency_p50: { q: 0.5, series: 'latency' },
  latency_p95: { q: 0.95, series: 'latency' },
  latency_p99: { q: 0.99, series: 'latency' },
  first_token_p95: { q: 0.95, series: 'firstToken' },
} as const;

export type QuantileMetric = keyof typeof quantileMetrics;
export type TimeSeries = (typeof quantileMetrics)[QuantileMetric]['series'];

/** Means whose higher values are worse; all other means (scores) are worse when they are lower. */
const risingIsWorse: ReadonlySet<string> = new Set([
  'error_rate',
  'cost_per_request',
  'tokens_per_request',
  ...Object.keys(quantileMetrics),
]);

/** All that we measure ourselves; any other name is a custom metric. */
export const builtInMetrics: readonly string[] = [...risingIsWorse, 'quality_score', 'judged_quality'];

/** Plain objects are kept by metric: a name that every object has already (`constructor`) would find what nobody put there. */
export function isUsableName(metric: string): boolean {
  return !(metric in Object.prototype);
}

/** The scores that go from 0 to 1, by people and by the judge model. */
export const scoreMetrics = ['quality_score', 'judged_quality'] as const;

export function isQuantile(metric: string): metric is QuantileMetric {
  return Object.hasOwn(quantileMetrics, metric);
}

export function higherIsWorse(metric: string): boolean {
  return risingIsWorse.has(metric);
}

/** Every request has it; a score comes when somebody gives one, a first token when the answer is streamed. */
export function isOfEveryRequest(metric: string): boolean {
  return risingIsWorse.has(metric) && metric !== 'first_token_p95';
}

/** Values that the mean needs before its normal approximation is used; heavy tails need more. */
export function leastForMean(metric: string): number {
  return metric === 'cost_per_request' || metric === 'tokens_per_request' ? 200 : 30;
}

/** Scores that people and applications give to answers they have seen. */
export function isFromPeople(metric: string): boolean {
  return metric !== 'judged_quality' && !risingIsWorse.has(metric);
}

/** Applications report it under a name of their own. */
export function isCustom(metric: string): boolean {
  return !risingIsWorse.has(metric) && !scoreMetrics.some((name) => name === metric);
}

/** For sentences. */
export function metricName(metric: string): string {
  const names: Readonly<Record<string, string>> = {
    error_rate: 'error rate',
    latency_p50: 'p50 latency',
    latency_p95: 'p95 latency',
    latency_p99: 'p99 latency',
    first_token_p95: 'p95 time to first token',
    cost_per_request: 'cost per request',
    tokens_per_request: 'tokens per request',
    quality_score: 'quality score',
    judged_quality: 'judged quality',
  };
  return names[metric] ?? metric;
}

/** A value in its unit, as people read it. */
export function formatMetric(metric: string, value: number | null): string {
  if (value === null) return 'unknown';
  if (metric === 'error_rate') return inPercent(value);
  if (isQuantile(metric)) return `${Math.round(value)} ms`;
  if (metric === 'cost_per_request') return `$${value.toPrecision(3)}`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export function inPercent(rate: number | null): string {
  return rate === null ? 'unknown' : `${(rate * 100).toFixed(1)} %`;
}

/**
 * The classical report: what fixed-horizon tests say of the present step. It stands beside the sequential evidence for those who know these
 * numbers, and decides nothing: p-values that are looked at again and again lose their meaning.
 */
import { seededRng, type Rng } from '../../base/random.ts';
import type { BucketHistogram } from '../../generated/types.ts';
import type { AnalysisPolicy } from '../settings/policy.ts';
import type { CriterionFinding } from './criteria.ts';
import { alignedCounts, countOf, endOfBin, meanOf, squaresOf } from './histogram.ts';
import { isQuantile, quantileMetrics, scoreMetrics } from './metric.ts';
import type { ArmPair, Sample } from './sample.ts';
import { adjustPValues } from './stats/adjust.ts';
import { bootstrapInterval, meanDraw, quantileDraw, type Class, type Draw } from './stats/bootstrap.ts';
import { cohensD, mannWhitney, rankSum, twoProportions, welch, type Interval, type Summary } from './stats/classical.ts';

export interface ClassicalFinding {
  readonly metric: string;
  readonly test: 'two_proportions' | 'welch_t_test' | 'mann_whitney' | 'bootstrap' | 'none';
  /** Two-sided, of this look alone. */
  readonly fixed_horizon_p_value: number | null;
  /** The same, corrected for the number of metrics. */
  readonly fixed_horizon_p_value_adjusted: number | null;
  /** Of the difference of rates or means, or of the ratio of quantiles. */
  readonly fixed_horizon_interval: readonly [number, number] | null;
  readonly interval_confidence: number;
  /** Cohen's d; canary minus stable. */
  readonly effect_size: number | null;
}

export interface ClassicalReport {
  readonly note: string;
  readonly findings: readonly ClassicalFinding[];
}

const note = 'Fixed-horizon values of the present step, for one look. Verdicts are made by the sequential evidence under criteria.';
/** Exceedances that a bootstrap of a quantile needs; with fewer its intervals cover far less than they say. */
const leastExceedances = 10;

export function reportOf(step: ArmPair, policy: AnalysisPolicy, criteria: readonly CriterionFinding[]): ClassicalReport {
  const found = criteria.map(({ metric }, index) => findingOf(metric, step, policy, seededRng(index + 1)));
  const pValues = found.flatMap(({ fixed_horizon_p_value: p }) => (p === null ? [] : [p]));
  const adjusted = adjustPValues(pValues, policy.correction, policy.family);
  let next = 0;
  const findings = found.map((finding) => ({
    ...finding,
    fixed_horizon_p_value_adjusted: finding.fixed_horizon_p_value === null ? null : (adjusted[next++] ?? null),
  }));
  return { note, findings };
}

function findingOf(metric: string, { canary, stable }: ArmPair, policy: AnalysisPolicy, rng: Rng): ClassicalFinding {
  if (metric === 'error_rate') {
    const test = twoProportions({ hits: canary.errors, n: canary.requests }, { hits: stable.errors, n: stable.requests });
    return said(metric, 'two_proportions', test?.pValue ?? null, test, 0.95, null);
  }
  if (isQuantile(metric)) {
    const { series, q } = quantileMetrics[metric];
    return quantileFinding(metric, canary[series], stable[series], q, policy, rng);
  }
  const [c, s] = [canary.means[metric], stable.means[metric]];
  if (c === undefined || s === undefined) return said(metric, 'none', null, null, 0.95, null);
  return meanFinding(metric, c, s, policy, rng);
}

function said(
  metric: string,
  test: ClassicalFinding['test'],
  pValue: number | null,
  interval: Interval | null,
  confidence: number,
  effect: number | null,
): ClassicalFinding {
  return {
    metric,
    test: pValue === null && interval === null ? 'none' : test,
    fixed_horizon_p_value: pValue,
    fixed_horizon_p_value_adjusted: null,
    fixed_horizon_interval: interval === null ? null : [interval.low, interval.high],
    interval_confidence: confidence,
    effect_size: effect,
  };
}

function summaryOf({ moments }: Sample): Summary {
  return { n: moments.n, mean: meanOf(moments) ?? 0, squares: squaresOf(moments) };
}

function meanFinding(metric: string, c: Sample, s: Sample, policy: AnalysisPolicy, rng: Rng): ClassicalFinding {
  const [a, b] = [summaryOf(c), summaryOf(s)];
  const effect = cohensD(a, b);
  const test = welch(a, b);
  const byMeans = said(metric, 'welch_t_test', test?.pValue ?? null, test, 0.95, effect);
  // Custom metrics have no classes, so nothing to rank or to resample.
  if (c.histogram === null || s.histogram === null) return byMeans;
  if (policy.testMethod === 'mann_whitney') {
    const ranks = mannWhitney(rankSum(...alignedCounts(c.histogram, s.histogram)));
    return said(metric, 'mann_whitney', ranks?.pValue ?? null, test, 0.95, effect);
  }
  if (policy.testMethod !== 'bootstrap') return byMeans;
  const draw = (histogram: BucketHistogram): Draw => meanDraw(classesOf(histogram, valueOf(metric)), rng);
  const interval = bootstrapInterval(draw(c.histogram), draw(s.histogram), (x, y) => x - y, policy.bootstrap);
  return said(metric, 'bootstrap', test?.pValue ?? null, interval, policy.bootstrap.confidence, effect);
}

/** What a class of the metric's histogram stands for, in the metric's unit. */
function valueOf(metric: string): (bin: number) => number {
  if (scoreMetrics.some((name) => name === metric)) return scoreValue;
  return metric === 'cost_per_request' ? microValue : endOfBin;
}

function scoreValue(bin: number): number {
  return (bin - 0.5) / 100;
}

function microValue(bin: number): number {
  return endOfBin(bin) / 1e6;
}

function classesOf({ zero, bins }: BucketHistogram, value: (bin: number) => number): readonly Class[] {
  const classes: Class[] = zero > 0 ? [{ value: 0, count: zero }] : [];
  for (let i = 0; i < bins.length; i += 2) classes.push({ value: value(bins[i] ?? 0), count: bins[i + 1] ?? 0 });
  return classes;
}

/** Of a quantile: the rank test of the times, and where resampling is asked for the interval of the ratio, which nothing else gives. */
function quantileFinding(
  metric: string,
  c: BucketHistogram,
  s: BucketHistogram,
  q: number,
  policy: AnalysisPolicy,
  rng: Rng,
): ClassicalFinding {
  const ranks = mannWhitney(rankSum(...alignedCounts(c, s)));
  const fewest = Math.min(countOf(c), countOf(s)) * (1 - q);
  if (!policy.bootstrap.isAsked || fewest < leastExceedances) return said(metric, 'mann_whitney', ranks?.pValue ?? null, null, 0.95, null);
  const draw = (histogram: BucketHistogram): Draw => quantileDraw(classesOf(histogram, endOfBin), q, rng);
  const interval = bootstrapInterval(draw(c), draw(s), (x, y) => (y === 0 ? 1 : x / y), policy.bootstrap);
  return said(metric, 'bootstrap', ranks?.pValue ?? null, interval, policy.bootstrap.confidence, null);
}

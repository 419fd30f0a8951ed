/**
 * Fixed-horizon tests: what a textbook says of all the data at one look. They are reported beside the sequential evidence, and decide
 * nothing, since nobody looks only once. Null where a test has no answer (no spread, one value): that is no evidence, and never NaN.
 */
import { studentQuantile, studentUpperTail } from './beta.ts';
import { normalQuantile, normalUpperTail } from './normal.ts';

/** Count, mean and sum of squared deviations of one sample. */
export interface Summary {
  readonly n: number;
  readonly mean: number;
  readonly squares: number;
}

export interface TestResult {
  /** The test's statistic: t of Welch, W of Mann and Whitney, z of the two proportions. */
  readonly statistic: number;
  readonly pValue: number;
  /** One-sided: `a` greater than `b`. */
  readonly pGreater: number;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Welch's t test (Welch, 1947) with the interval of the difference of means. */
export function welch(a: Summary, b: Summary, confidence = 0.95): (TestResult & Interval & { readonly df: number }) | null {
  if (a.n < 2 || b.n < 2) return null;
  const [va, vb] = [a.squares / (a.n - 1) / a.n, b.squares / (b.n - 1) / b.n];
  const error = Math.sqrt(va + vb);
  // As R does: data that are constant but for rounding have no t.
  if (!(error >= 10 * Number.EPSILON * Math.max(Math.abs(a.mean), Math.abs(b.mean))) || error === 0) return null;
  const df = (va + vb) ** 2 / (va ** 2 / (a.n - 1) + vb ** 2 / (b.n - 1));
  const t = (a.mean - b.mean) / error;
  const reach = studentQuantile(0.5 + confidence / 2, df) * error;
  return {
    statistic: t,
    df,
    pValue: 2 * studentUpperTail(Math.abs(t), df),
    pGreater: studentUpperTail(t, df),
    low: a.mean - b.mean - reach,
    high: a.mean - b.mean + reach,
  };
}

/** Difference of means in pooled standard deviations (Cohen, 1988); null without spread. */
export function cohensD(a: Summary, b: Summary): number | null {
  const df = a.n + b.n - 2;
  const variance = df > 0 ? (a.squares + b.squares) / df : 0;
  return variance > 0 ? (a.mean - b.mean) / Math.sqrt(variance) : null;
}

/** Rank sum of sample `a` over classes in rising order, with its variance under equality: mid-ranks, corrected for ties. */
export interface RankSum {
  readonly na: number;
  readonly nb: number;
  /** Mann and Whitney's W of `a`. */
  readonly w: number;
  readonly variance: number;
}

/** `a[i]`, `b[i]`: how many values of each sample lie in class i. Classes are ordered, and a class is a tie. */
export function rankSum(a: readonly number[], b: readonly number[]): RankSum {
  let [na, nb, w, ties] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    w += x * (nb + y / 2);
    na += x;
    nb += y;
    const t = x + y;
    ties += t * t * t - t;
  }
  const n = na + nb;
  const variance = n < 2 ? 0 : ((na * nb) / 12) * (n + 1 - ties / (n * (n - 1)));
  return { na, nb, w, variance };
}

/** Mann and Whitney's test, normal with continuity correction (as R's wilcox.test, exact = FALSE). */
export function mannWhitney({ na, nb, w, variance }: RankSum): TestResult | null {
  if (na === 0 || nb === 0 || !(variance > 0)) return null;
  const distance = w - (na * nb) / 2;
  const sd = Math.sqrt(variance);
  return {
    statistic: w,
    pValue: Math.min(1, 2 * normalUpperTail((Math.abs(distance) - 0.5 * Math.sign(Math.abs(distance))) / sd)),
    pGreater: normalUpperTail((distance - 0.5) / sd),
  };
}

/** Two proportions: score test without continuity correction, Wald's interval of the difference (as R's prop.test, correct = FALSE). */
export function twoProportions(
  a: { readonly hits: number; readonly n: number },
  b: { readonly hits: number; readonly n: number },
  confidence = 0.95,
): (TestResult & Interval) | null {
  if (a.n === 0 || b.n === 0) return null;
  const [pa, pb] = [a.hits / a.n, b.hits / b.n];
  const pooled = (a.hits + b.hits) / (a.n + b.n);
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / a.n + 1 / b.n));
  if (!(error > 0)) return null;
  const z = (pa - pb) / error;
  const reach = normalQuantile(0.5 + confidence / 2) * Math.sqrt((pa * (1 - pa)) / a.n + (pb * (1 - pb)) / b.n);
  return {
    statistic: z,
    pValue: 2 * normalUpperTail(Math.abs(z)),
    pGreater: normalUpperTail(z),
    low: Math.max(-1, pa - pb - reach),
    high: Math.min(1, pa - pb + reach),
  };
}

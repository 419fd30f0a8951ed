/** The beta distribution and what follows from it: exact binomial bounds and tails, Student's t. Checked against R in test/domain/analysis/stats. */

import { stirlingError } from './gamma.ts';

/** Regularised incomplete beta I_x(a, b): continued fraction (DLMF 8.17.22) by Lentz, on the side where it converges fast. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  return (Math.exp(lnDensity(x, a, b)) / a) * continuedFraction(x, a, b);
}

/** ln of x^a (1 - x)^b / B(a, b) about its peak (Loader, 2000), since logarithms of gamma functions of a large sum have no digits left. */
function lnDensity(x: number, a: number, b: number): number {
  const distance = x * b - (1 - x) * a;
  // Near the peak a quotient close to 1 would lose its digits, far from it 1 plus something close to -1 would.
  const left = distance < -a / 2 ? Math.log((x * (a + b)) / a) : Math.log1p(distance / a);
  const right = distance > b / 2 ? Math.log1p(-x) + Math.log((a + b) / b) : Math.log1p(-distance / b);
  const peak = a * left + b * right;
  return peak + 0.5 * Math.log((a / (a + b)) * (b / (2 * Math.PI))) + stirlingError(a + b) - stirlingError(a) - stirlingError(b);
}

function continuedFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guarded = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guarded(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guarded(1 + even * d);
    c = guarded(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guarded(1 + odd * d);
    c = guarded(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) return fraction;
  }
  return fraction;
}

/** x with I_x(a, b) = p for a small p (lower tail): bisection on ln x, to the last digit. */
export function betaLowerQuantile(p: number, a: number, b: number): number {
  let [low, high] = [-745, 0];
  for (let i = 0; i < 200 && high - low > 1e-15 * Math.max(1, Math.abs(low)); i++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(Math.exp(middle), a, b) < p) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/**
 * Exact one-sided lower bound of a rate: `successes` of `trials` at error `alpha` (Clopper and Pearson, 1934:
 * the alpha quantile of Beta(k, n - k + 1)).
 */
export function clopperPearsonLower(successes: number, trials: number, alpha: number): number {
  return successes === 0 ? 0 : betaLowerQuantile(alpha, successes, trials - successes + 1);
}

/** The upper bound, by symmetry. */
export function clopperPearsonUpper(successes: number, trials: number, alpha: number): number {
  return successes === trials ? 1 : 1 - betaLowerQuantile(alpha, trials - successes, successes + 1);
}

/** P(T > q) of Student's t with `df` degrees of freedom. */
export function studentUpperTail(q: number, df: number): number {
  if (q < 0) return 1 - studentUpperTail(-q, df);
  return 0.5 * incompleteBeta(df / (df + q * q), df / 2, 0.5);
}

/** q with P(T <= q) = p, for p of 0.5 and more: bisection on ln q, to the last digit. */
export function studentQuantile(p: number, df: number): number {
  if (p <= 0.5) return 0;
  const tail = 1 - p;
  let [low, high] = [-40, 40];
  for (let i = 0; i < 200 && high - low > 1e-16; i++) {
    const middle = (low + high) / 2;
    if (studentUpperTail(Math.exp(middle), df) > tail) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/** P(X >= k) of Bin(n, p). */
export function binomialUpperTail(k: number, n: number, p: number): number {
  return k <= 0 ? 1 : incompleteBeta(p, k, n - k + 1);
}

/** P(X <= k) of Bin(n, p). */
export function binomialLowerTail(k: number, n: number, p: number): number {
  return k >= n ? 1 : incompleteBeta(1 - p, n - k, k + 1);
}

/** The normal distribution, accurate in its tails: bounds over many looks live there. */
import { upperGamma } from './gamma.ts';

/** P(Z > z). */
export function normalUpperTail(z: number): number {
  return z < 0 ? 1 - normalUpperTail(-z) : 0.5 * upperGamma(0.5, (z * z) / 2);
}

/** ln P(Z <= z), without underflow down to about z = -1e7: the asymptotic series far out (Abramowitz and Stegun 26.2.12). */
export function lnNormalCdf(z: number): number {
  if (z > -30) return z > 8 ? Math.log1p(-normalUpperTail(z)) : Math.log(normalUpperTail(-z));
  const square = z * z;
  return -square / 2 - Math.log(-z) - 0.5 * Math.log(2 * Math.PI) + Math.log1p((-1 + (3 - (15 - 105 / square) / square) / square) / square);
}

/** z with P(Z <= z) = p, 0 < p < 1: Newton on the logarithm of the tail, which is concave and so can't overshoot twice. */
export function normalQuantile(p: number): number {
  if (p === 0.5) return 0;
  if (p < 0.5) return -upperQuantile(p);
  return upperQuantile(1 - p);
}

function upperQuantile(tail: number): number {
  let z = 0;
  for (let i = 0; i < 60; i++) {
    const upper = normalUpperTail(z);
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    const next = z + (Math.log(upper / tail) * upper) / density;
    if (Math.abs(next - z) <= 1e-15 * Math.max(1, Math.abs(next))) return next;
    z = next;
  }
  return z;
}

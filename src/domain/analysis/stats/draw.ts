/** Random numbers of the distributions that are drawn from. */
import type { Rng } from '../../../base/random.ts';

/** Standard normal (Box and Muller, 1958). */
export function drawNormal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng())) * Math.cos(2 * Math.PI * rng());
}

/** Gamma of shape 1 and more, scale 1 (Marsaglia and Tsang, 2000). */
export function drawGamma(shape: number, rng: Rng): number {
  const d = shape - 1 / 3;
  for (;;) {
    const x = drawNormal(rng);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - rng()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Poisson: Knuth's method below `mean` 30, the normal approximation above. */
export function drawPoisson(mean: number, rng: Rng): number {
  if (mean >= 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * drawNormal(rng)));
  const limit = Math.exp(-mean);
  let [count, product] = [0, rng()];
  while (product > limit) {
    count++;
    product *= rng();
  }
  return count;
}

/** Which variant a request falls to. */
import type { Rng } from '../../base/random.ts';

/** Each request is drawn by itself: the first variant whose cumulative weight is above the draw. Weights add up to 100. */
export function weightedRandom<T extends { readonly weight: number }>(variants: readonly [T, ...T[]], rng: Rng): T {
  let rest = rng() * 100;
  for (const variant of variants) {
    rest -= variant.weight;
    if (rest < 0) return variant;
  }
  return variants.at(-1) ?? variants[0];
}

/** Which variant a request falls to. Variants come canary first (in an A/B test, all of its arms), and their weights add up to 100. */
import type { Rng } from '../../base/random.ts';
import { murmur3 } from './murmur3.ts';

export interface Weighted {
  /** Percent. */
  readonly weight: number;
}

export type Variants<T> = readonly [T, ...T[]];

/** Weights are cut to thousandths of a percent. */
const slots = 100_000;

/** 64 shards of keys: low bits of the hash, which are independent of the high ones that choose the variant. */
export const shardCount = 64;

export function shardOf(hash: number): number {
  return hash % shardCount;
}

/** Each deployment has its own salt, so that it is not always the same users who try what is new. */
export function keyHash(salt: string, key: string): number {
  return murmur3(salt + key);
}

/**
 * The variant whose range holds the hash. Canary first: its range is [0, weight) and only grows, so users of 5 percent stay in at 25.
 * The same arithmetic as flagd's `fractional` with the weights in thousandths of a percent.
 */
export function byHash<T extends Weighted>(variants: Variants<T>, hash: number): T {
  return at(variants, Math.floor((hash * slots) / 4_294_967_296));
}

/**
 * The arm of a key, by weighted rendezvous (Schindelhauer and Schomaker, 2005): of all arms the one with the least -ln(u) / weight, u being
 * uniform and the key's own for each arm. When shares change, hardly more keys move than must.
 */
export function armOf<T extends Weighted & { readonly arm: string | null }>(arms: Variants<T>, salt: string, key: string): T {
  let [best, least] = [arms[0], Infinity];
  for (const arm of arms) {
    const u = (murmur3(`${salt}/${arm.arm ?? ''}/${key}`) + 0.5) / 4_294_967_296;
    const distance = arm.weight > 0 ? -Math.log(u) / arm.weight : Infinity;
    if (distance < least) [best, least] = [arm, distance];
  }
  return best;
}

/** Each request is drawn by itself. */
export function weightedRandom<T extends Weighted>(variants: Variants<T>, rng: Rng): T {
  return at(variants, Math.floor(rng() * slots));
}

function at<T extends Weighted>(variants: Variants<T>, slot: number): T {
  let end = 0;
  for (const variant of variants) {
    end += Math.round((variant.weight * slots) / 100);
    if (slot < end) return variant;
  }
  return variants.at(-1) ?? variants[0];
}

/**
 * Smooth weighted round robin (as in nginx; for two variants the same as Bresenham's line): evenly spaced, and exact over any whole
 * cycle. Changes `credit`, which has one number for each variant and begins with zeros.
 */
export function roundRobin<T extends Weighted>(variants: Variants<T>, credit: number[]): T {
  let best = 0;
  let total = 0;
  for (const [index, { weight }] of variants.entries()) {
    total += weight;
    credit[index] = (credit[index] ?? 0) + weight;
    if ((credit[index] ?? 0) > (credit[best] ?? 0)) best = index;
  }
  credit[best] = (credit[best] ?? 0) - total;
  return variants[best] ?? variants[0];
}

/**
 * A world of LLM-like traffic for judges: two arms that share the day's drift and its bursts, heavy tails, and a change of known size in
 * one of them. Seeded: the same seed is the same traffic for every judge. It is ours, and no real traffic.
 */
import { seededRng, type Rng } from '../../src/base/random.ts';
import { drawGamma, drawNormal } from '../../src/domain/analysis/stats/draw.ts';
import type { SimulatedBlock } from './contender.ts';

/** What the change does, as factors, and points of the error rate. */
export interface Change {
  readonly error?: number;
  readonly latency?: number;
  readonly cost?: number;
  readonly quality?: number;
  /** Share of requests that are three times slower. */
  readonly slowShare?: number;
  /** The change grows to its full size over so many minutes. */
  readonly leakMinutes?: number;
  /** A cold cache: twice the latency for so many minutes from the start, whatever else. */
  readonly coldMinutes?: number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly rps: number;
  readonly baseError: number;
  readonly change: Change;
  /** Scores arrive so many minutes after their requests. */
  readonly scoreDelayMinutes?: number;
}

const tickSeconds = 10;
const grid = logGrid(20, 200_000, 0.02);
const costGrid = logGrid(1e-5, 10, 0.02);
const qualityGrid = Float64Array.from({ length: 100 }, (_, i) => (i + 0.5) / 100);

function logGrid(low: number, high: number, step: number): Float64Array {
  const bins = Math.ceil(Math.log(high / low) / step);
  return Float64Array.from({ length: bins }, (_, i) => low * Math.exp((i + 0.5) * step));
}

function poisson(mean: number, rng: Rng): number {
  if (mean <= 0) return 0;
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * drawNormal(rng)));
  const limit = Math.exp(-mean);
  let [count, product] = [0, rng()];
  while (product > limit) {
    count++;
    product *= rng();
  }
  return count;
}

function binomial(n: number, p: number, rng: Rng): number {
  if (n <= 0 || p <= 0) return 0;
  if (n * p > 50 && n * (1 - p) > 50) return Math.min(n, Math.max(0, Math.round(n * p + Math.sqrt(n * p * (1 - p)) * drawNormal(rng))));
  if (p < 0.1 && n > 200) return Math.min(n, poisson(n * p, rng));
  let hits = 0;
  for (let i = 0; i < n; i++) if (rng() < p) hits++;
  return hits;
}

/** Cumulative distribution at the grid's bins, by a function of the value. */
function cumulative(values: Float64Array, step: number, cdf: (value: number) => number): Float64Array {
  return Float64Array.from(values, (mid) => cdf(mid * Math.exp(step / 2)));
}

/** Abramowitz and Stegun 7.1.26: good to 1.5e-7, which a simulator may be. */
function normalCdf(z: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = 0.5 * poly * Math.exp((-z * z) / 2);
  return z > 0 ? 1 - tail : tail;
}

const latencyCdf = cumulative(
  grid,
  0.02,
  (value) => 0.93 * normalCdf(Math.log(value / 900) / 0.6) + 0.07 * normalCdf(Math.log(value / 3500) / 0.8),
);
const costCdf = cumulative(costGrid, 0.02, (value) => normalCdf(Math.log(value / 0.01)));

/** `n` draws, shifted by `factor`, added to the counts: one by one when few, bin by bin when many. */
function draw(counts: Uint32Array, cdf: Float64Array, n: number, factor: number, rng: Rng): void {
  const shift = Math.round(Math.log(factor) / 0.02);
  const put = (bin: number, count: number): void => {
    const place = Math.min(counts.length - 1, Math.max(0, bin + shift));
    counts[place] = (counts[place] ?? 0) + count;
  };
  if (n < 400) {
    for (let i = 0; i < n; i++) put(find(cdf, rng()), 1);
    return;
  }
  // Conditional binomials: exactly n in all.
  let [left, mass, before] = [n, 1, 0];
  for (let bin = 0; bin < cdf.length && left > 0; bin++) {
    const upTo = bin === cdf.length - 1 ? 1 : (cdf[bin] ?? 1);
    const share = upTo - before;
    if (share < 1e-9) continue;
    const count = mass <= share ? left : binomial(left, Math.min(1, share / mass), rng);
    if (count > 0) put(bin, count);
    left -= count;
    mass -= share;
    before = upTo;
  }
}

function find(cdf: Float64Array, u: number): number {
  let [low, high] = [0, cdf.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cdf[middle] ?? 1) < u) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface World {
  /** The next ten seconds at `weight` (a fraction). */
  next(weight: number): SimulatedBlock;
}

export function createWorld({ seed, rps, baseError, change, scoreDelayMinutes = 0 }: WorldOptions): World {
  const rng = seededRng(seed);
  const dayPhase = rng() * 2 * Math.PI;
  const scoredShare = rps < 20 ? 1 : 0.1;
  const waiting: { readonly t: number; readonly weight: number; readonly c: Uint32Array; readonly s: Uint32Array }[] = [];
  let [t, wander, burstLeft, burstLatency, burstError, started] = [0, 0, 0, 1, 0, -1];

  function drift(): { readonly traffic: number; readonly latency: number; readonly error: number } {
    const day = Math.sin(dayPhase + (2 * Math.PI * t) / 86_400);
    wander = 0.995 * wander + 0.01 * drawNormal(rng);
    if (burstLeft <= 0 && rng() < (0.5 * tickSeconds) / 3600) {
      burstLeft = 60 + 540 * rng();
      burstLatency = 1.5 + 1.5 * rng();
      burstError = 0.02 + 0.13 * rng();
    }
    burstLeft -= tickSeconds;
    const inBurst = burstLeft > 0;
    return {
      traffic: rps * (1 + 0.35 * day),
      latency: Math.exp(wander + 0.1 * day) * (inBurst ? burstLatency : 1),
      error: Math.min(0.9, baseError * Math.exp(wander) + (inBurst ? burstError : 0)),
    };
  }

  /** From 0 to 1: how much of the change has come, `seconds` after it met its first request. */
  function strength(seconds: number): number {
    return change.leakMinutes === undefined ? 1 : Math.min(1, seconds / 60 / change.leakMinutes);
  }

  function qualities(n: number, factor: number): Uint32Array {
    const counts = new Uint32Array(qualityGrid.length);
    for (let i = 0; i < n; i++) {
      const [a, b] = [drawGamma(8, rng), drawGamma(2, rng)];
      const bin = Math.min(99, Math.floor((a / (a + b)) * factor * 100));
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    return counts;
  }

  return {
    next(weight) {
      if (weight > 0 && started < 0) started = t;
      const since = started < 0 ? 0 : t - started;
      const size = strength(since);
      const now = drift();
      const [nC, nS] = [poisson(now.traffic * tickSeconds * weight, rng), poisson(now.traffic * tickSeconds * (1 - weight), rng)];
      const eC = binomial(nC, Math.min(1, now.error + size * (change.error ?? 0)), rng);
      const eS = binomial(nS, now.error, rng);
      const lat = { c: new Uint32Array(grid.length), s: new Uint32Array(grid.length), mid: grid };
      const cold = change.coldMinutes !== undefined && since < change.coldMinutes * 60 ? 2 : 1;
      const latencyFactor = now.latency * (1 + size * ((change.latency ?? 1) - 1)) * cold;
      const slow = binomial(nC, size * (change.slowShare ?? 0), rng);
      draw(lat.c, latencyCdf, nC - slow, latencyFactor, rng);
      draw(lat.c, latencyCdf, slow, latencyFactor * 3, rng);
      draw(lat.s, latencyCdf, nS, now.latency, rng);
      const cost = { c: new Uint32Array(costGrid.length), s: new Uint32Array(costGrid.length), mid: costGrid };
      draw(cost.c, costCdf, nC, 1 + size * ((change.cost ?? 1) - 1), rng);
      draw(cost.s, costCdf, nS, 1, rng);
      const c = qualities(binomial(nC, scoredShare, rng), 1 + size * ((change.quality ?? 1) - 1));
      const s = qualities(binomial(nS, scoredShare, rng), 1);
      waiting.push({ t, weight, c, s });
      const isDue = (waiting[0]?.t ?? t) <= t - scoreDelayMinutes * 60;
      const due = isDue ? waiting.shift() : undefined;
      const none = new Uint32Array(qualityGrid.length);
      const block = { t, weight, nC, nS, eC, eS, lat, cost, qual: { c: due?.c ?? none, s: due?.s ?? none, mid: qualityGrid } };
      t += tickSeconds;
      return block;
    },
  };
}

/**
 * Tests of several variants (guide 8.5): where the next requests go, and when a winner may be named. Differences are taken block by block,
 * so that allocations which change while traffic drifts compare nothing but the same minutes.
 */
import type { Rng } from '../../base/random.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { higherIsWorse, leastForMean } from './metric.ts';
import { drawNormal } from './stats/draw.ts';
import { addLikelihoods, lnMeanExp, lnNormalMixture, noLikelihoods } from './stats/sequential.ts';

export interface AbTestSettings {
  readonly arms: readonly string[];
  readonly metric: string;
  /** Values that each arm needs before a winner may be named. */
  readonly minSampleSize: number;
  readonly significanceLevel: number;
  readonly allocation: 'fixed' | 'thompson-sampling';
  /** Shares of a fixed allocation, in the order of the arms; they add up to 1. */
  readonly weights: readonly number[];
}

/** n, mean and squares about it of one arm in one block. */
export interface ArmBlock {
  readonly n: number;
  readonly mean: number;
  readonly squares: number;
  /** Of counts: how many of the n were bad; null for values. */
  readonly hits: number | null;
}

export const noArmBlock: ArmBlock = { n: 0, mean: 0, squares: 0, hits: null };

interface PairSums {
  readonly score: number;
  /** Sums of h^2 / n of either arm: times the variances within blocks they are the variance of `score`. */
  readonly spread: readonly [number, number];
  /** Of counts. */
  readonly likelihoods: readonly number[];
  /** Of counts the largest so far, which stays valid; of means that of now. */
  readonly lnE: number;
}

interface ArmSums {
  readonly n: number;
  readonly sum: number;
  readonly squares: number;
  readonly freedom: number;
}

export interface AbTestState {
  readonly arms: readonly ArmSums[];
  /** `pairs[i][j]`: evidence that arm i is better than arm j. */
  readonly pairs: readonly (readonly PairSums[])[];
}

const noPair: PairSums = { score: 0, spread: [0, 0], likelihoods: noLikelihoods, lnE: 0 };
const spreads = [1.6, 25, 400];
/** No arm gets less: evidence on it must not dry up, and it is what users are promised. */
const floorShare = 0.01;
/** Arms with fewer values are tried as often as the others. */
const leastForSampling = 100;
/** How often the leader is passed over for its strongest challenger (Russo, 2016, with beta = 1/2). */
const challengeShare = 0.5;

export function newAbTest({ arms }: Pick<AbTestSettings, 'arms'>): AbTestState {
  return {
    arms: arms.map(() => ({ n: 0, sum: 0, squares: 0, freedom: 0 })),
    pairs: arms.map(() => arms.map(() => noPair)),
  };
}

/**
 * Adds what one block measured, in the order of the arms. `design`: by arm, how many times as wide the variance is because requests share
 * keys; null: every request is drawn by itself.
 */
export function addArmBlocks(
  state: AbTestState,
  blocks: readonly ArmBlock[],
  { metric }: Pick<AbTestSettings, 'metric'>,
  design: readonly number[] | null = null,
): AbTestState {
  const arms = state.arms.map((arm, index) => {
    const { n, mean, squares } = blocks[index] ?? noArmBlock;
    if (n === 0) return arm;
    return { n: arm.n + n, sum: arm.sum + n * mean, squares: arm.squares + squares, freedom: arm.freedom + n - 1 };
  });
  const sign = higherIsWorse(metric) ? -1 : 1;
  const variances = arms.map(({ squares, freedom }) => (freedom > 0 ? squares / freedom : 0));
  const pairs = state.pairs.map((row, i) =>
    row.map((pair, j) => {
      const spread = design === null ? null : Math.max(design[i] ?? 1, design[j] ?? 1);
      return i === j ? pair : addPair(pair, [blocks[i], blocks[j]], sign, [variances[i] ?? 0, variances[j] ?? 0], spread);
    }),
  );
  return { ...state, arms, pairs };
}

function addPair(
  pair: PairSums,
  [a, b]: readonly [ArmBlock | undefined, ArmBlock | undefined],
  sign: number,
  [va, vb]: readonly [number, number],
  design: number | null,
): PairSums {
  if (a === undefined || b === undefined || a.n === 0 || b.n === 0) return pair;
  const h = (a.n * b.n) / (a.n + b.n);
  const score = pair.score + sign * h * (a.mean - b.mean);
  const spread = [pair.spread[0] + (h * h) / a.n, pair.spread[1] + (h * h) / b.n] as const;
  const likelihoods = addCounts(pair.likelihoods, a, b);
  const unit = Math.max(va, vb);
  const variance = (design ?? 1) * (va * spread[0] + vb * spread[1]);
  const byMeans = unit > 0 ? lnNormalMixture(score / Math.sqrt(unit), variance / unit, spreads) : 0;
  // Counts of requests of the same keys are not what the likelihoods are exact for.
  const isExact = a.hits !== null && design === null;
  const lnE = isExact ? lnMeanExp(likelihoods) : byMeans;
  // A variance is known better with each block: evidence by an early one, too narrow, must not stand. Likelihoods have none.
  return { score, spread, likelihoods, lnE: isExact ? Math.max(pair.lnE, lnE) : lnE };
}

/** A is better when b has more that is bad. */
function addCounts(before: readonly number[], a: ArmBlock, b: ArmBlock): readonly number[] {
  return a.hits === null || b.hits === null ? before : addLikelihoods(before, { nc: b.n, xc: b.hits, ns: a.n, xs: a.hits });
}

/** Shares of the next requests, in the order of the arms; they add up to 1. */
export function allocate(state: AbTestState, settings: AbTestSettings, rng: Rng): readonly number[] {
  if (settings.allocation === 'fixed') return settings.weights;
  const count = settings.arms.length;
  if (state.arms.some(({ n }) => n < leastForSampling)) return settings.arms.map(() => 1 / count);
  const shares = topTwo(state, settings, rng);
  return shares.map((share) => floorShare + (1 - count * floorShare) * share);
}

const draws = 2000;

/** How often each arm is drawn when the winner of a draw from the posteriors gives way, half of the time, to the winner of another draw. */
function topTwo(state: AbTestState, { metric }: AbTestSettings, rng: Rng): readonly number[] {
  const sign = higherIsWorse(metric) ? -1 : 1;
  const best = state.arms.map(() => 0);
  const posteriors = state.arms.map(({ n, sum, squares, freedom }) => ({
    mean: sum / n,
    sd: Math.sqrt(Math.max(0, squares / Math.max(1, freedom)) / n),
  }));
  for (let i = 0; i < draws; i++) {
    const values = posteriors.map(({ mean, sd }) => sign * (mean + sd * drawNormal(rng)));
    const index = values.indexOf(Math.max(...values));
    best[index] = (best[index] ?? 0) + 1;
  }
  const won = best.map((count) => count / draws);
  return won.map((p, i) => {
    // Challenger i: the leader j is redrawn until somebody else wins.
    const challenged = won.reduce((sum, q, j) => (i === j || q === 1 ? sum : sum + (q * p) / (1 - q)), 0);
    const certain = won.indexOf(1);
    const spare = certain >= 0 && certain !== i ? 1 / (won.length - 1) : 0;
    return (1 - challengeShare) * p + challengeShare * (certain >= 0 ? spare : challenged);
  });
}

export interface AbTestVerdict {
  readonly metric: string;
  readonly verdict: 'running' | 'winner' | 'no-winner';
  readonly winner: string | null;
  readonly reason: string;
  readonly arms: readonly {
    readonly name: string;
    readonly samples: number;
    readonly mean: number | null;
    /** That it is not better than every other; valid at any time. */
    readonly p_value: number | null;
  }[];
}

/**
 * A winner is named only when its evidence against every other arm has reached (arms - 1) / alpha: valid at any time, whatever the
 * allocation did. Stopping at "probably the best" names one in nearly every test of equal arms (facts in docs/statistics.md).
 * `isOver`: the time is over.
 */
export function judgeAbTest(state: AbTestState, settings: AbTestSettings, isOver: boolean): AbTestVerdict {
  const threshold = Math.log((settings.arms.length - 1) / settings.significanceLevel);
  const weakest = settings.arms.map((_name, i) =>
    Math.min(...settings.arms.flatMap((_other, j) => (i === j ? [] : [state.pairs[i]?.[j]?.lnE ?? 0]))),
  );
  const arms = settings.arms.map((name, i) => {
    const { n = 0, sum = 0 } = state.arms[i] ?? {};
    const p = Math.min(1, (settings.arms.length - 1) * Math.exp(-(weakest[i] ?? 0)));
    return { name, samples: n, mean: n === 0 ? null : sum / n, p_value: n === 0 ? null : p };
  });
  const leader = weakest.indexOf(Math.max(...weakest));
  // Whatever is asked for: the normal approximation of a mean needs some.
  const needed = Math.max(settings.minSampleSize, leastForMean(settings.metric));
  const few = arms.filter(({ samples }) => samples < needed);
  const isProven = (weakest[leader] ?? 0) >= threshold;
  const winner = settings.arms[leader] ?? null;
  if (isProven && few.length === 0)
    return {
      metric: settings.metric,
      verdict: 'winner',
      winner,
      reason: `${winner ?? ''} is better than every other arm in ${settings.metric}, at ${settings.significanceLevel}`,
      arms,
    };
  if (isOver) {
    const why =
      few.length > 0
        ? `${few.map(({ name }) => name).join(', ')} had fewer than ${needed} values`
        : 'no arm is better than every other beyond chance';
    return { metric: settings.metric, verdict: 'no-winner', winner: null, reason: `the time is over and ${why}`, arms };
  }
  const missing = few.length > 0 ? `${few.length} of ${arms.length} arms need more values` : 'not yet beyond chance';
  return { metric: settings.metric, verdict: 'running', winner: null, reason: missing, arms };
}

/** The arm to promote: the proven winner for `auto`, or whatever arm a person names, who then answers for it. */
export function chooseWinner(verdict: AbTestVerdict, asked: string): Result<string, string> {
  if (asked !== 'auto') {
    const names = verdict.arms.map(({ name }) => name);
    return names.includes(asked) ? ok(asked) : refuse(`There is no arm "${asked}"; there is ${names.join(', ')}.`);
  }
  return verdict.winner === null ? refuse(`There is no winner: ${verdict.reason}. Name the arm yourself, or wait.`) : ok(verdict.winner);
}

/** Seeded requests of two variants, second by second, for tests of the judge. */
import { seededRng, type Rng } from '../../src/base/random.ts';
import { drawNormal } from '../../src/domain/analysis/stats/draw.ts';
import type { Judgement } from '../../src/domain/analysis/look.ts';
import type { AnalysisPolicy } from '../../src/domain/settings/policy.ts';
import { aCourt, type Court, type Measured } from './judge.ts';

/** Factors on what stable has; points of the error rate. */
export interface Effect {
  readonly error?: number;
  readonly latency?: number;
  readonly firstToken?: number;
  readonly cost?: number;
  readonly tokens?: number;
  readonly score?: number;
  /** Metric of the scores that requests get; null: none. */
  readonly scored?: string | null;
}

export function requests(n: number, rng: Rng, effect: Effect = {}): Measured {
  const list = (median: number, sd: number): number[] => Array.from({ length: n }, () => median * Math.exp(sd * drawNormal(rng)));
  const errors = Array.from({ length: n }, () => rng()).filter((u) => u < 0.01 + (effect.error ?? 0)).length;
  const metric = effect.scored === undefined ? 'quality_score' : effect.scored;
  const score = (): number => Math.min(1, Math.max(0, (0.8 + 0.1 * drawNormal(rng)) * (effect.score ?? 1)));
  return {
    requests: n,
    errors,
    latencies: list(900 * (effect.latency ?? 1), 0.6),
    firstTokens: list(200 * (effect.firstToken ?? 1), 0.5),
    costs: list(0.01 * (effect.cost ?? 1), 0.8),
    tokens: list(500 * (effect.tokens ?? 1), 0.5),
    scores: metric === null ? {} : { [metric]: Array.from({ length: n }, score) },
  };
}

/** A canary of `weight` percent at `perSecond` requests, for `seconds`; ends early when it fails. The same seed is the same traffic. */
export function trial(
  policy: AnalysisPolicy,
  effect: Effect,
  { seconds = 120, perSecond = 60, weight = 25, seed = 1 }: { seconds?: number; perSecond?: number; weight?: number; seed?: number } = {},
): { readonly court: Court; readonly judgement: Judgement; readonly seconds: number } {
  const rng = seededRng(seed);
  const court = aCourt(policy, weight);
  const { scored } = effect;
  const plain: Effect = scored === undefined ? {} : { scored };
  for (let i = 0; i < 60; i++) court.warm(requests(perSecond, rng, plain));
  const canary = Math.round((perSecond * weight) / 100);
  for (let second = 1; second <= seconds; second++) {
    const judgement = court.arrive(requests(canary, rng, effect), requests(perSecond - canary, rng, plain));
    if (judgement.verdict === 'fail') return { court, judgement, seconds: second };
  }
  return { court, judgement: court.look(), seconds };
}

/**
 * Anomalies of one series of numbers against its own past: how far a value lies from the nearest one seen before, in standard deviations of
 * that distance (nearest-neighbour novelty; Knorr and Ng, 1998). It takes no shape for granted, so that days, steps and spikes are all
 * normal once they have been seen. `npm run bench:nab -- DIR` scores it on the Numenta Anomaly Benchmark.
 */

export interface DetectorState {
  /** Values that were seen, without those that lie close to another; the newest last. */
  readonly values: readonly number[];
  /** Distances so far, and their mean and variance, in which old ones fade. */
  readonly seen: number;
  readonly mean: number;
  readonly variance: number;
  /** The strongest score lately, and how many values ago it was. */
  readonly record: number;
  readonly age: number;
}

export const newDetector: DetectorState = { values: [], seen: 0, mean: 0, variance: 0, record: 0, age: 0 };

const mostValues = 500;
/** A value nearer than this to another, in standard deviations of the distance, is the same one again. */
const sameWithin = 0.3;
const longestMemory = 10_000;
/** Distances that a score needs. */
const leastSeen = 20;
/** For so many values after an anomaly only a stronger one is another; what remains of the others is this share. */
const restLength = 400;
const restedShare = 0.2;

/** `score`: standard deviations above the usual distance; 0 while too little is known, or for a value that is no number. */
export function detect(state: DetectorState, value: number): { readonly state: DetectorState; readonly score: number } {
  if (!Number.isFinite(value)) return { state, score: 0 };
  if (state.values.length === 0) return { state: { ...state, values: [value] }, score: 0 };
  const distance = state.values.reduce((nearest, other) => Math.min(nearest, Math.abs(other - value)), Infinity);
  const sd = Math.sqrt(state.variance);
  const raw = state.seen < leastSeen || sd === 0 ? 0 : Math.max(0, (distance - state.mean) / sd);
  const isRecord = raw > state.record || state.age >= restLength;
  return {
    state: {
      values: distance > sameWithin * sd ? [...state.values.slice(state.values.length < mostValues ? 0 : 1), value] : state.values,
      ...learn(state, distance),
      record: isRecord ? raw : state.record,
      age: isRecord ? 0 : state.age + 1,
    },
    score: isRecord ? raw : raw * restedShare,
  };
}

/** Plain mean and variance at first, then exponentially weighted (West, 1979). */
function learn({ seen, mean, variance }: DetectorState, distance: number): Pick<DetectorState, 'seen' | 'mean' | 'variance'> {
  const share = 1 / Math.min(seen + 1, longestMemory);
  const apart = distance - mean;
  return {
    seen: Math.min(seen + 1, longestMemory),
    mean: mean + share * apart,
    variance: (1 - share) * (variance + share * apart * apart),
  };
}

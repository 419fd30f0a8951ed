/** A source of numbers, uniform in [0, 1). Passed in, so that chance can be replayed. */
export type Rng = () => number;

/** mulberry32 (Tommy Ettinger): small, fast, and the same on every machine for a given seed. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

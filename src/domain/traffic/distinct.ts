/**
 * How many different keys were seen, from the smallest of their hashes (k minimum values; Bar-Yossef et al. 2002). Samples can be
 * united without counting anybody twice, whichever gateway saw them.
 */
import { finalMix } from './murmur3.ts';

const kept = 1024;

export interface DistinctKeys {
  /** True when the hash is new and belongs to the sample. */
  add(hash: number): boolean;
  /** Exact up to 1,024 keys, then with a standard error of 3 percent. */
  estimate(): number;
  readonly hashes: () => readonly number[];
}

export function distinctKeys(from: Iterable<number> = []): DistinctKeys {
  const sample = new Set<number>();
  let largest = -1;

  function add(hash: number): boolean {
    if (sample.has(hash) || (sample.size >= kept && hash > largest)) return false;
    sample.add(hash);
    if (sample.size > kept) {
      sample.delete(largest);
      largest = -1;
      for (const candidate of sample) if (candidate > largest) largest = candidate;
    } else if (hash > largest) largest = hash;
    return true;
  }

  for (const hash of from) add(hash);
  return {
    add,
    estimate: () => (sample.size < kept ? sample.size : Math.round((kept - 1) / ((largest + 1) / 4_294_967_296))),
    hashes: () => [...sample],
  };
}

/** Canary keys fill the low end of the hashes that divide them; mixed once more, they are spread over the whole range again. */
export function sampleHash(hash: number): number {
  return finalMix(hash ^ 0x9e3779b9);
}

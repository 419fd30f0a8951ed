/** Requests and errors of the two variants: the smallest summary that the judge works on. */
export interface Counts {
  readonly requests: number;
  readonly errors: number;
}

export const noCounts: Counts = { requests: 0, errors: 0 };

export function addCounts(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, errors: a.errors + b.errors };
}

/** Null without requests: a rate of nothing is no 0. */
export function rateOf(counts: Counts): number | null {
  return counts.requests === 0 ? null : counts.errors / counts.requests;
}

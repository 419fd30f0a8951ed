/** Requests and errors of the two variants: the smallest summary that the judge works on. */
export interface Counts {
  readonly requests: number;
  readonly errors: number;
}

export interface ArmCounts {
  readonly canary: Counts;
  readonly stable: Counts;
}

export const noCounts: Counts = { requests: 0, errors: 0 };
export const noArmCounts: ArmCounts = { canary: noCounts, stable: noCounts };

export function addCounts(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, errors: a.errors + b.errors };
}

export function addArms(a: ArmCounts, b: ArmCounts): ArmCounts {
  return { canary: addCounts(a.canary, b.canary), stable: addCounts(a.stable, b.stable) };
}

/** Null without requests: a rate of nothing is no 0. */
export function rateOf(counts: Counts): number | null {
  return counts.requests === 0 ? null : counts.errors / counts.requests;
}

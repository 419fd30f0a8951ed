/** Sequential evidence on error rates, block by block. Formulas: docs/statistics.md. */
import type { ArmCounts } from './counts.ts';

/** Odds ratios of the mixture; fixed before any data, as the test's validity needs. */
const oddsRatios = [1.07, 1.2, 1.45, 1.9, 2.8, 5, 10] as const;

/** Stands for certainty. */
const certainZ = 99;

/** Sums over closed blocks. Blocks are never pooled: only traffic of the same minutes is compared. */
export interface Evidence {
  /** Log likelihood ratio of each odds ratio. */
  readonly logLikelihoods: readonly number[];
  /** Largest ln e so far: what anytime-valid p-values and the fail rule go by. */
  readonly maxLnE: number;
  readonly blocks: number;
  /** Sum over blocks of h (p_c - p_s), with h = n_c n_s / N. */
  readonly difference: number;
  readonly weight: number;
  readonly stableRate: number;
  /** Sums of h^2 / n_c and h^2 / n_s. */
  readonly canarySpread: number;
  readonly stableSpread: number;
  /** Score and variance of the stratified test: sum of x_c - n_c q, and of its hypergeometric variance. */
  readonly score: number;
  readonly variance: number;
}

export const noEvidence: Evidence = {
  logLikelihoods: oddsRatios.map(() => 0),
  maxLnE: 0,
  blocks: 0,
  difference: 0,
  weight: 0,
  stableRate: 0,
  canarySpread: 0,
  stableSpread: 0,
  score: 0,
  variance: 0,
};

/**
 * Adds one block with at least one request in each arm.
 *
 * EBin: given (n_c, n_s, m) the canary's errors are hypergeometric under H0 (canary odds <= stable odds), which Bin(m, rho) and
 * Bin(n_c, q) dominate in convex order (Hoeffding 1963); so the likelihood ratio against the nearer of the two is a test
 * martingale without any asymptotics, and a burst that hits both arms costs nothing.
 */
export function addBlock(evidence: Evidence, block: ArmCounts): Evidence {
  const [canary, stable] = [block.canary, block.stable];
  const all = canary.requests + stable.requests;
  const errors = canary.errors + stable.errors;
  const rho = canary.requests / all;
  const q = errors / all;
  const logLikelihoods = oddsRatios.map((ratio, index) => {
    const gain = Math.log(ratio) * canary.errors;
    const cost = rho >= q ? errors * Math.log1p(rho * (ratio - 1)) : canary.requests * Math.log1p(q * (ratio - 1));
    return (evidence.logLikelihoods[index] ?? 0) + gain - cost;
  });
  const h = (canary.requests * stable.requests) / all;
  const stableRate = stable.errors / stable.requests;
  return {
    logLikelihoods,
    maxLnE: Math.max(evidence.maxLnE, lnE(logLikelihoods)),
    blocks: evidence.blocks + 1,
    difference: evidence.difference + h * (canary.errors / canary.requests - stableRate),
    weight: evidence.weight + h,
    stableRate: evidence.stableRate + h * stableRate,
    canarySpread: evidence.canarySpread + (h * h) / canary.requests,
    stableSpread: evidence.stableSpread + (h * h) / stable.requests,
    score: evidence.score + canary.errors - canary.requests * q,
    variance: evidence.variance + (all > 1 ? (canary.requests * q * (1 - q) * (1 - rho) * all) / (all - 1) : 0),
  };
}

/** ln of the mean of the likelihood ratios, by log-sum-exp. */
function lnE(logLikelihoods: readonly number[]): number {
  const largest = Math.max(...logLikelihoods);
  const sum = logLikelihoods.reduce((total, value) => total + Math.exp(value - largest), 0);
  return largest + Math.log(sum / logLikelihoods.length);
}

/** p-value that stays valid however often one looks: 1 / max e, at most 1. */
export function anytimePValue(evidence: Evidence): number {
  return Math.min(1, Math.exp(-evidence.maxLnE));
}

/**
 * How far the canary lies beyond the allowed increase `margin` (a fraction), in standard errors at the margin; below 0 it is
 * inside. Null before the first block.
 */
export function marginZ(evidence: Evidence, margin: number): number | null {
  if (evidence.weight === 0) return null;
  const p = evidence.stableRate / evidence.weight;
  const canaryRate = Math.min(1, p + margin);
  const variance = canaryRate * (1 - canaryRate) * evidence.canarySpread + p * (1 - p) * evidence.stableSpread;
  const distance = evidence.difference - margin * evidence.weight;
  if (variance > 0) return distance / Math.sqrt(variance);
  // Without any error in either arm there is no spread: a finite number all the same, since it is kept as JSON.
  return distance > 0 ? certainZ : -certainZ;
}

/** z of the stratified score test; 0 without variance. */
export function scoreZ(evidence: Evidence): number {
  return evidence.variance > 0 ? evidence.score / Math.sqrt(evidence.variance) : 0;
}

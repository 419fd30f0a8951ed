/** Evidence that stays valid however often one looks: e-values, as logarithms. P(e ever >= 1/a) <= a when nothing is worse (Ville). */
import { lnNormalCdf } from './normal.ts';

/** Odds ratios of the mixture; fixed before any data, as the test's validity needs. */
const oddsRatios = [1.07, 1.2, 1.45, 1.9, 2.8, 5, 10] as const;

export const noLikelihoods: readonly number[] = oddsRatios.map(() => 0);

/** Hits and trials of the two variants in one block. */
export interface Fourfold {
  readonly nc: number;
  readonly xc: number;
  readonly ns: number;
  readonly xs: number;
}

/**
 * EBin: adds one block with trials in both arms to the log likelihood of each odds ratio.
 *
 * Given (n_c, n_s, m) the canary's hits are hypergeometric under H0 (canary odds <= stable odds), which Bin(m, rho) and Bin(n_c, q)
 * dominate in convex order (Hoeffding 1963); so the likelihood ratio against the nearer of the two is a test martingale without any
 * asymptotics, and a burst that hits both arms costs nothing.
 */
export function addLikelihoods(before: readonly number[], { nc, xc, ns, xs }: Fourfold): number[] {
  const all = nc + ns;
  const hits = xc + xs;
  const rho = nc / all;
  const q = hits / all;
  return oddsRatios.map((ratio, index) => {
    const cost = rho >= q ? hits * Math.log1p(rho * (ratio - 1)) : nc * Math.log1p(q * (ratio - 1));
    return (before[index] ?? 0) + Math.log(ratio) * xc - cost;
  });
}

/** Score of a fourfold table and its hypergeometric variance: x_c - n_c q. */
export function scoreOf({ nc, xc, ns, xs }: Fourfold): { readonly score: number; readonly variance: number } {
  const all = nc + ns;
  const q = (xc + xs) / all;
  return { score: xc - nc * q, variance: all > 1 ? (nc * q * (1 - q) * ns) / (all - 1) : 0 };
}

/** ln of the mean of exp(values), by log-sum-exp. */
export function lnMeanExp(values: readonly number[]): number {
  const largest = Math.max(...values);
  if (largest === -Infinity) return largest;
  return largest + Math.log(values.reduce((total, value) => total + Math.exp(value - largest), 0) / values.length);
}

/**
 * One-sided normal mixture (Robbins, 1970; Howard et al., 2021): ln e of a sum `score` with variance `variance`, averaged over the mixing
 * variances `spreads`, each in the unit of `variance`. Asymptotic. 0 without variance.
 */
export function lnNormalMixture(score: number, variance: number, spreads: readonly number[]): number {
  if (!(variance > 0)) return 0;
  return lnMeanExp(
    spreads.map((spread) => {
      const total = variance + spread;
      return Math.LN2 + 0.5 * Math.log(spread / total) + (score * score) / (2 * total) + lnNormalCdf(score / Math.sqrt(total));
    }),
  );
}

/** Half the width of the two-sided confidence sequence that inverts the normal mixture, at confidence 1 - alpha. */
export function mixtureReach(variance: number, spread: number, alpha: number): number {
  const total = variance + spread;
  return Math.sqrt(total * (Math.log(total / spread) + 2 * Math.log(1 / alpha)));
}

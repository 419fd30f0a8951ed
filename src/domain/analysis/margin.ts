/** How far a canary lies from what its criterion allows, in standard errors. */
import { withinVariances, type Sums } from './evidence.ts';
import { higherIsWorse, isQuantile } from './metric.ts';

/** Stands for certainty, where there is no spread: a finite number, since it is kept as JSON. */
const certainZ = 99;

/** Above 0 it lies beyond the allowed margin, below 0 within. Null before the first block. `design`: inflates variances (keys). */
export function marginZ(metric: string, sums: Sums, margin: number, design: number): number | null {
  if (sums.h === 0) return null;
  if (metric === 'error_rate') return zOf(rateDistance(sums, margin), design);
  if (isQuantile(metric)) return zOf([sums.shiftedScore, sums.shiftedVariance], design);
  return zOf(meanDistance(metric, sums, margin), design);
}

function zOf([distance, variance]: readonly [number, number], design: number): number {
  if (variance > 0) return distance / Math.sqrt(variance * design);
  return distance > 0 ? certainZ : -certainZ;
}

/** (RD - m H) with the variance at the margin: canary at p + m, stable at p. */
function rateDistance(sums: Sums, margin: number): readonly [number, number] {
  const p = sums.stable / sums.h;
  const atMargin = Math.min(1, p + margin);
  const variance = atMargin * (1 - atMargin) * sums.canarySpread + p * (1 - p) * sums.stableSpread;
  return [sums.canary - sums.stable - margin * sums.h, variance];
}

function meanDistance(metric: string, sums: Sums, margin: number): readonly [number, number] {
  const sign = higherIsWorse(metric) ? 1 : -1;
  const { canary, stable } = withinVariances(sums);
  const scale = 1 + sign * margin;
  const distance = sign * (sums.canary - sums.stable) - margin * Math.abs(sums.stable);
  return [distance, canary * sums.canarySpread + scale * scale * stable * sums.stableSpread];
}

/** Difference of means in standard deviations within blocks, positive to the bad side; null where there is no spread. */
export function effectSize(metric: string, sums: Sums): number | null {
  if (sums.h === 0) return null;
  const { canary, stable } = withinVariances(sums);
  const freedom = sums.canaryFreedom + sums.stableFreedom;
  const pooled = freedom > 0 ? (sums.canaryFreedom * canary + sums.stableFreedom * stable) / freedom : 0;
  return pooled > 0 ? ((higherIsWorse(metric) ? 1 : -1) * (sums.canary - sums.stable)) / sums.h / Math.sqrt(pooled) : null;
}

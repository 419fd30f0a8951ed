/** Thresholds on what happened lately: so bad, so surely, that a step's end is not waited for. */
import type { AnalysisPolicy, Trigger, TriggerLevel } from '../settings/policy.ts';
import type { BlockRow, Grid } from './block.ts';
import { limitBin, noSums, plus, rowSums, tailCounts, type Sums } from './evidence.ts';
import { marginZ } from './margin.ts';
import { formatMetric, inPercent, isQuantile, leastForMean, metricName, quantileMetrics } from './metric.ts';
import { clopperPearsonLower } from './stats/beta.ts';
import { normalQuantile } from './stats/normal.ts';
import { scoreOf, type Fourfold } from './stats/sequential.ts';

/** Error of the exact bound, and the distance from stable in standard errors. Small, since they are looked at about once a second. */
const strictness: Readonly<Record<TriggerLevel, { readonly alpha: number; readonly z: number }>> = {
  critical: { alpha: 1e-5, z: 3.7 },
  severe: { alpha: 1e-3, z: 3.1 },
  caution: { alpha: 1e-2, z: 2.33 },
};

export interface Breach {
  readonly trigger: Trigger;
  /** Stable is beyond the threshold as well, and no better: the change is not the cause. */
  readonly shared: boolean;
  readonly reason: string;
}

export interface TriggerView {
  readonly policy: AnalysisPolicy;
  readonly grid: Grid;
  /** Blocks, oldest first, and the open one as it is now. */
  readonly rows: readonly BlockRow[];
  readonly weight: number;
  /** Error rate of stable over the whole deployment, for when the window has none of it; null when unknown. */
  readonly stableErrorRate: number | null;
}

/** What a trigger finds now; null when it is quiet. */
export function breachOf(trigger: Trigger, view: TriggerView): Breach | null {
  const last = view.rows.at(-1);
  if (last === undefined) return null;
  const rows = view.rows.filter((row) => row.at > last.at - trigger.windowMs);
  if (trigger.metric === 'error_rate') return rateBreach(trigger, rows, view);
  if (isQuantile(trigger.metric)) return trigger.kind === 'above' ? limitBreach(trigger, rows, view) : tailBreach(trigger, rows, view);
  return trigger.kind === 'above' || trigger.kind === 'below' ? levelBreach(trigger, rows, view) : meanBreach(trigger, rows, view);
}

/** Whether a rate is above the threshold, and its exact lower bound (Clopper and Pearson) as well. */
export function surelyAbove(hits: number, n: number, threshold: number, alpha: number = strictness.critical.alpha): boolean {
  return n > 0 && hits / n > threshold && clopperPearsonLower(hits, n, alpha) > threshold;
}

function addAll(counts: readonly Fourfold[]): Fourfold {
  return counts.reduce((sum, { nc, xc, ns, xs }) => ({ nc: sum.nc + nc, xc: sum.xc + xc, ns: sum.ns + ns, xs: sum.xs + xs }), {
    nc: 0,
    xc: 0,
    ns: 0,
    xs: 0,
  });
}

/** So many requests of the same keys weigh as one; the last closed block knows best. */
function designOf({ rows, policy }: TriggerView, series: string): number {
  if (!policy.clustered) return 1;
  return Math.max(1, rows.findLast(({ design }) => design[series] !== undefined)?.design[series] ?? 1);
}

/** Block by block, so that a burst which met the two arms in unequal shares is no difference. */
function isBeyondChance(counts: readonly Fourfold[], z: number, design: number): boolean {
  let [score, variance] = [0, 0];
  for (const count of counts) {
    if (count.nc === 0 || count.ns === 0) continue;
    const one = scoreOf(count);
    score += one.score;
    variance += one.variance;
  }
  return variance > 0 && score / Math.sqrt(variance * design) > z;
}

/** Where no stable traffic is left to compare with, the excess over what it was decides. */
function hasNoControl({ weight }: TriggerView, stable: number): boolean {
  return weight >= 100 || stable === 0;
}

function rateBreach(trigger: Trigger, rows: readonly BlockRow[], view: TriggerView): Breach | null {
  const { threshold } = trigger;
  const total = addAll(rows);
  const { alpha, z } = strictness[trigger.level];
  const design = designOf(view, 'error_rate');
  if (!surelyAbove(total.xc / design, total.nc / design, threshold, alpha)) return null;
  const rate = total.xc / total.nc;
  const reference = total.ns > 0 ? total.xs / total.ns : (view.stableErrorRate ?? 0);
  const numbers = `error rate ${inPercent(rate)} against ${inPercent(reference)} on stable`;
  const isWorse = rate - reference >= threshold / 2 && (hasNoControl(view, total.ns) || isBeyondChance(rows, z, design));
  if (isWorse) return { trigger, shared: false, reason: `${numbers}, above the ${trigger.level} ${inPercent(threshold)}` };
  if (!surelyAbove(total.xs / design, total.ns / design, threshold, alpha)) return null;
  return {
    trigger,
    shared: true,
    reason: `${numbers}: both are above the ${trigger.level} ${inPercent(threshold)}, so the change is not the cause`,
  };
}

/** A quantile above a fixed limit: more than 1 - q of the requests surely take longer. */
function limitBreach(trigger: Trigger, rows: readonly BlockRow[], view: TriggerView): Breach | null {
  const { metric, threshold } = trigger;
  if (!isQuantile(metric)) return null;
  const bin = limitBin(threshold);
  const counts = rows.map((row): Fourfold => {
    const [, xc, xs] = row.limits.find(([limit]) => limit === bin) ?? [bin, 0, 0];
    return { nc: row.nc, xc, ns: row.ns, xs };
  });
  const share = 1 - quantileMetrics[metric].q;
  const total = addAll(counts);
  const { alpha, z } = strictness[trigger.level];
  const design = designOf(view, 'latency');
  if (!surelyAbove(total.xc / design, total.nc / design, share, alpha)) return null;
  const over = (hits: number, n: number): string => inPercent(n === 0 ? null : hits / n);
  const numbers = `${over(total.xc, total.nc)} of the requests take longer than ${threshold} ms, ${over(total.xs, total.ns)} on stable: ${metricName(metric)} is above the ${trigger.level} limit`;
  const excess = total.xc / total.nc - (total.ns === 0 ? 0 : total.xs / total.ns);
  const isWorse = excess >= share / 2 && (hasNoControl(view, total.ns) || isBeyondChance(counts, z, design));
  if (isWorse) return { trigger, shared: false, reason: numbers };
  return surelyAbove(total.xs / design, total.ns / design, share, alpha)
    ? { trigger, shared: true, reason: `${numbers} on both, so the change is not the cause` }
    : null;
}

/** A quantile above (1 + increase) times stable's: more of the canary's requests above that than of stable's above its own quantile. */
function tailBreach(trigger: Trigger, rows: readonly BlockRow[], view: TriggerView): Breach | null {
  const { metric, threshold } = trigger;
  const counts = rows.flatMap((row) => tailCounts(row, metric, view.grid, 1 + threshold, 1) ?? []);
  const total = addAll(counts);
  if (!isQuantile(metric) || total.nc === 0 || total.ns === 0) return null;
  // The exact bound as well: of a few counts a normal approximation says too much.
  const reference = Math.max(1 - quantileMetrics[metric].q, total.xs / total.ns);
  const { alpha, z } = strictness[trigger.level];
  const design = designOf(view, 'latency');
  if (!surelyAbove(total.xc / design, total.nc / design, reference, alpha) || !isBeyondChance(counts, z, design)) return null;
  return { trigger, shared: false, reason: `${metricName(metric)} more than ${inPercent(threshold)} above stable (${trigger.level})` };
}

function windowSums(metric: string, rows: readonly BlockRow[], grid: Grid): Sums {
  return rows.reduce((sum, row) => {
    const added = rowSums(row, metric, grid, 1, 1);
    return added === null ? sum : plus(sum, added);
  }, noSums);
}

/** A mean (cost, a score) further from stable's than allowed. */
function meanBreach(trigger: Trigger, rows: readonly BlockRow[], view: TriggerView): Breach | null {
  const { metric, threshold } = trigger;
  const [canary, stable] = [levelOf(metric, rows, 'canary'), levelOf(metric, rows, 'stable')];
  if (canary.n < leastForMean(metric) / 2 || stable.n === 0) return null;
  const z = marginZ(metric, windowSums(metric, rows, view.grid), threshold, designOf(view, metric));
  if (z === null || z <= strictness[trigger.level].z) return null;
  const numbers = `${metricName(metric)} ${formatMetric(metric, canary.mean)} against ${formatMetric(metric, stable.mean)} on stable`;
  return { trigger, shared: false, reason: `${numbers}, more than ${inPercent(threshold)} worse (${trigger.level})` };
}

interface Level {
  readonly n: number;
  readonly mean: number;
  readonly error: number;
}

function levelOf(metric: string, rows: readonly BlockRow[], arm: 'canary' | 'stable'): Level {
  const parts = rows.flatMap((row) => {
    const mean = row.means[metric];
    if (mean === undefined) return [];
    const part = arm === 'canary' ? { n: mean.nc, value: mean.mc, squares: mean.qc } : { n: mean.ns, value: mean.ms, squares: mean.qs };
    return part.n > 0 ? [part] : [];
  });
  const n = parts.reduce((sum, part) => sum + part.n, 0);
  if (n === 0) return { n, mean: 0, error: 0 };
  const mean = parts.reduce((sum, part) => sum + part.n * part.value, 0) / n;
  const squares = parts.reduce((sum, part) => sum + part.squares, 0);
  const variance = n > parts.length ? squares / (n - parts.length) : 0;
  return { n, mean, error: Math.sqrt(variance / n) };
}

/** A mean beyond a fixed threshold, and stable not. */
function levelBreach(trigger: Trigger, rows: readonly BlockRow[], view: TriggerView): Breach | null {
  const { metric, threshold, kind, level } = trigger;
  const [canary, stable] = [levelOf(metric, rows, 'canary'), levelOf(metric, rows, 'stable')];
  const sign = kind === 'above' ? 1 : -1;
  const reach = normalQuantile(1 - strictness[level].alpha);
  const isBeyond = (one: Level): boolean => one.n >= leastForMean(metric) / 2 && sign * (one.mean - threshold) > reach * one.error;
  if (!isBeyond(canary)) return null;
  const limit = `${kind} the ${level} ${formatMetric(metric, threshold)}`;
  const numbers = `${metricName(metric)} ${formatMetric(metric, canary.mean)} against ${formatMetric(metric, stable.n === 0 ? null : stable.mean)} on stable`;
  if (hasNoControl(view, stable.n) || sign * (stable.mean - threshold) <= 0)
    return { trigger, shared: false, reason: `${numbers}, ${limit}` };
  return isBeyond(stable) ? { trigger, shared: true, reason: `${numbers}: both are ${limit}, so the change is not the cause` } : null;
}

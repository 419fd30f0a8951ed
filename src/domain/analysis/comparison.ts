/** The arms of an A/B test in the same stretches of time. Pure; the state is part of the judge's checkpoint. */
import type { Instant } from '../../base/time.ts';
import type { AnalysisPolicy } from '../settings/policy.ts';
import { addArmBlocks, newAbTest, noArmBlock, type AbTestSettings, type AbTestState, type ArmBlock } from './ab-test.ts';
import { isBlockDue, type Thresholds } from './block.ts';
import { designEffects, noClusters, type Clusters } from './clusters.ts';
import { countOf, countsAbove, meanOf, squaresOf } from './histogram.ts';
import { isQuantile, quantileMetrics } from './metric.ts';
import { addSamples, noSample, type ArmSample } from './sample.ts';

export interface Comparison {
  readonly startedAt: Instant;
  readonly test: AbTestState;
  readonly open: OpenComparison;
  /** By arm, against the control group. */
  readonly clusters: readonly Clusters[];
  /** Closed so far. */
  readonly blocks: number;
}

/** A block that is not closed yet; arms in the order of the plan. */
interface OpenComparison {
  readonly from: Instant;
  readonly thresholds: Thresholds;
  readonly arms: readonly ArmSample[];
  readonly stable: ArmSample;
}

export type ArmsArrival = Omit<OpenComparison, 'from'>;

type Rules = Pick<AnalysisPolicy, 'blockMs' | 'warmUpMs' | 'clustered'>;

export function newComparison(settings: Pick<AbTestSettings, 'arms'>, now: Instant): Comparison {
  return {
    startedAt: now,
    test: newAbTest(settings),
    open: emptyBlock(settings.arms.length, {}, now),
    clusters: settings.arms.map(() => noClusters),
    blocks: 0,
  };
}

function emptyBlock(count: number, thresholds: Thresholds, from: Instant): OpenComparison {
  return { from, thresholds, arms: Array.from({ length: count }, () => noSample), stable: noSample };
}

/** After a restart: what was open was made under shares that may be others by now. */
export function withoutOpen(before: Comparison, now: Instant): Comparison {
  return { ...before, open: emptyBlock(before.open.arms.length, before.open.thresholds, now) };
}

/** Takes in what arrived, and closes the block when it is due: by time and counts only, never by outcomes. */
export function observeArms(
  before: Comparison,
  arrival: ArmsArrival,
  settings: Pick<AbTestSettings, 'metric'>,
  rules: Rules,
  now: Instant,
): Comparison {
  const isEmpty = before.open.arms.every((arm) => arm === noSample);
  const open: OpenComparison = {
    from: before.open.from,
    // Chosen without a look at what is compared by them.
    thresholds: isEmpty ? arrival.thresholds : before.open.thresholds,
    arms: before.open.arms.map((arm, index) => addSamples(arm, arrival.arms[index] ?? noSample)),
    stable: addSamples(before.open.stable, arrival.stable),
  };
  return isBlockDue(open.arms, open.from, rules.blockMs, now)
    ? closeComparison({ ...before, open }, settings, rules, now)
    : { ...before, open };
}

/** Also when shares change: no block spans two allocations. */
export function closeComparison(before: Comparison, settings: Pick<AbTestSettings, 'metric'>, rules: Rules, now: Instant): Comparison {
  const { open } = before;
  const next = { ...before, open: emptyBlock(open.arms.length, open.thresholds, now) };
  if (open.arms.every((arm) => arm === noSample)) return next;
  if (open.from < before.startedAt + rules.warmUpMs) return next;
  const looked = open.arms.map((arm, index) => designEffects(before.clusters[index] ?? noClusters, { canary: arm, stable: open.stable }));
  const series = isQuantile(settings.metric) ? 'latency' : settings.metric;
  const design = rules.clustered ? looked.map((one) => Math.max(1, one.design[series] ?? 1)) : null;
  const blocks = open.arms.map((arm) => armBlockOf(arm, settings.metric, open.thresholds));
  return {
    ...next,
    test: addArmBlocks(before.test, blocks, settings, design),
    clusters: rules.clustered ? looked.map(({ clusters }) => clusters) : before.clusters,
    blocks: before.blocks + 1,
  };
}

/** A quantile is compared by how many lie above stable's. */
export function armBlockOf(arm: ArmSample, metric: string, thresholds: Thresholds): ArmBlock {
  if (metric === 'error_rate') return countBlock(arm.requests, arm.errors);
  if (isQuantile(metric)) {
    const bin = thresholds[metric];
    const histogram = arm[quantileMetrics[metric].series];
    return bin === undefined ? noArmBlock : countBlock(countOf(histogram), countsAbove(histogram, [bin])[0] ?? 0);
  }
  const moments = arm.means[metric]?.moments;
  return moments === undefined ? noArmBlock : { n: moments.n, mean: meanOf(moments) ?? 0, squares: squaresOf(moments), hits: null };
}

function countBlock(n: number, hits: number): ArmBlock {
  return n === 0 ? noArmBlock : { n, mean: hits / n, squares: (hits * (n - hits)) / n, hits };
}

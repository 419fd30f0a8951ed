/** From what arrived to a verdict on one deployment. Pure; the state is a checkpoint that a restart goes on from. */
import type { Instant } from '../../base/time.ts';
import type { AnalysisPolicy } from '../settings/policy.ts';
import { closeBlock, isBlockDue, type BlockRow, type Grid, type OpenBlock, type Thresholds } from './block.ts';
import { addCounts, noCounts, type Counts } from './counts.ts';
import { designEffects, noClusters, type Clusters } from './clusters.ts';
import { addRow, gridOf, noEvidence, noSums, type MetricEvidence, type Sums } from './evidence.ts';
import { checkHealth, newHealth, type HealthState } from './health.ts';
import { newWatch, watchRow, type SeriesWatch } from './series-watch.ts';
import { addPairs, noPair, type ArmPair } from './sample.ts';

export interface JudgeState {
  readonly startedAt: Instant;
  readonly stepStartedAt: Instant;
  /** Where each step began: how many blocks were closed before it. */
  readonly steps: readonly StepMark[];
  /** By metric of a criterion. */
  readonly evidence: Readonly<Record<string, MetricEvidence>>;
  /** The sums of `evidence` as they stood when the step began. */
  readonly stepBase: Readonly<Record<string, Sums>>;
  readonly open: OpenBlock;
  /** All that the present step measured, for people and for the classical tests. */
  readonly step: ArmPair;
  /** Requests at the present weight: what the split has drawn. */
  readonly drawn: { readonly canary: number; readonly stable: number };
  /** Since the deployment began. */
  readonly total: { readonly canary: Counts; readonly stable: Counts };
  /** Closed blocks as far back as the longest window of a trigger reaches. */
  readonly recent: readonly BlockRow[];
  /** Closed since the deployment began. */
  readonly blocks: number;
  readonly clusters: Clusters;
  readonly health: HealthState;
  readonly watch: SeriesWatch;
  /** By trigger: since when it holds. */
  readonly violations: Readonly<Record<string, Instant>>;
  /** The last measurement that could not be used. */
  readonly unusable: { readonly at: Instant; readonly reason: string } | null;
}

export interface StepMark {
  readonly at: Instant;
  readonly weight: number;
  readonly blocks: number;
}

/** What the judge goes by in one deployment; made once from its policy. */
export interface Bench {
  readonly policy: AnalysisPolicy;
  readonly grid: Grid;
  readonly longestWindowMs: number;
}

const nothingDrawn = { canary: 0, stable: 0 };

export function benchOf(policy: AnalysisPolicy): Bench {
  return { policy, grid: gridOf(policy), longestWindowMs: Math.max(60_000, ...policy.triggers.map(({ windowMs }) => windowMs)) };
}

export function newJudge(now: Instant, weight: number): JudgeState {
  return {
    startedAt: now,
    stepStartedAt: now,
    steps: [{ at: now, weight, blocks: 0 }],
    evidence: {},
    stepBase: {},
    open: { from: now, weight, thresholds: {}, arms: noPair },
    step: noPair,
    drawn: nothingDrawn,
    total: { canary: noCounts, stable: noCounts },
    recent: [],
    blocks: 0,
    clusters: noClusters,
    health: newHealth(now),
    watch: newWatch,
    violations: {},
    unusable: null,
  };
}

/** What arrived, with stable's quantiles as they were before it, in case a new block begins. */
export interface Arrival {
  readonly arms: ArmPair;
  readonly thresholds: Thresholds;
}

/**
 * Takes in what has arrived, and closes the block when it is due. When a block closes depends on time and counts only, never on
 * outcomes: otherwise the evidence would not be valid.
 */
export function observe(state: JudgeState, arrival: Arrival, bench: Bench, now: Instant): Observed {
  const { arms } = arrival;
  const open = isEmpty(state.open.arms) ? { ...state.open, thresholds: arrival.thresholds } : state.open;
  const next: JudgeState = {
    ...state,
    open: { ...open, arms: addPairs(open.arms, arms) },
    step: addPairs(state.step, withoutShards(arms)),
    drawn: { canary: state.drawn.canary + arms.canary.requests, stable: state.drawn.stable + arms.stable.requests },
    total: { canary: addCounts(state.total.canary, arms.canary), stable: addCounts(state.total.stable, arms.stable) },
    health: bench.policy.health === null ? state.health : checkHealth(state.health, arms, bench.policy.health, now),
  };
  if (!blockIsDue(next.open, bench.policy.blockMs, now)) return { state: next, closed: null };
  return closeOpen(next, bench, now);
}

/** Only blocks are looked at by shards. */
function withoutShards({ canary, stable }: ArmPair): ArmPair {
  return { canary: { ...canary, shards: {} }, stable: { ...stable, shards: {} } };
}

export interface Observed {
  readonly state: JudgeState;
  /** The block that was closed, to be kept as evidence. */
  readonly closed: BlockRow | null;
}

function isEmpty({ canary, stable }: ArmPair): boolean {
  return canary.requests === 0 && stable.requests === 0;
}

function blockIsDue({ arms, from }: OpenBlock, blockMs: number, now: Instant): boolean {
  return isBlockDue([arms.canary, arms.stable], from, blockMs, now);
}

/** An empty block is dropped; one with a single arm compares nothing, but triggers see it. */
function closeOpen(state: JudgeState, bench: Bench, now: Instant): Observed {
  const { open } = state;
  const next = { ...open, from: now, arms: noPair };
  const hasScores = Object.keys({ ...open.arms.canary.means, ...open.arms.stable.means }).length > 0;
  if (isEmpty(open.arms) && !hasScores) return { state: { ...state, open: next }, closed: null };
  const clusters = bench.policy.clustered ? designEffects(state.clusters, open.arms) : { clusters: noClusters, design: {} };
  const row = closeBlock(open, bench.grid, Math.max(now, open.from), clusters.design);
  return { state: addClosed({ ...state, open: next, clusters: clusters.clusters }, row, bench), closed: row };
}

/** A closed block's part of the evidence. Also how a record is replayed. */
export function addClosed(state: JudgeState, row: BlockRow, { policy, grid, longestWindowMs }: Bench): JudgeState {
  const isWarm = row.from >= state.startedAt + policy.warmUpMs;
  const evidence = { ...state.evidence };
  if (isWarm)
    for (const criterion of policy.criteria)
      evidence[criterion.metric] = addRow(evidence[criterion.metric] ?? noEvidence, row, criterion, policy, grid);
  return {
    ...state,
    evidence,
    recent: [...state.recent.filter(({ at }) => at > row.at - longestWindowMs), row],
    blocks: state.blocks + 1,
    watch: policy.anomaly === null ? state.watch : watchRow(state.watch, row, policy.anomaly),
  };
}

/** The same step at another weight: its samples stay, but no block spans two weights. */
export function reweigh(state: JudgeState, bench: Bench, weight: number, now: Instant): Observed {
  const { state: closed, closed: row } = closeOpen(state, bench, now);
  return { state: { ...closed, drawn: nothingDrawn, open: { ...closed.open, from: now, weight } }, closed: row };
}

export function beginStep(state: JudgeState, bench: Bench, weight: number, now: Instant): Observed {
  const { state: closed, closed: row } = closeOpen(state, bench, now);
  return { state: startStep(closed, weight, now), closed: row };
}

export function startStep(state: JudgeState, weight: number, now: Instant): JudgeState {
  const stepBase = Object.fromEntries(Object.entries(state.evidence).map(([metric, { sums }]) => [metric, sums]));
  const steps = [...state.steps, { at: now, weight, blocks: state.blocks }];
  return { ...state, steps, stepBase, stepStartedAt: now, step: noPair, drawn: nothingDrawn, open: { ...state.open, from: now, weight } };
}

/** Of the present step alone; nothing before its first block. */
export function stepBaseOf(state: JudgeState, metric: string): Sums {
  return state.stepBase[metric] ?? noSums;
}

/** A measurement came that can't be used. */
export function markUnusable(state: JudgeState, reason: string, now: Instant): JudgeState {
  return { ...state, unusable: { at: now, reason } };
}

/** The blocks that triggers look at: the closed ones and the open one as it is now. */
export function rowsOf(state: JudgeState, { grid }: Bench, now: Instant): readonly BlockRow[] {
  return isEmpty(state.open.arms) ? state.recent : [...state.recent, closeBlock(state.open, grid, Math.max(now, state.open.from), {})];
}

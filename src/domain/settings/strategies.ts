/** What the strategies other than canary are written as, and what they mean. */
import type { Problem } from '../../base/problem.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import type { WrittenSettings, WrittenSettingsCanary } from '../../generated/types.ts';

export const strategies = ['canary', 'blue-green', 'rolling', 'shadow', 'immediate', 'auto'] as const;
export type StrategyName = (typeof strategies)[number];
/** What is left when the planner has chosen. */
export type Strategy = Exclude<StrategyName, 'auto'>;

export interface BlueGreen {
  /** Copies of live requests that green is validated with, in percent. */
  readonly mirror: number;
  readonly validationMs: number;
  readonly maxCostUsd: number | null;
  /** From blue to green; 0: at once. */
  readonly shiftMs: number;
  /** Goes over by itself when green is validated. */
  readonly isAutomatic: boolean;
}

export interface Rolling {
  /** Percent of the gateways that each batch adds. */
  readonly batch: number;
  readonly holdMs: number;
  /** Gateways that may be away while it goes on. */
  readonly maxUnavailable: number;
}

export interface Shadow {
  readonly mirror: number;
  readonly durationMs: number;
  readonly maxCostUsd: number | null;
  /** What follows when it has passed. */
  readonly next: 'promote' | 'canary' | 'pause';
}

export interface StrategySettings {
  readonly blueGreen: BlueGreen;
  readonly rolling: Rolling;
  readonly shadow: Shadow;
  /** How long a promoted revision is watched, and the one before it kept ready. */
  readonly watchMs: number;
}

const dayMs = 24 * 3_600_000;

type Written = Pick<WrittenSettings, 'blue_green' | 'rolling' | 'shadow' | 'stabilization_minutes'>;

/** `strategy`: blue is only kept where there is one. */
export function resolveStrategies(written: Written, strategy: Strategy): StrategySettings {
  const { blue_green: blueGreen = {}, rolling = {}, shadow = {} } = written;
  const kept = strategy === 'blue-green' ? blueGreen.keep_blue_duration : undefined;
  const watch = kept ?? written.stabilization_minutes;
  return {
    blueGreen: meanBlueGreen(blueGreen),
    rolling: meanRolling({ ...defaults.rolling, ...rolling }),
    shadow: meanShadow({ ...defaults.shadow, ...shadow }),
    watchMs: watch === undefined ? dayMs : writtenMinutesToMs(watch),
  };
}

const defaults = {
  blueGreen: { validation_percentage: 10, max_validation_cost_usd: 10 },
  cutover: { validation_duration_minutes: 30, traffic_shift_duration_seconds: 0, automatic: false },
  rolling: { batch_percentage: 25, batch_duration_minutes: 15, max_unavailable: 1 },
  shadow: { percentage: 10, duration_minutes: 30, max_cost_usd: 10, next: 'promote' },
} as const;

function meanBlueGreen(written: NonNullable<Written['blue_green']>): BlueGreen {
  const { validation_percentage: percent, max_validation_cost_usd: maxCostUsd } = { ...defaults.blueGreen, ...written };
  const cutover = { ...defaults.cutover, ...written.cutover };
  return {
    mirror: percent,
    validationMs: writtenMinutesToMs(cutover.validation_duration_minutes),
    maxCostUsd,
    shiftMs: cutover.traffic_shift_duration_seconds * 1000,
    isAutomatic: cutover.automatic,
  };
}

function meanRolling(written: Required<NonNullable<Written['rolling']>>): Rolling {
  const { batch_percentage: batch, batch_duration_minutes: duration, max_unavailable: maxUnavailable } = written;
  return { batch, holdMs: writtenMinutesToMs(duration), maxUnavailable };
}

function meanShadow({
  percentage: mirror,
  duration_minutes: duration,
  max_cost_usd: maxCostUsd,
  next,
}: Required<NonNullable<Written['shadow']>>): Shadow {
  return { mirror, durationMs: writtenMinutesToMs(duration), maxCostUsd, next };
}

/** How the canary's weights rise where no steps are written (guide 3.3). */
export type WrittenRolloutStrategy = NonNullable<WrittenSettingsCanary['rollout_strategy']>;

/**
 * Weights after `initial` up to 100. Linear: equal distances over `count` steps. Exponential: each step `base` times the one before.
 * Custom: those that are written.
 */
export function risingWeights(strategy: WrittenRolloutStrategy, initial: number, count: number): readonly number[] {
  if (strategy.type === 'custom') return strategy.steps ?? [];
  if (strategy.type === 'linear') {
    const steps = Math.max(2, count);
    return Array.from({ length: steps }, (_, index) => round(initial + ((100 - initial) * index) / (steps - 1)));
  }
  const weights: number[] = [];
  for (let weight = initial; weight < 100 && weights.length < 49; weight *= strategy.base ?? 2) weights.push(round(weight));
  return [...weights, 100];
}

function round(weight: number): number {
  return Math.round(weight * 100) / 100;
}

export function rolloutStrategyProblems(strategy: WrittenRolloutStrategy, hasSteps: boolean): readonly Problem[] {
  const found: string[] = [];
  if (hasSteps) found.push('Write either steps or rollout_strategy in one file, not both.');
  if (strategy.base !== undefined && strategy.type !== 'exponential') found.push('base needs type: exponential.');
  if (strategy.steps !== undefined && strategy.type !== 'custom') found.push('rollout_strategy.steps needs type: custom.');
  if (strategy.type === 'custom' && strategy.steps === undefined) found.push('type: custom needs steps, a list of percentages.');
  return found.map((message) => ({ code: 'plan', path: '/canary/rollout_strategy', message }));
}

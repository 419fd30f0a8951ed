/** What a strategy becomes: a frozen list of steps with the criteria that judge them. */
import { sha256Hex } from '../../base/hash.ts';
import { canonicalJson } from '../../base/json.ts';
import type { Criteria, RolloutSettings, Split, Step } from '../settings/resolve.ts';

export interface Plan {
  /** `first`: nothing to compare with. `fast-path`: back to what was promoted not long ago. */
  readonly kind: 'canary' | 'immediate' | 'first' | 'fast-path';
  /** Empty unless `kind` is canary. */
  readonly steps: readonly Step[];
  readonly maxTotalMs: number;
  readonly criteria: Criteria;
  readonly autoRollback: boolean;
  readonly split: Split;
  readonly blockMs: number;
  /** Names the settings that were frozen. */
  readonly settingsDigest: string;
}

/** The plan for a revision of a service that already serves something. */
export function planRollout(settings: RolloutSettings): Plan {
  return {
    kind: settings.strategy,
    steps: settings.strategy === 'canary' ? settings.steps.map((step) => besideControlGroup(step, settings.controlGroup)) : [],
    maxTotalMs: settings.maxTotalMs,
    criteria: settings.criteria,
    autoRollback: settings.autoRollback,
    split: settings.split,
    blockMs: settings.blockMs,
    settingsDigest: `sha256:${sha256Hex(canonicalJson(settings))}`,
  };
}

/** The control group stays on stable up to the promotion, so that there is something to compare with at every step. */
function besideControlGroup(step: Step, controlGroup: number): Step {
  return { ...step, weight: Math.min(step.weight, 100 - controlGroup) };
}

/** The same plan without steps, for revisions that no canary can be run for. */
export function withoutSteps(plan: Plan, kind: 'first' | 'fast-path'): Plan {
  return { ...plan, kind, steps: [] };
}

/** Least time from the first step to promotion, in milliseconds. */
export function shortestDurationMs(plan: Plan): number {
  return plan.steps.reduce((sum, step) => sum + step.holdMs, 0);
}

/**
 * Time that a step needs at `requestsPerSecond` of the whole service until the canary has its samples; null where the traffic is
 * unknown or none.
 */
export function stepDurationMs(step: Step, minSampleSize: number, requestsPerSecond: number | null): number | null {
  if (requestsPerSecond === null || requestsPerSecond <= 0) return null;
  const sampling = (minSampleSize / (requestsPerSecond * (step.weight / 100))) * 1000;
  return Math.max(step.holdMs, Math.ceil(sampling));
}

/** What a strategy becomes: a frozen list of steps with the criteria that judge them. */
import { sha256Hex } from '../../base/hash.ts';
import { canonicalJson } from '../../base/json.ts';
import type { AnalysisPolicy } from '../settings/policy.ts';
import type { RolloutSettings, Split, Step } from '../settings/resolve.ts';

export interface Plan {
  /** `first`: nothing to compare with. `fast-path`: back to what was promoted not long ago. */
  readonly kind: 'canary' | 'immediate' | 'first' | 'fast-path';
  /** Empty unless `kind` is canary. */
  readonly steps: readonly Step[];
  readonly maxTotalMs: number;
  readonly policy: AnalysisPolicy;
  readonly autoRollback: boolean;
  readonly split: Split;
  /** Names the settings that were frozen. */
  readonly settingsDigest: string;
}

/** The plan for a revision of a service that already serves something. */
export function planRollout(settings: RolloutSettings): Plan {
  return {
    kind: settings.strategy,
    steps: settings.strategy === 'canary' ? settings.steps.map((step) => besideControlGroup(step, settings.controlGroup)) : [],
    maxTotalMs: settings.maxTotalMs,
    policy: settings.policy,
    autoRollback: settings.autoRollback,
    split: settings.split,
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

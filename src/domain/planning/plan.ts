/** What a strategy becomes: a frozen list of steps with the criteria that judge them, and what must be there before and after. */
import { sha256Hex } from '../../base/hash.ts';
import { canonicalJson } from '../../base/json.ts';
import type { Gates } from '../safety/gates.ts';
import type { AnalysisPolicy } from '../settings/policy.ts';
import type { RecoveryPolicy } from '../settings/recovery.ts';
import type { RolloutSettings, Split } from '../settings/resolve.ts';
import type { Strategy } from '../settings/strategies.ts';
import type { AbTestPlan } from './ab-test-plan.ts';
import type { Choice } from './classify.ts';
import { analyse, batch, mirror, pause, shift, type Step } from './step.ts';

export interface Plan {
  /** `first`: nothing to compare with. `fast-path`: back to what was promoted not long ago. */
  readonly kind: Strategy | 'ab-test' | 'first' | 'fast-path';
  /** Why the planner chose the strategy; null: a person did. */
  readonly choice: Choice | null;
  /** Empty: promoted at once. */
  readonly steps: readonly Step[];
  readonly maxTotalMs: number;
  readonly policy: AnalysisPolicy;
  readonly autoRollback: boolean;
  readonly split: Split;
  readonly gates: Gates;
  readonly recovery: RecoveryPolicy;
  /** How long it is watched after its promotion. */
  readonly watchMs: number;
  /** Gateways that may be away while it goes over the fleet; null: it does not. */
  readonly maxUnavailable: number | null;
  /** Null: it has one configuration to try, not several. */
  readonly abTest: AbTestPlan | null;
  /** Names the settings that were frozen. */
  readonly settingsDigest: string;
}

/** The plan for a revision of a service that already serves something. */
export function planRollout(settings: RolloutSettings): Plan {
  const { strategy, strategies } = settings;
  return {
    kind: strategy,
    choice: settings.choice,
    steps: [...dryRunOf(settings), ...stepsOf(settings)],
    maxTotalMs: settings.maxTotalMs + besides(settings),
    policy: settings.policy,
    autoRollback: settings.autoRollback,
    split: settings.split,
    gates: settings.gates,
    recovery: settings.recovery,
    watchMs: strategies.watchMs,
    maxUnavailable: strategy === 'rolling' ? strategies.rolling.maxUnavailable : null,
    abTest: null,
    settingsDigest: `sha256:${sha256Hex(canonicalJson(settings))}`,
  };
}

function stepsOf(settings: RolloutSettings): readonly Step[] {
  const { strategies: of } = settings;
  switch (settings.strategy) {
    case 'immediate':
      return [];
    case 'canary':
      return canarySteps(settings);
    case 'blue-green': {
      const { mirror: percent, validationMs, maxCostUsd, isAutomatic, shiftMs } = of.blueGreen;
      return [mirror(percent, validationMs, maxCostUsd), ...(isAutomatic ? [] : [pause(0)]), ...shift(0, shiftMs)];
    }
    case 'rolling':
      return batches(of.rolling.batch, of.rolling.holdMs);
    case 'shadow': {
      const { mirror: percent, durationMs, maxCostUsd, next } = of.shadow;
      const after = next === 'canary' ? canarySteps(settings) : next === 'pause' ? [pause(0)] : [];
      return [mirror(percent, durationMs, maxCostUsd), ...after];
    }
  }
}

/** The control group stays on stable up to the promotion, so that there is something to compare with at every step. */
function canarySteps({ steps, controlGroup }: RolloutSettings): readonly Step[] {
  return steps.map(({ weight, holdMs }) => analyse(Math.min(weight, 100 - controlGroup), holdMs));
}

function batches(size: number, holdMs: number): readonly Step[] {
  const count = Math.ceil(100 / size);
  return Array.from({ length: count }, (_, index) => batch(Math.min(100, size * (index + 1)), holdMs));
}

/** Before the first user sees it. Where the strategy begins with copies anyway, they are the dry run. */
function dryRunOf({ gates, strategy }: RolloutSettings): readonly Step[] {
  const { dryRun } = gates;
  if (dryRun === null || strategy === 'shadow' || strategy === 'blue-green') return [];
  return [mirror(dryRun.percent, dryRun.durationMs, null)];
}

/** Time that copies take, beside `max_total_duration_minutes`, which is about the steps of a canary. */
function besides({ gates, strategy, strategies: of }: RolloutSettings): number {
  if (strategy === 'shadow') return of.shadow.durationMs;
  if (strategy === 'blue-green') return of.blueGreen.validationMs + of.blueGreen.shiftMs;
  return strategy === 'rolling' ? Math.ceil(100 / of.rolling.batch) * of.rolling.holdMs : (gates.dryRun?.durationMs ?? 0);
}

/** The same plan without steps, for revisions that no canary can be run for. */
export function withoutSteps(plan: Plan, kind: 'first' | 'fast-path'): Plan {
  return { ...plan, kind, steps: [], abTest: null };
}

/** Least time from the first step to promotion, in milliseconds. */
export function shortestDurationMs(plan: Plan): number {
  return plan.steps.reduce((sum, step) => sum + step.holdMs, 0);
}

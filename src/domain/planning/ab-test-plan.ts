/** An A/B test of several variants (guide 8.5) as a plan: one step in which its arms share the traffic, beside a control group on stable. */
import type { LlmConfig } from '../../generated/types.ts';
import { durationOf } from '../config/arms.ts';
import type { AbTestSettings } from '../analysis/ab-test.ts';
import type { RolloutSettings } from '../settings/resolve.ts';
import { planRollout, type Plan } from './plan.ts';
import { compare } from './step.ts';

/** What one arm serves. */
export interface PlannedArm {
  readonly name: string;
  readonly digest: string;
}

/** Frozen into the deployment, as all of its plan. */
export interface AbTestPlan {
  readonly arms: readonly PlannedArm[];
  readonly settings: AbTestSettings;
  /** Promotes the winner by itself. */
  readonly isAutomatic: boolean;
  /** Shares are changed no more often than this. */
  readonly reallocateMs: number;
}

const defaultMinSampleSize = 1000;
const defaultSignificance = 0.05;
const defaultHours = 48;
/** Percent on stable, where settings name no control group: each arm is judged against it all the time. */
const defaultControlGroup = 5;
/** Each new allocation is a commit of the record: at the most so many in a test, and one a minute (of short tests ten). */
const mostAllocations = 200;
const leastBetweenMs = 60_000;
const ofShortTests = 10;

export function planAbTest(
  settings: RolloutSettings,
  written: NonNullable<LlmConfig['ab_test']>,
  arms: readonly (PlannedArm & { readonly share: number })[],
): Plan {
  const plan = planRollout({ ...settings, strategy: 'canary', choice: null });
  const maxDurationMs = durationOf(written.max_duration_hours ?? defaultHours);
  const control = settings.controlGroup > 0 ? settings.controlGroup : defaultControlGroup;
  const dryRun = plan.steps.filter(({ kind }) => kind === 'mirror');
  return {
    ...plan,
    kind: 'ab-test',
    steps: [...dryRun, compare(written.traffic_percentage ?? 100 - control, maxDurationMs)],
    maxTotalMs: plan.maxTotalMs + maxDurationMs,
    // Each arm is judged for itself, and together they must not fail more often by chance than one would.
    policy: { ...plan.policy, alpha: plan.policy.alpha / arms.length },
    abTest: {
      arms: arms.map(({ name, digest }) => ({ name, digest })),
      settings: {
        arms: arms.map(({ name }) => name),
        metric: written.metric,
        minSampleSize: written.min_sample_size ?? defaultMinSampleSize,
        significanceLevel: written.significance_level ?? defaultSignificance,
        allocation: written.strategy ?? 'fixed',
        weights: arms.map(({ share }) => share),
      },
      isAutomatic: written.auto_promote ?? true,
      reallocateMs: Math.max(Math.min(leastBetweenMs, maxDurationMs / ofShortTests), maxDurationMs / mostAllocations),
    },
  };
}

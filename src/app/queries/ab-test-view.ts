/** What an A/B test has found so far, or found. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { toIso, type Instant } from '../../base/time.ts';
import type { AbTestVerdict } from '../../domain/analysis/ab-test.ts';
import type { AbTestPlan } from '../../domain/planning/ab-test-plan.ts';
import { canaryWeight } from '../../domain/rollout/shares.ts';
import { currentStep, type Deployment, type ServiceState } from '../../domain/rollout/state.ts';
import { comparisonOf } from '../commands/ab-tests.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { VariantTraffic } from '../judging/traffic.ts';

export interface AbTestView {
  readonly test_id: string;
  readonly service: string;
  readonly phase: string;
  readonly verdict: AbTestVerdict['verdict'] | 'not-started';
  readonly reason: string;
  /** The arm that is proven to be the best; null: none is. */
  readonly winner: string | null;
  /** The arm that is in force now, or about to be; null: none. */
  readonly promoted: string | null;
  readonly metric: string;
  /** Null once the test has ended. */
  readonly rules: {
    readonly strategy: string;
    readonly min_sample_size: number;
    readonly significance_level: number;
    readonly auto_promote: boolean;
    readonly started_at: string | null;
    readonly ends_at: string | null;
  } | null;
  readonly arms: readonly ArmView[];
  /** Stable, beside which the arms are tried; null once the test has ended. */
  readonly control: (VariantTraffic & { readonly percentage: number }) | null;
}

export interface ArmView {
  readonly name: string;
  /** Null once the test has ended. */
  readonly digest: string | null;
  /** Of the service's traffic. */
  readonly percentage: number | null;
  /** Values of the metric, their mean (of a quantile: the share that took longer than stable's), and the anytime-valid p-value of "not the best". */
  readonly samples: number;
  readonly mean: number | null;
  readonly p_value: number | null;
  /** Of the last five minutes; null once the test has ended. */
  readonly traffic: VariantTraffic | null;
}

export function viewAbTest(controlPlane: ControlPlane, id: string, now: Instant): Result<AbTestView, readonly Problem[]> {
  for (const state of controlPlane.engine.states()) {
    const { active, last } = state;
    if (active?.id === id && active.plan.abTest !== null) return ok(viewRunning(controlPlane, state, active, active.plan.abTest, now));
    if (last?.id === id && last.comparison !== null) return ok(viewEnded(state, last, last.comparison));
    if (last?.id === id) return refuse([{ code: 'not-found', message: `${id} has compared nothing: ${last.phase}, ${last.reason}.` }]);
  }
  const message = `${id} is no A/B test that is under way, or was the last of its service and came to a comparison; what ended before is on the branch actuator/status.`;
  return refuse([{ code: 'not-found', message }]);
}

function viewRunning(controlPlane: ControlPlane, state: ServiceState, active: Deployment, test: AbTestPlan, now: Instant): AbTestView {
  const verdict = comparisonOf(active, controlPlane.judging.comparison(state.service));
  const traffic = controlPlane.judging.traffic(state.service);
  const weight = canaryWeight(state);
  return {
    test_id: active.id,
    service: state.service,
    phase: active.phase.name,
    verdict: verdict?.verdict ?? 'not-started',
    reason: active.phase.name === 'paused' ? active.phase.message : (verdict?.reason ?? 'nothing is compared yet'),
    winner: verdict?.winner ?? null,
    promoted: active.revision.arm ?? null,
    metric: test.settings.metric,
    rules: rulesOf(active, test),
    arms: test.arms.map(({ name, digest }, index) => {
      const found = verdict?.arms.find((arm) => arm.name === name);
      return {
        name,
        digest,
        percentage: weight * (active.shares?.[index] ?? 0),
        samples: found?.samples ?? 0,
        mean: found?.mean ?? null,
        p_value: found?.p_value ?? null,
        traffic: traffic.variant('canary', [digest], now),
      };
    }),
    control: { percentage: 100 - weight, ...traffic.variant('stable', state.stable === null ? [] : [state.stable.digest], now) },
  };
}

function rulesOf(active: Deployment, { settings, isAutomatic }: AbTestPlan): AbTestView['rules'] {
  const { phase } = active;
  const isTimed = phase.name === 'progressing' && currentStep(active)?.kind === 'compare';
  const startedAt = isTimed ? phase.stepStartedAt : null;
  const lasts = (currentStep(active)?.holdMs ?? 0) + (isTimed ? phase.extraHoldMs : 0);
  return {
    strategy: settings.allocation,
    min_sample_size: settings.minSampleSize,
    significance_level: settings.significanceLevel,
    auto_promote: isAutomatic,
    started_at: startedAt === null ? null : toIso(startedAt),
    ends_at: startedAt === null ? null : toIso(startedAt + lasts),
  };
}

function viewEnded({ service, stable }: ServiceState, last: NonNullable<ServiceState['last']>, comparison: AbTestVerdict): AbTestView {
  const isInForce = last.phase === 'completed' && stable?.digest === last.revision.digest;
  return {
    test_id: last.id,
    service,
    phase: last.phase,
    verdict: comparison.verdict,
    reason: last.reason,
    winner: comparison.winner,
    promoted: isInForce ? (last.revision.arm ?? null) : null,
    metric: comparison.metric,
    rules: null,
    arms: comparison.arms.map((arm) => ({ ...arm, digest: null, percentage: null, traffic: null })),
    control: null,
  };
}

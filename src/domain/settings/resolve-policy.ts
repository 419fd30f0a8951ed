/** success_criteria, statistical_validation, auto_rollback and monitoring, from what is written to what is meant. */
import type { Problem } from '../../base/problem.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import type {
  WrittenSettingsAutoRollback,
  WrittenSettingsCanary,
  WrittenSettingsMonitoring,
  WrittenSettingsSuccessCriteria,
} from '../../generated/types.ts';
import { isUsableName } from '../analysis/metric.ts';
import type { AnalysisPolicy, Criterion } from './policy.ts';
import { resolveTriggers, triggerProblems } from './resolve-triggers.ts';

/** Where nothing is written: the guide's values (3.6). */
export const defaultCriteria = {
  max_error_rate_increase: 0.02,
  max_latency_p50_increase: 0.1,
  max_latency_p95_increase: 0.15,
  max_latency_p99_increase: 0.2,
  max_cost_increase: 0.1,
  max_quality_degradation: 0.05,
  confidence_level: 0.95,
  min_sample_size: 1000,
  require_statistical_significance: false,
  p_value_threshold: 0.05,
} as const;

const defaultTests = {
  alpha: 0.05,
  correction: 'bonferroni',
  min_effect_size: 0,
  bootstrap_iterations: 10_000,
  bootstrap_confidence_level: 0.95,
} as const;

const defaultLowTraffic = { policy: 'extend', max_percentage: 25 } as const;
const defaultHealth = { consecutive_failures: 3, health_check_interval_seconds: 30 } as const;
const defaultWindowMinutes = 5;
const defaultWarningPauseMinutes = 15;
const defaultBaselineMinutes = 60;

/** Metrics that share alpha at the least, so that one more criterion does not make the others stricter. */
const leastFamily = 7;

/** Limits that a configuration sets itself (`performance`, `quality_controls`); null: none. */
export interface Targets {
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly quality: number | null;
}

export function resolvePolicy(canary: WrittenSettingsCanary, clustered: boolean, blockMs: number): AnalysisPolicy {
  const { monitoring = {}, auto_rollback: rollback = {} } = canary;
  const asked = canary.success_criteria ?? {};
  const written = { ...defaultCriteria, ...asked };
  const tests = { ...defaultTests, ...canary.statistical_validation };
  const low = { ...defaultLowTraffic, ...canary.low_traffic };
  const criteria = criteriaOf(asked, monitoring);
  return {
    criteria,
    minSampleSize: written.min_sample_size,
    confidence: written.confidence_level,
    gatePValue: written.require_statistical_significance ? written.p_value_threshold : null,
    alpha: tests.alpha,
    correction: tests.correction,
    family: Math.max(leastFamily, criteria.length),
    testMethod: canary.statistical_validation?.test_method ?? 'combined',
    minEffectSize: tests.min_effect_size,
    bootstrap: {
      isAsked: isResamplingAsked(canary.statistical_validation ?? {}),
      iterations: tests.bootstrap_iterations,
      confidence: tests.bootstrap_confidence_level,
    },
    triggers: resolveTriggers(rollback, windowOf(asked, monitoring)),
    health: healthOf(rollback),
    violationMs: writtenMinutesToMs(rollback.violation_duration_minutes ?? 0),
    warning: warningOf(rollback),
    lowTraffic: { policy: low.policy, maxWeight: low.max_percentage },
    deadline: canary.deadline_action ?? 'pause',
    ...watchingOf(monitoring),
    clustered,
    blockMs,
  };
}

/** By the method, or by one of the keys that only resampling has. */
function isResamplingAsked(written: NonNullable<WrittenSettingsCanary['statistical_validation']>): boolean {
  const { test_method: method, bootstrap_iterations: iterations, bootstrap_confidence_level: level } = written;
  return method === 'bootstrap' || iterations !== undefined || level !== undefined;
}

function warningOf(rollback: WrittenSettingsAutoRollback): AnalysisPolicy['warning'] {
  return {
    action: rollback.warning_action ?? 'pause',
    pauseMs: writtenMinutesToMs(rollback.warning_pause_duration_minutes ?? defaultWarningPauseMinutes),
    requiresApproval: rollback.require_manual_approval_after_warning ?? false,
  };
}

function watchingOf(written: WrittenSettingsMonitoring): Pick<AnalysisPolicy, 'anomaly' | 'warmUpMs' | 'watchedMs'> {
  return {
    anomaly: written.enable_anomaly_detection === true ? (written.anomaly_sensitivity ?? 'medium') : null,
    warmUpMs: writtenMinutesToMs(written.warm_up_minutes ?? 0),
    watchedMs: writtenMinutesToMs(written.baseline_window_minutes ?? defaultBaselineMinutes),
  };
}

function windowOf(written: WrittenSettingsSuccessCriteria, monitoring: WrittenSettingsMonitoring): number {
  return writtenMinutesToMs(written.comparison_window_minutes ?? monitoring.comparison_window_minutes ?? defaultWindowMinutes);
}

function criteriaOf(written: WrittenSettingsSuccessCriteria, monitoring: WrittenSettingsMonitoring): readonly Criterion[] {
  const { metrics } = monitoring;
  const required = new Set((written.required_metrics ?? []).filter(isUsableName));
  const isLookedAt = ({ metric }: Criterion): boolean =>
    metrics === undefined || metric === 'error_rate' || metrics.includes(metric) || required.has(metric);
  const all = [...builtIn(written).filter(isLookedAt), ...customOf(written)];
  const missing = [...required].filter((metric) => !all.some((criterion) => criterion.metric === metric));
  return [...all, ...missing.map((metric) => bare(metric))].map((criterion) => ({
    ...criterion,
    required: required.has(criterion.metric),
  }));
}

function bare(metric: string, change: Partial<Criterion> = {}): Criterion {
  return { metric, margin: null, max: null, min: null, required: false, ...change };
}

function builtIn(criteria: WrittenSettingsSuccessCriteria): readonly Criterion[] {
  const short = criteria.max_latency_increase;
  const latency =
    short === undefined ? {} : { max_latency_p50_increase: short, max_latency_p95_increase: short, max_latency_p99_increase: short };
  const written = { ...defaultCriteria, ...latency, ...criteria };
  const quality = { margin: written.max_quality_degradation, min: written.min_quality_score ?? null };
  return [
    bare('error_rate', { margin: written.max_error_rate_increase, max: written.absolute_max_error_rate ?? null }),
    bare('latency_p50', { margin: written.max_latency_p50_increase }),
    bare('latency_p95', { margin: written.max_latency_p95_increase, max: written.absolute_max_latency_p95 ?? null }),
    bare('latency_p99', { margin: written.max_latency_p99_increase, max: written.absolute_max_latency_p99 ?? null }),
    bare('cost_per_request', { margin: written.max_cost_increase }),
    bare('quality_score', quality),
    bare('judged_quality', quality),
    ...optional('first_token_p95', written.max_first_token_p95_increase),
    ...optional('tokens_per_request', written.max_tokens_increase),
  ];
}

function optional(metric: string, margin: number | undefined): readonly Criterion[] {
  return margin === undefined ? [] : [bare(metric, { margin })];
}

function customOf(written: WrittenSettingsSuccessCriteria): readonly Criterion[] {
  return (written.custom_metrics ?? []).map(({ name, min_value: min, max_value: max, max_decrease: decrease }) =>
    bare(name, { margin: decrease ?? null, min: min ?? null, max: max ?? null }),
  );
}

function healthOf({ critical_triggers: triggers }: WrittenSettingsAutoRollback): AnalysisPolicy['health'] {
  const { consecutive_failures: failures, health_check_interval_seconds: seconds } = { ...defaultHealth, ...triggers?.service_health };
  return { failures, intervalMs: seconds * 1000 };
}

/** Limits that the configuration names for itself hold beside those of settings; the stricter one counts. */
export function withTargets(policy: AnalysisPolicy, { p95Ms, p99Ms, quality }: Targets): AnalysisPolicy {
  const lower = (max: number | null, target: number | null): number | null => (target === null ? max : Math.min(max ?? Infinity, target));
  const limit = (criterion: Criterion): Criterion => {
    switch (criterion.metric) {
      case 'latency_p95':
        return { ...criterion, max: lower(criterion.max, p95Ms) };
      case 'latency_p99':
        return { ...criterion, max: lower(criterion.max, p99Ms) };
      case 'quality_score':
      case 'judged_quality':
        return quality === null ? criterion : { ...criterion, min: Math.max(criterion.min ?? 0, quality) };
      default:
        return criterion;
    }
  };
  return { ...policy, criteria: policy.criteria.map(limit) };
}

/** Keys that contradict each other, or that would have no effect. */
export function policyProblems(canary: WrittenSettingsCanary): readonly Problem[] {
  const { success_criteria: criteria = {}, monitoring = {}, auto_rollback: rollback = {} } = canary;
  const found = [...idleKeys(canary)];
  found.push(...triggerProblems(rollback, windowOf(criteria, monitoring)).map((message) => ['auto_rollback', message] as const));
  const repeated = repeatedMetric(criteria);
  if (repeated !== undefined)
    found.push([
      'success_criteria/custom_metrics',
      `custom_metrics name "${repeated}" twice, or it is taken; give each metric one entry, and another name.`,
    ]);
  return found.map(([path, message]): Problem => ({ code: 'plan', path: `/canary/${path}`, message }));
}

/** Keys that another one must turn on. */
function idleKeys(canary: WrittenSettingsCanary): readonly (readonly [string, string])[] {
  const { success_criteria: criteria = {}, monitoring = {}, low_traffic: low = {} } = canary;
  const rules: readonly (readonly [unknown, boolean, string, string])[] = [
    [
      criteria.p_value_threshold,
      criteria.require_statistical_significance === true,
      'success_criteria/p_value_threshold',
      'p_value_threshold needs require_statistical_significance: true; without it no gate looks at it.',
    ],
    [
      monitoring.anomaly_sensitivity,
      monitoring.enable_anomaly_detection === true,
      'monitoring/anomaly_sensitivity',
      'anomaly_sensitivity needs enable_anomaly_detection: true.',
    ],
    [low.max_percentage, low.policy === 'widen', 'low_traffic/max_percentage', 'max_percentage needs policy: widen.'],
  ];
  return rules.filter(([key, isOn]) => key !== undefined && !isOn).map(([, , path, message]) => [path, message]);
}

function repeatedMetric(criteria: WrittenSettingsSuccessCriteria): string | undefined {
  const names = (criteria.custom_metrics ?? []).map(({ name }) => name);
  const taken = builtIn(criteria).map(({ metric }) => metric);
  return names.find((name, index) => names.indexOf(name) !== index || taken.includes(name) || !isUsableName(name));
}

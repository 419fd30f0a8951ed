/** `deployment_strategy`: what one change may choose for itself, and what it may not. */
import type { Problem } from '../../base/problem.ts';
import type { LlmConfig, WrittenSettingsCanary, WrittenSettingsSuccessCriteria } from '../../generated/types.ts';
import { defaultCriteria } from './resolve-policy.ts';

/** A change may choose its pace, and may be judged more strictly than settings ask, never less: it must not loosen what judges it. */
export function oneOffProblems(
  accepted: WrittenSettingsCanary,
  oneOff: LlmConfig['deployment_strategy'],
  strategy: string,
): readonly Problem[] {
  if (oneOff === undefined) return [];
  const loosened = loosenedBy(oneOff, accepted);
  const problems: Problem[] = loosened.map((item) => ({
    code: 'plan',
    path: '/deployment_strategy',
    message: `${item} would loosen what judges this change. Change the settings in a commit before it.`,
  }));
  const paced = oneOff.steps ?? oneOff.initial_percentage ?? oneOff.rollout_duration_minutes;
  if (strategy === 'immediate' && paced !== undefined) {
    problems.push({
      code: 'plan',
      path: '/deployment_strategy',
      message: 'The strategy "immediate" has no steps and no duration; leave them out, or use "canary".',
    });
  }
  return problems;
}

/** Keys where a larger number asks less, and where a smaller one does. */
const laxerWhenLarger = [
  'max_error_rate_increase',
  'absolute_max_error_rate',
  'max_latency_increase',
  'max_latency_p50_increase',
  'max_latency_p95_increase',
  'max_latency_p99_increase',
  'max_first_token_p95_increase',
  'absolute_max_latency_p95',
  'absolute_max_latency_p99',
  'max_cost_increase',
  'max_tokens_increase',
  'max_quality_degradation',
  'p_value_threshold',
] as const;
const laxerWhenSmaller = ['min_quality_score', 'confidence_level', 'min_sample_size'] as const;

function loosenedBy(oneOff: NonNullable<LlmConfig['deployment_strategy']>, accepted: WrittenSettingsCanary): readonly string[] {
  const asked = oneOff.success_criteria ?? {};
  const inForce = criteriaInForce(accepted.success_criteria ?? {});
  const found = [
    ...laxerWhenLarger.flatMap((key) => loosened(key, asked[key], inForce[key] ?? Infinity, 1)),
    ...laxerWhenSmaller.flatMap((key) => loosened(key, asked[key], inForce[key] ?? -Infinity, -1)),
  ];
  if (asked.require_statistical_significance === false && inForce.require_statistical_significance === true)
    found.push('require_statistical_significance false (settings: true)');
  // What it replaces as a whole could leave out what settings ask for.
  const replaced = (['custom_metrics', 'required_metrics'] as const).filter(
    (key) => asked[key] !== undefined && inForce[key] !== undefined,
  );
  found.push(...replaced.map((key) => `${key}, which settings have as well,`));
  if (asked.comparison_window_minutes !== undefined) found.push('comparison_window_minutes, by which triggers look back,');
  if (oneOff.auto_rollback === false && accepted.auto_rollback?.enabled !== false) found.push('auto_rollback false (settings: true)');
  return found;
}

/** With the defaults that hold where settings are silent; the short form for latency stands for the percentiles that have no own key. */
function criteriaInForce(written: WrittenSettingsSuccessCriteria): WrittenSettingsSuccessCriteria {
  const latency = written.max_latency_increase;
  const short =
    latency === undefined
      ? {}
      : { max_latency_p50_increase: latency, max_latency_p95_increase: latency, max_latency_p99_increase: latency };
  const merged = { ...defaultCriteria, ...short, ...written };
  const strictest = Math.min(merged.max_latency_p50_increase, merged.max_latency_p95_increase, merged.max_latency_p99_increase);
  return { ...merged, max_latency_increase: strictest };
}

function loosened(key: string, asked: number | undefined, inForce: number, sign: 1 | -1): readonly string[] {
  return asked === undefined || sign * (asked - inForce) <= 0 ? [] : [`${key} ${asked} (settings: ${inForce})`];
}

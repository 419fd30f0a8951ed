/** After a promotion nothing concurrent is left to compare with: only what is surely critical, and was not so before, counts. */
import type { AnalysisPolicy } from '../settings/policy.ts';
import { rateOf, type Counts } from './counts.ts';
import type { Judgement } from './look.ts';
import { inPercent } from './metric.ts';
import { surelyAbove } from './triggers.ts';

/** Error rate, as a fraction, that the policy calls critical; null when it names none. */
export function criticalErrorRate({ triggers }: AnalysisPolicy): number | null {
  return triggers.find(({ level, metric, kind }) => level === 'critical' && metric === 'error_rate' && kind === 'above')?.threshold ?? null;
}

/** `counts`: of what is in force since its promotion. Null while nothing is surely wrong. */
export function watchFinding(policy: AnalysisPolicy, rateBefore: number | null, counts: Counts): Judgement | null {
  const threshold = criticalErrorRate(policy);
  const rate = rateOf(counts);
  if (threshold === null || rate === null || !surelyAbove(counts.errors, counts.requests, threshold)) return null;
  if (rate - (rateBefore ?? 0) < threshold / 2) return null;
  return {
    verdict: 'fail',
    detected_by: 'critical',
    metric: 'error_rate',
    reason: `error rate ${inPercent(rate)}, above the critical ${inPercent(threshold)}; it was ${inPercent(rateBefore)} before`,
    remedy: null,
    weight: 100,
    canary: { ...counts, rate },
    stable: { requests: 0, errors: 0, rate: rateBefore },
    step_requests: counts.requests,
    step_errors: counts.errors,
    step_requests_needed: policy.minSampleSize,
    criteria: [],
    warnings: [],
    p_value: 1,
    statistical_significance: false,
    traffic: null,
    blocks: 0,
  };
}

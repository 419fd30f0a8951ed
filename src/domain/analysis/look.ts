/** One look at a deployment: triggers, criteria and gates become a verdict. */
import type { Instant } from '../../base/time.ts';
import type { AnalysisPolicy } from '../settings/policy.ts';
import { rateOf, type Counts } from './counts.ts';
import { findCriteria, gateZ, type CriterionFinding, type MetricView } from './criteria.ts';
import { noEvidence } from './evidence.ts';
import { healthOf } from './health.ts';
import { countOf, meanOf, quantileOf } from './histogram.ts';
import { rowsOf, stepBaseOf, type Bench, type JudgeState } from './judge.ts';
import { inPercent, isFromPeople, isQuantile, metricName, quantileMetrics } from './metric.ts';
import type { ArmSample } from './sample.ts';
import { normalQuantile } from './stats/normal.ts';
import { checkTraffic, type TrafficCheck } from './traffic-check.ts';
import { breachOf, type Breach } from './triggers.ts';

/** `incident`: stable is as bad, so the change is not the cause. `error`: measurements came that can't be used. */
export type Verdict = 'pass' | 'fail' | 'warn' | 'inconclusive' | 'no-data' | 'error' | 'incident';
/** What would bring an answer: more time, more weight on the canary, or a person. */
export type Remedy = 'time' | 'weight' | 'person';

export interface Warning {
  /** The same as long as the same thing is meant. */
  readonly key: string;
  readonly level: 'severe' | 'caution' | 'anomaly' | 'traffic';
  readonly reason: string;
}

/** What one look found, with the numbers that it was decided by. Field names are those of evidence.json and the API. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly detected_by: 'sequential' | 'critical' | 'health' | null;
  /** The metric that decided; null when several or none did. */
  readonly metric: string | null;
  /** One sentence for people. */
  readonly reason: string;
  readonly remedy: Remedy | null;
  /** Arm of an A/B test that it is about; absent outside one. Its weight is then its part of what it and the control group get. */
  readonly arm?: string;
  readonly weight: number;
  readonly canary: Counts & { readonly rate: number | null };
  readonly stable: Counts & { readonly rate: number | null };
  readonly step_requests: number;
  readonly step_errors: number;
  readonly step_requests_needed: number;
  readonly criteria: readonly CriterionFinding[];
  readonly warnings: readonly Warning[];
  /** Smallest p-value of all metrics: anytime-valid, corrected. */
  readonly p_value: number;
  readonly statistical_significance: boolean;
  readonly traffic: TrafficCheck | null;
  readonly blocks: number;
}

/** What a look needs besides what was measured of this deployment. */
export interface LookContext {
  /** Percent of traffic that the canary is given, or that is copied to it. */
  readonly weight: number;
  /** The canary gets copies, whose answers nobody sees: people can't score them. Absent in records of older versions. */
  readonly isMirrored?: boolean;
  /** Arm of an A/B test; absent outside one. */
  readonly arm?: string;
  readonly now: Instant;
  /** Values per second that stable had lately, by metric; absent: none. */
  readonly rates: Readonly<Record<string, number>>;
  /** What the split draws: requests, or the users of this step. Null: it is not checked, since sessions keep what they had. */
  readonly drawn: { readonly unit: 'requests' } | { readonly unit: 'users'; readonly canary: number; readonly stable: number } | null;
}

type Found = Omit<Judgement, 'verdict' | 'detected_by' | 'metric' | 'reason' | 'remedy' | 'arm'>;
type Said = Pick<Judgement, 'verdict' | 'reason'> & Partial<Pick<Judgement, 'detected_by' | 'metric' | 'remedy'>>;

/** Failed requests before health is judged, where those of one key all go the same way. */
const leastOfKeys = 30;
/** Measurements that can't be used spoil the looks of this time. */
const unusableMs = 60_000;

/** The verdict now. The state that comes back remembers since when triggers hold. */
export function look(state: JudgeState, bench: Bench, context: LookContext): { readonly state: JudgeState; readonly judgement: Judgement } {
  const { policy } = bench;
  const known = rowsOf(state, bench, context.now);
  // With all traffic on the canary, only what came since then says anything about it.
  const rows = context.weight < 100 ? known : known.filter(({ from }) => from >= state.stepStartedAt);
  const view = { policy, grid: bench.grid, rows, weight: context.weight, stableErrorRate: rateOf(state.total.stable) };
  const breaches = policy.triggers.flatMap((trigger) => breachOf(trigger, view) ?? []).filter(isMeant);
  const violations = Object.fromEntries(
    breaches.map((breach) => [keyOf(breach), Math.min(state.violations[keyOf(breach)] ?? context.now, context.now)]),
  );
  const lasting = breaches.filter((breach) => context.now - (violations[keyOf(breach)] ?? context.now) >= policy.violationMs);
  const found = findingsOf(state, bench, context, lasting);
  const said = decide(state, policy, context, found, lasting);
  const named = context.arm === undefined ? said : { ...said, arm: context.arm, reason: `arm "${context.arm}": ${said.reason}` };
  return { state: { ...state, violations }, judgement: { detected_by: null, metric: null, remedy: null, ...found, ...named } };
}

/** A service whose stable is slower than the decision matrix likes is in no incident: nobody asked for that limit. */
function isMeant({ trigger, shared }: Breach): boolean {
  return !(shared && trigger.isDefault && trigger.metric !== 'error_rate');
}

function keyOf({ trigger, shared }: Breach): string {
  return `${trigger.level}/${trigger.metric}/${trigger.kind}${shared ? '/shared' : ''}`;
}

function findingsOf(state: JudgeState, bench: Bench, context: LookContext, breaches: readonly Breach[]): Found {
  const { policy } = bench;
  const { step, total } = state;
  const gate = context.weight >= 100 ? null : gateZ(context.weight, policy, normalQuantile);
  const criteria = findCriteria(viewsOf(state, policy, context), policy, gate, total.canary.requests);
  const pValue = Math.min(1, ...criteria.map((finding) => finding.p_value));
  const { drawn } = context;
  const counts = drawn?.unit === 'users' ? drawn : state.drawn;
  const traffic = checkTraffic(counts, drawn === null ? null : context.weight, drawn?.unit ?? 'requests');
  return {
    weight: context.weight,
    canary: { ...total.canary, rate: rateOf(total.canary) },
    stable: { ...total.stable, rate: rateOf(total.stable) },
    step_requests: step.canary.requests,
    step_errors: step.canary.errors,
    step_requests_needed: policy.minSampleSize,
    criteria,
    warnings: warningsOf(state, breaches, traffic),
    p_value: pValue,
    statistical_significance: pValue < policy.alpha,
    traffic,
    blocks: state.blocks,
  };
}

function viewsOf(
  state: JudgeState,
  policy: AnalysisPolicy,
  { weight, now, rates, isMirrored = false }: LookContext,
): readonly MetricView[] {
  const seconds = Math.max(0, now - state.stepStartedAt) / 1000;
  return policy.criteria.map((criterion) => {
    const { metric } = criterion;
    const [stepSamples, stableSamples] = [samplesOf(state.step.canary, metric), samplesOf(state.step.stable, metric)];
    const rate = rates[metric];
    const byStable = weight < 100 ? (stableSamples * weight) / (100 - weight) : 0;
    const isMeasured = (rate !== undefined || stableSamples > 0) && !(isMirrored && isFromPeople(metric));
    return {
      criterion,
      evidence: state.evidence[metric] ?? noEvidence,
      stepBase: stepBaseOf(state, metric),
      step: { canary: valueIn(state.step.canary, metric), stable: valueIn(state.step.stable, metric) },
      stepSamples,
      expected: isMeasured ? Math.max(byStable, ((rate ?? 0) * seconds * weight) / 100) : null,
    };
  });
}

function samplesOf(arm: ArmSample, metric: string): number {
  if (metric === 'error_rate') return arm.requests;
  return isQuantile(metric) ? countOf(arm[quantileMetrics[metric].series]) : (arm.means[metric]?.moments.n ?? 0);
}

/** The metric's value over all of it; null without any. */
function valueIn(arm: ArmSample, metric: string): number | null {
  if (metric === 'error_rate') return rateOf(arm);
  if (isQuantile(metric)) return quantileOf(arm[quantileMetrics[metric].series], quantileMetrics[metric].q);
  const sample = arm.means[metric];
  return sample === undefined ? null : meanOf(sample.moments);
}

function warningsOf({ watch }: JudgeState, breaches: readonly Breach[], traffic: TrafficCheck): readonly Warning[] {
  const triggered = breaches
    .filter(({ trigger }) => trigger.level !== 'critical')
    .map((breach): Warning => ({
      key: keyOf(breach),
      level: breach.trigger.level === 'severe' ? 'severe' : 'caution',
      reason: breach.reason,
    }));
  const anomalies = Object.keys(watch.holding).map((key): Warning => {
    const [variant = '', series = ''] = key.split('/');
    return { key: `anomaly/${key}`, level: 'anomaly', reason: `${metricName(series)} of ${variant} behaves unlike its own past` };
  });
  const uneven: Warning = {
    key: 'traffic',
    level: 'traffic',
    reason: `the canary has ${traffic.canary} of ${traffic.canary + traffic.stable} ${traffic.unit}, which its weight does not explain (p ${traffic.p_value?.toPrecision(2) ?? ''})`,
  };
  return [...triggered, ...anomalies, ...(traffic.verdict === 'uneven' ? [uneven] : [])];
}

/** In the order of what it costs to be late. */
function decide(state: JudgeState, policy: AnalysisPolicy, context: LookContext, found: Found, breaches: readonly Breach[]): Said {
  const critical = breaches.find(({ trigger, shared }) => trigger.level === 'critical' && !shared);
  if (critical !== undefined) return { verdict: 'fail', detected_by: 'critical', metric: critical.trigger.metric, reason: critical.reason };
  const unhealthy = healthVerdict(state, policy);
  if (unhealthy !== null) return unhealthy;
  const failed = found.criteria.find(({ verdict }) => verdict === 'fail');
  if (failed !== undefined) return { verdict: 'fail', detected_by: 'sequential', metric: failed.metric, reason: failed.reason };
  const shared = breaches.find(({ trigger }) => trigger.level === 'critical');
  if (shared !== undefined) return { verdict: 'incident', detected_by: 'critical', metric: shared.trigger.metric, reason: shared.reason };
  const { unusable } = state;
  if (unusable !== null && context.now - unusable.at < unusableMs && unusable.at >= state.stepStartedAt)
    return { verdict: 'error', reason: `measurements could not be used: ${unusable.reason}`, remedy: 'time' };
  const severe = breaches.find((breach) => breach.trigger.level === 'severe' && !breach.shared);
  if (severe !== undefined && policy.warning.action === 'pause')
    return { verdict: 'warn', metric: severe.trigger.metric, reason: severe.reason, remedy: 'person' };
  return gate(found, context);
}

function healthVerdict({ health }: JudgeState, policy: AnalysisPolicy): Said | null {
  const found = policy.health === null ? 'well' : healthOf(health, policy.health.failures);
  // A single client that stays on the canary and fails is no dead canary.
  const isFew = policy.clustered && health.failed.canary.requests < leastOfKeys;
  if (found === 'well' || isFew) return null;
  const reason = `all of ${health.failed.canary.requests} requests to the canary failed in ${health.failures} checks in a row`;
  if (found === 'dead') return { verdict: 'fail', detected_by: 'health', metric: 'error_rate', reason };
  return { verdict: 'incident', detected_by: 'health', metric: 'error_rate', reason: `${reason}, and all of stable's as well` };
}

function gate(found: Found, { weight }: LookContext): Said {
  if (found.step_requests === 0) return { verdict: 'no-data', reason: 'no request has reached the canary in this step', remedy: 'time' };
  if (found.step_requests < found.step_requests_needed)
    return {
      verdict: 'inconclusive',
      reason: `${found.step_requests} of ${found.step_requests_needed} canary requests; needs more time or weight`,
      remedy: 'weight',
    };
  const silent = found.criteria.find(({ verdict }) => verdict === 'no-data');
  if (silent !== undefined) return { verdict: 'no-data', metric: silent.metric, reason: silent.reason, remedy: 'person' };
  const open = found.criteria.find(({ verdict }) => verdict === 'inconclusive');
  if (open !== undefined) return { verdict: 'inconclusive', metric: open.metric, reason: open.reason, remedy: remedyOf(open) };
  const holding = found.warnings.find(({ level }) => level === 'anomaly' || level === 'traffic');
  if (holding !== undefined)
    return { verdict: 'inconclusive', reason: holding.reason, remedy: holding.level === 'anomaly' ? 'time' : 'person' };
  return weight >= 100 ? gateWithoutControl(found) : passed(found);
}

/** Within the limit but not yet surely: time tells. Beyond it: more of the same will hardly help. */
function remedyOf({ margin_z: z, step_margin_z: stepZ }: CriterionFinding): Remedy {
  return z !== null && z < 0 && (stepZ ?? 0) < 1 ? 'time' : 'person';
}

function passed(found: Found): Said {
  const passing = found.criteria.filter(({ verdict }) => verdict === 'pass');
  const first = passing[0];
  if (first === undefined) return { verdict: 'no-data', reason: 'no criterion has data to be judged by', remedy: 'person' };
  const others = passing.length === 1 ? '' : `; ${passing.length - 1} more within their limits`;
  return { verdict: 'pass', reason: `${first.reason}${others}` };
}

/**
 * At 100 percent nothing is left to compare with: what was learnt before stands, unless the step's own error rate has left the allowed
 * increase over what stable had during the rollout.
 */
function gateWithoutControl(found: Found): Said {
  const margin = found.criteria.find(({ metric }) => metric === 'error_rate')?.allowed ?? 0;
  const allowed = (found.stable.rate ?? 0) + margin;
  const rate = found.step_errors / found.step_requests;
  const numbers = `error rate ${inPercent(rate)} with all traffic, at most ${inPercent(allowed)} allowed`;
  if (rate <= allowed) return { verdict: 'pass', metric: 'error_rate', reason: numbers };
  return { verdict: 'inconclusive', metric: 'error_rate', reason: `${numbers}; needs more time or a person`, remedy: 'person' };
}

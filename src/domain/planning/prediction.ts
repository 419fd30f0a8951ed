/**
 * How long a plan will take at today's traffic: until each step has its samples, until each gate can be expected to open, and until a
 * regression of the allowed size would be seen. Formulas: docs/statistics.md.
 */
import { formatDuration } from '../../base/time.ts';
import { gateZ } from '../analysis/criteria.ts';
import type { TrafficSummary } from '../analysis/baseline.ts';
import { isQuantile, metricName, quantileMetrics } from '../analysis/metric.ts';
import { normalQuantile } from '../analysis/stats/normal.ts';
import type { AnalysisPolicy, Criterion } from '../settings/policy.ts';
import { trialShare, type Step } from './step.ts';
import type { Plan } from './plan.ts';

export interface Traffic {
  /** Of the whole service; null: unknown. */
  readonly requestsPerSecond: number | null;
  /** Null: no spread is known, so only samples are reckoned with. */
  readonly summary: TrafficSummary | null;
}

export interface StepPrediction {
  readonly percentage: number;
  readonly hold_ms: number;
  /** Until the canary has `min_sample_size` requests; null: traffic is unknown. */
  readonly samples_ms: number | null;
  /** Until the gate opens with 80 % chance if nothing is worse, and the metric that takes longest; null: not known, or no gate. */
  readonly gate_ms: number | null;
  readonly gate_metric: string | null;
  /** The longest of the three. */
  readonly expected_ms: number | null;
  /** Until a regression as large as the margin gives, with 80 % power, the evidence that a rollback needs, at this weight alone. */
  readonly detect: readonly { readonly metric: string; readonly ms: number | null }[];
}

export interface Prediction {
  readonly steps: readonly StepPrediction[];
  readonly expected_ms: number | null;
  readonly warnings: readonly string[];
}

/** One-sided 80 %. */
const powerZ = 0.8416;
const leastExceedances = 30;

export function predict(plan: Plan, traffic: Traffic): Prediction {
  const before: Gathered = { requests: 0, pairs: new Map() };
  const steps = plan.steps.map((step) => predictStep(step, plan.policy, traffic, before));
  const expected = steps.some((step) => step.expected_ms === null) ? null : steps.reduce((sum, step) => sum + (step.expected_ms ?? 0), 0);
  return { steps, expected_ms: expected, warnings: warningsOf(plan, steps, expected, traffic) };
}

/** What earlier steps have brought: canary requests, and comparable pairs by metric. */
interface Gathered {
  requests: number;
  readonly pairs: Map<string, number>;
}

/** Nothing is asked of a step that only waits. */
function waiting({ weight, holdMs }: Step): StepPrediction {
  return { percentage: weight, hold_ms: holdMs, samples_ms: 0, gate_ms: null, gate_metric: null, expected_ms: holdMs, detect: [] };
}

/** Adds to `gathered` what this step brings. */
function predictStep(step: Step, policy: AnalysisPolicy, traffic: Traffic, gathered: Gathered): StepPrediction {
  const { holdMs, kind } = step;
  const weight = trialShare(step);
  if (kind !== 'analyse' && kind !== 'mirror') return waiting(step);
  const share = weight / 100;
  const perSecond = (traffic.requestsPerSecond ?? 0) * share;
  const samplesMs = timeFor(policy.minSampleSize, perSecond);
  const least = Math.max(holdMs, samplesMs ?? 0);
  const isCompared = weight < 100;
  const canary = gathered.requests + (perSecond * least) / 1000;
  const gates = isCompared ? gatesOf(policy, traffic, share, canary, gathered.pairs) : [];
  const slowest = gates.toSorted((a, b) => b.ms - a.ms)[0] ?? { ms: null, metric: null };
  // What comes in the warm-up is not counted.
  const warmUpMs = gathered.requests === 0 ? policy.warmUpMs : 0;
  const expected = samplesMs === null ? null : Math.max(least, (slowest.ms ?? 0) + warmUpMs);
  gather(gathered, gates, perSecond, (expected ?? holdMs) / 1000);
  return {
    percentage: weight,
    hold_ms: holdMs,
    samples_ms: samplesMs,
    gate_ms: slowest.ms,
    gate_metric: slowest.metric,
    expected_ms: expected,
    detect: isCompared ? detections(policy, traffic, share) : [],
  };
}

function gather(gathered: Gathered, gates: readonly Gate[], perSecond: number, seconds: number): void {
  gathered.requests += perSecond * seconds;
  for (const gate of gates) gathered.pairs.set(gate.metric, (gathered.pairs.get(gate.metric) ?? 0) + gate.perSecond * seconds);
}

/** Milliseconds until `amount` has come at `perSecond`; null when nothing comes. */
function timeFor(amount: number, perSecond: number): number | null {
  return perSecond > 0 ? Math.ceil((amount / perSecond) * 1000) : null;
}

interface Known {
  readonly margin: number;
  /** Standard deviation of one value, in the unit of the margin. */
  readonly sd: number;
  /** Comparable pairs per second: values per second times w (1 - w), what h = n_c n_s / N grows by. */
  readonly perSecond: number;
}

function knownOf({ metric, margin }: Criterion, { summary }: Traffic, share: number): Known | null {
  const measured = summary?.metrics[metric];
  if (summary === null || measured === undefined || margin === null || margin === 0) return null;
  const perSecond = measured.per_second * share * (1 - share);
  if (metric === 'error_rate') {
    const p = Math.min(1, (summary.error_rate ?? 0) + margin / 2);
    return { margin, sd: Math.sqrt(p * (1 - p)), perSecond };
  }
  return measured.relative_sd === null ? null : { margin, sd: measured.relative_sd, perSecond };
}

interface Gate {
  readonly metric: string;
  readonly ms: number;
  /** Comparable pairs per second. */
  readonly perSecond: number;
}

/** At margin z the gate needs z sqrt(h) margin / sd of distance; 80 % of equal variants have it once sqrt(h) margin / sd = |gate| + 0.84. */
function gatesOf(
  policy: AnalysisPolicy,
  traffic: Traffic,
  share: number,
  canaryRequests: number,
  gathered: ReadonlyMap<string, number>,
): readonly Gate[] {
  const gate = Math.abs(gateZ(share * 100, policy, normalQuantile));
  return policy.criteria.flatMap((criterion) => {
    const { metric } = criterion;
    const known = knownOf(criterion, traffic, share);
    if (known === null || isUnderpowered(metric, canaryRequests)) return [];
    const needed = (((gate + powerZ) * known.sd) / known.margin) ** 2 - (gathered.get(metric) ?? 0);
    return [{ metric, ms: timeFor(Math.max(0, needed), known.perSecond) ?? Infinity, perSecond: known.perSecond }];
  });
}

/** As the judge has it: a tail with too few values does not gate. */
function isUnderpowered(metric: string, canaryRequests: number): boolean {
  return isQuantile(metric) && metric !== 'latency_p50' && canaryRequests * (1 - quantileMetrics[metric].q) < leastExceedances;
}

/** ln e grows to z^2/2 less about 3/2 for the mixture: z = sqrt(2 ln(K/alpha) + 3), and 0.84 more for the power. */
function detections(policy: AnalysisPolicy, traffic: Traffic, share: number): StepPrediction['detect'] {
  const family = policy.correction === 'none' ? 1 : policy.family;
  const z = Math.sqrt(2 * Math.log(family / policy.alpha) + 3) + powerZ;
  return policy.criteria.flatMap((criterion) => {
    const known = knownOf(criterion, traffic, share);
    return known === null ? [] : [{ metric: criterion.metric, ms: timeFor(((z * known.sd) / known.margin) ** 2, known.perSecond) }];
  });
}

function warningsOf(
  plan: Plan,
  steps: readonly StepPrediction[],
  expected: number | null,
  { requestsPerSecond }: Traffic,
): readonly string[] {
  const warnings: string[] = [];
  if (expected !== null && expected > plan.maxTotalMs) {
    const action = plan.policy.deadline === 'pause' ? 'is paused for a person' : 'is rolled back';
    warnings.push(
      `at ${requestsPerSecond ?? 0} requests/s this needs ${formatDuration(expected)}, and ${action} after ${formatDuration(plan.maxTotalMs)}: ${causeOf(plan, steps)}, or raise max_total_duration_minutes`,
    );
  }
  if (plan.policy.clustered && steps.some(({ gate_ms: gate }) => gate !== null))
    warnings.push(
      'users stay with their variant, so requests count for less than one each: gates take longer than this says, and sample-size shows by how much',
    );
  if (plan.kind === 'canary' && !plan.autoRollback)
    warnings.push('automatic rollback is disabled: a failing canary is paused, and a person must act');
  return warnings;
}

/** Of the step that lasts longest beyond its hold: what it waits for, and what would shorten it. */
function causeOf({ policy }: Plan, steps: readonly StepPrediction[]): string {
  const beyond = (step: StepPrediction): number => (step.expected_ms ?? 0) - step.hold_ms;
  const slowest = steps.toSorted((a, b) => beyond(b) - beyond(a))[0];
  if (slowest === undefined) return '';
  const { percentage, samples_ms: samples, gate_ms: gate, gate_metric: metric } = slowest;
  if ((samples ?? 0) >= (gate ?? 0))
    return `${policy.minSampleSize} samples at ${percentage} % take ${formatDuration(samples ?? 0)}; lower min_sample_size, start with a larger percentage`;
  return `at ${percentage} % it takes ${formatDuration(gate ?? 0)} to see that ${metricName(metric ?? '')} stays within its margin; allow a larger margin, start with a larger percentage`;
}

/** Criteria that this traffic says nothing about: stable has had none of the metric. Null: nothing is known of the traffic. */
export function unwatched(policy: AnalysisPolicy, { summary }: Traffic): readonly string[] | null {
  if (summary === null) return null;
  return policy.criteria.filter(({ metric, required }) => !required && summary.metrics[metric] === undefined).map(({ metric }) => metric);
}

/** What the evidence says of each criterion, at one look. */
import type { AnalysisPolicy, Criterion } from '../settings/policy.ts';
import { minus, withinVariances, type MetricEvidence, type Sums } from './evidence.ts';
import { effectSize, marginZ } from './margin.ts';
import {
  formatMetric,
  higherIsWorse,
  inPercent,
  isOfEveryRequest,
  isQuantile,
  leastForMean,
  metricName,
  quantileMetrics,
} from './metric.ts';
import { adjustPValues } from './stats/adjust.ts';
import { mixtureReach } from './stats/sequential.ts';

export type CriterionVerdict = 'pass' | 'fail' | 'inconclusive' | 'no-data' | 'underpowered' | 'not-applicable';

/** Field names are those of evidence.json and the API. */
export interface CriterionFinding {
  readonly metric: string;
  readonly verdict: CriterionVerdict;
  /** One sentence for people. */
  readonly reason: string;
  /** On the same traffic: means weighted by blocks; quantiles of the present step. */
  readonly canary: number | null;
  readonly stable: number | null;
  /** Points of the error rate, else a fraction of stable's value; positive is more. */
  readonly difference: number | null;
  /** Of the difference, valid at every look (confidence sequence); null for quantiles. */
  readonly interval: readonly [number, number] | null;
  readonly allowed: number | null;
  readonly canary_samples: number;
  readonly stable_samples: number;
  readonly step_samples: number;
  /** Standard errors beyond the margin: since the start, and in this step; a gate wants it below `gate_z`. */
  readonly margin_z: number | null;
  readonly step_margin_z: number | null;
  readonly gate_z: number | null;
  /** Sequential evidence of "worse than stable", as a logarithm, and what it must reach for a rollback. */
  readonly ln_e: number;
  readonly ln_e_needed: number;
  /** Anytime-valid, corrected for the number of metrics. */
  readonly p_value: number;
  /** Cohen's d, positive to the bad side; means only. */
  readonly effect_size: number | null;
  /** Requests of the same keys: so many weigh as one. */
  readonly design_effect: number;
}

/** What is known of one metric at the time of a look. */
export interface MetricView {
  readonly criterion: Criterion;
  readonly evidence: MetricEvidence;
  /** As the sums stood when the step began. */
  readonly stepBase: Sums;
  /** Values of the present step: what limits are held against, and what people see of quantiles. */
  readonly step: { readonly canary: number | null; readonly stable: number | null };
  readonly stepSamples: number;
  /** Values that the canary should have had in this step, by what stable has; null: stable has none, so nobody measures it. */
  readonly expected: number | null;
}

/** Requests of the canary below which nothing but a critical trigger fails it: evidence so young is mostly chance. */
const leastToFail = 30;
/** Margin z at which evidence of "worse" also counts as "worse than allowed". */
const failZ = 2;
/** The same of the present step alone, which ends slow leaks that the steps before dilute; larger, since a step is young again and again. */
const stepFailZ = 3.3;
/** Of fewer blocks a normal approximation says too much. */
const leastStepBlocks = 10;
/** A step by itself may not look worse than this, however good those before were: slow leaks end here. */
const stepGateZ = 1;
/** So few values that their absence is chance. */
const fewExpected = 5;
const leastExceedances = 30;

/** The last gate is looked at until it opens: so much stricter keeps what it lets through by chance within what the confidence level promises. */
const repeatedLooks = 1.15;

/** Margin z that a step must lie below to be left; tightens with the weight that was tried. */
export function gateZ(weight: number, policy: Pick<AnalysisPolicy, 'confidence' | 'gatePValue'>, quantile: (p: number) => number): number {
  const tiered = tieredGate(weight, quantile(1 - policy.confidence));
  // What is asked of each gate can make one stricter, never laxer than it was.
  return policy.gatePValue === null ? tiered : Math.min(tiered, quantile(policy.gatePValue));
}

function tieredGate(weight: number, full: number): number {
  if (weight < 25) return 0;
  if (weight < 50) return 0.304 * full;
  return weight < 75 ? 0.511 * full : repeatedLooks * full;
}

/** `gate`: null at 100 percent, where nothing is left to compare with and what was learnt stands. `canaryRequests`: since the deployment began. */
export function findCriteria(
  views: readonly MetricView[],
  policy: AnalysisPolicy,
  gate: number | null,
  canaryRequests: number,
): readonly CriterionFinding[] {
  const adjusted = adjustPValues(
    views.map(({ evidence }) => pOf(evidence.maxLnE)),
    policy.correction,
    policy.family,
  );
  const needed = thresholds(views, policy);
  return views.map((view, index) => {
    const facts = factsOf(view, gate, needed[index] ?? Infinity, adjusted[index] ?? 1, policy);
    return { ...facts, ...verdictOf(view, facts, policy, canaryRequests) };
  });
}

export function pOf(lnE: number): number {
  return Math.min(1, Math.exp(-lnE));
}

/** ln e that each metric needs. Holm: the strongest evidence against K/alpha, the next against (K - 1)/alpha, as long as those before hold. */
function thresholds(views: readonly MetricView[], { alpha, correction, family }: AnalysisPolicy): readonly number[] {
  if (correction === 'none') return views.map(() => Math.log(1 / alpha));
  if (correction === 'bonferroni') return views.map(() => Math.log(family / alpha));
  const order = views.map(({ evidence }, index) => ({ lnE: evidence.maxLnE, index })).sort((a, b) => b.lnE - a.lnE);
  const needed = views.map(() => Math.log(family / alpha));
  for (const [rank, { lnE, index }] of order.entries()) {
    needed[index] = Math.log(Math.max(1, family - rank) / alpha);
    if (lnE < (needed[index] ?? 0)) break;
  }
  return needed;
}

type Facts = Omit<CriterionFinding, 'verdict' | 'reason'>;

function factsOf(view: MetricView, gate: number | null, lnENeeded: number, pValue: number, policy: AnalysisPolicy): Facts {
  const { criterion, evidence, step } = view;
  const { metric, margin } = criterion;
  const { sums, design } = evidence;
  const quantile = isQuantile(metric);
  const [canary, stable] = quantile || sums.h === 0 ? [step.canary, step.stable] : [sums.canary / sums.h, sums.stable / sums.h];
  return {
    metric,
    canary,
    stable,
    difference: differenceOf(metric, canary, stable),
    interval: quantile ? null : intervalOf(metric, sums, design, policy),
    allowed: margin,
    canary_samples: sums.nc,
    stable_samples: sums.ns,
    step_samples: view.stepSamples,
    margin_z: margin === null ? null : marginZ(metric, sums, margin, design),
    step_margin_z: margin === null ? null : marginZ(metric, minus(sums, view.stepBase), margin, design),
    gate_z: gate,
    ln_e: evidence.maxLnE,
    ln_e_needed: lnENeeded,
    p_value: pValue,
    effect_size: quantile || metric === 'error_rate' ? null : effectSize(metric, sums),
    design_effect: design,
  };
}

function differenceOf(metric: string, canary: number | null, stable: number | null): number | null {
  if (canary === null || stable === null) return null;
  if (metric === 'error_rate') return canary - stable;
  return stable === 0 ? null : (canary - stable) / Math.abs(stable);
}

/** (S +- sqrt((V + r)(ln((V + r)/r) + 2 ln(1/a)))) / H, in the unit of `difference`. */
function intervalOf(metric: string, sums: Sums, design: number, { alpha }: AnalysisPolicy): readonly [number, number] | null {
  if (sums.h === 0) return null;
  const isRate = metric === 'error_rate';
  const p = (sums.canary + sums.stable) / (2 * sums.h);
  const within = isRate ? { canary: p * (1 - p), stable: p * (1 - p) } : withinVariances(sums);
  const variance = design * (within.canary * sums.canarySpread + within.stable * sums.stableSpread);
  const unit = isRate ? 1 : Math.abs(sums.stable) / sums.h;
  const spread = 25 * within.stable;
  if (!(variance > 0) || !(spread > 0) || unit === 0) return null;
  const [middle, reach] = [sums.canary - sums.stable, mixtureReach(variance, spread, alpha)];
  return [(middle - reach) / sums.h / unit, (middle + reach) / sums.h / unit];
}

type Said = Pick<CriterionFinding, 'verdict' | 'reason'>;

function verdictOf(view: MetricView, facts: Facts, policy: AnalysisPolicy, canaryRequests: number): Said {
  const { criterion, expected } = view;
  const { metric } = criterion;
  const name = metricName(metric);
  if (expected === null && !criterion.required && facts.canary_samples === 0 && facts.step_samples === 0)
    return { verdict: 'not-applicable', reason: `nobody measures ${name} here: stable had none of it lately` };
  if (isFailing(view, facts, policy, canaryRequests)) return { verdict: 'fail', reason: numbersOf(facts) };
  if (facts.step_samples === 0 && facts.gate_z !== null) return absent(view, name);
  if (isUnderpowered(view, facts))
    return { verdict: 'underpowered', reason: `too few values for ${name} to gate (${facts.canary_samples}); it may still fail` };
  return gated(view, facts);
}

function isFailing(view: MetricView, facts: Facts, policy: AnalysisPolicy, canaryRequests: number): boolean {
  const stepBlocks = view.evidence.sums.blocks - view.stepBase.blocks;
  const isLeaking = stepBlocks >= leastStepBlocks && (facts.step_margin_z ?? -Infinity) >= stepFailZ;
  const isBeyond = isLeaking || (facts.margin_z ?? -Infinity) >= failZ;
  // So written that a number which is none fails nothing.
  if (!(facts.ln_e >= facts.ln_e_needed) || !isBeyond || canaryRequests / facts.design_effect < leastToFail) return false;
  return facts.effect_size === null || facts.effect_size >= policy.minEffectSize;
}

/** Promotion needs positive evidence: silence where there should be something is never a pass. */
function absent({ expected, criterion }: MetricView, name: string): Said {
  if (!criterion.required && (expected ?? 0) < fewExpected)
    return { verdict: 'underpowered', reason: `no ${name} of the canary yet, and hardly any was to be expected` };
  return { verdict: 'no-data', reason: `no ${name} of the canary in this step` };
}

function isUnderpowered({ criterion, expected }: MetricView, facts: Facts): boolean {
  const { metric } = criterion;
  if (isQuantile(metric)) return facts.canary_samples * (1 - quantileMetrics[metric].q) < leastExceedances && metric !== 'latency_p50';
  if (isOfEveryRequest(metric) || criterion.required) return false;
  return facts.canary_samples < leastForMean(metric) && (expected ?? 0) < leastForMean(metric);
}

function gated({ criterion, step }: MetricView, facts: Facts): Said {
  const { metric, margin } = criterion;
  const numbers = numbersOf(facts);
  // With all traffic on the canary stable has no value to excuse a limit by: what was learnt before stands.
  const limit = facts.gate_z === null ? null : brokenLimit(criterion, step.canary);
  // Where stable is beyond a limit too, the change may be the cure: then only the comparison decides.
  if (limit !== null && (brokenLimit(criterion, step.stable) === null || (margin === null && isFurther(limit, step))))
    return {
      verdict: 'inconclusive',
      reason: `${metricName(metric)} ${formatMetric(metric, step.canary)} in this step, beyond the limit of ${formatMetric(metric, limit)}`,
    };
  if (margin === null || facts.gate_z === null) return { verdict: 'pass', reason: numbers };
  if (facts.margin_z === null || facts.step_margin_z === null)
    return { verdict: 'no-data', reason: `${metricName(metric)}: stable and canary have not served at the same time yet` };
  if (facts.margin_z < facts.gate_z && facts.step_margin_z < stepGateZ)
    return { verdict: 'pass', reason: `${numbers}, within the allowed ${allowedText(metric, margin)}` };
  return {
    verdict: 'inconclusive',
    reason: `not yet clear that ${metricName(metric)} stays within ${allowedText(metric, margin)}: ${numbers}`,
  };
}

/** Both are beyond the limit, and the canary further: without a margin nothing else would tell them apart. */
function isFurther(limit: number, { canary, stable }: MetricView['step']): boolean {
  return Math.abs((canary ?? limit) - limit) > Math.abs((stable ?? limit) - limit);
}

/** The limit that a value lies beyond; null for none, and for no value. */
function brokenLimit({ max, min }: Criterion, value: number | null): number | null {
  if (value === null) return null;
  if (max !== null && value > max) return max;
  return min !== null && value < min ? min : null;
}

function allowedText(metric: string, margin: number): string {
  return `${higherIsWorse(metric) ? '+' : '-'}${inPercent(margin)}`;
}

function numbersOf({ metric, canary, stable }: Facts): string {
  return `${metricName(metric)} ${formatMetric(metric, canary)} against ${formatMetric(metric, stable)} on stable`;
}

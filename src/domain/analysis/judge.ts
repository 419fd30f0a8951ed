/** From what arrived to a verdict on one deployment. Pure; the state is a checkpoint that a restart goes on from. */
import type { Instant } from '../../base/time.ts';
import type { Criteria } from '../settings/resolve.ts';
import { addArms, noArmCounts, rateOf, type ArmCounts, type Counts } from './counts.ts';
import { criticalFinding } from './critical.ts';
import { addBlock, anytimePValue, marginZ, noEvidence, type Evidence } from './evidence.ts';

export type Verdict = 'pass' | 'fail' | 'inconclusive' | 'no-data' | 'incident';

export interface JudgeState {
  readonly evidence: Evidence;
  readonly stepStartedAt: Instant;
  readonly block: ArmCounts;
  readonly blockStartedAt: Instant;
  /** Since the present step began. */
  readonly step: ArmCounts;
  /** Since the deployment began. */
  readonly total: ArmCounts;
  /** Slices of the last five minutes, oldest first, for the critical bound. */
  readonly window: readonly (ArmCounts & { readonly at: Instant })[];
}

/** What one look found, with the numbers that it was decided by. Field names are those of evidence.json. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly criterion: 'error_rate';
  readonly detected_by: 'sequential' | 'critical' | null;
  /** One sentence for people. */
  readonly reason: string;
  readonly weight: number;
  readonly canary: Counts & { readonly rate: number | null };
  readonly stable: Counts & { readonly rate: number | null };
  readonly step_requests: number;
  readonly step_errors: number;
  readonly step_requests_needed: number;
  readonly delta: number | null;
  readonly allowed_increase: number;
  readonly margin_z: number | null;
  readonly gate_z: number | null;
  readonly ln_e: number;
  readonly ln_e_needed: number;
  readonly p_value: number;
  readonly blocks: number;
}

const windowMs = 5 * 60_000;
const leastPerArm = 8;
const longestBlockMs = 120_000;
const failZ = 1.5;
/** Metrics that share the error alpha, so that one more criterion does not make this one stricter. */
const metricsJudged = 7;

export function newJudge(now: Instant): JudgeState {
  return {
    evidence: noEvidence,
    stepStartedAt: now,
    block: noArmCounts,
    blockStartedAt: now,
    step: noArmCounts,
    total: noArmCounts,
    window: [],
  };
}

/**
 * Takes in what has arrived, and closes the block when it is due. When a block closes depends on time and counts only, never on
 * outcomes: otherwise the evidence would not be valid.
 */
export function observe(state: JudgeState, arrived: ArmCounts, blockMs: number, now: Instant): JudgeState {
  const window = [...state.window.filter((slice) => slice.at > now - windowMs), { ...arrived, at: now }];
  const next = {
    ...state,
    block: addArms(state.block, arrived),
    step: addArms(state.step, arrived),
    total: addArms(state.total, arrived),
    window,
  };
  return blockIsDue(next, blockMs, now) ? closeBlock(next, now) : next;
}

function blockIsDue({ block, blockStartedAt }: JudgeState, blockMs: number, now: Instant): boolean {
  const age = now - blockStartedAt;
  if (age < blockMs) return false;
  const enough = block.canary.requests >= leastPerArm && block.stable.requests >= leastPerArm;
  return enough || age >= Math.max(longestBlockMs, blockMs);
}

/** A block with an empty arm says nothing about a difference and is dropped. */
function closeBlock(state: JudgeState, now: Instant): JudgeState {
  const { block } = state;
  const comparable = block.canary.requests > 0 && block.stable.requests > 0;
  return {
    ...state,
    evidence: comparable ? addBlock(state.evidence, block) : state.evidence,
    block: noArmCounts,
    blockStartedAt: now,
  };
}

/** At a change of weight: a block never spans two weights. */
export function beginStep(state: JudgeState, now: Instant): JudgeState {
  return { ...closeBlock(state, now), stepStartedAt: now, step: noArmCounts };
}

/** Margin z that a step must lie below to be left; it tightens with the weight that has been tried. */
export function gateZ(weight: number): number {
  if (weight < 25) return 0;
  if (weight < 50) return -0.5;
  if (weight < 75) return -0.84;
  return -1.645;
}

type Found = Omit<Judgement, 'verdict' | 'detected_by' | 'reason'>;

/** The verdict now, at `weight` percent on the canary. */
export function judge(state: JudgeState, criteria: Criteria, weight: number): Judgement {
  const { evidence, total } = state;
  const z = marginZ(evidence, criteria.maxErrorRateIncrease);
  const lnENeeded = Math.log(metricsJudged / (1 - criteria.confidenceLevel));
  const [canaryRate, stableRate] = [rateOf(total.canary), rateOf(total.stable)];
  const found: Found = {
    criterion: 'error_rate',
    weight,
    canary: { ...total.canary, rate: canaryRate },
    stable: { ...total.stable, rate: stableRate },
    step_requests: state.step.canary.requests,
    step_errors: state.step.canary.errors,
    step_requests_needed: criteria.minSampleSize,
    delta: evidence.weight === 0 ? null : evidence.difference / evidence.weight,
    allowed_increase: criteria.maxErrorRateIncrease,
    margin_z: z,
    gate_z: weight >= 100 ? null : gateZ(weight),
    ln_e: evidence.maxLnE,
    ln_e_needed: lnENeeded,
    p_value: anytimePValue(evidence),
    blocks: evidence.blocks,
  };
  const critical = criticalFinding(weight >= 100 ? stepWindow(state) : state.window, total, criteria.criticalErrorRate, weight);
  if (critical !== null) return { ...found, ...critical };
  if (evidence.maxLnE >= lnENeeded && z !== null && z >= failZ) {
    return { ...found, verdict: 'fail', detected_by: 'sequential', reason: describeFailure(found) };
  }
  return { ...found, detected_by: null, ...gate(found) };
}

function describeFailure(found: Found): string {
  return `error rate ${inPercent(found.canary.rate)} against ${inPercent(found.stable.rate)} on stable`;
}

function gate(found: Found): Pick<Judgement, 'verdict' | 'reason'> {
  if (found.step_requests === 0) return { verdict: 'no-data', reason: 'no request has reached the canary in this step' };
  if (found.step_requests < found.step_requests_needed) {
    return {
      verdict: 'inconclusive',
      reason: `${found.step_requests} of ${found.step_requests_needed} canary requests; needs more time or weight`,
    };
  }
  if (found.blocks === 0 && found.gate_z !== null)
    return { verdict: 'no-data', reason: 'stable and canary have not served at the same time yet' };
  if (found.gate_z === null) return gateWithoutControl(found);
  if (found.margin_z !== null && found.margin_z < found.gate_z) {
    return {
      verdict: 'pass',
      reason: `error rate ${inPercent(found.canary.rate)} against ${inPercent(found.stable.rate)} on stable, within the allowed increase`,
    };
  }
  return {
    verdict: 'inconclusive',
    reason: `not yet clear that the error rate stays within +${inPercent(found.allowed_increase)}; needs more time or weight`,
  };
}

/**
 * At 100 percent nothing is left to compare with: what was learnt before stands, unless the step's own rate has left the allowed
 * increase over what stable had during the rollout.
 */
function gateWithoutControl(found: Found): Pick<Judgement, 'verdict' | 'reason'> {
  const allowed = (found.stable.rate ?? 0) + found.allowed_increase;
  const rate = found.step_errors / found.step_requests;
  if (rate <= allowed)
    return { verdict: 'pass', reason: `error rate ${inPercent(rate)} with all traffic, at most ${inPercent(allowed)} allowed` };
  return {
    verdict: 'inconclusive',
    reason: `error rate ${inPercent(rate)} with all traffic, and at most ${inPercent(allowed)} allowed; needs more time or a person`,
  };
}

/** With all traffic on the canary, only what came since then says anything about it. */
function stepWindow(state: JudgeState): JudgeState['window'] {
  return state.window.filter((slice) => slice.at > state.stepStartedAt);
}

export function inPercent(rate: number | null): string {
  return rate === null ? 'unknown' : `${(rate * 100).toFixed(1)} %`;
}

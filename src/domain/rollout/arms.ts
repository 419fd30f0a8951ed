/** A/B tests: what the comparison of the arms, time and people make of a deployment with several of them. */
import type { Instant } from '../../base/time.ts';
import type { AbTestVerdict } from '../analysis/ab-test.ts';
import { pause } from './pausing.ts';
import { armRevision } from './shares.ts';
import { currentStep, type Deployment, type ServiceState } from './state.ts';
import { finish, promote, reassign, unchanged, type Transition } from './transitions.ts';

/** In the step that compares. */
export function compared(state: ServiceState, active: Deployment, comparison: AbTestVerdict, now: Instant): Transition {
  const decided = { ...active, comparison };
  if (comparison.verdict === 'winner' && comparison.winner !== null) {
    if (active.plan.abTest?.isAutomatic === true) return promoteArm(state, active, comparison.winner, comparison, now);
    const message = `${comparison.reason}; \`actuator ab-test-promote --test-id ${active.id} --winner auto\` promotes it`;
    return pause(state, decided, { reason: 'winner', message, judgement: null }, now);
  }
  if (comparison.verdict !== 'no-winner') return compares(state, active, comparison);
  const message = `${comparison.reason}; stable serves all traffic. Promote an arm by its name with \`actuator ab-test-promote\`, give the test more time with \`actuator extend-phase\`, or abort it`;
  return pause(state, decided, { reason: 'no-winner', message, judgement: null }, now);
}

/** Kept whenever there is twice as much of it: whoever ends the test finds what it had found, and the journal stays short. */
function compares(state: ServiceState, active: Deployment, comparison: AbTestVerdict): Transition {
  const isWorthIt = samplesOf(comparison) >= Math.max(1, 2 * samplesOf(active.comparison));
  const next = isWorthIt ? { ...active, comparison } : active;
  return unchanged(next === state.active ? state : { ...state, active: next });
}

function samplesOf(comparison: AbTestVerdict | null): number {
  return comparison?.arms.reduce((sum, { samples }) => sum + samples, 0) ?? 0;
}

/** The arm takes the place of the test: what is promoted from here on is a revision like any other. */
export function promoteArm(
  state: ServiceState,
  active: Deployment,
  name: string,
  comparison: AbTestVerdict | null,
  now: Instant,
): Transition {
  const arm = active.plan.abTest?.arms.find((candidate) => candidate.name === name);
  if (arm === undefined) return unchanged(state);
  const decided = { ...active, revision: armRevision(active, arm), comparison: comparison ?? active.comparison };
  if (arm.digest === state.stable?.digest) return keep(withDecision(state, decided, now), decided, now);
  const [next, effects] = promote(state, decided, now);
  return [withDecision(next, decided, now), effects];
}

const decisionsKept = 50;

function withDecision(state: ServiceState, { revision: { wonTest, arm, digest } }: Deployment, now: Instant): ServiceState {
  if (wonTest === undefined || arm === undefined) return state;
  const others = state.decided.filter(({ test }) => test !== wonTest);
  return { ...state, decided: [{ test: wonTest, arm, armDigest: digest, at: now }, ...others].slice(0, decisionsKept) };
}

/** What has won is in force already: nothing changes but that the test is over. */
function keep(state: ServiceState, decided: Deployment, now: Instant): Transition {
  const { revision } = decided;
  const { arm = '', wonTest = '' } = revision;
  const stable = state.stable === null ? null : { ...state.stable, wonTest };
  const reason = `kept "${arm}" of its A/B test, which is what was in force`;
  const [ended, effects] = finish({ ...state, stable }, decided, { phase: 'completed', reason }, now);
  return reassign(ended, [...effects, { kind: 'write-config', deploymentId: decided.id, revision }]);
}

/** More of the traffic to those that may be the best. */
export function allocated(state: ServiceState, active: Deployment, shares: readonly number[]): Transition {
  const isComparing = active.phase.name === 'progressing' && currentStep(active)?.kind === 'compare';
  if (!isComparing || active.shares === null || shares.length !== active.shares.length) return unchanged(state);
  return reassign({ ...state, active: { ...active, shares } });
}

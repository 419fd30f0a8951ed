/** A/B tests: what the comparison of the arms, time and people make of a deployment with several of them. */
import type { Instant } from '../../base/time.ts';
import type { AbTestVerdict } from '../analysis/ab-test.ts';
import { pause } from './pausing.ts';
import { armRevision } from './shares.ts';
import { currentStep, type Deployment, type ServiceState } from './state.ts';
import { promote, reassign, unchanged, type Transition } from './transitions.ts';

/** In the step that compares. */
export function compared(state: ServiceState, active: Deployment, comparison: AbTestVerdict, now: Instant): Transition {
  const decided = { ...active, comparison };
  if (comparison.verdict === 'winner' && comparison.winner !== null) {
    if (active.plan.abTest?.isAutomatic === true) return promoteArm(state, active, comparison.winner, comparison, now);
    const message = `${comparison.reason}; \`actuator ab-test-promote --test-id ${active.id} --winner auto\` promotes it`;
    return pause(state, decided, { reason: 'winner', message, judgement: null }, now);
  }
  if (comparison.verdict !== 'no-winner') return unchanged(active === state.active ? state : { ...state, active });
  const message = `${comparison.reason}; stable serves all traffic. Promote an arm by its name with \`actuator ab-test-promote\`, give the test more time with \`actuator extend-phase\`, or abort it`;
  return pause(state, decided, { reason: 'no-winner', message, judgement: null }, now);
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
  return promote(state, { ...active, revision: armRevision(active, arm), comparison: comparison ?? active.comparison }, now);
}

/** More of the traffic to those that may be the best. */
export function allocated(state: ServiceState, active: Deployment, shares: readonly number[]): Transition {
  const isComparing = active.phase.name === 'progressing' && currentStep(active)?.kind === 'compare';
  if (!isComparing || active.shares === null || shares.length !== active.shares.length) return unchanged(state);
  return reassign({ ...state, active: { ...active, shares } });
}

/** Through the steps of a plan. Nothing here knows which strategy made them. */
import type { Instant } from '../../base/time.ts';
import { describeStep } from '../planning/step.ts';
import { pausedAtStep } from './pausing.ts';
import { canaryWeight, mirrorShare } from './shares.ts';
import { currentStep, holdOf, type Deployment, type ServiceState } from './state.ts';
import { promote, reassign, unchanged, withPhase, type Transition } from './transitions.ts';
import { beyond } from './trail.ts';

export function start(state: ServiceState, active: Deployment, now: Instant): Transition {
  // What the branch is built on has been let through with it.
  const trail = beyond(state.trail, active.revision.commit);
  return enter({ ...state, trail }, { ...active, startedAt: now }, 0, now);
}

export function holdIsOver(active: Deployment, now: Instant): boolean {
  return active.phase.name === 'progressing' && now >= active.phase.stepStartedAt + holdOf(active);
}

/** To the next step that gives the canary more than it has, or to the promotion. */
export function advance(state: ServiceState, active: Deployment, now: Instant): Transition {
  if (active.phase.name !== 'progressing' && active.phase.name !== 'paused') return unchanged(state);
  const weight = canaryWeight(state);
  let next = active.phase.step + 1;
  // A person has gone ahead of the plan: what lies behind is not done again.
  while (isBehind(active, next, weight)) next++;
  return enter(state, active, next, now);
}

function isBehind({ plan }: Deployment, index: number, weight: number): boolean {
  const step = plan.steps[index];
  return step !== undefined && step.kind !== 'pause' && step.kind !== 'mirror' && step.weight < weight;
}

function enter(state: ServiceState, active: Deployment, index: number, now: Instant): Transition {
  const step = active.plan.steps[index];
  if (step === undefined) return promote(state, active, now);
  const entered = withPhase(state, active, {
    name: 'progressing',
    step: index,
    stepStartedAt: now,
    passed: false,
    setTo: null,
    extraHoldMs: 0,
  });
  const after = step.kind === 'pause' ? pausedAtStep(entered, now) : unchanged(entered);
  const isSame = canaryWeight(after[0]) === canaryWeight(state) && mirrorShare(after[0]) === mirrorShare(state) && !isFirst(state);
  // Pauses and other steps at the same weight change nothing for the gateways.
  return isSame ? after : reassign(after[0], after[1]);
}

function isFirst({ active }: ServiceState): boolean {
  return active === null || active.phase.name === 'pending';
}

/** Weight other than planned, and its hold begun anew: it is looked at for as long as the planned one would have been. */
export function setWeight(state: ServiceState, active: Deployment, weight: number, now: Instant): Transition {
  const { phase } = active;
  if (phase.name === 'paused') return reassign(withPhase(state, active, { ...phase, weight }));
  if (phase.name !== 'progressing') return unchanged(state);
  return reassign(withPhase(state, active, { ...phase, stepStartedAt: now, passed: false, setTo: weight }));
}

/** The largest weight that the plan ever gives a canary; what people set may not go beyond it. */
export function largestWeight({ plan }: Deployment): number {
  return Math.max(0, ...plan.steps.map(({ weight }) => weight));
}

export function nameOfStep(active: Deployment): string {
  const step = currentStep(active);
  if (step === null || (active.phase.name !== 'progressing' && active.phase.name !== 'paused')) return '';
  return `step ${active.phase.step + 1} of ${active.plan.steps.length} (${describeStep(step)})`;
}

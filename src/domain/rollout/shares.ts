/** How much of the traffic goes where: what follows from a state for gateways, and for who is judged on what. */
import type { PlannedArm } from '../planning/ab-test-plan.ts';
import { trialShare } from '../planning/step.ts';
import { currentStep, type Deployment, type Revision, type ServiceState } from './state.ts';

/** Percent of the users' traffic that the active deployment has now. */
export function canaryWeight({ active }: Pick<ServiceState, 'active'>): number {
  const phase = active?.phase;
  switch (phase?.name) {
    case 'progressing':
      return phase.setTo ?? currentStep(active)?.weight ?? 0;
    case 'paused':
    case 'rolling-back':
      return phase.weight;
    default:
      return 0;
  }
}

/** Percent of stable's requests that are copied to the canary now. */
export function mirrorShare({ active }: Pick<ServiceState, 'active'>): number {
  return active?.phase.name === 'progressing' ? (currentStep(active)?.mirror ?? 0) : 0;
}

/** Percent of the traffic that the canary is judged on: its weight, or what is copied to it. */
export function judgedShare(state: Pick<ServiceState, 'active'>): number {
  const step = currentStep(state.active);
  return step?.kind === 'mirror' ? trialShare(step) : canaryWeight(state);
}

/** What is measured and judged, each for itself: the arms of an A/B test, or the one revision that is on trial. */
export function triedArms({ shares, plan, revision }: Deployment): readonly { readonly name: string | null; readonly digest: string }[] {
  return shares === null || plan.abTest === null ? [{ name: null, digest: revision.digest }] : plan.abTest.arms;
}

/**
 * Percent that one of them is judged on. Of an arm: its part of what it and the control group get, since other arms are no part of that
 * comparison. `part`: how much of the service's traffic those two are, from 0 to 1.
 */
export function armShare(state: Pick<ServiceState, 'active'>, index: number): { readonly weight: number; readonly part: number } {
  const judged = judgedShare(state);
  const { shares = null } = state.active ?? {};
  if (shares === null) return { weight: judged, part: 1 };
  if (currentStep(state.active)?.kind === 'mirror') return { weight: judged / shares.length, part: 1 };
  const own = judged * (shares[index] ?? 0);
  const both = own + 100 - judged;
  return both > 0 ? { weight: (100 * own) / both, part: both / 100 } : { weight: 0, part: 0 };
}

/** Gateways that serve the canary and nothing else; null: each serves by the weights. */
export function fleetShare({ active }: Pick<ServiceState, 'active'>): readonly string[] | null {
  const step = currentStep(active);
  if (active?.fleet == null || step === null || step.fleet === null || canaryWeight({ active }) === 0) return null;
  return active.fleet.slice(0, Math.max(1, Math.round((active.fleet.length * step.fleet) / 100)));
}

/** What one arm of the deployment serves. */
export function armRevision({ revision }: Pick<Deployment, 'revision'>, { name, digest }: PlannedArm): Revision {
  return { commit: revision.commit, digest, wonTest: revision.digest, arm: name };
}

export interface AssignedVariant {
  readonly name: 'canary' | 'stable';
  /** Of an A/B test; null outside one. */
  readonly arm: string | null;
  readonly weight: number;
  readonly revision: Revision;
}

/** What the gateways must serve, canary first. Empty before the first promotion. A canary that only gets copies has the weight 0. */
export function assignedVariants(state: ServiceState): readonly AssignedVariant[] {
  const { active, stable } = state;
  if (stable === null) return [];
  const weight = canaryWeight(state);
  const rest = (taken: number): AssignedVariant => ({ name: 'stable', arm: null, weight: 100 - taken, revision: stable });
  if (active === null || (weight === 0 && mirrorShare(state) === 0)) return [rest(0)];
  const arms = assignedArms(active, weight);
  if (arms.length > 0) return [...arms, rest(weight)];
  return [{ name: 'canary', arm: null, weight, revision: active.revision }, rest(weight)];
}

function assignedArms(active: Deployment, weight: number): readonly AssignedVariant[] {
  const { shares, plan } = active;
  if (shares === null) return [];
  return (plan.abTest?.arms ?? []).map((arm, index) => ({
    name: 'canary',
    arm: arm.name,
    weight: weight * (shares[index] ?? 0),
    revision: { commit: active.revision.commit, digest: arm.digest },
  }));
}

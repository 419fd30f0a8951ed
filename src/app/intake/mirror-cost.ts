/** What copies of requests may cost. */
import { currentStep } from '../../domain/rollout/state.ts';
import type { Engine } from '../engine/engine.ts';
import type { Intake } from './intake.ts';

/** Copies end when they have cost what they may; reports come each second, and by so much it can be overshot. */
export async function endCostlyMirrors(engine: Engine, intake: Intake): Promise<void> {
  for (const { service, active } of engine.states()) {
    const step = currentStep(active);
    if (active?.phase.name !== 'progressing' || step?.kind !== 'mirror' || step.maxCostUsd === null) continue;
    const spentUsd = intake.mirroredCostUsd(active.id);
    if (spentUsd >= step.maxCostUsd) await engine.dispatch(service, { type: 'mirror-exhausted', spentUsd }, 'actuator');
  }
}

/** One look at a deployment on trial: what arrived goes to the judge, and what it says to the reducer. */
import type { Instant } from '../../base/time.ts';
import { ratesOf, thresholdsOf } from '../../domain/analysis/baseline.ts';
import { markUnusable, observe } from '../../domain/analysis/judge.ts';
import { look, type Judgement, type LookContext } from '../../domain/analysis/look.ts';
import { momentOf, type Moment } from '../../domain/analysis/record.ts';
import type { ArmPair } from '../../domain/analysis/sample.ts';
import { currentStep, isOnTrial, judgedShare, type ServiceState } from '../../domain/rollout/state.ts';
import type { Engine } from '../engine/engine.ts';
import type { Baselines } from './baselines.ts';
import type { Trial, Trials } from './trials.ts';

export interface Arrived {
  readonly arms: ArmPair;
  /** Why something that came could not be used. */
  readonly unusable: string | null;
}

export interface Looking {
  /** Also with nothing arrived: then only time has passed. Resolves when the verdict has been acted on. */
  take(service: string, arrived: Arrived, now: Instant): Promise<void>;
  /** A verdict as of now that decides nothing; null when none is on trial. */
  present(service: string, now: Instant): Promise<{ readonly judgement: Judgement; readonly moment: Moment } | null>;
}

export interface LookingDeps {
  readonly engine: Engine;
  readonly trials: Trials;
  readonly baselines: Baselines;
  readonly drawn: (state: ServiceState) => LookContext['drawn'];
}

export function createLooking({ engine, trials, baselines, drawn }: LookingDeps): Looking {
  async function contextOf(state: ServiceState, { bench }: Trial, now: Instant): Promise<LookContext> {
    const rates = ratesOf(await baselines.of(state.service), now, bench.policy.watchedMs);
    return { weight: judgedShare(state), isMirrored: currentStep(state.active)?.kind === 'mirror', now, rates, drawn: drawn(state) };
  }

  function onTrial(service: string): { readonly state: ServiceState; readonly trial: Trial } | null {
    const state = engine.state(service);
    const active = state?.active ?? null;
    if (state === undefined || active === null || !isOnTrial(active)) return null;
    return { state, trial: trials.of(state, active) };
  }

  return {
    async take(service, arrived, now) {
      const thresholds = thresholdsOf(await baselines.of(service));
      const found = onTrial(service);
      if (found === null) return;
      const { state, trial } = found;
      if (arrived.unusable !== null) trial.judge = markUnusable(trial.judge, arrived.unusable, now);
      trials.advance(trial, observe(trial.judge, { arms: arrived.arms, thresholds }, trial.bench, now));
      const context = await contextOf(state, trial, now);
      const { state: judge, judgement } = look(trial.judge, trial.bench, context);
      trial.judge = judge;
      trial.judgement = judgement;
      await engine.dispatch(service, { type: 'judged', judgement, arrivedAt: now, moment: momentOf(judge, context) }, 'judge');
    },
    async present(service, now) {
      const found = onTrial(service);
      if (found === null) return null;
      const context = await contextOf(found.state, found.trial, now);
      const { state: judge, judgement } = look(found.trial.judge, found.trial.bench, context);
      return { judgement, moment: momentOf(judge, context) };
    },
  };
}

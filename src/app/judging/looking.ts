/** One look at a deployment on trial: what arrived goes to the judge, and what it says to the reducer. */
import type { Rng } from '../../base/random.ts';
import type { Instant } from '../../base/time.ts';
import { allocate, judgeAbTest, type AbTestVerdict } from '../../domain/analysis/ab-test.ts';
import { ratesOf, thresholdsOf } from '../../domain/analysis/baseline.ts';
import type { Thresholds } from '../../domain/analysis/block.ts';
import { observeArms } from '../../domain/analysis/comparison.ts';
import { markUnusable, observe, type JudgeState } from '../../domain/analysis/judge.ts';
import { look, type Judgement, type LookContext, type Verdict } from '../../domain/analysis/look.ts';
import { momentOf, type Moment } from '../../domain/analysis/record.ts';
import { noSample, type ArmSample } from '../../domain/analysis/sample.ts';
import { armShare } from '../../domain/rollout/shares.ts';
import { currentStep, isOnTrial, type Deployment, type ServiceState } from '../../domain/rollout/state.ts';
import { holdIsOver } from '../../domain/rollout/steps.ts';
import type { Engine } from '../engine/engine.ts';
import type { Baselines } from './baselines.ts';
import type { Trial, Trials } from './trials.ts';

export interface Arrived {
  /** By digest, of what is on trial. */
  readonly canaries: ReadonlyMap<string, ArmSample>;
  readonly stable: ArmSample;
  /** Why something that came could not be used. */
  readonly unusable: string | null;
}

/** What a look says, and what it was made of. */
export interface Look {
  readonly judgement: Judgement;
  readonly moment: Moment;
  /** Of the arms with each other; null where none are compared. */
  readonly comparison: AbTestVerdict | null;
}

export interface Looking {
  /** Also with nothing arrived: then only time has passed. Resolves when the verdict has been acted on. */
  take(service: string, arrived: Arrived, now: Instant): Promise<void>;
  /** A verdict as of now that decides nothing; null when none is on trial. */
  present(service: string, now: Instant): Promise<Look | null>;
}

export interface LookingDeps {
  readonly engine: Engine;
  readonly trials: Trials;
  readonly baselines: Baselines;
  readonly drawn: (state: ServiceState) => LookContext['drawn'];
  readonly rng: Rng;
}

interface OnTrial {
  readonly state: ServiceState;
  readonly active: Deployment;
  readonly trial: Trial;
}

export function createLooking({ engine, trials, baselines, drawn, rng }: LookingDeps): Looking {
  async function contextsOf({ state, trial }: OnTrial, now: Instant): Promise<readonly LookContext[]> {
    const rates = ratesOf(await baselines.of(state.service), now, trial.bench.policy.watchedMs);
    const common = { isMirrored: currentStep(state.active)?.kind === 'mirror', now };
    const draw = drawn(state);
    return trial.arms.map(({ name }, index) => {
      const { weight, part } = armShare(state, index);
      if (name === null) return { ...common, weight, rates, drawn: draw };
      const own = Object.fromEntries(Object.entries(rates).map(([metric, rate]) => [metric, rate * part]));
      // Users are counted for all arms together.
      return { ...common, arm: name, weight, rates: own, drawn: draw?.unit === 'users' ? null : draw };
    });
  }

  function onTrial(service: string): OnTrial | null {
    const state = engine.state(service);
    const active = state?.active ?? null;
    if (state === undefined || active === null || !isOnTrial(active)) return null;
    return { state, active, trial: trials.of(state, active) };
  }

  /** Looks at every arm. `keep`: what the looks have learnt is remembered. */
  async function lookAtAll(found: OnTrial, now: Instant, keep: boolean): Promise<Look | null> {
    const contexts = await contextsOf(found, now);
    const looks = found.trial.arms.map((arm, index) => {
      const context = contexts[index] ?? { weight: 0, now, rates: {}, drawn: null };
      const { state: judge, judgement } = look(arm.judge, found.trial.bench, context);
      if (keep) arm.judge = judge;
      return { name: arm.name, judge, judgement, context };
    });
    const comparison = compareArms(found, looks, now);
    const chosen = choose(looks, comparison);
    return chosen === null ? null : { judgement: chosen.judgement, moment: momentOf(chosen.judge, chosen.context), comparison };
  }

  return {
    async take(service, arrived, now) {
      const thresholds = thresholdsOf(await baselines.of(service));
      const found = onTrial(service);
      if (found === null) return;
      const { trial } = found;
      observeAll(trials, found, arrived, thresholds, now);
      const seen = await lookAtAll(found, now, true);
      if (seen === null) return;
      trial.judgement = seen.judgement;
      trial.verdict = seen.comparison;
      const { comparison, ...verdict } = seen;
      await engine.dispatch(
        service,
        { type: 'judged', ...verdict, arrivedAt: now, ...(comparison === null ? {} : { comparison }) },
        'judge',
      );
      const shares = sharesOf(onTrial(service), rng, now);
      if (shares !== null) await engine.dispatch(service, { type: 'arms-allocated', shares }, 'judge');
    },
    async present(service, now) {
      const found = onTrial(service);
      return found === null ? null : lookAtAll(found, now, false);
    },
  };
}

/** Each arm for itself beside stable; and, where they are compared, all of them with each other. */
function observeAll(
  trials: Trials,
  { active, trial }: OnTrial,
  { canaries, stable, unusable }: Arrived,
  thresholds: Thresholds,
  now: Instant,
): void {
  const samples = trial.arms.map(({ digest }) => canaries.get(digest) ?? noSample);
  for (const [index, arm] of trial.arms.entries()) {
    if (unusable !== null) arm.judge = markUnusable(arm.judge, unusable, now);
    const arms = { canary: samples[index] ?? noSample, stable };
    trials.advance(trial, arm, observe(arm.judge, { arms, thresholds }, trial.bench, now));
  }
  const { abTest } = active.plan;
  if (trial.comparison === null || abTest === null || !isComparing(active)) return;
  trial.comparison = observeArms(trial.comparison, { arms: samples, stable, thresholds }, abTest.settings, trial.bench.policy, now);
}

function isComparing(active: Deployment): boolean {
  return currentStep(active)?.kind === 'compare';
}

interface ArmLook {
  readonly name: string | null;
  readonly judge: JudgeState;
  readonly judgement: Judgement;
  readonly context: LookContext;
}

/** The best arm wins when it has also passed what every canary must. */
function compareArms({ active, trial }: OnTrial, looks: readonly ArmLook[], now: Instant): AbTestVerdict | null {
  const { abTest } = active.plan;
  if (abTest === null || trial.comparison === null || !isComparing(active)) return null;
  const isOver = holdIsOver(active, now);
  const verdict = judgeAbTest(trial.comparison.test, abTest.settings, isOver);
  const judgement = looks.find(({ name }) => name === verdict.winner)?.judgement;
  if (judgement === undefined || judgement.verdict === 'pass') return verdict;
  const reason = `"${verdict.winner ?? ''}" is the best, but has not passed its own criteria: ${judgement.reason}`;
  return { ...verdict, verdict: isOver ? 'no-winner' : 'running', winner: null, reason };
}

/** What ends it, or stops it, comes before everything else. */
const gravity: readonly Verdict[] = ['fail', 'incident', 'warn', 'error', 'no-data', 'inconclusive', 'pass'];
const decisive = 3;

/** The look that speaks for all: the gravest; of arms that are compared and do no harm, the leader's. */
function choose(looks: readonly ArmLook[], comparison: AbTestVerdict | null): ArmLook | null {
  const rank = ({ judgement }: ArmLook): number => gravity.indexOf(judgement.verdict);
  const [gravest] = [...looks].sort((a, b) => rank(a) - rank(b));
  if (gravest === undefined) return null;
  const leader = comparison?.arms.toSorted((a, b) => (a.p_value ?? 1) - (b.p_value ?? 1))[0]?.name;
  const leading = looks.find(({ name }) => name === leader);
  return leading === undefined || rank(gravest) < decisive ? gravest : leading;
}

/** Of all shares, a change by less than this is not worth moving anybody. */
const leastChange = 0.01;

/** For what comes next; null: they stay as they are. */
function sharesOf(found: OnTrial | null, rng: Rng, now: Instant): readonly number[] | null {
  if (found === null) return null;
  const { active, trial } = found;
  const { abTest } = active.plan;
  if (abTest === null || trial.comparison === null || active.phase.name !== 'progressing' || !isComparing(active)) return null;
  if (abTest.settings.allocation === 'fixed' || now - trial.allocatedAt < abTest.reallocateMs) return null;
  trial.allocatedAt = now;
  const shares = rounded(allocate(trial.comparison.test, abTest.settings, rng));
  return shares.some((share, index) => Math.abs(share - (active.shares?.[index] ?? 0)) >= leastChange) ? shares : null;
}

/** To thousandths that still add up to 1. */
function rounded(shares: readonly number[]): readonly number[] {
  const parts = shares.map((share) => Math.round(share * 1000));
  const largest = parts.indexOf(Math.max(...parts));
  const rest = 1000 - parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part, index) => (part + (index === largest ? rest : 0)) / 1000);
}

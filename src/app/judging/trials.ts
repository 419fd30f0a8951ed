/** The judge's accumulators, one for each deployment under way, and their checkpoints in the store. */
import { messageOf } from '../../base/failures.ts';
import type { Instant } from '../../base/time.ts';
import type { AbTestVerdict } from '../../domain/analysis/ab-test.ts';
import { closeComparison, newComparison, withoutOpen, type Comparison } from '../../domain/analysis/comparison.ts';
import { beginStep, benchOf, newJudge, reweigh, type Bench, type JudgeState, type Observed } from '../../domain/analysis/judge.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { armShare, triedArms } from '../../domain/rollout/shares.ts';
import { isOnTrial, type Deployment, type ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';
import type { TransitionNotice } from '../engine/engine.ts';
import { createEvidenceLog, evidenceName } from './evidence-log.ts';

export interface ArmTrial {
  /** Of an A/B test; null outside one, where there is one of these. */
  readonly name: string | null;
  readonly digest: string;
  judge: JudgeState;
}

export interface Trial {
  readonly deploymentId: string;
  readonly bench: Bench;
  readonly arms: readonly ArmTrial[];
  /** Of the assignment that the counts of the present step were made under. */
  generation: number;
  /** Of the arms with each other; null outside an A/B test. */
  comparison: Comparison | null;
  /** When shares were last thought over. */
  allocatedAt: Instant;
  judgement: Judgement | null;
  verdict: AbTestVerdict | null;
}

export interface Trials {
  load(states: readonly ServiceState[]): Promise<void>;
  of(state: ServiceState, deployment: Deployment): Trial;
  judgement(service: string): Judgement | null;
  /** What the A/B test under way has found so far. */
  comparison(service: string): AbTestVerdict | null;
  /** Puts the next state of a judge in place, and keeps the block that it closed. */
  advance(trial: Trial, arm: ArmTrial, observed: Observed): void;
  after(notice: TransitionNotice): void;
  /** Resolves when every closed block so far is in the store. Rejects when one could not be kept. */
  settled(): Promise<void>;
  /** Every few seconds: what a crash loses of it are counts, never a verdict. */
  checkpoint(): Promise<void>;
}

type Saved = Pick<Trial, 'deploymentId' | 'generation' | 'arms' | 'comparison'>;

/** A person has seen the evidence and goes on, or wants it gathered anew: what is decided next must rest on what comes next. */
function isOverruled(before: ServiceState, active: Deployment): boolean {
  if (before.active?.monitoringSince !== active.monitoringSince || before.active.resalted !== active.resalted) return true;
  const was = before.active.phase;
  if (was.name !== 'paused' || active.phase.name !== 'progressing') return false;
  return was.reason === 'incident' || was.reason === 'auto-rollback-disabled';
}

function stepOf({ active }: ServiceState): number | null {
  return active?.phase.name === 'progressing' || active?.phase.name === 'paused' ? active.phase.step : null;
}

function key(service: string): string {
  return `judge/${service}`;
}

/** A checkpoint that an earlier version wrote has another shape; without it the deployment is judged anew from here on. */
function isReadable(saved: Saved): boolean {
  const { arms = [] } = saved as Partial<Saved>;
  return arms.length > 0;
}

export function createTrials(store: Store, clock: Clock, log: Log): Trials {
  const trials = new Map<string, Trial>();
  const evidence = createEvidenceLog(store, log);

  function advance(trial: Trial, arm: ArmTrial, { state, closed }: Observed): void {
    if (closed !== null) evidence.keep(evidenceName(trial.deploymentId, arm.name), arm.judge.blocks, closed);
    arm.judge = state;
  }

  function forget(trial: Trial, service: string): void {
    trials.delete(service);
    for (const { name } of trial.arms) evidence.forget(evidenceName(trial.deploymentId, name));
    store.remove(key(service)).catch((thrown: unknown) => log.warn({ error: messageOf(thrown) }, 'checkpoint not removed'));
  }

  return {
    async load(states) {
      for (const state of states) {
        const { service, active, generation } = state;
        const body = active === null ? null : await store.get(key(service));
        if (body === null || active === null) continue;
        const saved = JSON.parse(body) as Saved;
        if (saved.deploymentId !== active.id || !isReadable(saved)) continue;
        const trial: Trial = {
          ...newTrial(state, active, clock.now()),
          arms: saved.arms,
          comparison: restored(saved.comparison, clock.now()),
        };
        trials.set(service, trial);
        // Taken before the last change of weight: its samples are those of another step.
        if (saved.generation !== generation) beginSteps(trial, state, clock.now(), advance);
      }
    },
    of(state, deployment) {
      const known = trials.get(state.service);
      if (known?.deploymentId === deployment.id) return known;
      const created = newTrial(state, deployment, clock.now());
      trials.set(state.service, created);
      return created;
    },
    judgement: (service) => trials.get(service)?.judgement ?? null,
    comparison: (service) => trials.get(service)?.verdict ?? null,
    advance,
    after({ before, row }) {
      const { active } = row.stateAfter;
      const trial = trials.get(row.service);
      if (trial === undefined) return;
      if (active === null || !isOnTrial(active) || active.id !== trial.deploymentId) {
        forget(trial, row.service);
        return;
      }
      trial.generation = row.stateAfter.generation;
      if (isOverruled(before, active)) beginAnew(trial, row.stateAfter, row.at);
      else if (stepOf(before) !== stepOf(row.stateAfter)) beginSteps(trial, row.stateAfter, row.at, advance);
      else reweighAll(trial, before, row.stateAfter, row.at, advance);
    },
    settled: () => evidence.flush(),
    async checkpoint() {
      // Rows first: a checkpoint never counts a block that is not kept.
      await evidence.flush();
      for (const [service, { deploymentId, generation, arms, comparison }] of trials)
        await store.put(key(service), JSON.stringify({ deploymentId, generation, arms, comparison } satisfies Saved));
    },
  };
}

type Advance = (trial: Trial, arm: ArmTrial, observed: Observed) => void;

function newTrial(state: ServiceState, deployment: Deployment, now: Instant): Trial {
  return {
    deploymentId: deployment.id,
    bench: benchOf(deployment.plan.policy),
    arms: triedArms(deployment).map((arm, index) => ({ ...arm, judge: newJudge(now, armShare(state, index).weight) })),
    generation: state.generation,
    comparison: comparisonOf(deployment, now),
    allocatedAt: now,
    judgement: null,
    verdict: null,
  };
}

function restored(saved: Comparison | null, now: Instant): Comparison | null {
  return saved === null ? null : withoutOpen(saved, now);
}

function comparisonOf({ shares, plan }: Deployment, now: Instant): Comparison | null {
  return shares === null || plan.abTest === null ? null : newComparison(plan.abTest.settings, now);
}

function beginAnew(trial: Trial, state: ServiceState, now: Instant): void {
  for (const [index, arm] of trial.arms.entries()) arm.judge = newJudge(now, armShare(state, index).weight);
  if (state.active !== null) trial.comparison = comparisonOf(state.active, now);
}

function beginSteps(trial: Trial, state: ServiceState, now: Instant, advance: Advance): void {
  for (const [index, arm] of trial.arms.entries())
    advance(trial, arm, beginStep(arm.judge, trial.bench, armShare(state, index).weight, now));
  // Copies before it were no part of the comparison.
  if (trial.comparison?.blocks === 0 && state.active !== null) trial.comparison = comparisonOf(state.active, now);
}

/** No block spans two weights, nor two divisions between the arms. */
function reweighAll(trial: Trial, before: ServiceState, after: ServiceState, now: Instant, advance: Advance): void {
  let isChanged = false;
  for (const [index, arm] of trial.arms.entries()) {
    const { weight } = armShare(after, index);
    if (armShare(before, index).weight === weight) continue;
    isChanged = true;
    advance(trial, arm, reweigh(arm.judge, trial.bench, weight, now));
  }
  const settings = after.active?.plan.abTest?.settings;
  if (isChanged && trial.comparison !== null && settings !== undefined)
    trial.comparison = closeComparison(trial.comparison, settings, trial.bench.policy, now);
}

/** The judge's accumulators, one for each deployment under way, and their checkpoints in the store. */
import { messageOf } from '../../base/failures.ts';
import { beginStep, benchOf, newJudge, reweigh, type Bench, type JudgeState, type Observed } from '../../domain/analysis/judge.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { isOnTrial, judgedShare, type Deployment, type ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';
import type { TransitionNotice } from '../engine/engine.ts';
import { createEvidenceLog } from './evidence-log.ts';

export interface Trial {
  readonly deploymentId: string;
  readonly bench: Bench;
  /** Of the assignment that the counts of the present step were made under. */
  generation: number;
  judge: JudgeState;
  judgement: Judgement | null;
}

export interface Trials {
  load(states: readonly ServiceState[]): Promise<void>;
  of(state: ServiceState, deployment: Deployment): Trial;
  judgement(service: string): Judgement | null;
  /** Puts the next state of the judge in place, and keeps the block that it closed. */
  advance(trial: Trial, observed: Observed): void;
  after(notice: TransitionNotice): void;
  /** Resolves when every closed block so far is in the store. Rejects when one could not be kept. */
  settled(): Promise<void>;
  /** Every few seconds: what a crash loses of it are counts, never a verdict. */
  checkpoint(): Promise<void>;
}

type Saved = Pick<Trial, 'deploymentId' | 'generation' | 'judge'>;

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
  const { steps, drawn } = saved.judge as Partial<JudgeState>;
  return Array.isArray(steps) && drawn !== undefined;
}

export function createTrials(store: Store, clock: Clock, log: Log): Trials {
  const trials = new Map<string, Trial>();
  const evidence = createEvidenceLog(store, log);

  function advance(trial: Trial, { state, closed }: Observed): void {
    if (closed !== null) evidence.keep(trial.deploymentId, trial.judge.blocks, closed);
    trial.judge = state;
  }

  return {
    async load(states) {
      for (const state of states) {
        const { service, active, generation } = state;
        const body = active === null ? null : await store.get(key(service));
        if (body === null || active === null) continue;
        const saved = JSON.parse(body) as Saved;
        if (saved.deploymentId !== active.id || !isReadable(saved)) continue;
        const trial: Trial = { ...saved, generation, bench: benchOf(active.plan.policy), judgement: null };
        trials.set(service, trial);
        // Taken before the last change of weight: its samples are those of another step.
        const weight = judgedShare(state);
        if (saved.generation !== generation) advance(trial, beginStep(trial.judge, trial.bench, weight, clock.now()));
      }
    },
    of(state, deployment) {
      const { service, generation } = state;
      const known = trials.get(service);
      if (known?.deploymentId === deployment.id) return known;
      const judge = newJudge(clock.now(), judgedShare(state));
      const created: Trial = { deploymentId: deployment.id, bench: benchOf(deployment.plan.policy), generation, judge, judgement: null };
      trials.set(service, created);
      return created;
    },
    judgement: (service) => trials.get(service)?.judgement ?? null,
    advance,
    after({ before, row }) {
      const { active } = row.stateAfter;
      const trial = trials.get(row.service);
      if (trial === undefined) return;
      if (active === null || !isOnTrial(active) || active.id !== trial.deploymentId) {
        trials.delete(row.service);
        evidence.forget(trial.deploymentId);
        store.remove(key(row.service)).catch((thrown: unknown) => log.warn({ error: messageOf(thrown) }, 'checkpoint not removed'));
        return;
      }
      trial.generation = row.stateAfter.generation;
      const weight = judgedShare(row.stateAfter);
      if (isOverruled(before, active)) trial.judge = newJudge(row.at, weight);
      else if (stepOf(before) !== stepOf(row.stateAfter)) advance(trial, beginStep(trial.judge, trial.bench, weight, row.at));
      else if (judgedShare(before) !== weight) advance(trial, reweigh(trial.judge, trial.bench, weight, row.at));
    },
    settled: () => evidence.flush(),
    async checkpoint() {
      // Rows first: a checkpoint never counts a block that is not kept.
      await evidence.flush();
      for (const [service, { deploymentId, generation, judge }] of trials)
        await store.put(key(service), JSON.stringify({ deploymentId, generation, judge } satisfies Saved));
    },
  };
}

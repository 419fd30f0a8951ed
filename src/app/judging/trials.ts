/** The judge's accumulators, one for each deployment under way, and their checkpoints in the store. */
import { messageOf } from '../../base/failures.ts';
import { beginStep, newJudge, type JudgeState, type Judgement } from '../../domain/analysis/judge.ts';
import { canaryWeight, type Deployment, type ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';
import type { TransitionNotice } from '../engine/engine.ts';

export interface Trial {
  readonly deploymentId: string;
  /** Of the assignment that the counts of the present step were made under. */
  generation: number;
  judge: JudgeState;
  judgement: Judgement | null;
}

export interface Trials {
  load(states: readonly ServiceState[]): Promise<void>;
  of(state: ServiceState, deployment: Deployment): Trial;
  judgement(service: string): Judgement | null;
  after(notice: TransitionNotice): void;
  /** Every few seconds: what a crash loses of it are counts, never a verdict. */
  checkpoint(): Promise<void>;
}

type Saved = Omit<Trial, 'judgement'>;

/** A person has seen the evidence and goes on: what is decided next must rest on what comes next. */
function isOverruled(before: ServiceState, active: Deployment): boolean {
  const was = before.active?.phase;
  if (was?.name !== 'paused' || active.phase.name !== 'progressing') return false;
  return was.reason === 'incident' || was.reason === 'auto-rollback-disabled';
}

function key(service: string): string {
  return `judge/${service}`;
}

export function createTrials(store: Store, clock: Clock, log: Log): Trials {
  const trials = new Map<string, Trial>();
  return {
    async load(states) {
      for (const { service, active, generation } of states) {
        const body = active === null ? null : await store.get(key(service));
        if (body === null) continue;
        const saved = JSON.parse(body) as Saved;
        if (saved.deploymentId !== active?.id) continue;
        // Taken before the last change of weight: its samples are those of another step.
        const judge = saved.generation === generation ? saved.judge : beginStep(saved.judge, clock.now());
        trials.set(service, { deploymentId: saved.deploymentId, generation, judge, judgement: null });
      }
    },
    of({ service, generation }, deployment) {
      const known = trials.get(service);
      if (known?.deploymentId === deployment.id) return known;
      const created: Trial = { deploymentId: deployment.id, generation, judge: newJudge(clock.now()), judgement: null };
      trials.set(service, created);
      return created;
    },
    judgement: (service) => trials.get(service)?.judgement ?? null,
    after({ before, row }) {
      const { active } = row.stateAfter;
      const trial = trials.get(row.service);
      if (trial === undefined) return;
      const underWay = active?.phase.name === 'progressing' || active?.phase.name === 'paused';
      if (!underWay || active.id !== trial.deploymentId) {
        trials.delete(row.service);
        store.remove(key(row.service)).catch((thrown: unknown) => log.warn({ error: messageOf(thrown) }, 'checkpoint not removed'));
      } else {
        trial.generation = row.stateAfter.generation;
        if (isOverruled(before, active)) trial.judge = newJudge(row.at);
        else if (canaryWeight(before) !== canaryWeight(row.stateAfter)) trial.judge = beginStep(trial.judge, row.at);
      }
    },
    async checkpoint() {
      for (const [service, { deploymentId, generation, judge }] of trials)
        await store.put(key(service), JSON.stringify({ deploymentId, generation, judge } satisfies Saved));
    },
  };
}

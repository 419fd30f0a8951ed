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
  judge: JudgeState;
  judgement: Judgement | null;
}

export interface Trials {
  load(states: readonly ServiceState[]): Promise<void>;
  of(service: string, deployment: Deployment): Trial;
  judgement(service: string): Judgement | null;
  after(notice: TransitionNotice): void;
  /** At most every few seconds: what a crash loses of it are counts, never a verdict. */
  checkpoint(): Promise<void>;
}

const checkpointMs = 5000;

function key(service: string): string {
  return `judge/${service}`;
}

export function createTrials(store: Store, clock: Clock, log: Log): Trials {
  const trials = new Map<string, Trial>();
  let checkpointedAt = 0;
  return {
    async load(states) {
      for (const { service, active } of states) {
        const body = active === null ? null : await store.get(key(service));
        if (body === null) continue;
        const saved = JSON.parse(body) as { deploymentId: string; judge: JudgeState };
        if (saved.deploymentId === active?.id) trials.set(service, { ...saved, judgement: null });
      }
    },
    of(service, deployment) {
      const known = trials.get(service);
      if (known?.deploymentId === deployment.id) return known;
      const created: Trial = { deploymentId: deployment.id, judge: newJudge(clock.now()), judgement: null };
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
      } else if (canaryWeight(before) !== canaryWeight(row.stateAfter)) trial.judge = beginStep(trial.judge, row.at);
    },
    async checkpoint() {
      const now = clock.now();
      if (now - checkpointedAt < checkpointMs) return;
      checkpointedAt = now;
      for (const [service, { deploymentId, judge }] of trials) await store.put(key(service), JSON.stringify({ deploymentId, judge }));
    },
  };
}

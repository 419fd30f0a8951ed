/** What operators order: pause, resume, roll back. `commandProblem` says beforehand whether an order makes sense. */
import { assertNever } from '../../base/assert-never.ts';
import type { Problem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { ServiceEvent } from './event.ts';
import { pause, resume } from './progress.ts';
import type { Deployment, ServiceState } from './state.ts';
import { rollBack, rollBackPromoted, unchanged, type Transition } from './transitions.ts';

export type CommandEvent = Extract<ServiceEvent, { type: 'paused' | 'resumed' | 'rollback-requested' }>;

export function reduceCommand(state: ServiceState, event: CommandEvent, now: Instant): Transition {
  if (commandProblem(state, event) !== null) return unchanged(state);
  const { active } = state;
  switch (event.type) {
    case 'paused':
      return active === null ? unchanged(state) : pause(state, active, { reason: 'operator', message: event.reason, judgement: null }, now);
    case 'resumed':
      return active === null ? unchanged(state) : resume(state, overrule(active), now);
    case 'rollback-requested': {
      const order = { cause: 'operator', reason: event.reason, actor: event.actor, judgement: null, revert: { kind: 'pending' } } as const;
      return active === null ? rollBackPromoted(state, order, now) : rollBack(state, active, order, now);
    }
    default:
      return assertNever(event);
  }
}

/** A person goes on in spite of the warnings that there are: they pause it no more. */
function overrule(active: Deployment): Deployment {
  if (active.phase.name !== 'paused' || active.phase.reason !== 'warning') return active;
  const severe = active.judgement?.warnings.filter(({ level }) => level === 'severe').map(({ key }) => key) ?? [];
  return { ...active, overruled: [...new Set([...active.overruled, ...severe])] };
}

/** Why the order can't be followed, in one sentence with the way out; null when it can. */
export function commandProblem(state: ServiceState, event: CommandEvent): Problem | null {
  const { active } = state;
  const wrongId = otherDeployment(state, event.deploymentId);
  if (wrongId !== null) return wrongId;
  switch (event.type) {
    case 'paused':
      if (active?.phase.name === 'progressing') return null;
      return notApplicable(state, 'pause', 'only a deployment that is progressing can be paused');
    case 'resumed':
      if (active?.phase.name === 'paused') return null;
      return notApplicable(state, 'resume', 'only a paused deployment can be resumed');
    case 'rollback-requested':
      if (active === null) return rollbackOfStableProblem(state);
      if (active.phase.name === 'progressing' || active.phase.name === 'paused' || active.phase.name === 'pending') return null;
      return notApplicable(
        state,
        'roll back',
        active.phase.name === 'promoting' ? 'it is being promoted; roll back when that is done' : 'it is being rolled back already',
      );
    default:
      return assertNever(event);
  }
}

function otherDeployment(state: ServiceState, asked: string | null): Problem | null {
  if (asked === null) return null;
  const current = state.active?.id ?? state.watch?.deploymentId ?? state.last?.id;
  if (asked === current) return null;
  return {
    code: 'not-applicable',
    message: `${asked} is not the deployment in force of ${state.service}${current === undefined ? '' : `, ${current} is`}.`,
  };
}

function rollbackOfStableProblem(state: ServiceState): Problem | null {
  if (state.previous !== null && state.watch !== null) return null;
  const because =
    state.previous === null
      ? 'nothing is being rolled out, and there is no revision from before the present one'
      : 'nothing is being rolled out, and the revision from before the present one is kept ready for 24 h only';
  return notApplicable(state, 'roll back', `${because}; revert the commit in Git instead`);
}

function notApplicable(state: ServiceState, verb: string, because: string): Problem {
  const phase = state.active === null ? 'idle' : state.active.phase.name;
  return { code: 'not-applicable', message: `Cannot ${verb} ${state.service} (${phase}): ${because}.` };
}

/** The state machine of a service: an event that does not apply leaves the state as it is. */
import { assertNever } from '../../base/assert-never.ts';
import type { Instant } from '../../base/time.ts';
import { isCommand, reduceCommand } from './commands.ts';
import type { ServiceEvent } from './event.ts';
import { reduceOrigin } from './origin.ts';
import { reduceProgress } from './progress.ts';
import { reduceRecovering, settleFurther } from './recovering.ts';
import { reduceSeen } from './seen.ts';
import type { ServiceState } from './state.ts';
import { proposed } from './unreverted.ts';
import { reduceRollingBack, reduceWatch } from './ways-back.ts';
import { reassign, unchanged, makeStable, type Transition } from './transitions.ts';

export function reduce(state: ServiceState, event: ServiceEvent, now: Instant): Transition {
  if (isCommand(event)) return reduceCommand(state, event, now);
  switch (event.type) {
    case 'adopted':
      return adopt(state, event, now);
    case 'revision-seen':
    case 'revision-rejected':
    case 'service-removed':
      return reduceSeen(state, event, now);
    case 'origin-found':
      return reduceOrigin(state, event, now);
    case 'revert-proposed':
      return proposed(state, event);
    case 'gates-checked':
    case 'slot-granted':
    case 'judged':
    case 'gateway-refused':
    case 'held-up':
    case 'released':
    case 'mirror-exhausted':
    case 'arms-allocated':
      return reduceProgress(state, event, now);
    case 'applied':
      return state.active?.phase.name === 'rolling-back' ? reduceRollingBack(state, event, now) : reduceProgress(state, event, now);
    case 'woken': {
      const watched = reduceWatch(state, event, now)[0];
      return state.active?.phase.name === 'rolling-back' ? reduceRollingBack(watched, event, now) : reduceProgress(watched, event, now);
    }
    case 'watch-failed':
      return reduceWatch(state, event, now);
    case 'revert-settled':
      return state.active?.phase.name === 'recovering' ? settleFurther(state, event, now) : reduceRollingBack(state, event, now);
    case 'recovery-judged':
      return reduceRecovering(state, event, now);
    case 'catalogue-changed':
      return state.stable === null ? unchanged(state) : reassign(state);
    default:
      return assertNever(event);
  }
}

function adopt(state: ServiceState, event: { readonly revision: ServiceState['stable'] & object }, now: Instant): Transition {
  if (state.stable !== null) return unchanged(state);
  const adopted = makeStable(state, event.revision, now, null);
  return reassign({ ...adopted, seen: event.revision, rejection: null });
}

/** The state after a history; `fold(journal) = state` is a property that tests hold us to. */
export function fold(initial: ServiceState, history: readonly { readonly event: ServiceEvent; readonly at: Instant }[]): ServiceState {
  return history.reduce((state, row) => reduce(state, row.event, row.at)[0], initial);
}

/** The states of all services: one event at a time each, journaled before anything is done about it. */
import { isSameJson } from '../../base/json.ts';
import { oneLine } from '../../base/text.ts';
import type { ServiceEvent } from '../../domain/rollout/event.ts';
import { reduce } from '../../domain/rollout/reduce.ts';
import type { Plan } from '../../domain/planning/plan.ts';
import { newerGates } from '../../domain/safety/gates.ts';
import { nothingOrdered } from '../../domain/rollout/transitions.ts';
import { describeTransition } from '../../domain/rollout/sentences.ts';
import { everyService, newService, type ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { JournalRow, PendingEffect, Store } from '../../ports/store.ts';

/** One transition, told to whoever must act on it. */
export interface TransitionNotice {
  readonly before: ServiceState;
  readonly row: JournalRow;
  /** Effects that must be confirmed; assignments need none. */
  readonly pending: readonly PendingEffect[];
}

export interface Engine {
  /** Restores the states from the store. */
  load(): Promise<void>;
  state(service: string): ServiceState | undefined;
  states(): readonly ServiceState[];
  /** What holds for all services at once: a freeze. Journaled like a service, and none. */
  everywhere(): ServiceState;
  /** The row of the transition; null when the event did not apply. Rejects when it could not be journaled: then nothing has happened. */
  dispatch(service: string, event: ServiceEvent, actor: string): Promise<JournalRow | null>;
  /** Called in the order of the journal, before `dispatch` resolves. Must not throw. */
  onTransition(listener: (notice: TransitionNotice) => void): void;
}

export interface EngineDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly term: number;
}

function withNewMembers(state: ServiceState): ServiceState {
  const { active, waiting, watch } = state;
  return {
    ...newService(state.service),
    ...state,
    active: active === null ? null : withNewGates({ ...nothingOrdered, ...active }),
    waiting: waiting === null ? null : withNewGates(waiting),
    watch: watch === null ? null : withNewGates(watch),
  };
}

function withNewGates<T extends { readonly plan: Plan }>(holder: T): T {
  const { plan } = holder;
  return { ...holder, plan: { ...plan, gates: { ...newerGates, ...plan.gates } } };
}

export function createEngine({ store, clock, term }: EngineDeps): Engine {
  const states = new Map<string, ServiceState>();
  const turns = new Map<string, Promise<unknown>>();
  const listeners: ((notice: TransitionNotice) => void)[] = [];

  async function apply(service: string, event: ServiceEvent, actor: string): Promise<JournalRow | null> {
    const before = states.get(service) ?? newService(service);
    const at = clock.now();
    const [after, effects] = reduce(before, event, at);
    if (after === before || (effects.length === 0 && isSameJson(after, before))) return null;
    const message = oneLine(`${service}: ${describeTransition(before, event, after)}`, 200);
    const { row, pending } = await store.append({ service, at, actor, event, message, stateAfter: after, effects }, term);
    states.set(service, after);
    for (const listener of listeners) listener({ before, row, pending });
    return row;
  }

  return {
    async load() {
      // Members that came with a newer version of ours are not in what an older one has stored.
      for (const state of await store.states()) states.set(state.service, withNewMembers(state));
    },
    state: (service) => states.get(service),
    states: () => [...states.values()].filter(({ service }) => service !== everyService),
    everywhere: () => states.get(everyService) ?? newService(everyService),
    dispatch(service, event, actor) {
      const turn = (turns.get(service) ?? Promise.resolve()).then(() => apply(service, event, actor));
      const settled = turn.catch(() => undefined);
      turns.set(service, settled);
      void settled.then(() => {
        if (turns.get(service) === settled) turns.delete(service);
      });
      return turn;
    },
    onTransition: (listener) => {
      listeners.push(listener);
    },
  };
}

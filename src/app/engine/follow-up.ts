/** What a transition leads to: assignments out, slots given, acknowledgements counted, timers set. */
import { holdsSlot, isUntried, nextWake, type ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AssignmentSource } from '../fleet/assignments.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Gatekeeping } from './gatekeeping.ts';
import type { Engine, TransitionNotice } from './engine.ts';

export interface FollowUpDeps {
  readonly engine: Engine;
  readonly fleet: Fleet;
  readonly assignments: AssignmentSource;
  readonly clock: Clock;
  readonly term: number;
  readonly gatekeeping: Gatekeeping;
  /** Takes care of a failure in work that nobody waits for. */
  readonly quietly: (work: Promise<unknown>) => void;
}

export interface FollowUp {
  after(notice: TransitionNotice): void;
  /** Lets pending deployments start whose gates are open; one caller at a time. */
  grantSlots(): Promise<void>;
  /** Tells the reducer when every gateway has what it waits for. */
  checkApplied(state: ServiceState): Promise<void>;
  /** Makes good what got lost: late timers, answers of gateways. Called every second or so. */
  catchUp(): Promise<void>;
  /** Sets the timer of a service that was restored from the store. */
  resume(state: ServiceState): void;
  stop(): void;
}

const actor = 'actuator';

export function createFollowUp(deps: FollowUpDeps): FollowUp {
  const { engine, fleet, quietly } = deps;
  const wakes = createWakes(deps.clock, (service) => quietly(engine.dispatch(service, { type: 'woken' }, 'clock')));

  async function checkApplied(state: ServiceState): Promise<void> {
    const version = { term: deps.term, generation: state.generation };
    const phase = state.active?.phase;
    // Where a refusal can still stop the promotion it must; where it can't, it is an answer, and nothing waits for it.
    const mustServe = phase?.name === 'promoting' && state.active !== null && isUntried(state.active);
    const waits = phase?.name === 'promoting' || waitsForTraffic(state);
    const isDone = mustServe ? fleet.isServed(state.service, version) : waits && fleet.hasSettled(state.service, version);
    if (!isDone) return;
    await engine.dispatch(state.service, { type: 'applied', generation: state.generation }, actor);
  }

  async function catchUp(): Promise<void> {
    await deps.gatekeeping.holdUp();
    const now = deps.clock.now();
    for (const state of engine.states()) {
      const due = nextWake(state);
      if (due !== null && due <= now) await engine.dispatch(state.service, { type: 'woken' }, 'clock');
      if (state.active?.phase.name !== 'promoting' && !waitsForTraffic(state)) continue;
      const assignment = await deps.assignments.of(state);
      if (assignment !== null) fleet.remind(assignment);
      await checkApplied(engine.state(state.service) ?? state);
    }
  }

  async function assign(state: ServiceState): Promise<void> {
    const assignment = await deps.assignments.of(state);
    if (assignment !== null) fleet.broadcast(assignment);
    await checkApplied(state);
  }

  // Slots are counted and granted one caller at a time: two at once would both see the same one free.
  let granting: Promise<void> = Promise.resolve();
  // One that has not begun sees all that changes until then: a thousand changes at once need no thousand passes.
  let next: Promise<void> | null = null;
  function grant(): Promise<void> {
    next = null;
    return deps.gatekeeping.grantSlots();
  }
  function grantInTurn(): Promise<void> {
    if (next !== null) return next;
    next = granting.then(grant, grant);
    granting = next;
    return next;
  }

  return {
    after({ before, row }) {
      const after = row.stateAfter;
      if (row.effects.some((effect) => effect.kind === 'assign')) quietly(assign(after));
      wakes.set(row.service, nextWake(after));
      const slotsChanged = holdsSlot(before) !== holdsSlot(after) || after.last?.id !== before.last?.id;
      if (slotsChanged || after.active?.phase.name === 'pending') quietly(grantInTurn());
    },
    grantSlots: grantInTurn,
    checkApplied,
    catchUp,
    resume: (state) => wakes.set(state.service, nextWake(state)),
    stop: () => wakes.stop(),
  };
}

function waitsForTraffic(state: ServiceState): boolean {
  const phase = state.active?.phase;
  return phase?.name === 'rolling-back' && !phase.trafficReturned && phase.weight === 0;
}

/** One timer a service. */
function createWakes(clock: Clock, wake: (service: string) => void): { set(service: string, at: number | null): void; stop(): void } {
  const cancels = new Map<string, () => void>();
  return {
    set(service, at) {
      cancels.get(service)?.();
      cancels.delete(service);
      if (at !== null)
        cancels.set(
          service,
          clock.schedule(at - clock.now(), () => wake(service)),
        );
    },
    stop() {
      for (const cancel of cancels.values()) cancel();
    },
  };
}

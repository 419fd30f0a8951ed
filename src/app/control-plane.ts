/** The control plane of one repository while it leads: wires the use cases together and keeps them going. */
import { messageOf, StalledError } from '../base/failures.ts';
import type { Problem } from '../base/problem.ts';
import type { Rng } from '../base/random.ts';
import { resolveDaemonSettings, type DaemonSettings } from '../domain/settings/resolve.ts';
import type { DocumentReader } from '../domain/config/document.ts';
import { holdsSlot, nextWake, type ServiceState } from '../domain/rollout/state.ts';
import type { Acknowledgement, BucketBatch } from '../generated/types.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Notifier } from '../ports/notifier.ts';
import type { ConfigurationRepository, ConfigurationWriter, StatusBranch } from '../ports/repository.ts';
import type { Store } from '../ports/store.ts';
import { runEffect } from './engine/effects.ts';
import { createEngine, type Engine, type TransitionNotice } from './engine/engine.ts';
import { createAssignmentSource } from './fleet/assignments.ts';
import { createFleet, type Fleet, type GatewayView, type StreamMessage } from './fleet/fleet.ts';
import { createJudging, type Judging } from './judging/judging.ts';
import { createPublisher } from './publication/publisher.ts';
import type { Accepted } from './reconcile/admission.ts';
import { createLoader, type Loader } from './reconcile/loader.ts';
import { createReconciler, type Reconciler } from './reconcile/reconciler.ts';
import { createWorker } from './retry.ts';

export interface ControlPlaneDeps {
  readonly store: Store;
  readonly repository: ConfigurationRepository;
  readonly writer: ConfigurationWriter;
  readonly branch: StatusBranch;
  readonly notifier: Notifier;
  readonly read: DocumentReader;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  readonly term: number;
  /** Names this store on the status branch. */
  readonly instance: string;
  readonly takeOver: boolean;
  /** Journal or lease can't be written: somebody else leads, or the disk failed. */
  readonly onLost: (error: Error) => void;
}

export interface ControlPlane {
  readonly engine: Engine;
  readonly judging: Judging;
  readonly fleet: Fleet;
  readonly reconciler: Reconciler;
  readonly loader: Loader;
  start(): Promise<void>;
  /** Looks at the repository now, or once more if it is looking already. */
  poll(): void;
  tick(): Promise<void>;
  /** Called while the leader's lease is renewed. */
  renewLeases(): Promise<void>;
  connectGateway(gateway: string, send: (message: StreamMessage) => void): Promise<() => void>;
  acknowledge(answer: Acknowledgement): Promise<void>;
  takeBuckets(batch: BucketBatch): Promise<boolean>;
  problems(): { readonly repository: string | null; readonly publication: string | null; readonly settings: readonly Problem[]; readonly effects: string | null };
  stop(): Promise<void>;
}

export function createControlPlane(deps: ControlPlaneDeps): ControlPlane {
  const { store, clock, log } = deps;
  const engine = createEngine({ store, clock, term: deps.term });
  const judging = createJudging({ engine, store, clock, log });
  const fleet = createFleet(clock);
  const assignments = createAssignmentSource(store, deps.term);
  const loader = createLoader(deps.repository, store, deps.read);
  let daemon: DaemonSettings = resolveDaemonSettings({});
  let settingsProblems: readonly Problem[] = [];
  const reconciler = createReconciler({
    ...deps,
    engine,
    loader,
    onConfiguration: (service) => assignments.forget(service),
    onSettings(accepted: Accepted, problems) {
      daemon = resolveDaemonSettings(accepted.repository);
      settingsProblems = problems;
    },
  });

  const background = { clock, rng: deps.rng, log, firstDelayMs: 250, longestDelayMs: 30_000 };
  const publish = createPublisher({
    store,
    branch: deps.branch,
    instance: deps.instance,
    takeOver: deps.takeOver,
    requestsPerSecond: (service) => Math.round(judging.traffic(service).requestsPerSecond(clock.now()) * 10) / 10,
  });
  const publisher = createWorker({ ...background, name: 'publication' }, publish);
  const poller = createWorker({ ...background, name: 'repository' }, () => reconciler.reconcile());
  const effects = createWorker({ ...background, name: 'effects' }, () => settleEffects(deps, engine, () => poller.runNow()));
  const wakes = createWakes(clock, (service) => quietly(engine.dispatch(service, { type: 'woken' }, 'clock')));

  function quietly(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => {
      if (thrown instanceof StalledError) deps.onLost(thrown);
      else log.error({ error: messageOf(thrown) }, 'an event could not be taken in');
    });
  }

  /** Older deployments first. The reducer ignores a slot that is granted twice. */
  async function grantSlots(): Promise<void> {
    const states = engine.states();
    let free = daemon.maxConcurrentDeployments - states.filter(holdsSlot).length;
    const pending = states.filter((state) => state.active?.phase.name === 'pending').sort((a, b) => (a.active?.createdAt ?? 0) - (b.active?.createdAt ?? 0));
    for (const state of pending) {
      if (free-- <= 0) return;
      await engine.dispatch(state.service, { type: 'slot-granted', stableIsBreaching: judging.stableIsBreaching(state) }, 'actuator');
    }
  }

  async function checkApplied(state: ServiceState): Promise<void> {
    const phase = state.active?.phase;
    const waits = phase?.name === 'promoting' || (phase?.name === 'rolling-back' && !phase.trafficReturned);
    if (!waits || !fleet.hasApplied(state.service, { term: deps.term, generation: state.generation })) return;
    await engine.dispatch(state.service, { type: 'applied', generation: state.generation }, 'actuator');
  }

  async function assign(state: ServiceState): Promise<void> {
    const assignment = await assignments.of(state);
    if (assignment !== null) fleet.broadcast(assignment);
    await checkApplied(state);
  }

  function onTransition({ before, row, pending }: TransitionNotice): void {
    const after = row.stateAfter;
    if (row.effects.some((effect) => effect.kind === 'assign')) quietly(assign(after));
    if (pending.length > 0) effects.runNow();
    publisher.wake();
    wakes.set(row.service, nextWake(after));
    if (after.active?.phase.name === 'pending' || holdsSlot(before) !== holdsSlot(after)) quietly(grantSlots());
    if (after.last?.id !== before.last?.id) quietly(grantSlots());
  }

  async function start(): Promise<void> {
    await engine.load();
    await judging.load();
    fleet.restore(JSON.parse((await store.get('gateways')) ?? '[]') as GatewayView[]);
    engine.onTransition(onTransition);
    for (const state of engine.states()) {
      wakes.set(state.service, nextWake(state));
    }
    await grantSlots();
    effects.runNow();
    publisher.runNow();
    poller.runNow();
  }

  return {
    engine,
    judging,
    fleet,
    reconciler,
    loader,
    start,
    poll: () => poller.runNow(),
    async tick() {
      await judging.tick();
      for (const state of engine.states()) await checkApplied(state);
      await grantSlots();
    },
    async renewLeases() {
      fleet.renewLeases();
      await store.put('gateways', JSON.stringify(fleet.known()));
    },
    async connectGateway(gateway, send) {
      const all = await Promise.all(engine.states().map((state) => assignments.of(state)));
      return fleet.connect(gateway, all.filter((assignment) => assignment !== null), send);
    },
    async acknowledge(answer) {
      fleet.acknowledge(answer);
      const state = engine.state(answer.service);
      if (state === undefined) return;
      if (answer.applied) await checkApplied(state);
      else if (answer.term === deps.term) {
        await engine.dispatch(answer.service, { type: 'gateway-refused', generation: answer.generation, gateway: answer.gateway, problems: answer.problems }, 'actuator');
      }
    },
    takeBuckets: (batch) => judging.take(batch),
    problems: () => ({
      repository: poller.problem()?.message ?? null,
      publication: publisher.problem()?.message ?? null,
      effects: effects.problem()?.message ?? null,
      settings: settingsProblems,
    }),
    async stop() {
      wakes.stop();
      await Promise.all([poller.stop(), publisher.stop(), effects.stop()]);
    },
  };
}

/** All that is pending, one after the other; the first failure ends the pass, and the worker comes back. */
async function settleEffects(deps: ControlPlaneDeps, engine: Engine, onWritten: () => void): Promise<void> {
  let failure: unknown;
  for (const pending of await deps.store.pendingEffects()) {
    try {
      await runEffect({ ...deps, engine, onWritten }, pending);
    } catch (thrown) {
      // One that can't be done now must not hold up those of other services.
      failure ??= thrown;
    }
  }
  if (failure !== undefined) throw failure as Error;
}

/** One timer a service. */
function createWakes(clock: Clock, wake: (service: string) => void): { set(service: string, at: number | null): void; stop(): void } {
  const cancels = new Map<string, () => void>();
  return {
    set(service, at) {
      cancels.get(service)?.();
      cancels.delete(service);
      if (at !== null) cancels.set(service, clock.schedule(at - clock.now(), () => wake(service)));
    },
    stop() {
      for (const cancel of cancels.values()) cancel();
    },
  };
}

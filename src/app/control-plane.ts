/** The control plane of one repository while it leads: wires the use cases together and keeps them going. */
import { messageOf, StalledError } from '../base/failures.ts';
import type { Problem } from '../base/problem.ts';
import type { Rng } from '../base/random.ts';
import { resolveDaemonSettings, type DaemonSettings } from '../domain/settings/resolve.ts';
import type { DocumentReader } from '../domain/config/document.ts';
import type { LookContext } from '../domain/analysis/look.ts';
import type { ServiceState } from '../domain/rollout/state.ts';
import type { Person } from '../domain/safety/gates.ts';
import type { NextTime } from '../domain/safety/windows.ts';
import type { Acknowledgement, AssignmentServing, BucketBatch } from '../generated/types.ts';
import type { Clock } from '../ports/clock.ts';
import type { CodeHost } from '../ports/code-host.ts';
import type { HealthProbe } from '../ports/health-probe.ts';
import type { Log } from '../ports/log.ts';
import type { Notifier } from '../ports/notifier.ts';
import type { ConfigurationRepository, ConfigurationWriter, StatusBranch } from '../ports/repository.ts';
import type { Store } from '../ports/store.ts';
import type { CodeHostWork } from './code-host/work.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import type { DeployDeps } from './commands/deploy.ts';
import { createFollowUp, type FollowUp } from './engine/follow-up.ts';
import { createGatekeeping, type Gatekeeping } from './engine/gatekeeping.ts';
import { createAssignmentSource, type AssignmentSource } from './fleet/assignments.ts';
import { createFleet, leaseMessage, type Fleet, type GatewayView, type StreamMessage } from './fleet/fleet.ts';
import { endCostlyMirrors } from './intake/mirror-cost.ts';
import { createIntake, type Intake } from './intake/intake.ts';
import { createQualityWatch } from './intake/quality-watch.ts';
import { drawnIn } from './intake/trial-traffic.ts';
import { createSpending, type Spending } from './intake/spending.ts';
import { warnOfForecast } from './judging/forecast.ts';
import { createJudging, type Judging } from './judging/judging.ts';
import { createTrafficReport, type TrafficReport } from './publication/traffic-report.ts';
import { createRecovery, type Recovery } from './recovery/recovery.ts';
import { createLoader } from './reconcile/loader.ts';
import { createReconciler, type Reconciler } from './reconcile/reconciler.ts';
import { createCodeHost, createWorkers, listed, problemOf, type Workers } from './workers.ts';

export interface ControlPlaneDeps {
  readonly store: Store;
  readonly repository: ConfigurationRepository;
  readonly writer: ConfigurationWriter;
  readonly branch: StatusBranch;
  /** Null: there are no pull requests, and everything goes by Git alone. */
  readonly codeHost: CodeHost | null;
  /** Of the configuration branch. */
  readonly branchName: string;
  /** Where people see what we do; null: nowhere. */
  readonly publicUrl: string | null;
  readonly notifier: Notifier;
  readonly probe: HealthProbe;
  readonly nextTime: NextTime;
  readonly mergeYaml: DeployDeps['mergeYaml'];
  readonly read: DocumentReader;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  readonly term: number;
  /** Of this program, for evidence. */
  readonly version: string;
  /** Names this store on the status branch. */
  readonly instance: string;
  readonly takeOver: boolean;
  /** Base64; signs request ids in all gateways. */
  readonly requestIdKey: string;
  /** Journal or lease can't be written: somebody else leads, or the disk failed. */
  readonly onLost: (error: Error) => void;
}

export interface ControlPlane {
  readonly engine: Engine;
  readonly judging: Judging;
  readonly intake: Intake;
  readonly spending: Spending;
  readonly fleet: Fleet;
  readonly reconciler: Reconciler;
  readonly recovery: Recovery;
  readonly gatekeeping: Gatekeeping;
  /** Who is who, by the settings in force. */
  readonly people: () => readonly Person[];
  /** Settings of the daemon in force. */
  readonly settings: () => DaemonSettings;
  readonly version: string;
  readonly hasCodeHost: boolean;
  start(): Promise<void>;
  /** Looks at the repository now, or once more if it is looking already. */
  poll(): void;
  /** Somebody says that there is something new, in Git or at the code host. */
  hinted(): void;
  tick(): Promise<void>;
  /** Called while the leader's lease is renewed. */
  renewLeases(): Promise<void>;
  connectGateway(gateway: string, send: (message: StreamMessage) => void): Promise<() => void>;
  acknowledge(answer: Acknowledgement): Promise<void>;
  takeBuckets(batch: BucketBatch): Promise<boolean>;
  problems(): {
    readonly repository: string | null;
    readonly publication: string | null;
    readonly settings: readonly Problem[];
    readonly effects: string | null;
    readonly codeHost: string | null;
  };
  stop(): Promise<void>;
}

export function createControlPlane(deps: ControlPlaneDeps): ControlPlane {
  const parts = assemble(deps);
  const { engine, judging, intake, spending, fleet, followUp, workers } = parts;

  return {
    engine,
    judging,
    intake,
    spending,
    fleet,
    reconciler: parts.reconciler,
    recovery: parts.recovery,
    gatekeeping: parts.gatekeeping,
    people: () => parts.settings.daemon.people,
    settings: () => parts.settings.daemon,
    version: deps.version,
    hasCodeHost: deps.codeHost !== null,
    start: () => start(deps, parts),
    poll: () => workers.poller.runNow(),
    hinted() {
      parts.codeHost?.hint();
      for (const worker of workers.codeHost) worker.runNow();
      workers.poller.runNow();
    },
    async tick() {
      for (const data of spending.changed()) fleet.announce({ event: 'spending', data });
      await judging.tick();
      await endCostlyMirrors(engine, intake);
      await parts.recovery.tick();
      await followUp.catchUp();
      if (parts.trafficReport.isDue()) workers.publisher.wake();
      await followUp.grantSlots();
      for (const worker of workers.codeHost) worker.wake();
    },
    async renewLeases() {
      fleet.renewLeases();
      await deps.store.put('gateways', JSON.stringify(fleet.known()));
    },
    connectGateway: (gateway, send) => connectGateway(deps, parts, gateway, send),
    acknowledge: (answer) => acknowledge(deps, parts, answer),
    takeBuckets(batch) {
      fleet.heardFrom(batch.gateway);
      return intake.take(batch);
    },
    problems: () => ({
      repository: problemOf([workers.poller]),
      publication: problemOf([workers.publisher]),
      effects: problemOf([workers.effects]),
      codeHost: problemOf(workers.codeHost) ?? parts.codeHost?.problem() ?? null,
      settings: parts.settings.problems,
    }),
    async stop() {
      followUp.stop();
      await Promise.all(listed(workers).map((worker) => worker.stop()));
    },
  };
}

async function start(deps: ControlPlaneDeps, parts: Parts): Promise<void> {
  const { engine, judging, fleet, followUp, workers } = parts;
  await engine.load();
  await judging.load();
  await parts.intake.load();
  await parts.spending.load(engine.states().map(({ service }) => service));
  await parts.reconciler.restore();
  fleet.restore(JSON.parse((await deps.store.get('gateways')) ?? '[]') as GatewayView[]);
  engine.onTransition((notice) => {
    followUp.after(notice);
    parts.quietly(warnOfForecast({ ...deps, judging }, notice));
    if (notice.pending.length > 0) workers.effects.runNow();
    workers.publisher.wake();
    for (const worker of workers.codeHost) worker.wake();
  });
  for (const state of engine.states()) followUp.resume(state);
  await followUp.grantSlots();
  for (const worker of listed(workers)) worker.runNow();
}

async function connectGateway(
  deps: ControlPlaneDeps,
  { engine, fleet, assignments, spending }: Parts,
  gateway: string,
  send: (message: StreamMessage) => void,
): Promise<() => void> {
  // Connected first, told afterwards: a change in between reaches it, and an older assignment that comes late is ignored.
  const disconnect = fleet.connect(gateway, send);
  for (const { service } of engine.states()) {
    const state = engine.state(service);
    const assignment = state === undefined ? null : await assignments.of(state);
    if (assignment !== null) send({ event: 'assignment', data: assignment });
  }
  for (const data of spending.reports(deps.clock.now())) send({ event: 'spending', data });
  send({ event: 'request-id-key', data: { key: deps.requestIdKey } });
  send(leaseMessage);
  return disconnect;
}

interface Parts {
  readonly engine: Engine;
  readonly judging: Judging;
  readonly intake: Intake;
  readonly spending: Spending;
  readonly fleet: Fleet;
  readonly assignments: AssignmentSource;
  readonly reconciler: Reconciler;
  readonly recovery: Recovery;
  readonly gatekeeping: Gatekeeping;
  readonly followUp: FollowUp;
  /** Takes care of a failure in work that nobody waits for. */
  readonly quietly: (work: Promise<unknown>) => void;
  readonly codeHost: CodeHostWork | null;
  readonly workers: Workers;
  readonly trafficReport: TrafficReport;
  readonly settings: { daemon: DaemonSettings; problems: readonly Problem[] };
}

function assemble(deps: ControlPlaneDeps): Parts {
  const { store, clock, log, term } = deps;
  const engine = createEngine({ store, clock, term });
  const measuring: { intake: Intake | null } = { intake: null };
  const drawn = (state: ServiceState): LookContext['drawn'] => drawnIn(state, measuring.intake?.traffic(state.service));
  const judging = createJudging({ engine, store, clock, log, drawn, rng: deps.rng });
  const fleet = createFleet(clock);
  const assignments = createAssignmentSource(store, term);
  const { intake, spending } = createMeasuring(deps, engine, judging, assignments);
  measuring.intake = intake;
  const trafficReport = createTrafficReport({ clock, services: () => engine.states().map(({ service }) => service), judging });
  const settings: Parts['settings'] = { daemon: resolveDaemonSettings({}), problems: [] };
  const reconciler = createReconciler({
    ...deps,
    engine,
    loader: createLoader(deps.repository, store, deps.read),
    onConfiguration: (service) => assignments.forget(service),
    beforeBootstrap: () => refuseForeignRecord(deps),
    onSettings(accepted, problems) {
      settings.daemon = resolveDaemonSettings(accepted.repository);
      settings.problems = problems;
    },
  });
  const quietly = (work: Promise<unknown>): void => {
    work.catch((thrown: unknown) => {
      if (thrown instanceof StalledError) deps.onLost(thrown);
      else log.error({ error: messageOf(thrown) }, 'an event could not be taken in');
    });
  };
  const daemon = (): DaemonSettings => settings.daemon;
  const hasCodeHost = deps.codeHost !== null;
  const gatekeeping = createGatekeeping({ engine, judging, fleet, clock, nextTime: deps.nextTime, settings: daemon, hasCodeHost });
  const codeHost = createCodeHost(deps, engine, daemon, reconciler);
  const followUp = createFollowUp({ engine, fleet, assignments, clock, term, gatekeeping, quietly });
  return {
    engine,
    judging,
    intake,
    spending,
    fleet,
    assignments,
    quietly,
    reconciler,
    followUp,
    gatekeeping,
    recovery: createRecovery({ engine, judging, fleet, clock, probe: deps.probe }),
    settings,
    trafficReport,
    codeHost,
    workers: createWorkers(deps, { engine, judging, reconciler, trafficReport, codeHost, settings }),
  };
}

function createMeasuring(
  { store, clock, notifier }: ControlPlaneDeps,
  engine: Engine,
  judging: Judging,
  assignments: AssignmentSource,
): Pick<Parts, 'intake' | 'spending'> {
  /** Of stable: a canary changes no limits of the service before it is promoted. */
  async function inForce(service: string): Promise<AssignmentServing | null> {
    const state = engine.state(service);
    return (state === undefined ? null : await assignments.of(state))?.variants.at(-1)?.serving ?? null;
  }
  const spending = createSpending({ store, notifier, limitsOf: async (service) => (await inForce(service))?.cost_controls ?? null });
  const quality = createQualityWatch({
    notifier,
    traffic: (service) => judging.traffic(service),
    floorOf: async (service) => (await inForce(service))?.min_quality_score ?? null,
  });
  return { spending, intake: createIntake({ store, clock, judging, spending, quality }) };
}

/** An empty store beside a record of another one: adopting HEAD now would serve what may be in quarantine, or in the middle of a canary. */
async function refuseForeignRecord({ branch, instance, takeOver }: ControlPlaneDeps): Promise<void> {
  const cursor = await branch.cursor();
  if (cursor === null || cursor.instance === instance || takeOver) return;
  throw new StalledError(
    `the status branch is written by another control plane (instance ${cursor.instance}), and this one's store is empty. Restore its data directory; or, to begin anew from what the branch holds, start with --take-over.`,
  );
}

async function acknowledge(deps: ControlPlaneDeps, { engine, fleet, followUp }: Parts, answer: Acknowledgement): Promise<void> {
  fleet.acknowledge(answer);
  const state = engine.state(answer.service);
  if (state === undefined) return;
  if (!answer.applied)
    deps.log.error({ gateway: answer.gateway, service: answer.service, problems: answer.problems }, 'a gateway refused its assignment');
  const isAboutTheNew = fleet.hasServed(answer.gateway, answer.service) || state.active?.base === null;
  if (!answer.applied && answer.term === deps.term && isAboutTheNew) {
    await engine.dispatch(
      answer.service,
      { type: 'gateway-refused', generation: answer.generation, gateway: answer.gateway, problems: answer.problems },
      'actuator',
    );
  }
  // After the refusal: where it can still stop a promotion it must.
  await followUp.checkApplied(engine.state(answer.service) ?? state);
}

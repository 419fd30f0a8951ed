/** One run: the whole control plane in a world of models, driven by a scenario and watched by invariants. */
import { mergeIntoYaml } from '../../src/adapters/documents/edit.ts';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { nextTime } from '../../src/adapters/system/next-time.ts';
import { orders, type OrderName } from '../../src/app/commands/orders.ts';
import { createControlPlane } from '../../src/app/control-plane.ts';
import { seededRng, type Rng } from '../../src/base/random.ts';
import type { ServiceState } from '../../src/domain/rollout/state.ts';
import type { JournalRow } from '../../src/ports/store.ts';
import { act, assist, heal } from './acting.ts';
import { catalogue, contents, edits, errorRates, settings } from './contents.ts';
import { newDisk, openDisk, type Disk } from './disk.ts';
import { Gateway, type Leader } from './gateway.ts';
import { createLoop, type Loop } from './loop.ts';
import { Process } from './process.ts';
import { connectRemote, createRemote, type Remote } from './remote.ts';
import { drawScenario, scenarioMs, type Action, type Scenario } from './scenario.ts';

/** 2026-01-05 10:00 UTC. */
const startAt = Date.UTC(2026, 0, 5, 10);
const leaseTtlMs = 15_000;
const bootMs = 1500;
const tickMs = 1000;

export interface World {
  readonly loop: Loop;
  readonly disk: Disk;
  readonly remote: Remote;
  readonly gateways: readonly Gateway[];
  leader: Leader | null;
  /** Services whose every model fails now. */
  readonly outages: Set<string>;
  readonly faults: { isSlow: boolean; lossRate: number; armed: Extract<Action, { kind: 'crash' | 'freeze' }>[] };
  readonly scenario: Scenario;
  readonly rng: Rng;
  readonly notices: string[];
  /** The first broken invariant. */
  broken: unknown;
  /** Deployments that a person has let go on. */
  readonly resumed: Set<string>;
  /** Starts a control plane after a while, as a supervisor does when one has died. */
  boot: (afterMs: number) => void;
  /** Errors that the program itself logged. */
  readonly errors: string[];
}

export interface Watcher {
  /** After each journal row. */
  readonly onRow: (world: World, row: JournalRow, before: ServiceState | null) => void;
  /** When a gateway takes up an assignment. */
  readonly onServing: (world: World, gateway: Gateway, service: string) => void;
  /** Each second. */
  readonly onSecond: (world: World) => void;
  /** When faults are gone and time has passed. */
  readonly onEnd: (world: World) => void;
}

const pools = {
  contents: [...Object.keys(contents), ...edits, ...edits],
  settings: Object.keys(settings),
  commands: [
    ...(Object.keys(orders) as OrderName[]),
    'rollback',
    'rollback',
    'rollback-gradually',
    'rollback-to',
    'approve',
    'approve',
    'promote-fully',
    'ab-promote',
    'ab-promote-auto',
  ],
};

export function scenarioOf(seed: number): Scenario {
  return drawScenario(seed, seededRng(seed), pools);
}

export async function runScenario(scenario: Scenario, watcher: Watcher): Promise<World> {
  const rng = seededRng(scenario.seed ^ 0x5eed);
  const loop = createLoop(startAt, rng);
  const lastStates = new Map<string, ServiceState>();
  const world: World = {
    loop,
    disk: newDisk(),
    remote: createRemote(),
    gateways: [],
    leader: null,
    outages: new Set(),
    faults: { isSlow: false, lossRate: 0, armed: [] },
    scenario,
    rng,
    notices: [],
    broken: null,
    resumed: new Set(),
    boot: () => undefined,
    errors: [],
  };
  const onAppended = (row: JournalRow): void => {
    const before = lastStates.get(row.service) ?? null;
    lastStates.set(row.service, row.stateAfter);
    // Not thrown into the program, which would take it for a failure of its store.
    guarded(world, () => watcher.onRow(world, row, before));
  };
  world.remote.push(
    {
      'actuator.yaml': settings['standard'] ?? '',
      'models.yaml': catalogue(1),
      ...Object.fromEntries(scenario.services.map((service) => [`services/${service}/config.yaml`, contents['m0'] ?? ''])),
    },
    'Ada',
  );
  const gatewayWorld = {
    loop,
    rng,
    leader: () => world.leader,
    lossRate: () => world.faults.lossRate,
    requestsPerSecond: () => scenario.requestsPerSecond / scenario.gateways,
    errorRate: (service: string, model: string) => (world.outages.has(service) ? 0.9 : (errorRates[model] ?? 0)),
    onServing: (gateway: Gateway, { service }: { readonly service: string }) =>
      guarded(world, () => watcher.onServing(world, gateway, service)),
  };
  const gateways = world.gateways as Gateway[];
  for (let index = 0; index < scenario.gateways; index++) gateways.push(new Gateway(`gateway-${index}`, gatewayWorld));
  world.boot = (afterMs) => void loop.after(afterMs, () => void boot(world, onAppended));
  world.boot(0);
  for (const action of scenario.actions) loop.after(action.at, () => act(world, action));
  everySecond(world, () => guarded(world, () => watcher.onSecond(world)));
  for (let at = 0; at < scenarioMs && world.broken === null; at += 10_000) await loop.runUntil(startAt + at + 10_000);
  heal(world);
  everySecond(world, () => assist(world));
  // Most are done long before.
  // Twice in a row: between them the branch is looked at, and may have something to say to what has just ended.
  let quiet = 0;
  for (let waited = 0; world.broken === null && waited < quietMs && (waited < leastQuietMs || quiet < 2); waited += 10_000) {
    await loop.runUntil(startAt + scenarioMs + waited + 10_000);
    quiet = isQuiet(world) ? quiet + 1 : 0;
  }
  guarded(world, () => watcher.onEnd(world));
  return world;
}

function guarded(world: World, check: () => void): void {
  try {
    check();
  } catch (thrown) {
    world.broken ??= thrown;
  }
}

/** After the last fault: time for every deployment to come to its end. */
const quietMs = 700_000;
/** A watch or a poll can still begin something. */
const leastQuietMs = 20_000;

function isQuiet({ disk, remote, leader }: World): boolean {
  const states = [...disk.states.values()].map((body) => JSON.parse(body) as ServiceState);
  return (
    leader !== null &&
    leader.controlPlane.reconciler.head() === remote.tip &&
    disk.effects.size === 0 &&
    remote.status.at(-1)?.cursor.position === disk.journal.length &&
    states.every(({ active, waiting }) => active === null && waiting === null)
  );
}

function everySecond(world: World, run: () => void): void {
  world.loop.after(tickMs, () => {
    run();
    everySecond(world, run);
  });
}

async function boot(world: World, onAppended: (row: JournalRow) => void): Promise<void> {
  const process = new Process(world.loop, world.rng, {
    onPoint: (which, port, when) => strike(world, which, port, when),
    latency: (port) => latencyOf(world, port),
  });
  try {
    await lead(world, process, onAppended);
  } catch {
    die(world, process);
  }
}

/** Ends it, and starts the next one unless it has been replaced already. */
function die(world: World, process: Process): void {
  if (!process.isAlive) return;
  process.isAlive = false;
  if (world.leader?.process === process) world.leader = null;
  if (!process.isReplaced) world.boot(bootMs + world.rng() * 2000);
}

async function lead(world: World, process: Process, onAppended: (row: JournalRow) => void): Promise<void> {
  const store = openDisk(world.disk, process, onAppended);
  const holder = `holder-${world.rng()}`;
  let lease = await store.acquireLease(holder, leaseTtlMs);
  while (lease === null) {
    await new Promise<void>((resolve) => void process.later(250, resolve));
    lease = await store.acquireLease(holder, leaseTtlMs);
  }
  const { term } = lease;
  store.fence(term);
  const controlPlane = createControlPlane({
    codeHost: null,
    branchName: 'main',
    publicUrl: null,
    store,
    ...connectRemote(world.remote, process),
    notifier: { notify: ({ message }) => process.call('notify', () => void world.notices.push(message)) },
    read: readDocument,
    probe: { status: () => Promise.resolve(200) },
    nextTime,
    mergeYaml: mergeIntoYaml,
    clock: { now: () => process.now(), schedule: (delayMs, run) => process.later(delayMs, run) },
    rng: world.rng,
    log: {
      info: () => undefined,
      warn: () => undefined,
      error: (fields, message) => void world.errors.push(`${message} ${JSON.stringify(fields)}`),
    },
    term,
    instance: 'simulated',
    version: '0',
    takeOver: false,
    requestIdKey: 'a2V5',
    onLost: () => die(world, process),
  });
  const leader = { process, controlPlane, store };
  await controlPlane.start();
  if (!process.isAlive || process.isReplaced) return;
  world.leader = leader;
  const again = (delayMs: number, work: () => Promise<unknown>): void => {
    process.later(delayMs, () => {
      work().catch((thrown: unknown) => void world.errors.push(String(thrown)));
      again(delayMs, work);
    });
  };
  again(tickMs, () => controlPlane.tick());
  again(5000, async () => {
    controlPlane.poll();
    await Promise.resolve();
  });
  again(leaseTtlMs / 3, async () => {
    if (!(await store.renewLease(holder, term, leaseTtlMs))) {
      die(world, process);
      return;
    }
    // It stood still for a while, and nobody has taken its place meanwhile.
    world.leader ??= leader;
    await controlPlane.renewLeases();
  });
}

function latencyOf({ faults, rng }: World, port: string): number {
  const isRemote = port === 'fetch' || port === 'push' || port === 'publish';
  if (!isRemote) return rng() * 2;
  return (faults.isSlow ? 4000 : 40) * (0.5 + rng());
}

/** Carries out a crash that was armed for this point. */
function strike(world: World, process: Process, port: string, when: 'before' | 'after'): void {
  const index = world.faults.armed.findIndex((fault) => fault.port === port && fault.when === when);
  const fault = world.faults.armed[index];
  if (fault === undefined) return;
  world.faults.armed.splice(index, 1);
  if (fault.kind === 'crash') return die(world, process);
  // A stopped machine is replaced after a while, and comes back when another leads.
  process.isFrozen = true;
  process.isReplaced = true;
  if (world.leader?.process === process) world.leader = null;
  world.boot(bootMs);
  world.loop.after(fault.forMs + leaseTtlMs, () => process.thaw());
}

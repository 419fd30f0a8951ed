/** Carries out what a scenario says: people, faults, and the end of all faults. */
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { promoteWinner } from '../../src/app/commands/ab-tests.ts';
import { approve } from '../../src/app/commands/approvals.ts';
import { operate } from '../../src/app/commands/operate.ts';
import type { OrderName } from '../../src/app/commands/orders.ts';
import { rollBackDeployment } from '../../src/app/commands/roll-back.ts';
import type { Rng } from '../../src/base/random.ts';
import type { ServiceState } from '../../src/domain/rollout/state.ts';
import type { OperatorCommand } from '../../src/generated/types.ts';
import { catalogue, contents, settings } from './contents.ts';
import type { Action } from './scenario.ts';
import type { World } from './world.ts';

function during(world: World, forMs: number, begin: () => void, end: () => void): void {
  begin();
  world.loop.after(forMs, end);
}

export function act(world: World, action: Action): void {
  const { remote, faults, disk } = world;
  switch (action.kind) {
    case 'commit':
      return commit(world, action.service, action.content);
    case 'remove': {
      const files = Object.entries(remote.head().files).filter(([path]) => path !== `services/${action.service}/config.yaml`);
      remote.push(Object.fromEntries(files), 'Bob');
      return;
    }
    case 'restore-file':
      return commit(world, action.service, 'm0');
    case 'settings':
      remote.push({ ...remote.head().files, 'actuator.yaml': settings[action.settings] ?? '' }, 'Bob');
      return;
    case 'prices':
      remote.push({ ...remote.head().files, 'models.yaml': catalogue(1 + Math.floor(action.at % 7)) }, 'Bob');
      return;
    case 'force-push':
      for (let back = 0; back < action.back; back++) remote.tip = remote.head().parent ?? remote.tip;
      return;
    case 'webhook':
      world.leader?.controlPlane.poll();
      return;
    case 'command':
      return command(world, action.service, action.command);
    case 'crash':
    case 'freeze':
      faults.armed.push(action);
      return;
    case 'remote-down':
      return during(
        world,
        action.forMs,
        () => (remote.isDown = true),
        () => (remote.isDown = false),
      );
    case 'remote-slow':
      return during(
        world,
        action.forMs,
        () => (faults.isSlow = true),
        () => (faults.isSlow = false),
      );
    case 'remote-protected':
      return during(
        world,
        action.forMs,
        () => (remote.isProtected = true),
        () => (remote.isProtected = false),
      );
    case 'remote-loses-answer':
      remote.losesAnswer = true;
      return;
    case 'store-fails':
      return during(
        world,
        action.forMs,
        () => (disk.failure = 'database or disk is full'),
        () => (disk.failure = null),
      );
    case 'lossy-network':
      return during(
        world,
        action.forMs,
        () => (faults.lossRate = 0.4),
        () => (faults.lossRate = 0),
      );
    case 'outage':
      return during(
        world,
        action.forMs,
        () => world.outages.add(action.service),
        () => world.outages.delete(action.service),
      );
    case 'clock-jump':
      if (world.leader !== null) world.leader.process.clockOffset += action.byMs;
      return;
    default:
      return actOnGateway(world, action);
  }
}

function actOnGateway(world: World, action: Extract<Action, { readonly gateway: number }>): void {
  const gateway = world.gateways[action.gateway];
  if (gateway === undefined) return;
  switch (action.kind) {
    case 'partition':
      return during(
        world,
        action.forMs,
        () => (gateway.isPartitioned = true),
        () => (gateway.isPartitioned = false),
      );
    case 'gateway-down':
      return during(
        world,
        action.forMs,
        () => (gateway.isDown = true),
        () => gateway.restart(),
      );
    case 'refusal':
      return during(
        world,
        action.forMs,
        () => ['m1', 'm2'].forEach((model) => gateway.refuses.add(model)),
        () => {
          // A key comes with a new environment, so with a new process.
          gateway.refuses.clear();
          gateway.restart();
        },
      );
    case 'gateway-restart':
      return gateway.restart();
  }
}

function commit({ remote }: World, service: string, content: string): void {
  const path = `services/${service}/config.yaml`;
  const { files, parent } = remote.head();
  const present = files[path] ?? '';
  const before = parent === null ? undefined : remote.commits.get(parent)?.files[path];
  const text = content === 'comment' ? `${present}# note\n` : content === 'undo' ? (before ?? present) : (contents[content] ?? '');
  if (text !== '') remote.push({ ...files, [path]: text }, 'Ada');
}

/** Percentages, durations and versions that orders need. */
const fields: Readonly<Partial<Record<OrderName, OperatorCommand>>> = {
  'adjust-traffic': { percentage: 30 },
  'reduce-traffic': { percentage: 1 },
  'extend-phase': { additional_minutes: '5s' },
  'pause-auto-rollback': { duration_minutes: '20s' },
};

function command(world: World, service: string, name: string): void {
  const { leader } = world;
  if (leader === null) return;
  const { engine, reconciler, people } = leader.controlPlane;
  const clock = { now: () => leader.process.now(), schedule: () => () => undefined };
  const deps = { engine, clock, reconciler, people, read: readDocument, store: leader.store };
  const request = { service, reason: 'because' };
  const caller = { name: 'operator', role: 'admin' } as const;
  const promote = (winner: string): Promise<unknown> => {
    const id = engine.state(service)?.active?.id ?? '';
    return promoteWinner({ engine, clock, judging: leader.controlPlane.judging }, id, { winner }, 'operator');
  };
  const ordered = (): Promise<unknown> => {
    switch (name) {
      case 'rollback':
        return rollBackDeployment(deps, request, caller);
      case 'rollback-gradually':
        return rollBackDeployment(deps, { ...request, gradual: true, duration_minutes: '15s' }, caller);
      case 'rollback-to':
        return rollBackDeployment(deps, { ...request, to_version: versionOf(engine.state(service), world.rng) }, caller);
      case 'approve':
        return approve(deps, { service }, `approver-${Math.floor(world.rng() * 2)}`);
      case 'promote-fully':
        return operate(deps, 'promote', { ...request, full: true }, 'operator');
      case 'ab-promote':
        return promote('b');
      case 'ab-promote-auto':
        return promote('auto');
      case 'freeze':
        if (world.rng() < 0.5) return operate(deps, 'freeze', { reason: 'because' }, 'operator');
        return operate(deps, 'freeze', request, 'operator');
      default:
        return operate(deps, name as OrderName, { ...request, ...fields[name as OrderName] }, 'operator');
    }
  };
  ordered().catch(() => undefined);
}

/** Without a service: for all of them. */
function orderAnyhow({ leader }: World, service: string | undefined, name: OrderName): void {
  if (leader === null) return;
  const clock = { now: () => leader.process.now(), schedule: () => () => undefined };
  const request = { reason: 'because', ...(service === undefined ? {} : { service }) };
  operate({ engine: leader.controlPlane.engine, clock }, name, request, 'operator').catch(() => undefined);
}

function versionOf(state: ServiceState | undefined, rng: Rng): string {
  const promoted = state?.promoted ?? [];
  return promoted[Math.floor(rng() * promoted.length)]?.digest ?? 'unknown';
}

/** All faults end. */
export function heal(world: World): void {
  const { remote, disk, faults } = world;
  Object.assign(remote, { isDown: false, isProtected: false, losesAnswer: false });
  disk.failure = null;
  Object.assign(faults, { isSlow: false, lossRate: 0, armed: [] });
  world.outages.clear();
  for (const gateway of world.gateways) {
    gateway.isPartitioned = false;
    const lacksKey = gateway.refuses.size > 0;
    gateway.refuses.clear();
    if (gateway.isDown || lacksKey) gateway.restart();
  }
}

/** A person who does what the alerts ask for. */
export function assist(world: World): void {
  const { leader } = world;
  if (leader === null || world.loop.now() % 10_000 >= 1000) return;
  const stalled = leader.controlPlane.problems().repository;
  if (stalled !== null && world.remote.tip !== null && leader.controlPlane.reconciler.acceptHead(world.remote.tip) === null)
    leader.controlPlane.poll();
  if (leader.controlPlane.engine.everywhere().freeze !== null) orderAnyhow(world, undefined, 'unfreeze');
  if (world.remote.head().files['actuator.yaml'] === settings['frozen']) act(world, { at: 0, kind: 'settings', settings: 'standard' });
  for (const { service, active, freeze } of leader.controlPlane.engine.states()) {
    if (freeze !== null) orderAnyhow(world, service, 'unfreeze');
    if (active?.phase.name === 'pending') {
      command(world, service, 'approve');
      // What can never start is turned down in the end.
      if (leader.process.now() - active.createdAt > 120_000) command(world, service, 'abort');
    }
    if (active?.phase.name !== 'paused') continue;
    const heldMs = leader.process.now() - active.phase.since;
    // Once more for each; after that it is taken back.
    const isSecond = world.resumed.has(active.id) || active.phase.reason === 'refused';
    if (heldMs < 20_000) continue;
    command(world, service, active.phase.reason === 'winner' ? 'ab-promote-auto' : isSecond ? 'rollback' : 'resume');
    world.resumed.add(active.id);
  }
}

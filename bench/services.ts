/**
 * One commit that changes many services (models.yaml), from the look at it until each has a deployment that says what it waits for:
 * the time for a thousand beside the reference run of a hundred, by service. Real Git over HTTP, SQLite in a file.
 * `node bench/services.ts [SERVICES]`; prints milliseconds, and their ratio: 1 where a service costs the same whatever there is beside it.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openSqliteStore } from '../src/adapters/store/sqlite-store.ts';
import { base, bootControlPlane, service } from '../test/support/control-plane-world.ts';
import { fakeClock } from '../test/support/fake-clock.ts';
import { until } from '../test/support/fake-control-plane.ts';
import { aRepository } from '../test/support/repositories.ts';

const most = Math.min(5000, Number(process.argv[2] ?? 1000));
const limitMs = 300_000;
const settings = `${base['actuator.yaml']}versioning: { require_approver: true, approval_roles: [sre], direct_pushes: allow }
people: [{ name: Bob, keys: [bob], roles: [sre] }]
deployment_windows: { deny: [{ cron: "0 22 * * *", duration_minutes: 480, timezone: Europe/Berlin }] }
`;

/** In milliseconds. */
async function measured(count: number): Promise<number> {
  const remote = await aRepository();
  const files = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`services/service-${index}/config.yaml`, service('m')] as const),
  );
  remote.commit({ ...base, 'actuator.yaml': settings, ...files }, 'first');
  const git = await remote.open();
  const store = await openSqliteStore(join(remote.directory, 'state.db'));
  const bench = await bootControlPlane(store, git.repository, fakeClock(), null, git.writer);
  const { controlPlane } = bench;
  const all = (isSo: (state: ReturnType<typeof controlPlane.engine.states>[number]) => boolean) => (): boolean => {
    const states = controlPlane.engine.states();
    return states.length === count && states.every(isSo);
  };
  await until(
    'adopted',
    all(({ stable }) => stable !== null),
    limitMs,
  );
  remote.commit(
    { 'models.yaml': base['models.yaml'].replace('m: { provider: p }', 'm: { provider: p, upstream_model: m-2 }') },
    'another model',
  );
  const startedAt = performance.now();
  await controlPlane.reconciler.reconcile();
  await until(
    'gated',
    all(({ active }) => active?.phase.name === 'pending' && active.phase.waitsFor.length > 0),
    limitMs,
  );
  const tookMs = performance.now() - startedAt;
  await controlPlane.stop();
  await store.close();
  await remote.close();
  await rm(remote.directory, { recursive: true, force: true });
  return tookMs;
}

const few = Math.max(1, Math.floor(most / 10));
for (let round = 1; round <= 3; round++) {
  const [reference, whole] = [await measured(few), await measured(most)];
  const ratio = whole / most / (reference / few);
  process.stdout.write(
    `${few} services: ${reference.toFixed(0)} ms, ${most} services: ${whole.toFixed(0)} ms, ratio by service ${ratio.toFixed(1)}\n`,
  );
}

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { startLoad, type Load } from '../../src/demo/load.ts';
import { allEvents, status, untilEnded } from '../../src/demo/story.ts';
import { createWorld, type World } from '../../src/demo/world.ts';
import { until } from '../support/fake-control-plane.ts';
import { quickSettings, slowSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
const config = `services/${service}/config.yaml`;
let world: World;
let load: Load;

/** Under load from the first moment; the load goes on through every crash. */
async function start(settings: string, environment: Readonly<Record<string, string>> = {}): Promise<void> {
  world = await createWorld({ directory: await mkdtemp(join(tmpdir(), 'actuator-crash-')), seed: 5, settings, pollInterval: '1s' });
  world.provider.set('gpt-next', { errorRate: 0.4 });
  await world.startControlPlane(environment);
  await until('adopted', async () => (await allEvents(world)).filter((row) => row.event.type === 'adopted').length === 2, 10_000);
  await until(
    'served',
    async () => ((await (await fetch(`${world.gatewayUrl}/v1/models`)).json()) as { data: unknown[] }).data.length === 2,
  );
  load = startLoad({ gateway: world.gatewayUrl, service, plain: 80, streamed: 20, sdk: 5, longestMs: 60_000 });
}

function badChange(): Promise<string> {
  return world.commit('bad', { [config]: (text) => text.replace('default_model: gpt-4-turbo', 'default_model: gpt-next') });
}

/** However the crash came: rolled back once, reverted once, published once, and no client noticed. */
async function assertRolledBackOnce(commit: string): Promise<void> {
  const last = await untilEnded(world, service, commit, 30_000);
  assert.equal(last.phase, 'rolled-back');
  const rows = await allEvents(world);
  const end = rows.at(-1)?.position ?? 0;
  await until(
    'published',
    async () => {
      await world.git('fetch', '-q', 'origin', '+refs/heads/*:refs/remotes/origin/*');
      const cursor = await world.git('show', 'origin/actuator/status:cursor.yaml').catch(() => '');
      return Number(/position: (\d+)/.exec(cursor)?.[1] ?? 0) >= end;
    },
    20_000,
  );
  const subjects = (await world.git('log', '--format=%s', 'origin/main')).split('\n');
  assert.equal(subjects.filter((subject) => subject.includes('roll back')).length, 1);
  assert.equal((await world.git('rev-parse', 'origin/main')).trim(), last.revert_commit);
  assert.equal(await world.git('diff', `${commit}~1`, 'origin/main'), '');
  const lines = (
    await world.git('show', `origin/actuator/status:deployments/${last.id.slice(7, 11)}/${last.id.slice(11, 13)}/${last.id}/events.jsonl`)
  )
    .trim()
    .split('\n');
  const positions = lines.map((line) => (JSON.parse(line) as { position: number }).position);
  assert.deepEqual(
    positions,
    [...new Set(positions)].sort((a, b) => a - b),
  );
  await load.stop();
  assert.equal(load.counts.failedByUs, 0, load.counts.samples.join('\n'));
  assert.ok(load.counts.requests > 100);
}

afterEach(async () => {
  await load.stop();
  await world.close();
  await rm(world.directory, { recursive: true, force: true });
});

describe('kill -9 of the control plane under load', () => {
  it('between journal and effect: the revert is done after the restart', async () => {
    const preload = join(import.meta.dirname, '../support/kill-after-journal.ts');
    await start(quickSettings, { NODE_OPTIONS: `--import ${preload}` });
    const commit = await badChange();
    await world.ended();

    await world.startControlPlane();

    await assertRolledBackOnce(commit);
  });

  it('between traffic and push: stable is served at once, main is reverted after the restart', async () => {
    await start(quickSettings);
    const commit = await badChange();
    world.forge.beforePush(async (body) => {
      if (!body.includes('refs/heads/main')) return;
      await world.stopControlPlane('SIGKILL');
      // And the push never gets through.
      await new Promise(() => undefined);
    });
    await until(
      'killed',
      async () =>
        fetch(`${world.apiUrl}/health`).then(
          () => false,
          () => true,
        ),
      20_000,
    );
    const stats = (await (await fetch(`${world.gatewayUrl}/api/v1/routing/stats`)).json()) as {
      services: { service: string; variants: unknown[] }[];
    };
    assert.equal(stats.services.find((row) => row.service === service)?.variants.length, 1);
    world.forge.beforePush(null);

    await world.startControlPlane();

    await assertRolledBackOnce(commit);
  });

  it('between push and bookkeeping: the revert is found, and not done twice', async () => {
    await start(quickSettings);
    const commit = await badChange();
    world.forge.afterPush(async (body) => {
      if (!body.includes('refs/heads/main')) return;
      world.forge.afterPush(null);
      await world.stopControlPlane('SIGKILL');
    });
    await until(
      'killed',
      async () =>
        fetch(`${world.apiUrl}/health`).then(
          () => false,
          () => true,
        ),
      20_000,
    );

    await world.startControlPlane();

    await assertRolledBackOnce(commit);
  });

  it('in the moment in which its gateway was started: the gateway is replaced, not left behind', async () => {
    await start(slowSettings);
    const { pid } = (await (await fetch(`${world.gatewayUrl}/health`)).json()) as { pid: number };
    await world.stopControlPlane('SIGKILL');
    await rm(join(world.dataDirectory, 'gateway.json'));

    await world.startControlPlane();

    const isReplaced = async (): Promise<boolean> =>
      ((await (await fetch(`${world.gatewayUrl}/health`)).json()) as { pid: number }).pid !== pid;
    await until('replaced', () => isReplaced().catch(() => false), 15_000);
    assert.throws(() => process.kill(pid, 0));
  });

  it('in the middle of a canary: it goes on where it was, with the same evidence', async () => {
    await start(slowSettings);
    world.provider.set('gpt-next', { errorRate: 0 });
    const commit = await badChange();
    await until('progressing', async () => (await status(world, service)).phase === 'progressing', 15_000);
    await new Promise((resolve) => setTimeout(resolve, 6000));
    const before = await status(world, service);

    await world.stopControlPlane('SIGKILL');
    await world.startControlPlane();

    const after = await status(world, service);
    assert.equal(after.deployment?.deployment_id, before.deployment?.deployment_id);
    assert.equal(after.deployment?.current_percentage, 20);
    world.provider.set('gpt-next', { errorRate: 0.4 });
    await assertRolledBackOnce(commit);
  });
});

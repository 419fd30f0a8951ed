import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { status } from '../../src/demo/story.ts';
import { createWorld, freePort, type World } from '../../src/demo/world.ts';
import { until } from '../support/fake-control-plane.ts';
import { slowSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
const binary = join(import.meta.dirname, '../../bin/actuator.cjs');
const settings = slowSettings
  .replace('percentage: 20', 'percentage: 40')
  .replace('recovery_validation:', '    traffic_split: { method: consistent_hash, hash_key: user_id }\nrecovery_validation:');

let world: World;
let key: string;
const processes: ChildProcess[] = [];

interface Gateway {
  readonly url: string;
  readonly child: ChildProcess;
}

async function startGateway(name: string, ...flags: readonly string[]): Promise<Gateway> {
  const port = await freePort();
  const args = [
    'gateway',
    '--name',
    name,
    '--port',
    String(port),
    '--control-plane',
    world.apiUrl,
    '--data-dir',
    join(world.directory, name),
  ];
  const child = spawn(process.execPath, [binary, ...args, '--log-level', 'error', ...flags], {
    env: { ...process.env, ACTUATOR_GATEWAY_KEY: key, OPENAI_API_KEY: 'sk-mock' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  processes.push(child);
  const url = `http://127.0.0.1:${port}`;
  await until(`${name} serves`, async () => (await models(url)) >= 2, 15_000);
  return { url, child };
}

async function models(url: string): Promise<number> {
  try {
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: unknown[] };
    return data.length;
  } catch {
    return 0;
  }
}

async function ask(gateway: string, user: string): Promise<string> {
  const response = await fetch(`${gateway}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: service, user, messages: [{ role: 'user', content: 'Why?' }] }),
  });
  await response.arrayBuffer();
  return response.status === 200 ? (response.headers.get('x-actuator-variant') ?? '') : `status ${response.status}`;
}

function actuator(...args: readonly string[]): Promise<{ readonly code: number | null; readonly out: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [binary, ...args], {
      env: { ...process.env, ACTUATOR_URL: world.apiUrl, ACTUATOR_DATA_DIR: world.dataDirectory },
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (out += part.toString()));
    child.on('close', (code) => resolve({ code, out }));
  });
}

function ended(child: ChildProcess): Promise<unknown> {
  return child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
}

before(async () => {
  world = await createWorld({ directory: await mkdtemp(join(tmpdir(), 'actuator-fleet-')), seed: 5, settings, pollInterval: '1s' });
  await world.startControlPlane();
  key = (await readFile(join(world.dataDirectory, 'gateway.key'), 'utf8')).trim();
});

after(async () => {
  for (const child of processes) child.kill('SIGTERM');
  await Promise.all(processes.map(ended));
  await world.close();
  await rm(world.directory, { recursive: true, force: true });
});

describe('a fleet in mid-canary', () => {
  let commit = '';

  it('divides users alike on every gateway, also on one that joins late and on one with workers; one that dies holds nothing up', async () => {
    const second = await startGateway('second');
    commit = await world.commit('Change', {
      [`services/${service}/config.yaml`]: (text) => text.replace('temperature: 0.7', 'temperature: 0.4'),
    });
    await until('canary', async () => (await status(world, service)).deployment?.current_percentage === 40, 20_000);
    const isApplied = async (): Promise<boolean> => ((await status(world, service)) as unknown as { applied: boolean }).applied;
    await until('applied', isApplied, 10_000);

    const users = Array.from({ length: 80 }, (_, index) => `user-${index}`);
    const first = await Promise.all(users.map((user) => ask(world.gatewayUrl, user)));
    assert.deepEqual(new Set(first), new Set(['canary', 'stable']));
    assert.deepEqual(await Promise.all(users.map((user) => ask(second.url, user))), first);

    const third = await startGateway('third', '--workers', '2');
    await until(
      'the third has its lease',
      async () => (await Promise.all(users.map((user) => ask(third.url, user)))).includes('canary'),
      15_000,
    );
    assert.deepEqual(await Promise.all(users.map((user) => ask(third.url, user))), first);

    second.child.kill('SIGKILL');
    assert.deepEqual(await Promise.all(users.map((user) => ask(third.url, user))), first);
  });

  it('is counted once, and traffic-stats, hash-analysis and routing-stats tell', async () => {
    interface Stats {
      readonly split: { readonly method: string };
      readonly step: {
        readonly requests: { readonly canary: number; readonly stable: number };
        readonly users: { readonly canary: number; readonly stable: number };
      };
      readonly imbalance: { readonly verdict: string };
    }
    const stats = async (): Promise<Stats> =>
      JSON.parse((await actuator('traffic-stats', '--service', service, '-o', 'json')).out) as Stats;
    // 80 users, asked by the test four times or more; whoever was asked last is in a bucket within two seconds.
    await until('all buckets', async () => (await stats()).step.requests.canary + (await stats()).step.requests.stable >= 320, 10_000);
    const before = await stats();
    assert.equal(before.split.method, 'consistent_hash');
    assert.equal(before.step.users.canary + before.step.users.stable, 80);
    assert.ok(['even', 'too-few'].includes(before.imbalance.verdict), JSON.stringify(before.imbalance));

    const { out: table } = await actuator('traffic-stats', '--service', service);
    assert.match(table, /consistent_hash by user_id[\s\S]*users, same time\s+\d+\s+\d+[\s\S]*weight 40\.00 %/);
    const { out: hashes } = await actuator('hash-analysis', '--service', service);
    assert.match(hashes, /requests with a key \d+, without 0; different keys at this weight 80[\s\S]*busiest of 64 shards/);
    const { out: routes } = await actuator('routing-stats', '--service', service);
    assert.match(routes, /VARIANT\s+ROUTE\s+MODEL[\s\S]*canary\s+default[\s\S]*stable\s+default/);
    const missing = await actuator('traffic-stats', '--deployment-id', 'deploy-19990101-001');
    assert.deepEqual([missing.code, /traffic of deploy-19990101-001/.test(missing.out)], [3, true]);
  });

  it('goes back to stable as one, and the revert does not wait for the lease of the gateway that died', async () => {
    const { deployment } = await status(world, service);
    const { code } = await actuator('rollback', '--deployment-id', deployment?.deployment_id ?? '', '--reason', 'enough');
    assert.equal(code, 0);
    const users = Array.from({ length: 40 }, (_, index) => `user-${index}`);
    const isStable = async (): Promise<boolean> =>
      (await Promise.all(users.map((user) => ask(world.gatewayUrl, user)))).every((name) => name === 'stable');
    await until('stable here', isStable, 5000);
    const isReverted = async (): Promise<boolean> => {
      await world.git('fetch', '-q', 'origin');
      return (await world.git('log', '-1', '--format=%B', 'origin/main')).includes(`This reverts commit ${commit}`);
    };
    await until('the revert commit', isReverted, 10_000);
  });
});

describe('client keys', () => {
  it('are made by the command line, and open a gateway beyond loopback', async () => {
    const { out } = await actuator('client-key', 'web', '--services', service);
    const [, client = '', line = ''] = /(ac_\S+)\n(sha256:\S+ web support-chat)\n/.exec(out) ?? [];
    const file = join(world.directory, 'client-keys');
    await writeFile(file, `${line}\n`);
    const port = await freePort();
    const args = ['gateway', '--name', 'open', '--host', '0.0.0.0', '--port', String(port), '--control-plane', world.apiUrl];
    const refused = await actuator(
      ...args,
      '--data-dir',
      join(world.directory, 'open'),
      '--key-file',
      join(world.dataDirectory, 'gateway.key'),
    );
    assert.equal(refused.code, 3);
    assert.match(refused.out, /would serve anybody/);
    const child = spawn(
      process.execPath,
      [binary, ...args, '--data-dir', join(world.directory, 'open'), '--client-keys', file, '--log-level', 'error'],
      {
        env: { ...process.env, ACTUATOR_GATEWAY_KEY: key, OPENAI_API_KEY: 'sk-mock' },
        stdio: 'ignore',
      },
    );
    processes.push(child);
    const status = async (token: string): Promise<number> => {
      const init = { headers: { authorization: `Bearer ${token}` } };
      return fetch(`http://127.0.0.1:${port}/v1/models`, init).then(
        (response) => response.status,
        () => 0,
      );
    };
    await until('it listens', async () => (await status(client)) === 200, 15_000);
    assert.equal(await status('ac_other'), 401);
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startLoad, type Load } from '../../src/demo/load.ts';
import { status, untilEnded } from '../../src/demo/story.ts';
import { createWorld, type World } from '../../src/demo/world.ts';
import { runCli, type Ran } from '../support/command-line.ts';
import { until } from '../support/fake-control-plane.ts';
import { slowSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
let world: World;
let load: Load;

const actuator = (...args: readonly string[]): Promise<Ran> => runCli(world, args);

before(async () => {
  world = await createWorld({
    directory: await mkdtemp(join(tmpdir(), 'actuator-doors-')),
    seed: 9,
    settings: slowSettings,
    pollInterval: '1s',
  });
  await world.startControlPlane();
  await until(
    'served',
    async () => ((await (await fetch(`${world.gatewayUrl}/v1/models`)).json()) as { data: unknown[] }).data.length === 2,
    10_000,
  );
  load = startLoad({ gateway: world.gatewayUrl, service, plain: 40, streamed: 5, sdk: 1, longestMs: 90_000 });
});

after(async () => {
  // First, since what goes on would keep this process alive when the set-up has failed.
  await world.close();
  await load.stop();
  await rm(world.directory, { recursive: true, force: true });
});

describe('the API', () => {
  const call = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${world.apiUrl}${path}`, init);

  it('answers nobody without a key, but probes and scrapers', async () => {
    for (const path of [
      '/api/v1/actuator/status',
      '/api/v1/actuator/list-active',
      '/api/v1/actuator/events',
      '/api/v1/gateway/assignments?gateway=x',
    ]) {
      const response = await call(path);
      assert.equal(response.status, 401, path);
      assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/);
    }
    for (const path of ['deploy', 'rollback', 'pause', 'resume', 'resync'])
      assert.equal((await call(`/api/v1/actuator/${path}`, { method: 'POST', body: '{}' })).status, 401, path);
    assert.equal((await call('/health')).status, 200);
    assert.match(await (await call('/metrics')).text(), /actuator_gateways_connected 1/);
  });

  it('keeps gateways to what gateways do, and people to what people do', async () => {
    const key = async (name: string): Promise<string> => (await readFile(join(world.dataDirectory, `${name}.key`), 'utf8')).trim();
    const as = async (name: string, path: string): Promise<number> =>
      (await call(path, { headers: { authorization: `Bearer ${await key(name)}` } })).status;
    assert.equal(await as('gateway', '/api/v1/actuator/status'), 403);
    assert.equal(await as('admin', '/api/v1/gateway/assignments?gateway=x'), 403);
    assert.equal(await as('admin', '/api/v1/actuator/status'), 200);
    assert.equal(await as('admin', '/api/v1/actuator/status?service=nope'), 404);
    assert.equal(await as('admin', '/api/v1/actuator/deployments/deploy-x'), 404);
    assert.equal(await as('admin', '/nowhere'), 404);
  });

  it('says what is wrong with a body', async () => {
    const key = (await readFile(join(world.dataDirectory, 'admin.key'), 'utf8')).trim();
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const bad = await call('/api/v1/actuator/rollback', { method: 'POST', headers, body: JSON.stringify({ reson: 'x' }) });
    assert.equal(bad.status, 400);
    assert.match(await bad.text(), /Did you mean \\"reason\\"/);
    assert.equal((await call('/api/v1/actuator/rollback', { method: 'POST', headers, body: '{' })).status, 400);
  });
});

describe('the verbs', () => {
  it('show what is in force', async () => {
    const overview = await actuator('status');
    assert.equal(overview.code, 0);
    assert.match(overview.out, /^SERVICE +PHASE +DEPLOYMENT +STEP +WEIGHT +STABLE +MESSAGE$/m);
    assert.match(overview.out, /^support-chat +idle/m);
    const one = await actuator('status', '--service', service);
    assert.match(one.out, /^Status: +✔ Healthy$/m);
    assert.match(one.out, /^Stable: +[0-9a-f]{12} \([0-9a-f]{12}\)$/m);
    assert.equal((JSON.parse((await actuator('status', '-o', 'json')).out) as { services: unknown[] }).services.length, 2);
    assert.match((await actuator('list-active')).out, /no deployment is under way/);
    assert.equal((await actuator('health-check')).code, 0);
    assert.match((await actuator('version')).out, /^actuator \d/);
    assert.equal((await actuator('status', '--service', 'nope')).code, 3);
  });

  it('refuse orders that make no sense, with a sentence', async () => {
    for (const [verb, reason] of [
      ['pause', /Cannot pause/],
      ['resume', /Cannot resume/],
      ['rollback', /Cannot roll back/],
    ] as const) {
      const { code, err } = await actuator(verb, '--service', service, '--reason', 'x');
      assert.equal(code, 3);
      assert.match(err, reason);
    }
    const ambiguous = await actuator('rollback', '--reason', 'x');
    assert.match(ambiguous.err, /--service: document-search, support-chat/);
    assert.match((await actuator('pause', '--deployment-id', 'deploy-20200101-001')).err, /no deployment deploy-20200101-001/);
  });

  it('deploy, pause, resume and roll back a canary', async () => {
    const patch = join(world.directory, 'patch.yaml');
    await writeFile(patch, 'llm:\n  parameters:\n    temperature: 0.4\n    max_tokens: null\n');

    const wrong = await actuator('deploy', '--service', service, '--config', patch, '--steps', '50,10,100');
    assert.equal(wrong.code, 3);
    assert.match(wrong.err, /must rise/);
    const deployed = await actuator(
      'deploy',
      '--service',
      service,
      '--config',
      patch,
      '--initial-percentage',
      '30',
      '--reason',
      'cooler',
      '--incident-reference',
      'INC-1',
      '-o',
      'json',
    );
    assert.equal(deployed.code, 0, deployed.err);
    const { commit, deployment_id: id } = JSON.parse(deployed.out) as { commit: string; deployment_id: string };
    assert.equal((await status(world, service)).deployment?.deployment_id, id);
    await until(
      'progressing',
      async () => (await status(world, service)).deployment?.commit === commit && (await status(world, service)).phase === 'progressing',
      10_000,
    );
    assert.equal((await status(world, service)).deployment?.current_percentage, 30);
    await world.git('fetch', '-q', 'origin');
    const message = await world.git('log', '-1', '--format=%B', 'origin/main');
    assert.match(message, /^support-chat: cooler\n/);
    assert.match(message, /^Actuator-Actor: admin$/m);
    assert.match(message, /^Incident-Reference: INC-1$/m);
    const file = await world.git('show', `origin/main:services/${service}/config.yaml`);
    assert.match(file, /temperature: 0\.4/);
    assert.doesNotMatch(file.split('routing:')[0] ?? '', /max_tokens/);
    assert.match(file, /initial_percentage: 30/);

    assert.match((await actuator('list-active')).out, /support-chat +progressing/);
    const sizes = await actuator('sample-size', '--service', service);
    assert.match(sizes.out, /canary requests in this step: \d+ of 20/, sizes.err);
    assert.match(sizes.out, /^cost per request +\d+ +\d+/m);
    await until(
      'the first block is compared',
      async () =>
        /fixed horizon|do not spread/.test(
          (await actuator('ab-test', '--service', service, '--metric', 'cost_per_request', '--min-effect-size', '0.05')).out,
        ),
      15_000,
    );
    assert.match((await actuator('ab-test', '--service', service, '--metric', 'wit')).err, /"wit" is not judged in .* there is error_rate/);
    assert.equal((await actuator('sample-size', '--deployment-id', 'deploy-20200101-001')).code, 3);
    assert.equal((await actuator('pause', '--reason', 'lunch')).code, 0);
    assert.match((await actuator('status', '--service', service)).out, /^Message: +lunch$/m);
    assert.equal((await actuator('resume')).code, 0);
    const follow = actuator('status', '--service', service, '--follow', '--timeout-seconds', '30');
    await until('measured', async () => JSON.stringify(await status(world, service)).includes('"step_requests":'), 10_000);
    const rolled = await actuator('rollback', '--reason', 'High error rate observed', '--scope', 'canary');
    assert.equal(rolled.code, 0, rolled.err);

    const last = await untilEnded(world, service, commit, 15_000);
    assert.equal(last.phase, 'rolled-back');
    assert.match(last.reason, /High error rate observed/);
    assert.equal((await follow).code, 1);
    await world.git('fetch', '-q', 'origin');
    assert.match(await world.git('log', '-1', '--format=%B', 'origin/main'), /^Actuator-Actor: admin$/m);
    const again = await actuator('deploy', '--service', service, '--config', patch);
    assert.equal(again.code, 3);
    assert.match(again.err, /Nothing was committed: .*quarantine/);
    assert.equal((await actuator('rollback', '--service', service, '--reason', 'x', '--scope', 'canary')).code, 3);
  });
});

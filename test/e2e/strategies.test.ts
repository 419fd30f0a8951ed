/** Strategies, gates and ways back as a person drives them: commands against a daemon, real Git, real gateways, real traffic. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startLoad, type Load } from '../../src/demo/load.ts';
import { status, untilEnded } from '../../src/demo/story.ts';
import { createWorld, freePort, type World } from '../../src/demo/world.ts';
import { binary, printedBy, runCli, type Ran } from '../support/command-line.ts';
import { until } from '../support/fake-control-plane.ts';
import { slowSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
const config = `services/${service}/config.yaml`;
/** What a canary is wanted for here is ended by hand. */
const settings = `${slowSettings}blue_green: { validation_percentage: 50, cutover: { validation_duration_minutes: 1s, traffic_shift_duration_seconds: 2 } }
rolling: { batch_percentage: 50, batch_duration_minutes: 1s }
`;
let world: World;
let load: Load;
const children: ChildProcess[] = [];

const actuator = (...args: readonly string[]): Promise<Ran> => runCli(world, args);
const good = (...args: readonly string[]): Promise<string> => printedBy(world, args);
const runWith = (environment: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ran> =>
  runCli(world, args, environment);

async function file(name: string, text: string): Promise<string> {
  const path = join(world.directory, name);
  await writeFile(path, text);
  return path;
}

async function onMain(path: string): Promise<string> {
  await world.git('fetch', '-q', 'origin');
  return world.git('show', `origin/main:${path}`);
}

/** Whatever the test before has left there. */
const warmed =
  (temperature: number) =>
  (text: string): string =>
    text.replace(/temperature: [\d.]+/, `temperature: ${temperature}`);

/** The id of the deployment that a commit started. */
async function deploymentOf(commit: string): Promise<string> {
  return until('a deployment', async () => {
    const { deployment, last_deployment: last } = await status(world, service);
    return (deployment?.commit === commit && deployment.deployment_id) || (last?.commit === commit && last.id);
  });
}

before(async () => {
  world = await createWorld({ directory: await mkdtemp(join(tmpdir(), 'actuator-strategies-')), seed: 4, settings, pollInterval: '1s' });
  await world.startControlPlane();
  await until(
    'served',
    async () => ((await (await fetch(`${world.gatewayUrl}/v1/models`)).json()) as { data: unknown[] }).data.length === 2,
    10_000,
  );
  load = startLoad({ gateway: world.gatewayUrl, service, plain: 80, streamed: 5, sdk: 1, longestMs: 110_000 });
});

after(async () => {
  for (const child of children) child.kill('SIGKILL');
  // First, since what goes on would keep this process alive when the set-up has failed.
  await world.close();
  await load.stop();
  await rm(world.directory, { recursive: true, force: true });
});

describe('blue-green', () => {
  let id = '';

  it('validates green on copies, moves over when a person says so, and writes down what it promoted', async () => {
    const change = await file(
      'green.yaml',
      'metadata: { service: support-chat }\ndeployment_strategy: { type: blue-green, blue: { model: gpt-4-turbo }, green: { model: gpt-next } }\n',
    );
    const deployed = JSON.parse(
      await good('deploy', '--config', change, '--strategy', 'blue-green', '--keep-blue-duration', '2h', '-o', 'json'),
    ) as { deployment_id: string };
    id = deployed.deployment_id;

    assert.match(await good('validate-green', '--deployment-id', id, '--wait', '--timeout-seconds', '30'), /^validated: /);
    const before = await status(world, service);
    assert.equal(before.deployment?.current_percentage, 0);
    assert.match(await good('status', '--service', service), /blue-green: copies of 50 % -> \[pause at 0 %\] -> 50 %/);

    await good('cutover', '--deployment-id', id);
    await until('promoted', async () => (await status(world, service)).last_deployment?.phase === 'completed', 15_000);
    await until('collapsed', async () => !/deployment_strategy/.test(await onMain(config)), 10_000);
    assert.match(await onMain(config), /default_model: gpt-next/);
    assert.match(await world.git('log', '-1', '--format=%B', 'origin/main'), /Actuator-Event: collapsed/);
    const quiet = await status(world, service);
    assert.equal(quiet.phase, 'idle');
    assert.match(
      await good('monitor', '--deployment-id', id, '--auto-rollback-to-blue', '--timeout-seconds', '1'),
      /completed, watched until/,
    );
  });

  it('goes back to blue in parts, by a request file, and tells why', async () => {
    const request = await file(
      'rollback.yaml',
      `deployment_id: "${id}"\nreason: "Quality degradation detected"\noptions: { gradual: true, duration_minutes: 2s, scope: all, notify_channels: [slack], approval_required: true }\n`,
    );
    await good('rollback', '--config', request);
    await until('rolled back', async () => (await status(world, service)).last_deployment?.phase === 'rolled-back', 15_000);

    assert.match(await onMain(config), /default_model: gpt-4-turbo/);
    assert.match(await good('rollback-history'), new RegExp(`rollback-${id}.*operator.*Quality degradation detected`));
    assert.match(await good('rollback-details', '--rollback-id', `rollback-${id}`), /ordered by: admin[^]*gradually, 90 % left/);
    assert.equal(await good('rollback-count', '--since', '1h'), '1\n');
    assert.match(await good('logs', '--deployment-id', id, '--level', 'error', '--tail', '1'), /rolled back/);
    assert.match(await good('summary', '--since', '1h'), /rolled-back: 1/);
    assert.match(await good('diff', '--deployment-id', id), /gpt-next/);
  });

  it('is not tried again until a person lifts the quarantine', async () => {
    const green = (text: string): string =>
      text.replace('default_model: gpt-4-turbo', 'default_model: gpt-next').replace(/^ {2}model: gpt-4-turbo/m, '  model: gpt-next');
    await world.commit('again', { [config]: green });
    let said = '';
    await until('refused', async () => (said = (await actuator('find-issues')).out).includes('quarantine'), 10_000).catch(
      (error: unknown) => assert.fail(`${String(error)} ${said}`),
    );

    await good('retry', '--service', service, '--reason', 'the provider has mended it');
    await until('on trial', async () => (await status(world, service)).deployment !== null, 10_000);
    await good('abort', '--service', service, '--reason', 'enough');
    await until('aborted', async () => (await status(world, service)).phase === 'idle', 10_000);
  });
});

describe('rolling', () => {
  it('goes over two gateways in batches: one serves the canary only, the other stable only', async () => {
    const port = await freePort();
    const key = (await readFile(join(world.dataDirectory, 'gateway.key'), 'utf8')).trim();
    const args = [
      'gateway',
      '--name',
      'second',
      '--control-plane',
      world.apiUrl,
      '--port',
      String(port),
      '--data-dir',
      join(world.directory, 'second'),
    ];
    const second = spawn(process.execPath, [binary, ...args], {
      env: { ...process.env, ACTUATOR_GATEWAY_KEY: key, OPENAI_API_KEY: 'sk-mock' },
      stdio: 'ignore',
    });
    children.push(second);
    const variantAt = async (gateway: string): Promise<string> => {
      const response = await fetch(`${gateway}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify({ model: service, messages: [{ role: 'user', content: 'Why?' }] }),
      });
      await response.arrayBuffer();
      return response.headers.get('x-actuator-variant') ?? '';
    };
    const other = `http://127.0.0.1:${port}`;
    await until('the second gateway', async () => (await variantAt(other).catch(() => '')) === 'stable', 15_000);
    const more = startLoad({ gateway: other, service, plain: 60, streamed: 0, sdk: 0, longestMs: 40_000 });
    try {
      const commit = await world.commit('rolling', {
        [config]: (text) => `${warmed(0.65)(text)}\ndeployment_strategy: { type: rolling }\n`,
      });
      const id = await deploymentOf(commit);
      const seen = new Set<string>();
      await until(
        'rolled over',
        async () => {
          seen.add([await variantAt(world.gatewayUrl), await variantAt(other)].sort().join());
          return (await status(world, service)).last_deployment?.id === id;
        },
        40_000,
      );
      assert.ok(seen.has('canary,stable'), [...seen].join(' '));
      const { last_deployment: last } = await status(world, service);
      assert.equal(last?.phase, 'completed', last?.reason);
      assert.equal(more.counts.failedByUs, 0, more.counts.samples.join('\n'));
    } finally {
      await more.stop();
    }
  });
});

describe('gates', () => {
  it('wait for somebody who is not the author, and tell who', async () => {
    const people = `people: [{ name: Bea, keys: [bea], emails: [bea@example.com], roles: [sre-lead] }, { name: Root, keys: [admin], roles: [sre-lead] }]\n`;
    const strict = `${settings}versioning: { require_approver: true, approval_roles: [sre-lead] }\n${people}`;
    await world.commit('approvals', { 'actuator.yaml': () => strict });
    const bea = (await good('create-key', '--name', 'bea', '--role', 'approver')).trim();
    const change = await file('cooler.yaml', 'llm: { parameters: { temperature: 0.3 } }\n');
    const { deployment_id: id } = JSON.parse(
      await good('deploy', '--config', change, '--service', service, '--reason', 'cooler answers', '-o', 'json'),
    ) as { deployment_id: string };
    assert.match(
      await until('it waits', async () => /1 approval\(s\) of sre-lead.*/.exec(await good('pending-approvals'))?.[0], 10_000),
      /other than the author/,
    );
    assert.match(await good('review', '--deployment-id', id), /by admin[^]*"path":"\/llm\/parameters\/temperature"/);

    const own = await actuator('approve', '--deployment-id', id);
    assert.deepEqual([own.code, /nobody approves a change of their own/.test(own.err)], [3, true], own.err);
    const asBea = { ACTUATOR_KEY: bea };
    const asOther = await runWith(asBea, 'approve', '--deployment-id', id, '--approver', 'Root');
    assert.match(asOther.err, /do not say that "Root" is the same person/);
    const cannot = await runWith(asBea, 'pause', '--deployment-id', id);
    assert.match(cannot.err, /needs the role operator/);

    assert.equal((await runWith(asBea, 'approve', '--deployment-id', id, '--approver', 'bea@example.com', '--comment', 'fine')).code, 0);
    await until('started', async () => (await status(world, service)).deployment?.current_percentage !== 0, 10_000);
    assert.match(await good('logs', '--deployment-id', id), /Bea approved .*, fine/);
    await good('rollback', '--deployment-id', id, '--reason', 'seen enough');
    await until('over', async () => (await status(world, service)).phase === 'idle', 10_000);
  });

  it('end what an approver turns down', async () => {
    const commit = await world.commit('warmer', { [config]: warmed(0.9) });
    const id = await deploymentOf(commit);
    await good('reject', '--deployment-id', id, '--reason', 'too warm');
    const last = await untilEnded(world, service, commit, 10_000);
    assert.deepEqual([last.phase, last.reason], ['rejected', 'turned down by Root: too warm']);
  });

  it('stay shut in a drain, which a bare resume ends', async () => {
    await world.commit('no approvals', { 'actuator.yaml': () => settings });
    assert.match(await good('drain', '--timeout', '20'), /^drained/);
    const commit = await world.commit('while draining', { [config]: warmed(0.6) });
    const id = await deploymentOf(commit);
    await until('it waits', async () => (await good('pending-approvals')).includes('being drained by admin'), 10_000);
    await good('resume');
    await until('started', async () => (await status(world, service)).phase !== 'pending', 10_000);
    assert.match(await good('metrics', '--deployment-id', id), /error rate/);
    await good('abort', '--deployment-id', id, '--reason', 'enough');
  });

  it('harmed no request', () => assert.equal(load.counts.failedByUs, 0, load.counts.samples.join('\n')));
});

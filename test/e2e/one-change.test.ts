import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { parse } from 'yaml';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { startLoad, type Load } from '../../src/demo/load.ts';
import { allEvents, status, untilEnded } from '../../src/demo/story.ts';
import { createWorld, pause, type World } from '../../src/demo/world.ts';
import { until } from '../support/fake-control-plane.ts';
import { latencySettings, quickSettings, slowSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
const binary = join(import.meta.dirname, '../../bin/actuator.cjs');
const config = `services/${service}/config.yaml`;
let world: World;
let load: Load | null = null;

async function start(settings: string): Promise<void> {
  world = await createWorld({ directory: await mkdtemp(join(tmpdir(), 'actuator-e2e-')), seed: 3, settings, pollInterval: '1s' });
  await world.startControlPlane();
  await until('adopted', async () => (await allEvents(world)).filter((row) => row.event.type === 'adopted').length === 2, 10_000);
}

function traffic(): Load {
  load = startLoad({ gateway: world.gatewayUrl, service, plain: 100, streamed: 20, sdk: 5, longestMs: 60_000 });
  return load;
}

async function untilProgressing(commit: string): Promise<void> {
  await until(
    'progressing',
    async () => {
      const row = await status(world, service);
      return row.phase === 'progressing' && row.deployment?.commit === commit;
    },
    15_000,
  );
}

async function statusFile(name: string): Promise<Record<string, unknown>> {
  await world.git('fetch', '-q', 'origin', '+refs/heads/*:refs/remotes/origin/*');
  const path = (await world.git('ls-tree', '-r', '--name-only', 'origin/actuator/status'))
    .split('\n')
    .find((line) => line.endsWith(`/${name}.yaml`));
  const text = await world.git('show', `origin/actuator/status:${path ?? ''}`);
  const checked = readDocument('status-file', text, 'status');
  assert.ok(checked.ok, checked.ok ? '' : JSON.stringify(checked.error));
  return parse(text) as Record<string, unknown>;
}

afterEach(async () => {
  await load?.stop();
  load = null;
  await world.close();
  await rm(world.directory, { recursive: true, force: true });
});

describe('one change', () => {
  it('is promoted when it is good, and the record in Git tells all of it', async () => {
    await start(quickSettings);
    const { counts } = traffic();
    const commit = await world.commit('warmer', { [config]: (text) => text.replace('temperature: 0.7', 'temperature: 0.9') });

    const last = await untilEnded(world, service, commit, 40_000);

    assert.equal(last.phase, 'completed');
    const row = await status(world, service);
    assert.equal(row.stable?.commit, commit);
    const isPublished = async (): Promise<boolean> => {
      const file = await statusFile(service);
      return (file['stable'] as { commit: string }).commit === commit && file['phase'] === 'idle';
    };
    await until('published', isPublished);
    const files = await world.git('ls-tree', '-r', '--name-only', 'origin/actuator/status');
    const events = /deployments\/\d{4}\/\d{2}\/deploy-[^/]+\/events\.jsonl/.exec(files)?.[0] ?? '';
    const lines = (await world.git('show', `origin/actuator/status:${events}`)).trim().split('\n');
    for (const line of lines) assert.ok(readDocument('journal-event', line, 'events.jsonl').ok, line);
    assert.ok(lines.length >= 6);
    assert.match(files, /evidence\.json/);
    const body = await world.git('log', '-1', '--format=%B', 'origin/actuator/status');
    assert.match(body, /^Actuator-Service: support-chat$/m);
    assert.match(body, /\[skip ci\]/);
    assert.equal(counts.failedByUs, 0, counts.samples.join('\n'));
  });

  it('is rolled back when its answers are right and only slow', async () => {
    await start(latencySettings);
    const { counts } = traffic();
    await pause(3000);
    world.provider.set('gpt-next', { latencyMs: 120 });
    const commit = await world.commit('slow', {
      [config]: (text) => text.replace('default_model: gpt-4-turbo', 'default_model: gpt-next'),
    });

    const last = await untilEnded(world, service, commit, 40_000);

    assert.equal(last.phase, 'rolled-back');
    assert.match(last.reason, /latency/);
    assert.equal(counts.failedByUs, 0, counts.samples.join('\n'));
  });

  it('is rolled back when it is bad: traffic, revert commit, quarantine; and its content is not tried again', async () => {
    await start(quickSettings);
    world.provider.set('gpt-next', { errorRate: 0.4 });
    const { counts } = traffic();
    const bad = (text: string): string => text.replace('default_model: gpt-4-turbo', 'default_model: gpt-next');
    const commit = await world.commit('bad', { [config]: bad });

    const last = await untilEnded(world, service, commit, 40_000);

    assert.equal(last.phase, 'rolled-back');
    await world.git('fetch', '-q', 'origin');
    assert.equal((await world.git('rev-parse', 'origin/main')).trim(), last.revert_commit);
    assert.equal(await world.git('diff', `${commit}~1`, 'origin/main'), '');
    assert.match(
      await world.git('log', '-1', '--format=%B', 'origin/main'),
      new RegExp(`This reverts commit ${commit}\\.[^]*Actuator-Evidence: sha256:`),
    );

    await world.git('fetch', '-q', 'origin', '+refs/heads/*:refs/remotes/origin/*');
    const files = await world.git('ls-tree', '-r', '--name-only', 'origin/actuator/status');
    const evidence = new RegExp(`deployments/\\d{4}/\\d{2}/${last.id}/evidence\\.json`).exec(files)?.[0] ?? '';
    const file = join(world.directory, 'evidence.json');
    await writeFile(file, await world.git('show', `origin/actuator/status:${evidence}`));
    const judged = spawnSync(process.execPath, [binary, 'judge', '--evidence', file], { encoding: 'utf8' });
    assert.equal(judged.status, 0, judged.stderr);
    assert.match(judged.stdout, /^agrees: fail, error rate/m);
    const digest = /^evidence (sha256:[0-9a-f]{64})$/m.exec(judged.stdout)?.[1] ?? 'none';
    assert.match(await world.git('log', '-1', '--format=%B', 'origin/main'), new RegExp(`^Actuator-Evidence: ${digest}$`, 'm'));

    const again = await world.commit('bad again, with a comment', { [config]: (text) => `# once more\n${bad(text)}` });
    const refused = await untilEnded(world, service, again, 10_000);

    assert.equal(refused.phase, 'rejected');
    assert.match(refused.reason, /quarantine/);
    assert.equal(counts.failedByUs, 0, counts.samples.join('\n'));
  });

  it('that is invalid is rejected with file and line, while a valid one beside it goes on', async () => {
    await start(quickSettings);
    traffic();
    const commit = await world.commit('one good, one bad', {
      [config]: (text) => text.replace('temperature: 0.7', 'temperature: 0.6'),
      'services/document-search/config.yaml': (text) => text.replace('model: gpt-3.5-turbo', 'model: gpt-3.5-trubo'),
    });

    const bad = await untilEnded(world, 'document-search', commit, 10_000);
    const good = await untilEnded(world, service, commit, 40_000);

    assert.equal(bad.phase, 'rejected');
    assert.match(bad.reason, /services\/document-search\/config\.yaml:\d+:\d+: Model "gpt-3\.5-trubo".*Did you mean "gpt-3\.5-turbo"/);
    assert.equal(good.phase, 'completed');
    const answer = await fetch(`${world.gatewayUrl}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'document-search', messages: [{ role: 'user', content: 'x' }] }),
    });
    assert.equal(answer.status, 200);
    await until('the status file says rejected', async () =>
      JSON.stringify((await statusFile('document-search'))['rejection']).includes('gpt-3.5-trubo'),
    );

    const keyless = await world.commit('a model whose key no gateway has', {
      'models.yaml': (text) =>
        text
          .replace('providers:\n', `providers:\n  other:\n    base_url: ${world.provider.url}\n    api_key: \${KEY_THAT_IS_NOT_SET}\n`)
          .replace('models:\n', 'models:\n  other-model: { provider: other }\n'),
      'services/document-search/config.yaml': () => 'llm: { model: other-model }\n',
    });
    const refused = await untilEnded(world, 'document-search', keyless, 10_000);
    assert.equal(refused.phase, 'rejected');
    assert.match(refused.reason, /KEY_THAT_IS_NOT_SET/);

    const hostile: Readonly<Record<string, string>> = {
      'a: &a [1]\nb: *a\n': 'Aliases',
      [`x: ${'y'.repeat(300_000)}`]: 'at most',
      '{{{': 'Not valid YAML',
      'llm: {model: gpt-4, model: gpt-4}': 'twice',
    };
    for (const [text, reason] of Object.entries(hostile)) {
      const hostileCommit = await world.commit(`hostile ${reason}`, { 'services/document-search/config.yaml': () => text });
      assert.match((await untilEnded(world, 'document-search', hostileCommit, 10_000)).reason, new RegExp(reason));
    }
  });

  it('that only adds a comment leaves the running canary alone; one that a person takes back is aborted', async () => {
    await start(slowSettings);
    traffic();
    const commit = await world.commit('hotter', { [config]: (text) => text.replace('temperature: 0.7', 'temperature: 1') });
    await untilProgressing(commit);
    const before = await status(world, service);

    const comment = await world.commit('a comment', { [config]: (text) => `# why\n${text}` });
    await until(
      'seen',
      async () => (await allEvents(world)).some((row) => row.event.type === 'revision-seen' && row.event.revision.commit === comment),
      10_000,
    );
    assert.deepEqual((await status(world, service)).deployment?.deployment_id, before.deployment?.deployment_id);

    await world.git('revert', '--no-edit', comment, commit);
    await world.git('push', '-q', 'origin', 'HEAD:main');
    const last = await untilEnded(world, service, commit, 10_000);

    assert.equal(last.phase, 'rolled-back');
    assert.match(last.reason, /taken back in Git by Ada/);
    await pause(1500);
    assert.equal((await status(world, service)).phase, 'idle');
  });

  it('to settings that loosen the criteria does not judge itself by them', async () => {
    await start(quickSettings);
    world.provider.set('gpt-next', { errorRate: 0.4 });
    traffic();
    const commit = await world.commit('bad, and blind', {
      [config]: (text) => text.replace('default_model: gpt-4-turbo', 'default_model: gpt-next'),
      'services/support-chat/rollout.yaml': () => 'canary: { auto_rollback: { enabled: false } }\n',
    });

    assert.equal((await untilEnded(world, service, commit, 40_000)).phase, 'rolled-back');
  });
});

describe('a service', () => {
  it('added later serves at once; a removed one goes on serving', async () => {
    await start(quickSettings);
    const added = await world.commit('a new one', { 'services/fresh/config.yaml': () => 'llm:\n  model: gpt-4\n' });
    await until('known', async () => (await allEvents(world)).some((row) => row.service === 'fresh'), 10_000);
    assert.equal((await untilEnded(world, 'fresh', added, 10_000)).phase, 'completed');
    const ask = (): Promise<Response> =>
      fetch(`${world.gatewayUrl}/v1/chat/completions`, { method: 'POST', body: JSON.stringify({ model: 'fresh', messages: [] }) });
    assert.equal((await ask()).status, 200);

    await world.commit('gone', { 'services/fresh/config.yaml': () => null });

    await until('orphaned', async () => JSON.stringify(await status(world, 'fresh')).includes('orphaned'), 10_000);
    assert.equal((await ask()).status, 200);
  });
});

describe('the world failing', () => {
  it('stops neither a canary nor a rollback while the forge is down; the record catches up', async () => {
    await start(slowSettings);
    world.provider.set('gpt-next', { errorRate: 0 });
    const { counts } = traffic();
    const commit = await world.commit('next', {
      [config]: (text) => text.replace('default_model: gpt-4-turbo', 'default_model: gpt-next'),
    });
    await untilProgressing(commit);

    world.forge.setFailure(503);
    world.provider.set('gpt-next', { errorRate: 0.5 });
    await until('traffic is back', async () => (await allEvents(world)).some((row) => row.message.includes('is back on stable')), 20_000);
    const health = (await (await fetch(`${world.apiUrl}/health`)).json()) as { status: string; repository: string };
    await until(
      'said',
      async () => ((await (await fetch(`${world.apiUrl}/health`)).json()) as { repository: string }).repository.includes('503'),
      10_000,
    );
    assert.ok(health.status === 'ok' || health.status === 'degraded');

    world.forge.setFailure(null);
    const last = await untilEnded(world, service, commit, 60_000);
    assert.equal(last.phase, 'rolled-back');
    await until(
      'published',
      async () =>
        (await world.git('fetch', '-q', 'origin', '+refs/heads/*:refs/remotes/origin/*'),
        await world.git('log', '--format=%s', 'origin/actuator/status')).includes('rolled back'),
      60_000,
    );
    assert.equal(counts.failedByUs, 0, counts.samples.join('\n'));
  });

  it('leaves keys that only their owner can read', async () => {
    await start(quickSettings);

    for (const name of ['admin.key', 'gateway.key']) assert.equal((await stat(join(world.dataDirectory, name))).mode & 0o777, 0o600);
    const key = (await readFile(join(world.dataDirectory, 'admin.key'), 'utf8')).trim();
    assert.equal((await readFile(join(world.dataDirectory, 'gateway.log'), 'utf8')).includes(key), false);
  });
});

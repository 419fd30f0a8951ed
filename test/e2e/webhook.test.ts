/** A push, its webhook and a canary, with a poll that would come an hour later. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sign } from '@octokit/webhooks-methods';
import { status } from '../../src/demo/story.ts';
import { createWorld, type World } from '../../src/demo/world.ts';
import { until } from '../support/fake-control-plane.ts';
import { slowSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
const config = `services/${service}/config.yaml`;
const secret = 'a secret of the webhook';
let world: World;
let fetches = 0;

before(async () => {
  world = await createWorld({
    directory: await mkdtemp(join(tmpdir(), 'actuator-webhook-')),
    seed: 4,
    settings: slowSettings,
    pollInterval: '1h',
  });
  const file = join(world.directory, 'webhook.secret');
  await writeFile(file, `${secret}\n`);
  await world.startControlPlane({ ACTUATOR_WEBHOOK_SECRET_FILE: file });
  await until('adopted', async () => (await status(world, service).catch(() => null))?.stable, 10_000);
});

after(async () => {
  await world.close();
  await rm(world.directory, { recursive: true, force: true });
});

async function deliver(commit: string, id: string): Promise<number> {
  const body = JSON.stringify({ ref: 'refs/heads/main', after: commit, repository: { full_name: 'acme/config' } });
  const response = await fetch(`${world.apiUrl}/api/v1/webhooks/github`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': id,
      'x-hub-signature-256': await sign(secret, body),
    },
    body,
  });
  await response.arrayBuffer();
  return response.status;
}

describe('a webhook', () => {
  it('before the push is there is looked for again, and the canary follows', async () => {
    // Announced, and not pushed yet: the host's servers do not all have it.
    assert.equal(await deliver('f'.repeat(40), 'early'), 202);
    const commit = await world.commit('warmer', { [config]: (text) => text.replace('temperature: 0.7', 'temperature: 0.6') });
    await until('a canary', async () => (await status(world, service)).deployment?.commit === commit, 10_000);
  });

  it('starts a canary long before a poll would', async () => {
    const commit = await world.commit('warmer still', { [config]: (text) => text.replace('temperature: 0.6', 'temperature: 0.5') });
    assert.equal(await deliver(commit, 'pushed'), 202);
    await until('a canary', async () => (await status(world, service)).deployment?.commit === commit, 10_000);
  });

  it('that comes ten thousand times costs a look a second', async () => {
    world.forge.onRequest((path) => {
      if (path.includes('info/refs') && path.includes('upload-pack')) fetches++;
    });
    const startedAt = performance.now();
    for (let batch = 0; batch < 200; batch++) {
      const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => deliver('e'.repeat(40), `${batch}-${index}`)));
      assert.ok(answers.every((answer) => answer === 202));
    }
    const seconds = (performance.now() - startedAt) / 1000;
    assert.ok(fetches <= seconds + 2, `${fetches} in ${seconds} s`);
    assert.ok(fetches >= 1);
  });

  it('forged changes nothing', async () => {
    const response = await fetch(`${world.apiUrl}/api/v1/webhooks/github`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': 'x',
        'x-hub-signature-256': 'sha256=00',
      },
      body: '{}',
    });
    assert.equal(response.status, 401);
  });
});

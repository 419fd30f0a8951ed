import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { sign } from '@octokit/webhooks-methods';
import examples from '@octokit/webhooks-examples' with { type: 'json' };
import fastify, { type FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { schemaProblems } from '../../src/adapters/documents/reader.ts';
import { githubDeliveries, repositoryName } from '../../src/adapters/github/delivery.ts';
import { addWebhookRoutes } from '../../src/api/webhook-routes.ts';
import { createWakeUp } from '../../src/app/reconcile/wake-up.ts';
import { fakeClock } from '../support/fake-clock.ts';

const secret = 'a secret of the hook';
const older = 'the secret before it';
const watched = { repository: 'Codertocat/Hello-World', branch: 'main' };
const registry = new Registry();
const clock = fakeClock();
const hints: (string | null)[] = [];
let api: FastifyInstance;
let url: string;

interface Answer {
  readonly status: number;
  readonly outcome: string | undefined;
  readonly text: string;
}

async function deliver(
  event: string,
  body: unknown,
  change: { readonly headers?: Record<string, string>; readonly raw?: string } = {},
): Promise<Answer> {
  const raw = change.raw ?? JSON.stringify(body);
  const response = await fetch(`${url}/api/v1/webhooks/github`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': randomUUID(),
      'x-hub-signature-256': await sign(secret, raw === '' ? ' ' : raw),
      ...change.headers,
    },
    body: raw,
  });
  const text = await response.text();
  return { status: response.status, outcome: /"outcome":"([a-z]+)"/.exec(text)?.[1], text };
}

function push(change: object = {}): object {
  return { ref: 'refs/heads/main', after: 'a'.repeat(40), repository: { full_name: 'codertocat/hello-world' }, ...change };
}

before(async () => {
  api = fastify({ bodyLimit: 8 * 1024 * 1024 });
  const read = githubDeliveries(watched, schemaProblems);
  const wakeUp = { hint: (commit: string | null) => void hints.push(commit), stop: () => undefined };
  addWebhookRoutes(api, { clock }, { secrets: [secret, older], read, wakeUp }, registry);
  url = await api.listen({ host: '127.0.0.1', port: 0 });
});

after(() => api.close());

describe('a delivery', () => {
  it('wakes the reconciler when the branch was pushed to, and names the commit', async () => {
    hints.length = 0;
    assert.deepEqual([(await deliver('push', push())).outcome, hints], ['woken', ['a'.repeat(40)]]);
    assert.equal((await deliver('push', push({ after: '0'.repeat(40) }))).outcome, 'woken', 'deleted: look, but wait for nothing');
    assert.equal(hints[1], null);
    const review = {
      action: 'submitted',
      pull_request: { number: 7, base: { ref: 'main' } },
      repository: { full_name: watched.repository },
    };
    assert.equal((await deliver('pull_request_review', review)).outcome, 'woken');
    assert.deepEqual((await deliver('ping', { zen: 'Keep it logically awesome.' })).status, 200);
  });

  it('of another branch, tag, repository or kind is ignored, with the reason', async () => {
    hints.length = 0;
    assert.match((await deliver('push', push({ ref: 'refs/heads/topic' }))).text, /about the branch topic, and main is reconciled/);
    assert.match((await deliver('push', push({ ref: 'refs/tags/main' }))).text, /ignored/);
    assert.match((await deliver('push', push({ repository: { full_name: 'else/where' } }))).text, /about else\/where/);
    assert.match((await deliver('issues', {})).text, /kind issues say nothing/);
    assert.deepEqual(hints, []);
  });

  it('says nothing without its signature, and nothing twice', async () => {
    hints.length = 0;
    const raw = JSON.stringify(push());
    for (const signature of ['', 'sha256=', await sign('another secret of a hook', raw), (await sign(secret, raw)).slice(0, -1)])
      assert.deepEqual(
        [(await deliver('push', null, { raw, headers: { 'x-hub-signature-256': signature } })).status, signature],
        [401, signature],
      );
    assert.equal(
      (await deliver('push', null, { raw: `${raw} `, headers: { 'x-hub-signature-256': await sign(secret, raw) } })).status,
      401,
    );
    // Whatever id it comes under: that is not signed.
    const again = { raw, headers: { 'x-hub-signature-256': await sign(older, raw) } };
    assert.deepEqual([(await deliver('push', null, again)).outcome, (await deliver('push', null, again)).outcome], ['woken', 'repeated']);
    assert.equal(hints.length, 1);
  });

  it('that is no delivery is refused: too large before it is read, other types, other shapes', async () => {
    const large = JSON.stringify(push({ more: 'x'.repeat(1024 * 1024) }));
    assert.equal((await deliver('push', null, { raw: large })).status, 413);
    assert.equal((await deliver('push', push(), { headers: { 'content-type': 'application/x-www-form-urlencoded' } })).status, 415);
    assert.equal((await deliver('push', null, { raw: '{"ref":' })).status, 400);
    assert.match((await deliver('push', push({ after: 'HEAD' }))).text, /\/after/);
    assert.equal((await deliver('push', null, { raw: 'null' })).status, 400);
    assert.equal((await deliver('push', null, { raw: '' })).status, 400);
  });

  it('of each kind that GitHub gives as an example is understood, and as what it is', async () => {
    const outcomes = new Set<string>();
    for (const { name, examples: payloads } of examples as unknown as readonly {
      readonly name: string;
      readonly examples: readonly unknown[];
    }[]) {
      const { status, outcome = '' } = await deliver(name, payloads[0]);
      assert.ok(status === 200 || status === 202, `${name}: ${status}`);
      outcomes.add(`${name}: ${outcome}`);
    }
    assert.ok(outcomes.size > 40);
    // The example reviews of a pull request to master; pushed is a tag.
    for (const expected of ['ping: ping', 'push: ignored', 'pull_request_review: ignored', 'issues: ignored'])
      assert.ok(outcomes.has(expected), expected);
  });

  it('is one too many beyond what people cause; unsigned ones use up nothing, and metrics count all of them', async () => {
    const send = async (raw: string, signature: string): Promise<number> =>
      (
        await api.inject({
          method: 'POST',
          url: '/api/v1/webhooks/github',
          payload: raw,
          headers: {
            'content-type': 'application/json',
            'x-github-event': 'ping',
            'x-github-delivery': 'x',
            'x-hub-signature-256': signature,
          },
        })
      ).statusCode;
    const unsigned = await Promise.all(Array.from({ length: 500 }, () => send('{}', 'sha256=0')));
    assert.deepEqual([...new Set(unsigned)], [401]);
    const signature = await sign(secret, '{}');
    let limited = false;
    for (let batch = 0; batch < 420 && !limited; batch++)
      limited = (await Promise.all(Array.from({ length: 50 }, () => send('{}', signature)))).includes(429);
    assert.ok(limited);
    clock.advance(1000);
    assert.equal((await deliver('push', push({ after: 'b'.repeat(40) }))).outcome, 'woken');
    const metrics = await registry.metrics();
    for (const outcome of ['woken', 'ignored', 'forged', 'repeated', 'malformed', 'ping', 'limited'])
      assert.match(metrics, new RegExp(`actuator_webhook_deliveries_total\\{outcome="${outcome}"\\} [1-9]`));
  });

  it('has no route where no secret is set', async () => {
    const bare = fastify();
    addWebhookRoutes(bare, { clock }, null, new Registry());
    const answer = await bare.inject({ method: 'POST', url: '/api/v1/webhooks/github', payload: {} });
    assert.deepEqual([answer.statusCode, /--webhook-secret-file/.test(answer.body)], [404, true]);
  });
});

describe('hints', () => {
  function aWakeUp(): {
    readonly polls: () => number;
    readonly hint: (commit: string | null) => void;
    readonly advance: (ms: number) => void;
    head: string | null;
  } {
    const time = fakeClock();
    let polls = 0;
    const world = {
      polls: () => polls,
      advance: (ms: number) => {
        for (let passed = 0; passed < ms; passed += 100) time.advance(100);
      },
      head: null as string | null,
      hint: (commit: string | null) => wakeUp.hint(commit),
    };
    const wakeUp = createWakeUp({ clock: time, poll: () => polls++, head: () => world.head });
    return world;
  }

  it('make one look at once, and one a second however many come', () => {
    const world = aWakeUp();
    world.hint(null);
    assert.equal(world.polls(), 1);
    for (let count = 0; count < 10_000; count++) world.hint(null);
    assert.equal(world.polls(), 1);
    world.advance(1000);
    assert.equal(world.polls(), 2);
    world.advance(10_000);
    assert.equal(world.polls(), 2);
  });

  it('of a commit that is not visible yet make it look again, and give up soon', () => {
    const late = aWakeUp();
    late.hint('c1');
    late.advance(1000);
    assert.equal(late.polls(), 2);
    late.head = 'c1';
    late.advance(20_000);
    assert.equal(late.polls(), 2);
    // Out of order: the newer one is still waited for.
    const swapped = aWakeUp();
    swapped.hint('newer');
    swapped.head = 'older';
    swapped.hint('older');
    swapped.advance(1000);
    assert.equal(swapped.polls(), 2);
    swapped.advance(1000);
    assert.equal(swapped.polls(), 3);
    const never = aWakeUp();
    never.hint('c2');
    never.advance(60_000);
    assert.equal(never.polls(), 4);
    never.hint(null);
    never.advance(60_000);
    assert.equal(never.polls(), 5, 'what was given up is not waited for again');
  });

  it('come through though the clock was set back, and end when they are stopped', () => {
    const time = fakeClock();
    let polls = 0;
    const wakeUp = createWakeUp({ clock: time, poll: () => polls++, head: () => null });
    wakeUp.hint(null);
    time.advance(-3_600_000);
    for (let step = 0; step < 20; step++) {
      wakeUp.hint(null);
      time.advance(500);
    }
    assert.ok(polls > 5, String(polls));
    wakeUp.stop();
    const before = polls;
    wakeUp.hint(null);
    time.advance(10_000);
    assert.equal(polls, before);
  });
});

describe('the name of a repository', () => {
  it('is read off its remote', () => {
    for (const remote of [
      'https://github.com/acme/prompts.git',
      'https://github.com/acme/prompts',
      'git@github.com:acme/prompts.git',
      'ssh://git@ghe.example.com/acme/prompts.git',
    ])
      assert.equal(repositoryName(remote), 'acme/prompts', remote);
    for (const remote of ['http://127.0.0.1:1234/config.git', 'file:///srv/a/b.git', 'https://example.com/a/b/c.git'])
      assert.equal(repositoryName(remote), null, remote);
  });
});

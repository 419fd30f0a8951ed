import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import OpenAI from 'openai';
import { startMockProvider, type MockProvider } from '../../src/demo/mock-provider.ts';
import { meanOf } from '../../src/domain/analysis/histogram.ts';
import type { Bucket } from '../../src/generated/types.ts';
import { runGateway } from '../../src/main/gateway.ts';
import type { GatewayOptions, Running } from '../../src/ports/programs.ts';
import { aServing, anAssignment, startFakeControlPlane, until, type FakeControlPlane } from '../support/fake-control-plane.ts';

let provider: MockProvider;
let control: FakeControlPlane;
let gateway: Running;
let directory: string;

async function start(change: Partial<GatewayOptions> = {}): Promise<Running> {
  return runGateway({
    name: 'g1',
    controlPlane: control.url,
    key: 'k',
    host: '127.0.0.1',
    port: 0,
    dataDirectory: directory,
    clientKeysFile: null,
    workers: 1,
    logLevel: 'silent',
    ...change,
  });
}

/** Serves the assignment, and waits until the gateway has said so. */
async function serve(assignment: ReturnType<typeof anAssignment>): Promise<void> {
  control.assign(assignment);
  await until('acknowledged', () =>
    control.acknowledgements.find((answer) => answer.service === assignment.service && answer.generation === assignment.generation),
  );
}

function chat(body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Why?' }], ...body }),
  });
}

async function buckets(enough: (all: readonly Bucket[]) => boolean): Promise<readonly Bucket[]> {
  return until('buckets', () => {
    const all = control.batches.flatMap((batch) => batch.buckets);
    return enough(all) && all;
  });
}

before(async () => {
  // A gateway reads its environment once, when it starts.
  process.env['TEST_PROVIDER_KEY'] = 'sk-secret';
  provider = await startMockProvider(1);
});
after(() => provider.close());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  control = await startFakeControlPlane();
  gateway = await start();
});

afterEach(async () => {
  await gateway.stop();
  await control.close();
  await rm(directory, { recursive: true, force: true });
  for (const model of ['gpt-4', 'slow', 'cheap']) provider.set(model, { latencyMs: 5, errorRate: 0, chunks: 5, chunkMs: 5 });
});

describe('a request', () => {
  it('gets model, parameters and template of the configuration, and passes the rest through', async () => {
    await serve(
      anAssignment(1, 0, aServing(provider.url, { prompt_template: 'Be brief.', parameters: { temperature: 0.2, max_tokens: 7 } })),
    );

    const response = await chat({
      model: 'chat',
      temperature: 1.9,
      max_completion_tokens: 99,
      top_k: 3,
      tools: [{ type: 'function', function: { name: 'f' } }],
    });

    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-actuator-variant'), 'stable');
    assert.equal(response.headers.get('x-actuator-revision'), 'stable-commi+stable1');
    assert.match(response.headers.get('x-actuator-request-id') ?? '', /^req-/);
    const sent = provider.lastBody();
    assert.deepEqual(
      { ...sent, tools: 1 },
      {
        model: 'gpt-4',
        temperature: 0.2,
        max_tokens: 7,
        top_k: 3,
        tools: 1,
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Why?' },
        ],
      },
    );
  });

  it('has its question and context put into the template, and taken out of the metadata', async () => {
    await serve(anAssignment(1, 0, aServing(provider.url, { prompt_template: 'C: {context} Q: {question}' })));

    await chat({ model: 'chat', metadata: { context: 'docs', trace: 't1' } });

    assert.deepEqual(provider.lastBody()?.['messages'], [{ role: 'user', content: 'C: docs Q: Why?' }]);
    assert.deepEqual(provider.lastBody()?.['metadata'], { trace: 't1' });
  });

  it('is routed by the first rule that holds; a missing field is no match', async () => {
    const model = aServing(provider.url).models['gpt-4']!;
    const rules = [
      { condition: 'task.quality_required > 0.9', model: 'gpt-4', parameters: {} },
      { condition: "task.complexity == 'low'", model: 'cheap', parameters: { temperature: 0.1 } },
    ];
    await serve(
      anAssignment(1, 0, aServing(provider.url, { rules, models: { 'gpt-4': model, cheap: { ...model, upstream_model: 'cheap' } } })),
    );

    await chat({ model: 'chat', metadata: { complexity: 'low' } });
    assert.equal(provider.lastBody()?.['model'], 'cheap');
    await chat({ model: 'chat', metadata: { complexity: 'low', quality_required: '0.95' } });
    assert.equal(provider.lastBody()?.['model'], 'gpt-4');
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(metrics, /rule_errors_total\{service="chat"\} 1/);
  });

  it('carries the provider key from the environment, and nothing of the client', async () => {
    const model = { ...aServing(provider.url).models['gpt-4']!, api_key_env: 'TEST_PROVIDER_KEY' };
    await serve(anAssignment(1, 0, aServing(provider.url, { models: { 'gpt-4': model } })));

    const response = await chat({ model: 'chat' }, { authorization: 'Bearer client', cookie: 'a=b', 'x-forwarded-for': '1.2.3.4' });

    assert.equal(provider.lastHeaders().authorization, 'Bearer sk-secret');
    assert.equal(provider.lastHeaders().cookie, undefined);
    assert.equal(provider.lastHeaders()['x-forwarded-for'], undefined);
    assert.equal(response.headers.get('set-cookie'), null);
  });

  it('is served under an alias and by header', async () => {
    await serve(anAssignment(1, 0, aServing(provider.url, { aliases: ['old-chat'] })));

    assert.equal((await chat({ model: 'old-chat' })).headers.get('x-actuator-service'), 'chat');
    assert.equal((await chat({ model: 'whatever' }, { 'x-actuator-service': 'chat' })).status, 200);
    const models = (await (await fetch(`${gateway.url}/v1/models`)).json()) as { data: { id: string }[] };
    assert.deepEqual(
      models.data.map((model) => model.id),
      ['chat', 'old-chat'],
    );
  });

  it('that is bad gets an answer that helps', async () => {
    await serve(anAssignment(1, 0, aServing(provider.url)));

    const unknown = await chat({ model: 'chatt' });
    assert.equal(unknown.status, 404);
    assert.match(await unknown.text(), /Did you mean \\"chat\\"/);
    const noJson = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body: 'x' });
    assert.equal(noJson.status, 400);
    const large = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body: 'x'.repeat(11 * 1024 * 1024) }).then(
      (response) => response.status,
      () => 413,
    );
    assert.equal(large, 413);
    assert.equal((await fetch(`${gateway.url}/nope`)).status, 404);
  });
});

describe('an answer', () => {
  it('streams through untouched for the openai package, with usage counted', async () => {
    await serve(anAssignment(1, 0, aServing(provider.url)));
    const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'x', maxRetries: 0 });

    let text = '';
    for await (const chunk of await client.chat.completions.create({
      model: 'chat',
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    }))
      text += chunk.choices[0]?.delta.content ?? '';
    const plain = await client.chat.completions.create({ model: 'chat', messages: [{ role: 'user', content: 'hi' }] });

    assert.equal(text, 'All is well. '.repeat(5));
    assert.equal(plain.choices[0]?.message.content, 'All is well.');
    const all = await buckets((list) => list.reduce((sum, bucket) => sum + bucket.requests, 0) === 2);
    assert.deepEqual(
      all.map((bucket) => meanOf(bucket.output_tokens)),
      all.map(() => 40),
    );
    assert.equal(
      all.reduce((sum, bucket) => sum + bucket.cost_usd.n, 0),
      2,
    );
    assert.equal(meanOf(all[0]!.cost_usd), 25 + 80);
    assert.equal(
      all.reduce((sum, bucket) => sum + bucket.first_token_ms.bins.length / 2, 0),
      1,
    );
  });

  it('of an unpriced model costs null, which is counted, and never 0', async () => {
    const model = { ...aServing(provider.url).models['gpt-4']!, prices: null };
    await serve(anAssignment(1, 0, aServing(provider.url, { models: { 'gpt-4': model } })));

    await chat({ model: 'chat' });

    const [bucket] = await buckets((list) => list.length > 0);
    assert.deepEqual([bucket?.cost_usd.n, bucket?.unpriced], [0, 1]);
  });

  it('that the provider refuses passes through with its status, and counts by class', async () => {
    provider.set('gpt-4', { errorRate: 1 });
    await serve(anAssignment(1, 0, aServing(provider.url)));

    const response = await chat({ model: 'chat' });

    assert.equal(response.status, 500);
    assert.match(await response.text(), /mock_injected/);
    const [bucket] = await buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { upstream_5xx: 1 });
  });

  it('that does not come in time is a 504 of the provider', async () => {
    provider.set('gpt-4', { latencyMs: 3000 });
    await serve(anAssignment(1, 0, aServing(provider.url, { timeout_ms: 300 })));

    const response = await chat({ model: 'chat' });

    assert.equal(response.status, 504);
    assert.equal(response.headers.get('x-actuator-failure'), 'provider');
    const [bucket] = await buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { timeout: 1 });
  });

  it('of a provider that can not be reached is a 502', async () => {
    await serve(anAssignment(1, 0, aServing('http://127.0.0.1:9/v1')));

    assert.equal((await chat({ model: 'chat' })).status, 502);
  });

  it('that breaks off in the middle is broken off for the client too, and counts', async () => {
    const breaking = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {}\n\n');
      setTimeout(() => response.destroy(), 50);
    });
    await new Promise<void>((resolve) => breaking.listen(0, '127.0.0.1', resolve));
    await serve(anAssignment(1, 0, aServing(`http://127.0.0.1:${(breaking.address() as AddressInfo).port}`)));

    await assert.rejects(async () => (await chat({ model: 'chat', stream: true })).text());

    const [bucket] = await buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { truncated: 1 });
    breaking.close();
  });
});

describe('a client that leaves', () => {
  it('ends the upstream stream, frees the connection, and counts neither way', async () => {
    provider.set('gpt-4', { chunks: 200, chunkMs: 20 });
    await serve(anAssignment(1, 0, aServing(provider.url)));
    const before = provider.aborted();

    await Promise.all(
      Array.from({ length: 300 }, async () => {
        const abort = new AbortController();
        const response = await fetch(`${gateway.url}/v1/chat/completions`, {
          method: 'POST',
          body: JSON.stringify({ model: 'chat', stream: true, messages: [] }),
          signal: abort.signal,
        });
        await response.body?.getReader().read();
        abort.abort();
      }),
    );

    await until('all streams ended', () => provider.aborted() - before === 300);
    provider.set('gpt-4', { chunks: 1, chunkMs: 1 });
    assert.equal((await chat({ model: 'chat' })).status, 200);
    const all = await buckets((list) => list.some((bucket) => bucket.requests === 1));
    assert.equal(
      all.reduce((sum, bucket) => sum + (bucket.excluded['client_left'] ?? 0), 0),
      300,
    );
    assert.equal(
      all.reduce((sum, bucket) => sum + bucket.requests, 0),
      1,
    );
  });
});

describe('assignments', () => {
  it('take effect under load without a failed request, each reply by exactly one revision', async () => {
    await serve(anAssignment(1, 0, aServing(provider.url)));
    control.lease(60);
    let failed = 0;
    let sent = 0;
    const revisions = new Set<string>();
    let done = false;
    const clients = Array.from({ length: 16 }, async (_, index) => {
      while (!done) {
        sent++;
        const response = await chat({ model: 'chat', stream: index % 2 === 0 });
        const text = await response.text();
        const variant = response.headers.get('x-actuator-variant');
        const revision = response.headers.get('x-actuator-revision') ?? '';
        revisions.add(revision);
        if (response.status !== 200 || text === '' || variant === null || !revision.startsWith(variant)) failed++;
      }
    });
    for (let generation = 2; generation <= 51; generation++)
      await serve(anAssignment(generation, (generation * 7) % 101, aServing(provider.url)));
    done = true;
    await Promise.all(clients);

    assert.equal(failed, 0);
    assert.ok(sent > 100, `${sent} requests`);
    assert.ok(revisions.size > 10);
  });

  it('of a lower generation or term are ignored', async () => {
    await serve(anAssignment(5, 0, aServing(provider.url)));
    control.assign(anAssignment(4, 0, aServing(provider.url)));
    await serve({ ...anAssignment(1, 0, aServing(provider.url)), term: 2 });

    const stats = (await (await fetch(`${gateway.url}/api/v1/routing/stats`)).json()) as {
      services: { term: number; generation: number }[];
    };
    assert.deepEqual([stats.services[0]?.term, stats.services[0]?.generation], [2, 1]);
    assert.equal(
      control.acknowledgements.some((answer) => answer.generation === 4),
      false,
    );
  });

  it('that can not be served are refused with the reason, and the one before stays', async () => {
    await serve(anAssignment(1, 0, aServing(provider.url)));
    const model = { ...aServing(provider.url).models['gpt-4']!, api_key_env: 'NOT_SET_ANYWHERE' };

    await serve(anAssignment(2, 50, aServing(provider.url), aServing(provider.url, { models: { 'gpt-4': model } })));

    const refusal = control.acknowledgements.find((answer) => answer.generation === 2);
    assert.equal(refusal?.applied, false);
    assert.match(refusal.problems.join(), /NOT_SET_ANYWHERE/);
    assert.equal((await chat({ model: 'chat' })).headers.get('x-actuator-revision'), 'stable-commi+stable1');
  });

  it('that can not be served end the canary of the one before: it may have been rolled back meanwhile', async () => {
    control.lease(60);
    await serve(anAssignment(1, 100, aServing(provider.url)));
    await until('leased', async () => (await chat({ model: 'chat' })).headers.get('x-actuator-variant') === 'canary');
    const model = { ...aServing(provider.url).models['gpt-4']!, api_key_env: 'NOT_SET_ANYWHERE' };

    await serve(anAssignment(3, 50, aServing(provider.url), aServing(provider.url, { models: { 'gpt-4': model } })));

    assert.equal((await chat({ model: 'chat' })).headers.get('x-actuator-variant'), 'stable');
  });

  it('give the canary its weight only while the lease holds', async () => {
    control.lease(1);
    await serve(anAssignment(1, 100, aServing(provider.url)));
    await until('leased', async () => (await chat({ model: 'chat' })).headers.get('x-actuator-variant') === 'canary');

    await new Promise((resolve) => setTimeout(resolve, 1100));

    assert.equal((await chat({ model: 'chat' })).headers.get('x-actuator-variant'), 'stable');
    control.lease(60);
    await until('leased again', async () => (await chat({ model: 'chat' })).headers.get('x-actuator-variant') === 'canary');
  });

  it('come from disk when there is no control plane, and then serve stable', async () => {
    control.lease(60);
    await serve(anAssignment(3, 100, aServing(provider.url)));
    await gateway.stop();
    control.down();

    gateway = await start();

    const response = await chat({ model: 'chat' });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-actuator-variant'), 'stable');
    const health = (await (await fetch(`${gateway.url}/health`)).json()) as { control_plane: string };
    assert.equal(health.control_plane, 'disconnected');
  });
});

describe('buckets', () => {
  it('outlast the control plane, in order, and keep their number when an answer is lost', async () => {
    await serve(anAssignment(1, 0, aServing(provider.url)));
    control.down();
    await chat({ model: 'chat' });
    await new Promise((resolve) => setTimeout(resolve, 1200));
    await chat({ model: 'chat' });
    control.loseAnswers(1);
    control.up();

    await until('both batches', () => control.batches.some((batch) => batch.seq === 2), 10_000);

    assert.deepEqual(
      control.batches.map((batch) => batch.seq),
      [1, 1, 2],
    );
    assert.deepEqual(control.batches[0], control.batches[1]);
  });
});

it('a gateway on an open address is refused without client keys', async () => {
  await assert.rejects(start({ name: 'g2', host: '0.0.0.0' }), /would serve anybody.*--client-keys/);
});

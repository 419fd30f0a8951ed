import assert from 'node:assert/strict';
import { Agent, request } from 'undici';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { startMockProvider, type MockProvider } from '../../src/demo/mock-provider.ts';
import { aServing, anAssignment, until } from '../support/fake-control-plane.ts';
import { startGatewayWorld, total, type GatewayWorld } from '../support/gateway-world.ts';

let provider: MockProvider;
let world: GatewayWorld;

before(async () => {
  provider = await startMockProvider(1);
});
after(() => provider.close());
beforeEach(async () => {
  provider.set('gpt-4', { latencyMs: 0, chunks: 3, chunkMs: 1 });
  world = await startGatewayWorld();
  world.control.lease(60);
});
afterEach(() => world.close());

describe('1,000 clients that leave in mid-stream', () => {
  it('leave no connection behind, here or at the provider', async () => {
    provider.set('gpt-4', { chunks: 500, chunkMs: 20 });
    await world.serve(anAssignment(1, 0, aServing(provider.url)));
    const before = provider.aborted();
    const agent = new Agent({ connections: 200 });
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        Array.from({ length: 200 }, async () => {
          const { body } = await request(`${world.gateway.url}/v1/chat/completions`, {
            dispatcher: agent,
            method: 'POST',
            body: JSON.stringify({ model: 'chat', stream: true, messages: [] }),
          });
          body.on('error', () => undefined);
          await new Promise((resolve) => body.once('data', resolve));
          body.destroy();
        }),
      );
    }
    await until('all streams ended at the provider', () => provider.aborted() - before === 1000, 10_000);
    await agent.destroy();
    provider.set('gpt-4', { chunks: 1, chunkMs: 1 });
    const startedAt = performance.now();
    assert.equal((await world.chat()).status, 200);
    assert.ok(performance.now() - startedAt < 1000, 'the pool is free');
    const all = await world.buckets((list) => total(list, (bucket) => bucket.excluded['client_left'] ?? 0) === 1000);
    assert.ok(total(all, (bucket) => bucket.requests) <= 1);
  });
});

describe('200 changes of what is served, under load', () => {
  it('fail no request, and each reply is of one revision', async () => {
    await world.serve(anAssignment(1, 0, aServing(provider.url)));
    let done = false;
    let failed = 0;
    let sent = 0;
    const clients = Array.from({ length: 16 }, async (_, index) => {
      while (!done) {
        sent++;
        const response = await world.chat({ stream: index % 2 === 0, user: `u${sent % 97}` });
        const text = await response.text();
        const variant = response.headers.get('x-actuator-variant') ?? '?';
        if (response.status !== 200 || text === '' || response.headers.get('x-actuator-revision')?.startsWith(variant) !== true) failed++;
      }
    });
    const methods = ['weighted_random', 'consistent_hash', 'round_robin'] as const;
    for (let generation = 2; generation <= 201; generation++) {
      const assignment = anAssignment(generation, (generation * 7) % 101, aServing(provider.url));
      const method = methods[generation % 3] ?? 'round_robin';
      await world.serve({ ...assignment, split: { ...assignment.split, method, sticky_ms: generation % 2 === 0 ? 1000 : null } });
    }
    done = true;
    await Promise.all(clients);
    assert.equal(failed, 0);
    assert.ok(sent > 500, `${sent} requests`);
  });
});

// The heap is only what is in use after a collection.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe('a soak', () => {
  it('of 60,000 requests, plain, streamed and broken, leaves the memory where it was', { timeout: 110_000 }, async () => {
    await world.serve(anAssignment(1, 30, aServing(provider.url)));
    const agent = new Agent({ connections: 32, pipelining: 1 });
    const heap = (): number => {
      collect();
      return process.memoryUsage().heapUsed / 1024 / 1024;
    };
    async function burst(count: number): Promise<void> {
      let left = count;
      await Promise.all(
        Array.from({ length: 32 }, async () => {
          while (left-- > 0) {
            const kind = left % 10;
            const body = kind === 0 ? '{"model":' : JSON.stringify({ model: 'chat', stream: kind < 3, user: `u${left}`, messages: [] });
            const reply = await request(`${world.gateway.url}/v1/chat/completions`, { dispatcher: agent, method: 'POST', body });
            await reply.body.dump();
            if (reply.statusCode !== (kind === 0 ? 400 : 200)) throw new Error(`${reply.statusCode}`);
          }
        }),
      );
      // What the fake control plane keeps is not the gateway's.
      world.control.batches.length = 0;
    }
    const stopAt = performance.now() + 90_000;
    await burst(10_000);
    const before = heap();
    let sent = 0;
    while (sent < 50_000 && performance.now() < stopAt) {
      await burst(5000);
      sent += 5000;
    }
    const grown = heap() - before;
    await agent.close();
    assert.ok(sent >= 10_000, `${sent} requests`);
    assert.ok(grown < 20, `the heap grew by ${grown.toFixed(1)} MiB over ${sent} requests`);
  });
});

describe('noise', () => {
  it('in bodies, paths and headers never brings the gateway down', async () => {
    await world.serve(anAssignment(1, 30, aServing(provider.url)));
    const paths = ['/chat/completions', '/completions', '/embeddings', '/responses', '/feedback'];
    const almost = fc.record(
      {
        model: fc.oneof(fc.constant('chat'), fc.anything()),
        messages: fc.oneof(fc.array(fc.record({ role: fc.constant('user'), content: fc.anything() })), fc.anything()),
        input: fc.anything(),
        prompt: fc.anything(),
        metadata: fc.anything(),
        stream_options: fc.anything(),
        max_tokens: fc.anything(),
        user: fc.anything(),
        template_variables: fc.anything(),
        request_id: fc.anything(),
        value: fc.anything(),
      },
      { requiredKeys: ['model'] },
    );
    const header = fc.string({ unit: fc.constantFrom('a', 'Z', '0', '=', '%', '"', ';', '{'), maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.oneof(almost, fc.string(), fc.json()), header, async (path, body, value) => {
        const text =
          typeof body === 'string' ? body : JSON.stringify(body, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
        const headers = { 'x-user-id': value, 'x-actuator-cost-budget': value, accept: value, traceparent: value };
        const response = await world.post(path, text, headers);
        await response.arrayBuffer();
        assert.notEqual(response.status, 500, `${path} ${text}`);
      }),
      { numRuns: 1500 },
    );
    const flags = await fetch(`${world.gateway.url}/ofrep/v1/evaluate/flags/%E0%A4%A`, {
      method: 'POST',
      body: '{"context":{"targetingKey":{}}}',
    });
    assert.equal(flags.status, 404);
    assert.equal((await world.chat()).status, 200);
  });
});

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { startMockProvider, type MockProvider } from '../../src/demo/mock-provider.ts';
import type { AssignmentCostControls, AssignmentServing } from '../../src/generated/types.ts';
import { aModel, aServing, anAssignment, until } from '../support/fake-control-plane.ts';
import { startGatewayWorld, total, type GatewayWorld } from '../support/gateway-world.ts';

let provider: MockProvider;
let world: GatewayWorld;

before(async () => {
  provider = await startMockProvider(1);
});
after(() => provider.close());
beforeEach(async () => {
  provider.set('gpt-4', { latencyMs: 0, answer: 'All is well.' });
  world = await startGatewayWorld();
});
afterEach(() => world.close());

let generation = 0;
async function serve(change: Partial<AssignmentServing>): Promise<void> {
  await world.serve(anAssignment(++generation, 0, aServing(provider.url, change)));
}

const costs = (change: Partial<AssignmentCostControls>): Partial<AssignmentServing> => ({
  cost_controls: { daily_budget_usd: null, per_request_limit_usd: null, alert_threshold_usd: null, ...change },
});
const today = (): string => new Date().toISOString().slice(0, 10);

describe('a daily budget', () => {
  it('ends with what went through here, before the control plane has said a word', async () => {
    // A request of the mock costs 25 + 2 * 40 = 105.
    await serve(costs({ daily_budget_usd: 200 }));
    assert.equal((await world.chat()).status, 200);
    assert.equal((await world.chat()).status, 200);
    const refused = await world.chat();
    assert.equal(refused.status, 429);
    assert.match(await refused.text(), /budget_exhausted/);
    assert.equal(refused.headers.get('x-should-retry'), 'false');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    const all = await world.buckets((list) => list.some((bucket) => (bucket.excluded['budget_exhausted'] ?? 0) > 0));
    assert.equal(
      total(all, (bucket) => bucket.requests),
      2,
    );
    assert.deepEqual(Object.assign({}, ...all.map((bucket) => bucket.errors)), {});
  });

  it('ends with what other gateways have spent, and begins anew with the day', async () => {
    await serve(costs({ daily_budget_usd: 1000 }));
    world.control.send('spending', { service: 'chat', day: today(), spent_usd: 1000 });
    await until('refused', async () => (await world.chat()).status === 429);
    world.control.send('spending', { service: 'chat', day: '2001-01-01', spent_usd: 1000 });
    await until('a new day', async () => (await world.chat()).status === 200);
  });

  it('does not count twice what the control plane has counted', async () => {
    await serve(costs({ daily_budget_usd: 250 }));
    assert.equal((await world.chat()).status, 200);
    await world.buckets((list) => list.length > 0);
    world.control.send('spending', { service: 'chat', day: today(), spent_usd: 105 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await world.chat()).status, 200);
    assert.equal((await world.chat()).status, 200);
    assert.equal((await world.chat()).status, 429);
  });
});

describe('a limit for one request', () => {
  it('lowers the token limit, and refuses what the prompt alone would break', async () => {
    const model = aModel(provider.url, { limits: { max_output_tokens: 4000 } });
    await serve({ ...costs({ per_request_limit_usd: 1000 }), models: { 'gpt-4': model } });
    // 300 characters are at most 100 tokens at one dollar; 900 are left, at two dollars a token.
    await world.chat({ messages: [{ role: 'user', content: 'x'.repeat(300) }] });
    // The rest of the body counts as well: a few tokens.
    assert.equal(provider.lastBody()?.['max_tokens'], 448);
    await world.chat({ max_tokens: 20 });
    assert.equal(provider.lastBody()?.['max_tokens'], 20);
    await world.chat({ max_tokens: 900, n: 2, messages: [{ role: 'user', content: 'x'.repeat(300) }] });
    assert.equal(provider.lastBody()?.['max_tokens'], 223);
    const refused = await world.chat({ messages: [{ role: 'user', content: 'x'.repeat(4000) }] });
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /request_too_expensive/);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.requests) === 4);
    assert.equal(
      total(all, (bucket) => bucket.errors['request_too_expensive'] ?? 0),
      1,
    );
  });

  it('leaves the model its own limit where that is affordable', async () => {
    const model = aModel(provider.url, { limits: { max_output_tokens: 100 } });
    await serve({ ...costs({ per_request_limit_usd: 1000 }), models: { 'gpt-4': model } });
    await world.chat();
    assert.equal(provider.lastBody()?.['max_tokens'], undefined);
  });
});

describe('a limit for one request, whatever the prompt hides in', () => {
  it('sees tools, token numbers, and answers that are asked for in numbers', async () => {
    const model = aModel(provider.url, { limits: { max_output_tokens: 100 } });
    await serve({ ...costs({ per_request_limit_usd: 1000 }), models: { 'gpt-4': model } });
    const hidden = { tools: [{ type: 'function', function: { name: 'f', description: 'x'.repeat(4000) } }] };
    assert.equal((await world.chat(hidden)).status, 400);
    assert.equal((await world.post('/completions', { model: 'chat', prompt: Array.from({ length: 1100 }, () => 7) })).status, 400);
    assert.equal((await world.chat({ n: '100' })).status, 400);
    const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(9000)}` } };
    assert.equal((await world.chat({ messages: [{ role: 'user', content: [image] }] })).status, 200);
  });
});

describe('a budget of the canary', () => {
  it('holds for nobody before it is promoted', async () => {
    const stable = aServing(provider.url, costs({ daily_budget_usd: 1000 }));
    const canary = aServing(provider.url, costs({ daily_budget_usd: 1 }));
    world.control.lease(60);
    await world.serve(anAssignment(++generation, 100, stable, canary));
    world.control.send('spending', { service: 'chat', day: today(), spent_usd: 500 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await world.chat()).status, 200);
  });
});

describe('a client that leaves at the end of a stream', () => {
  it('has spent what it was sent', async () => {
    provider.set('gpt-4', { chunks: 200, chunkMs: 5 });
    await serve(costs({ daily_budget_usd: 150 }));
    const abort = new AbortController();
    const response = await fetch(`${world.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'chat', stream: true, messages: [{ role: 'user', content: 'x'.repeat(600) }] }),
      signal: abort.signal,
    });
    await response.body?.getReader().read();
    abort.abort();
    await until('the budget is gone', async () => (await world.chat()).status === 429);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.excluded['client_left'] ?? 0) === 1);
    assert.ok(total(all, (bucket) => bucket.excluded_cost_usd) > 150);
    provider.set('gpt-4', { chunks: 5, chunkMs: 1 });
  });
});

describe('max_concurrent_requests', () => {
  it('refuses what is beyond it, which counts against the variant', async () => {
    await serve({ max_concurrent_requests: 3 });
    provider.set('gpt-4', { latencyMs: 300 });
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => world.chat()))).map((response) => response.status);
    assert.equal(statuses.filter((status) => status === 200).length, 3);
    assert.equal(statuses.filter((status) => status === 429).length, 7);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.requests) === 10);
    assert.equal(
      total(all, (bucket) => bucket.errors['concurrency_limit'] ?? 0),
      7,
    );
    // A refusal has no latency: it would make a canary that refuses everybody look fast.
    assert.equal(
      total(all, (bucket) => bucket.latency_ms.bins.reduce((sum, count, at) => (at % 2 === 1 ? sum + count : sum), 0)),
      3,
    );
    provider.set('gpt-4', { latencyMs: 0 });
    assert.equal((await world.chat()).status, 200);
  });
});

describe('feedback', () => {
  async function give(body: object): Promise<[number, string]> {
    const response = await world.post('/feedback', body);
    return [response.status, await response.text()];
  }

  it('is counted for the revision that answered, once', async () => {
    await serve({});
    const id = (await world.chat()).headers.get('x-actuator-request-id') ?? '';
    assert.equal((await give({ request_id: id, value: true }))[0], 200);
    assert.equal((await give({ request_id: id, value: true }))[0], 409);
    assert.equal((await give({ request_id: id, value: true, comment: 'again' }))[0], 409);
    assert.equal((await give({ request_id: id, metric_name: 'edits', value: 3.5, comment: 'Too long.' }))[0], 200);
    const all = await world.buckets((list) => list.some((bucket) => 'edits' in bucket.scores));
    const scored = all.filter((bucket) => Object.keys(bucket.scores).length > 0);
    assert.deepEqual([scored[0]?.variant, scored[0]?.digest, scored[0]?.route], ['stable', `sha256:stable${generation}`, 'default']);
    assert.equal(scored.find((bucket) => 'quality_score' in bucket.scores)?.scores['quality_score']?.pivot, 1);
    const comments = await until('the comment', () => world.control.batches.flatMap((batch) => batch.comments).at(0));
    assert.deepEqual([comments.service, comments.text, comments.request_id], ['chat', 'Too long.', id]);
  });

  it('is refused when it is forged, foreign, late, out of range or empty', async () => {
    await serve({});
    const id = (await world.chat()).headers.get('x-actuator-request-id') ?? '';
    const [head = '', revision = '', rest = ''] = /^(req-)([^.]+)(\..*)$/.exec(id)?.slice(1) ?? [];
    const forged = Buffer.from(Buffer.from(revision, 'base64url').toString().replace('stable', 'canary')).toString('base64url');
    const cases: readonly [object, RegExp][] = [
      [{ request_id: `${head}${forged}${rest}`, value: true }, /signature/],
      [{ request_id: 'req-1', value: true }, /unknown_request_id/],
      [{ request_id: id, value: 1.5 }, /0 to 1/],
      [{ request_id: id }, /empty_feedback/],
      [{ request_id: id, value: 1e300 }, /invalid_feedback/],
      [{ request_id: id, metric_name: 'error', value: false, input_tokens: 1e12 }, /invalid_feedback/],
      [{ request_id: id, value: 'good' }, /invalid_feedback/],
      [{ request_id: id, metric_name: 'judged_quality', value: 1 }, /reserved_metric/],
      [{ request_id: id, metric_name: 'error', value: true }, /measured_here/],
      [{ request_id: id, value: true, latency_ms: 4 }, /stray_field/],
      [{ request_id: id, value: true, extra: 1 }, /"extra\\" is not known here/],
    ];
    for (const [body, expected] of cases) {
      const [status, text] = await give(body);
      assert.equal(status, 400);
      assert.match(text, expected);
    }
  });

  it('is taken by any gateway that has the same key, and by no other', async () => {
    await serve({});
    world.control.send('request-id-key', { key: Buffer.alloc(32, 7).toString('base64') });
    await until('key', async () => {
      const id = (await world.chat()).headers.get('x-actuator-request-id') ?? '';
      const { createRequestIds } = await import('../../src/gateway/request-id.ts');
      return createRequestIds(Buffer.alloc(32, 7)).read(id).ok && !createRequestIds(Buffer.alloc(32, 8)).read(id).ok;
    });
  });
});

describe('scoring by a judge model', () => {
  const judged = (): Partial<AssignmentServing> => ({
    quality_sample_rate: 1,
    quality_judge: { name: 'judge', model: aModel(provider.url, { upstream_model: 'judge' }), max_per_minute: 6000, instructions: null },
  });

  it('gives judged_quality, at a cost of its own', async () => {
    provider.set('judge', { latencyMs: 0, answer: 'Here: {"score": 0.25}', outputTokens: 5 });
    await serve(judged());
    await (await world.chat()).text();
    await (await world.chat({ stream: true })).text();
    const all = await world.buckets((list) => total(list, (bucket) => bucket.scores['judged_quality']?.n ?? 0) === 2);
    assert.equal(all.find((bucket) => 'judged_quality' in bucket.scores)?.scores['judged_quality']?.pivot, 0.25);
    assert.equal(
      total(all, (bucket) => bucket.scoring_cost_usd.n),
      2,
    );
    assert.equal(
      total(all, (bucket) => bucket.cost_usd.n),
      2,
    );
    const asked = provider.lastBody()?.['messages'] as { content: string }[];
    assert.match(asked[1]?.content ?? '', /"question":"Why\?","answer":"All is well\./);
  });

  it('that says nothing of use is counted, and harms nobody', async () => {
    provider.set('judge', { latencyMs: 0, answer: 'score: 2 out of 1' });
    await serve(judged());
    assert.equal((await world.chat()).status, 200);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.scoring_failures) === 1);
    assert.deepEqual(Object.assign({}, ...all.map((bucket) => bucket.scores)), {});
    provider.set('judge', { errorRate: 1 });
    await world.chat();
    await world.buckets((list) => total(list, (bucket) => bucket.scoring_failures) === 2);
    provider.set('judge', { errorRate: 0 });
  });

  it('keeps to its rate', async () => {
    provider.set('judge', { latencyMs: 0, answer: '{"score": 1}' });
    await serve({ ...judged(), quality_judge: { ...judged().quality_judge!, max_per_minute: 1 } });
    const before = provider.requests('judge');
    await Promise.all(Array.from({ length: 20 }, () => world.chat()));
    await world.buckets((list) => total(list, (bucket) => bucket.requests) === 20);
    assert.equal(provider.requests('judge') - before, 1);
  });
});

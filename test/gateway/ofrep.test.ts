import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature, type Client } from '@openfeature/server-sdk';
import { aModel, aServing, anAssignment } from '../support/fake-control-plane.ts';
import { startGatewayWorld, total, type GatewayWorld } from '../support/gateway-world.ts';
import { completion, respond, startScriptedProvider, type ScriptedProvider } from '../support/scripted-provider.ts';

let provider: ScriptedProvider;
let world: GatewayWorld;
let client: Client;

before(async () => {
  provider = await startScriptedProvider();
  provider.play((socket) => respond(socket, 200, completion()));
});
after(async () => {
  await OpenFeature.close();
  await provider.close();
});
beforeEach(async () => {
  world = await startGatewayWorld();
  world.control.lease(60);
  const stable = aServing(provider.url, {
    prompt_template: 'Q: {question}',
    parameters: { temperature: 0.3 },
    models: { 'gpt-4': aModel(provider.url), cheap: aModel(provider.url, { upstream_model: 'gpt-mini' }) },
    rules: [{ condition: "task.complexity == 'low'", model: 'cheap', parameters: { max_tokens: 9 } }],
  });
  const assignment = anAssignment(1, 40, stable, { ...stable, parameters: { temperature: 0.9 } });
  await world.serve({ ...assignment, split: { ...assignment.split, method: 'consistent_hash' } });
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: world.gateway.url }));
  client = OpenFeature.getClient();
});
afterEach(() => world.close());

describe('an application with the OpenFeature SDK', () => {
  it('gets the variant that the gateway would have given, with its configuration', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const user = `user-${i}`;
      const details = await client.getObjectDetails('chat', {}, { targetingKey: user });
      const response = await world.chat({ user });
      assert.equal(details.variant, response.headers.get('x-actuator-variant'));
      assert.equal(details.flagMetadata['revision'], response.headers.get('x-actuator-revision'));
      assert.deepEqual(details.value, {
        model: 'gpt-4',
        provider: 'mock',
        parameters: { temperature: details.variant === 'canary' ? 0.9 : 0.3 },
        prompt_template: 'Q: {question}',
      });
      assert.equal(details.reason, 'SPLIT');
      seen.add(details.variant ?? '');
    }
    assert.deepEqual([...seen].sort(), ['canary', 'stable']);
  });

  it('is routed by its context', async () => {
    const details = await client.getObjectDetails('chat', {}, { targetingKey: 'u', complexity: 'low' });
    assert.deepEqual(
      [(details.value as { model?: string }).model, details.reason, details.flagMetadata['route']],
      ['gpt-mini', 'TARGETING_MATCH', 'rule-1'],
    );
  });

  it('is told what is missing', async () => {
    assert.equal((await client.getObjectDetails('chatt', {}, { targetingKey: 'u' })).errorCode, 'FLAG_NOT_FOUND');
    assert.equal((await client.getObjectDetails('chat', {}, {})).errorCode, 'TARGETING_KEY_MISSING');
  });

  it('reports its own requests and their quality by feedback', async () => {
    const details = await client.getObjectDetails('chat', {}, { targetingKey: 'user-1' });
    const id = details.flagMetadata['request_id'];
    const report = { request_id: id, metric_name: 'error', value: false, latency_ms: 800, input_tokens: 10, output_tokens: 5 };
    assert.equal((await world.post('/feedback', report)).status, 200);
    assert.equal((await world.post('/feedback', { request_id: id, value: 0.5 })).status, 200);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.requests) === 1);
    const bucket = all.find((candidate) => candidate.requests === 1);
    assert.deepEqual(
      [bucket?.variant, bucket?.deployment_id, bucket?.errors, bucket?.cost_usd.pivot],
      [details.variant, 'deploy-20260101-001', {}, 20],
    );
  });
});

describe('bulk evaluation', () => {
  it('has an ETag that changes with what is served', async () => {
    const ask = (etag = ''): Promise<Response> =>
      fetch(`${world.gateway.url}/ofrep/v1/evaluate/flags`, {
        method: 'POST',
        headers: { 'if-none-match': etag },
        body: JSON.stringify({ context: { targetingKey: 'user-1' } }),
      });
    const first = await ask();
    const { flags } = (await first.json()) as { flags: { key: string }[] };
    assert.deepEqual(
      flags.map(({ key }) => key),
      ['chat'],
    );
    const etag = first.headers.get('etag') ?? '';
    assert.equal((await ask(etag)).status, 304);
    await world.serve(anAssignment(2, 0, aServing(provider.url)));
    assert.equal((await ask(etag)).status, 200);
  });

  it('says what is wrong with a context', async () => {
    const response = await fetch(`${world.gateway.url}/ofrep/v1/evaluate/flags/chat`, { method: 'POST', body: '{"context": 3}' });
    assert.equal(response.status, 400);
    assert.equal(((await response.json()) as { errorCode: string }).errorCode, 'INVALID_CONTEXT');
  });
});

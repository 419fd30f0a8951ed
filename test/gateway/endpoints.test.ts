import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { AssignmentServedModel, AssignmentServing } from '../../src/generated/types.ts';
import { aModel, aServing, anAssignment } from '../support/fake-control-plane.ts';
import { startGatewayWorld, type GatewayWorld } from '../support/gateway-world.ts';
import {
  chunk,
  completion,
  event,
  respond,
  startScriptedProvider,
  streamHead,
  type ScriptedProvider,
} from '../support/scripted-provider.ts';

let provider: ScriptedProvider;
let world: GatewayWorld;

before(async () => {
  process.env['TEST_PROVIDER_KEY'] = 'sk-secret';
  provider = await startScriptedProvider();
});
after(() => provider.close());
beforeEach(async () => {
  world = await startGatewayWorld();
  provider.play((socket) => respond(socket, 200, completion()));
});
afterEach(() => world.close());

let generation = 0;
async function serve(change: Partial<AssignmentServing> = {}, model: Partial<AssignmentServedModel> = {}): Promise<void> {
  const serving = aServing(provider.url, { models: { 'gpt-4': aModel(provider.url, model) }, ...change });
  await world.serve(anAssignment(++generation, 0, serving));
}

/** What the provider got last. */
function sent(): { head: string; body: Record<string, unknown> } {
  const [head = '', body = ''] = (provider.requests.at(-1) ?? '').split('\r\n\r\n');
  return { head, body: JSON.parse(Buffer.from(body, 'latin1').toString('utf8')) as Record<string, unknown> };
}

describe('a request body', () => {
  it('keeps all that we do not know: tools, JSON mode, images, audio, new fields, text of the world', async () => {
    await serve();
    const unknown = {
      tools: [
        { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { ünïcode: { enum: ['日本', '🌍'] } } } } },
      ],
      tool_choice: 'required',
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema: {} } },
      modalities: ['text', 'audio'],
      a_field_of_2031: { deep: [1, null, 'x'] },
      messages: [
        { role: 'system', content: 'S' },
        { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 'c', content: '4' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
            { type: 'input_audio', input_audio: { data: 'BBBB', format: 'wav' } },
          ],
        },
      ],
    };
    assert.equal((await world.chat(unknown)).status, 200);
    assert.deepEqual(sent().body, { ...unknown, model: 'gpt-4' });
  });

  it('has only its text replaced by a template with {question}', async () => {
    await serve({ prompt_template: '{metadata.tone} {user_id} {date}: {question} / {context}' });
    await world.chat({
      user: 'ada',
      metadata: { tone: 'kind', trace: 't' },
      template_variables: { context: 'x'.repeat(2000) },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Why?' },
            { type: 'image_url', image_url: { url: 'u' } },
          ],
        },
      ],
    });
    const today = new Date().toISOString().slice(0, 10);
    const { body } = sent();
    assert.deepEqual(body['messages'], [
      {
        role: 'user',
        content: [
          { type: 'text', text: `kind ada ${today}: Why? / ${'x'.repeat(2000)}` },
          { type: 'image_url', image_url: { url: 'u' } },
        ],
      },
    ]);
    assert.deepEqual([body['metadata'], body['template_variables']], [{ trace: 't' }, undefined]);
  });

  it('lets the client win where the configuration says so', async () => {
    await serve({ parameters: { temperature: 0.2, top_p: 0.9, max_tokens: 100 }, client_overrides: ['temperature', 'max_tokens'] });
    await world.chat({ temperature: 1.1, top_p: 0.1, max_completion_tokens: 7 });
    const { body } = sent();
    assert.deepEqual([body['temperature'], body['top_p'], body['max_tokens'], body['max_completion_tokens']], [1.1, 0.9, 7, undefined]);
    await world.chat({});
    assert.deepEqual([sent().body['temperature'], sent().body['max_tokens']], [0.2, 100]);
  });

  it('calls the token limit what the model calls it', async () => {
    await serve({ parameters: { max_tokens: 50 } }, { token_limit_parameter: 'max_completion_tokens' });
    await world.chat({ max_tokens: 9 });
    assert.deepEqual([sent().body['max_tokens'], sent().body['max_completion_tokens']], [undefined, 50]);
  });
});

describe('other endpoints', () => {
  it('completions: parameters, template before the prompt, usage', async () => {
    await serve({ prompt_template: 'Be brief.', parameters: { temperature: 0 } });
    const response = await world.post('/completions', { model: 'chat', prompt: 'Why?', suffix: 's' });
    assert.equal(response.status, 200);
    assert.match(sent().head, /^POST \/v1\/completions HTTP/);
    assert.deepEqual(sent().body, { model: 'gpt-4', prompt: 'Be brief.\n\nWhy?', suffix: 's', temperature: 0 });
  });

  it('embeddings: the model only', async () => {
    await serve({ prompt_template: 'Be brief.', parameters: { temperature: 0, max_tokens: 5 } });
    provider.play((socket) =>
      respond(socket, 200, JSON.stringify({ object: 'list', data: [], usage: { prompt_tokens: 8, total_tokens: 8 } })),
    );
    await world.post('/embeddings', { model: 'chat', input: ['a', 'b'], dimensions: 3 });
    assert.match(sent().head, /^POST \/v1\/embeddings HTTP/);
    assert.deepEqual(sent().body, { model: 'gpt-4', input: ['a', 'b'], dimensions: 3 });
    const [bucket] = await world.buckets((all) => all.length > 0);
    assert.deepEqual([bucket?.errors, bucket?.input_tokens.pivot, bucket?.cost_usd.pivot], [{}, 8, 8]);
  });

  it('responses: instructions, its own names for limit and usage, streams', async () => {
    await serve({ prompt_template: 'Be brief.', parameters: { max_tokens: 5, frequency_penalty: 1 } });
    const completed = {
      type: 'response.completed',
      response: { usage: { input_tokens: 4, output_tokens: 3, output_tokens_details: { reasoning_tokens: 1 } } },
    };
    const text = `event: response.completed\n${event(completed)}`;
    provider.play((socket) => socket.write(streamHead + chunk(text) + chunk('')));
    const response = await world.post('/responses', { model: 'chat', input: 'Why?', instructions: 'Own.', stream: true });
    assert.equal(await response.text(), text);
    assert.deepEqual(sent().body, { model: 'gpt-4', input: 'Why?', instructions: 'Be brief.\n\nOwn.', stream: true, max_output_tokens: 5 });
    const [bucket] = await world.buckets((all) => all.length > 0);
    assert.deepEqual([bucket?.errors, bucket?.input_tokens.pivot, bucket?.output_tokens.pivot], [{}, 4, 3]);
  });

  it('models: all, one, and none', async () => {
    await serve();
    const get = async (path: string): Promise<[number, unknown]> => {
      const response = await fetch(`${world.gateway.url}/v1/models${path}`);
      return [response.status, await response.json()];
    };
    const model = { id: 'chat', object: 'model', created: 0, owned_by: 'actuator' };
    assert.deepEqual(await get(''), [200, { object: 'list', data: [model] }]);
    assert.deepEqual(await get('/chat'), [200, model]);
    assert.equal((await get('/chatt'))[0], 404);
  });
});

describe('a stream', () => {
  const said = event({ choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }] });
  const usage = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } });

  it('is asked for its usage, and the client that did not ask does not see it', async () => {
    await serve();
    provider.play((socket) => socket.write(streamHead + chunk(said) + chunk(usage + 'data: [DONE]\n\n') + chunk('')));
    assert.equal(await (await world.chat({ stream: true })).text(), `${said}data: [DONE]\n\n`);
    assert.deepEqual(sent().body['stream_options'], { include_usage: true });
    assert.equal(
      await (await world.chat({ stream: true, stream_options: { include_usage: true } })).text(),
      `${said}${usage}data: [DONE]\n\n`,
    );
    const all = await world.buckets((list) => list.reduce((sum, bucket) => sum + bucket.output_tokens.n, 0) === 2);
    assert.equal(all[0]?.output_tokens.pivot, 2);
  });

  it('arrives piece by piece', async () => {
    await serve();
    let finish: () => void = () => undefined;
    provider.play((socket) => {
      socket.write(streamHead + chunk(said));
      finish = () => socket.write(chunk('data: [DONE]\n\n') + chunk(''));
    });
    const reader = (await world.chat({ stream: true })).body?.getReader();
    assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), said);
    finish();
    assert.equal(Buffer.from((await reader?.read())?.value ?? []).toString(), 'data: [DONE]\n\n');
    assert.equal((await reader?.read())?.done, true);
  });
});

describe('a provider', () => {
  it('gets its key, headers and query as it wants them (Azure, Anthropic)', async () => {
    await serve(
      {},
      {
        api_key_env: 'TEST_PROVIDER_KEY',
        auth_header: 'api-key',
        query: { 'api-version': '2025-01-01 preview' },
        headers: { 'anthropic-version': '2023-06-01' },
      },
    );
    await world.chat();
    const { head } = sent();
    assert.match(head, /^POST \/v1\/chat\/completions\?api-version=2025-01-01\+preview HTTP/);
    assert.match(head, /\r\napi-key: sk-secret\r\n/);
    assert.match(head, /\r\nanthropic-version: 2023-06-01/);
    assert.doesNotMatch(head, /authorization/i);
  });

  it('hears of the client only what can do no harm', async () => {
    await serve({}, { api_key_env: 'TEST_PROVIDER_KEY' });
    await world.chat(
      {},
      {
        authorization: 'Bearer client-key',
        'x-user-id': 'ada',
        cookie: 'a=b',
        'x-forwarded-for': '1.2.3.4',
        'openai-beta': 'assistants=v2',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      },
    );
    const names = sent()
      .head.split('\r\n')
      .slice(1)
      .map((line) => line.split(':')[0]?.toLowerCase());
    assert.deepEqual(names.sort(), [
      'accept',
      'authorization',
      'content-length',
      'content-type',
      'host',
      'openai-beta',
      'traceparent',
      'user-agent',
    ]);
    assert.match(sent().head, /authorization: Bearer sk-secret/);
  });
});

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';
import OpenAi7 from 'openai';
import OpenAi5 from 'openai-v5';
import OpenAi6 from 'openai-v6';
import { aServing, anAssignment } from '../support/fake-control-plane.ts';
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
  provider = await startScriptedProvider();
});
after(() => provider.close());
beforeEach(async () => {
  world = await startGatewayWorld();
  await world.serve(anAssignment(1, 0, aServing(provider.url)));
});
afterEach(() => world.close());

const call = { id: 'call_1', type: 'function' as const, function: { name: 'weather', arguments: '{"city":"Oslo"}' } };
const toolAnswer = JSON.stringify({
  id: 'c',
  object: 'chat.completion',
  created: 0,
  model: 'gpt-4',
  choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls: [call] }, finish_reason: 'tool_calls' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});
const piece = (delta: object, finish: string | null = null): string =>
  chunk(
    event({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'gpt-4', choices: [{ index: 0, delta, finish_reason: finish }] }),
  );
const streamed =
  streamHead +
  piece({ role: 'assistant', content: 'Be' }) +
  piece({ content: 'cause.' }) +
  piece({}, 'stop') +
  chunk(
    event({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 0,
      model: 'gpt-4',
      choices: [],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    }),
  ) +
  chunk('data: [DONE]\n\n') +
  chunk('');
const tools = [
  { type: 'function' as const, function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } },
];
const messages = [{ role: 'user' as const, content: 'Why?' }];

/** The three differ in types that this test does not look at. */
const versions = {
  'openai 5': OpenAi5 as unknown as typeof OpenAi7,
  'openai 6': OpenAi6 as unknown as typeof OpenAi7,
  'openai 7': OpenAi7,
};

for (const [name, OpenAi] of Object.entries(versions)) {
  describe(name, () => {
    const client = (): OpenAi7 => new OpenAi({ baseURL: `${world.gateway.url}/v1`, apiKey: 'any', maxRetries: 1 });

    it('gets an answer, with our headers', async () => {
      provider.play((socket) => respond(socket, 200, completion('Because.')));
      const { data, response } = await client().chat.completions.create({ model: 'chat', messages }).withResponse();
      assert.equal(data.choices[0]?.message.content, 'Because.');
      assert.equal(response.headers.get('x-actuator-variant'), 'stable');
    });

    it('gets a stream, with usage when asked for', async () => {
      provider.play((socket) => socket.write(streamed));
      const stream = await client().chat.completions.create({
        model: 'chat',
        messages,
        stream: true,
        stream_options: { include_usage: true },
      });
      let text = '';
      let tokens = 0;
      for await (const part of stream) {
        text += part.choices[0]?.delta.content ?? '';
        tokens = part.usage?.total_tokens ?? tokens;
      }
      assert.deepEqual([text, tokens], ['Because.', 5]);
    });

    it('gets tool calls', async () => {
      provider.play((socket) => respond(socket, 200, toolAnswer));
      const answer = await client().chat.completions.create({ model: 'chat', messages, tools });
      assert.deepEqual(answer.choices[0]?.message.tool_calls, [call]);
    });

    it('gets errors of the provider and of ours as its own error classes', async () => {
      provider.play((socket) =>
        respond(socket, 400, JSON.stringify({ error: { message: 'no', type: 'invalid_request_error', code: 'bad_thing' } })),
      );
      const ofProvider = client().chat.completions.create({ model: 'chat', messages });
      await assert.rejects(ofProvider, (thrown: unknown) => thrown instanceof OpenAi.BadRequestError && thrown.code === 'bad_thing');
      const ours = client().chat.completions.create({ model: 'chatt', messages });
      await assert.rejects(ours, (thrown: unknown) => thrown instanceof OpenAi.NotFoundError && /Did you mean "chat"/.test(thrown.message));
    });

    it('lists models and makes embeddings', async () => {
      const listed = await client().models.list();
      assert.deepEqual(
        listed.data.map((model) => model.id),
        ['chat'],
      );
      const data = [{ object: 'embedding', index: 0, embedding: [0.5] }];
      provider.play((socket) =>
        respond(socket, 200, JSON.stringify({ object: 'list', data, usage: { prompt_tokens: 1, total_tokens: 1 } })),
      );
      const embedded = await client().embeddings.create({ model: 'chat', input: 'x', encoding_format: 'float' });
      assert.deepEqual(embedded.data[0]?.embedding, [0.5]);
    });
  });
}

describe('ai 7', () => {
  const model = (): ReturnType<ReturnType<typeof createOpenAICompatible>> =>
    createOpenAICompatible({ name: 'actuator', baseURL: `${world.gateway.url}/v1`, apiKey: 'any', includeUsage: true })('chat');

  it('gets an answer and a stream', async () => {
    provider.play((socket) => respond(socket, 200, completion('Because.')));
    assert.equal((await generateText({ model: model(), prompt: 'Why?' })).text, 'Because.');
    provider.play((socket) => socket.write(streamed));
    const stream = streamText({ model: model(), prompt: 'Why?' });
    let text = '';
    for await (const part of stream.textStream) text += part;
    assert.deepEqual([text, (await stream.usage).totalTokens], ['Because.', 5]);
  });

  it('gets an error as its own', async () => {
    provider.play((socket) => respond(socket, 400, JSON.stringify({ error: { message: 'no' } })));
    await assert.rejects(
      generateText({ model: model(), prompt: 'Why?', maxRetries: 0 }),
      (thrown: unknown) => APICallError.isInstance(thrown) && thrown.statusCode === 400,
    );
  });
});

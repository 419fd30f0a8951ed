/** An OpenAI-compatible provider on loopback with knobs for each model. For the demonstration, tests and benchmarks. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { seededRng } from '../base/random.ts';

export interface ModelKnobs {
  readonly latencyMs: number;
  /** Share of requests that are answered with 500, from 0 to 1. */
  readonly errorRate: number;
  readonly outputTokens: number;
  /** Chunks of a streamed answer, and the pause between two. */
  readonly chunks: number;
  readonly chunkMs: number;
  /** Words that the answer is made of: stands for its quality. */
  readonly answer: string;
}

export const defaultKnobs: ModelKnobs = { latencyMs: 20, errorRate: 0, outputTokens: 40, chunks: 5, chunkMs: 5, answer: 'All is well.' };

/** The code in the body of errors that a knob has caused, so that a client can tell whose failure it was. */
export const injectedErrorCode = 'mock_injected';

export interface MockProvider {
  /** With the path of the API: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  set(model: string, knobs: Partial<ModelKnobs>): void;
  /** Requests by model, as they arrived. */
  requests(model: string): number;
  /** Streams that the caller broke off. */
  readonly aborted: () => number;
  readonly lastBody: () => Readonly<Record<string, unknown>> | null;
  readonly lastHeaders: () => IncomingMessage['headers'];
  close(): Promise<void>;
}

interface ChatRequest {
  readonly model?: string;
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly messages?: readonly unknown[];
}

export async function startMockProvider(seed: number): Promise<MockProvider> {
  const rng = seededRng(seed);
  const knobs = new Map<string, ModelKnobs>();
  const counts = new Map<string, number>();
  let aborted = 0;
  let lastBody: Record<string, unknown> | null = null;
  let lastHeaders: IncomingMessage['headers'] = {};

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as ChatRequest;
    lastBody = body as Record<string, unknown>;
    lastHeaders = request.headers;
    const model = body.model ?? '';
    counts.set(model, (counts.get(model) ?? 0) + 1);
    const own = knobs.get(model) ?? defaultKnobs;
    await pause(own.latencyMs * (0.5 + rng()));
    if (rng() < own.errorRate) {
      sendJson(response, 500, { error: { message: 'The mock was told to fail.', type: 'server_error', code: injectedErrorCode } });
      return;
    }
    const usage = {
      prompt_tokens: 20 + 5 * (body.messages?.length ?? 0),
      completion_tokens: own.outputTokens,
      total_tokens: 20 + 5 * (body.messages?.length ?? 0) + own.outputTokens,
    };
    if (body.stream === true) await stream(response, body, own, usage);
    else
      sendJson(response, 200, {
        id: 'chatcmpl-mock',
        object: 'chat.completion',
        created: 0,
        model,
        choices: [{ index: 0, message: { role: 'assistant', content: own.answer }, finish_reason: 'stop' }],
        usage,
      });
  }

  async function stream(response: ServerResponse, body: ChatRequest, own: ModelKnobs, usage: object): Promise<void> {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.on('close', () => {
      if (!response.writableFinished) aborted++;
    });
    const event = (value: object): boolean =>
      response.write(
        `data: ${JSON.stringify({ id: 'chatcmpl-mock', object: 'chat.completion.chunk', created: 0, model: body.model, ...value })}\n\n`,
      );
    for (let i = 0; i < own.chunks && !response.destroyed; i++) {
      event({ choices: [{ index: 0, delta: { role: 'assistant', content: `${own.answer} ` }, finish_reason: null }] });
      await pause(own.chunkMs);
    }
    event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
    if (body.stream_options?.include_usage === true) event({ choices: [], usage });
    response.end('data: [DONE]\n\n');
  }

  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    answer(request, response).catch(() => sendJson(response, 400, { error: { message: 'bad request', code: 'bad_request' } }));
  });
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    set: (model, change) => void knobs.set(model, { ...(knobs.get(model) ?? defaultKnobs), ...change }),
    requests: (model) => counts.get(model) ?? 0,
    aborted: () => aborted,
    lastBody: () => lastBody,
    lastHeaders: () => lastHeaders,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

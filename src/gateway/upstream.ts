/** One request to a provider, its answer streamed through untouched. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { ServedModel } from './assignment-table.ts';
import { sendRefusal } from './failure.ts';
import type { Usage } from './recorder.ts';
import { createTail, usageOf } from './usage.ts';

export interface UpstreamOrder {
  readonly model: ServedModel;
  readonly path: string;
  readonly body: string;
  readonly timeoutMs: number;
  readonly stream: boolean;
  /** Headers of ours on the reply. */
  readonly replyHeaders: Readonly<Record<string, string>>;
}

export interface UpstreamResult {
  /** Null: a complete answer with a status below 400. */
  readonly failure: string | null;
  readonly status: number | null;
  readonly abandoned: boolean;
  readonly firstByteAt: number | null;
  readonly usage: Usage | null;
}

/** Of the provider's headers only those that a client can use; nothing about the connection, no cookies. */
const passedHeaders = /^(content-type|content-encoding|retry-after|x-request-id|x-ratelimit-.*|openai-.*|x-should-retry)$/;

/** Never rejects: what went wrong is in the result, and the client has had an answer. */
export function callUpstream(
  agent: Dispatcher,
  order: UpstreamOrder,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<UpstreamResult> {
  return new Promise((resolve) => {
    const tail = createTail();
    let status: number | null = null;
    let firstByteAt: number | null = null;
    let settled = false;
    let controller: Dispatcher.DispatchController | undefined;

    function settle(failure: string | null, abandoned = false): void {
      if (settled) return;
      settled = true;
      response.off('close', onClose);
      const usage = failure === null && !abandoned ? usageOf(tail.text()) : null;
      resolve({ failure, status, abandoned, firstByteAt, usage });
    }

    function onClose(): void {
      if (response.writableFinished) return;
      // Settled first: the abort reports itself as an error of the provider.
      settle(null, true);
      // Without this a client that leaves would keep the provider generating, and the connection busy.
      controller?.abort(new Error('the client left'));
      // Our half of the socket is still open; nobody else would ever close it.
      response.destroy();
    }

    response.on('close', onClose);
    agent.dispatch(dispatchOptions(order, request), {
      onRequestStart(started) {
        controller = started;
        if (settled) started.abort(new Error('the client left'));
      },
      onResponseStart(current, code, headers) {
        if (code < 200) return;
        status = code;
        if (code >= 300 && code < 400) {
          // A redirect is never followed: the key and the prompt would go to wherever it points.
          current.abort(new Error('redirect'));
          return;
        }
        response.writeHead(code, { ...passed(headers), ...order.replyHeaders });
        // Status and headers leave at once: a stream's client may wait for them.
        if (order.stream) response.flushHeaders();
      },
      onResponseData(current, chunk) {
        firstByteAt ??= performance.now();
        tail.push(chunk);
        if (response.write(chunk)) return;
        current.pause();
        response.once('drain', () => current.resume());
      },
      onResponseEnd() {
        response.end(() => settle(status !== null && status >= 400 ? failureOfStatus(status) : null));
      },
      onResponseError(_controller, error) {
        if (settled) return;
        const failure = response.headersSent ? 'truncated' : status === null ? failureOf(error) : 'upstream_3xx';
        settle(failure);
        replyToFailure(response, failure, order);
      },
    });
  });
}

function dispatchOptions(order: UpstreamOrder, request: IncomingMessage): Dispatcher.DispatchOptions {
  const base = new URL(order.model.base_url);
  return {
    origin: base.origin,
    path: base.pathname.replace(/\/$/, '') + order.path,
    method: 'POST',
    headers: upstreamHeaders(order, request),
    body: order.body,
    headersTimeout: order.timeoutMs,
    bodyTimeout: order.timeoutMs,
  };
}

function upstreamHeaders(order: UpstreamOrder, request: IncomingMessage): Record<string, string> {
  const { apiKey } = order.model;
  const accept = request.headers.accept;
  return {
    'content-type': 'application/json',
    accept: accept ?? (order.stream ? 'text/event-stream' : 'application/json'),
    'user-agent': 'actuator-gateway',
    ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
  };
}

function passed(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && passedHeaders.test(name)) kept[name] = value;
  }
  return kept;
}

/** Error classes of buckets and metrics. 4xx count: a configuration can cause them, and the client's own fall on both variants. */
function failureOfStatus(status: number): string {
  if (status === 429) return 'upstream_429';
  return status >= 500 ? 'upstream_5xx' : 'upstream_4xx';
}

function failureOf(error: Error): string {
  const code = (error as { code?: string }).code ?? '';
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT'
    ? 'timeout'
    : 'connect';
}

function replyToFailure(response: ServerResponse, failure: string, order: UpstreamOrder): void {
  const timeout = failure === 'timeout';
  const message = timeout
    ? `The provider "${order.model.provider}" did not answer within ${order.timeoutMs} ms.`
    : failure === 'upstream_3xx'
      ? `The provider "${order.model.provider}" answered with a redirect, which is not followed; its base_url is wrong.`
      : `The provider "${order.model.provider}" could not be reached.`;
  sendRefusal(response, { status: timeout ? 504 : 502, code: failure, message, source: 'provider' }, order.replyHeaders);
}

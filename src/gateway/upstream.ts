/** One attempt at a provider: either its answer goes through to the client, or nothing was sent and it may be tried again. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { sendRefusal } from './failure.ts';
import type { Usage } from './recorder.ts';
import type { ServedModel } from './served.ts';
import { createTail, isWhole, usageOf, withoutUsageEvent } from './usage.ts';

export interface UpstreamOrder {
  readonly model: ServedModel;
  readonly path: string;
  readonly body: string;
  readonly timeoutMs: number;
  readonly stream: boolean;
  /** We asked for usage in the stream, and the client did not. */
  readonly hidesUsage: boolean;
  /** Headers of ours on the reply. */
  readonly replyHeaders: Readonly<Record<string, string>>;
  /** Bytes of the answer to keep; 0: none. */
  readonly capture: number;
}

export interface Answered {
  readonly kind: 'answered';
  /** Null: a complete answer with a status below 400. */
  readonly failure: string | null;
  readonly abandoned: 'client_left' | 'client_stalled' | null;
  readonly firstByteAt: number | null;
  readonly usage: Usage | null;
  readonly captured: string | null;
}

export interface Retryable {
  readonly kind: 'retryable';
  readonly failure: string;
  /** What the provider asks for; null: nothing. */
  readonly retryAfterMs: number | null;
}

/** Attempts still to come: `mayRetry` false sends the client whatever comes of this one. */
export interface AttemptRules {
  readonly mayRetry: boolean;
  /** We have retried for the client; its own retries would multiply ours. */
  readonly tellsNotToRetry: boolean;
}

/** Of the provider's headers only those that a client can use; nothing about the connection, no cookies. */
const passedHeaders =
  /^(content-type|content-encoding|content-length|retry-after|retry-after-ms|x-request-id|x-ratelimit-.*|openai-.*|x-should-retry)$/;
/** Of the client's headers only those that mean something to a provider and can't do harm. */
const forwardedHeaders = ['accept', 'openai-beta', 'anthropic-beta', 'traceparent', 'tracestate'] as const;

/** A whole answer may take this many times as long as the wait for its next byte: a provider that drips would hold us for ever. */
const deadlineFactor = 20;
/** A client that reads nothing for so long is gone, whatever its socket says. */
const stallMs = 60_000;
/** A provider that wants to be left alone for longer is not waited for; the client is told. */
const longestRetryAfterMs = 10_000;
const longestRefusal = 64 * 1024;

/** Never rejects. An answered request has had its answer; after a retryable one nothing was sent yet. */
export function attempt(
  agent: Dispatcher,
  order: UpstreamOrder,
  rules: AttemptRules,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Answered | Retryable> {
  return new Promise((resolve) => {
    const tail = createTail();
    const captured: Buffer[] = [];
    let capturedBytes = 0;
    let status = 0;
    let isEncoded = false;
    let firstByteAt: number | null = null;
    let refusal: Retryable | null = null;
    let refusalBytes = 0;
    let settled = false;
    let controller: Dispatcher.DispatchController | undefined;
    let stall: NodeJS.Timeout | undefined;
    const deadline = setTimeout(() => giveUp('timeout'), order.timeoutMs * deadlineFactor);

    function settle(result: Answered | Retryable): void {
      settled = true;
      clearTimeout(deadline);
      clearTimeout(stall);
      response.off('close', onClose);
      resolve(result);
    }

    function answered(failure: string | null, abandoned: Answered['abandoned'] = null): void {
      if (settled) return;
      const isGood = failure === null && abandoned === null;
      const text = isGood ? tail.text() : '';
      const isBroken = isGood && !isEncoded && !isWhole(text, order.stream);
      const usage = isGood ? usageOf(text) : null;
      settle({
        kind: 'answered',
        failure: isBroken ? 'malformed' : failure,
        abandoned,
        firstByteAt,
        usage,
        captured: order.capture > 0 && isGood ? Buffer.concat(captured).toString('utf8') : null,
      });
    }

    /** Nothing whole will come any more. */
    function giveUp(failure: string): void {
      if (settled) return;
      if (!response.headersSent && rules.mayRetry && failure !== 'upstream_3xx') {
        settle(refusal ?? { kind: 'retryable', failure, retryAfterMs: null });
      } else {
        answered(response.headersSent ? 'truncated' : failure);
        replyToFailure(response, failure, order, rules);
      }
      controller?.abort(new Error('given up'));
    }

    function leave(reason: 'client_left' | 'client_stalled'): void {
      // Settled first: the abort reports itself as an error of the provider.
      answered(null, reason);
      // Without this a client that leaves would keep the provider generating, and the connection busy.
      controller?.abort(new Error(reason));
      // Our half of the socket is still open; nobody else would ever close it.
      response.destroy();
    }

    function onClose(): void {
      if (!response.writableFinished) leave('client_left');
    }

    function pass(current: Dispatcher.DispatchController, chunk: Buffer): void {
      firstByteAt ??= performance.now();
      tail.push(chunk);
      if (capturedBytes < order.capture) {
        captured.push(chunk);
        capturedBytes += chunk.length;
      }
      const sent = order.hidesUsage ? withoutUsageEvent(chunk) : chunk;
      if (sent.length === 0 || response.write(sent)) return;
      current.pause();
      stall = setTimeout(() => leave('client_stalled'), stallMs);
      response.once('drain', () => {
        clearTimeout(stall);
        current.resume();
      });
    }

    response.on('close', onClose);
    agent.dispatch(dispatchOptions(order, request), {
      onRequestStart(started) {
        controller = started;
        if (settled) started.abort(new Error('settled'));
      },
      onResponseStart(_controller, code, headers) {
        if (code < 200 || settled) return;
        status = code;
        // A redirect is never followed: the key and the prompt would go to wherever it points.
        if (code >= 300 && code < 400) {
          giveUp('upstream_3xx');
          return;
        }
        refusal = rules.mayRetry && code >= 400 ? retryable(code, headers) : null;
        if (refusal !== null) return;
        isEncoded = headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity';
        const last = code >= 400 && rules.tellsNotToRetry ? noMoreRetries : {};
        response.writeHead(code, { ...passed(headers, order.hidesUsage), ...order.replyHeaders, ...last });
        // Status and headers leave at once: a stream's client may wait for them.
        if (order.stream) response.flushHeaders();
      },
      onResponseData(current, chunk) {
        if (settled) return;
        if (refusal === null) pass(current, chunk);
        else if ((refusalBytes += chunk.length) > longestRefusal) giveUp(refusal.failure);
      },
      onResponseEnd() {
        if (settled) return;
        if (refusal !== null) settle(refusal);
        else response.end(() => answered(status >= 400 ? failureOfStatus(status) : null));
      },
      onResponseError(_controller, error) {
        giveUp(failureOf(error));
      },
    });
  });
}

function dispatchOptions({ model, path, body, timeoutMs }: UpstreamOrder, request: IncomingMessage): Dispatcher.DispatchOptions {
  const headers: Record<string, string> = {};
  for (const name of forwardedHeaders) {
    const value = request.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return {
    origin: model.origin,
    path: model.basePath + path + model.queryString,
    method: 'POST',
    // The configuration's headers, and the key among them, go before anything of the client's.
    headers: Object.assign(headers, model.requestHeaders),
    body,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  };
}

type IncomingHeaders = Readonly<Record<string, string | string[] | undefined>>;

function passed(headers: IncomingHeaders, changesLength: boolean): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && passedHeaders.test(name)) kept[name] = value;
  }
  if (changesLength) delete kept['content-length'];
  return kept;
}

/** Error classes of buckets and metrics. 4xx count: a configuration can cause them, and the client's own fall on both variants. */
function failureOfStatus(status: number): string {
  if (status === 429) return 'upstream_429';
  return status >= 500 ? 'upstream_5xx' : 'upstream_4xx';
}

/** The rules of the OpenAI SDKs: 408, 409, 429 and 5xx, unless the provider says otherwise by `x-should-retry`. */
function retryable(status: number, headers: IncomingHeaders): Retryable | null {
  const said = headers['x-should-retry'];
  const isTransient = status === 408 || status === 409 || status === 429 || status >= 500;
  if (said === 'false' || (said !== 'true' && !isTransient)) return null;
  const retryAfterMs = retryAfter(headers);
  if (retryAfterMs !== null && retryAfterMs > longestRetryAfterMs) return null;
  return { kind: 'retryable', failure: failureOfStatus(status), retryAfterMs };
}

function retryAfter(headers: IncomingHeaders): number | null {
  const ms = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (ms >= 0) return ms;
  const text = String(headers['retry-after'] ?? '');
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const until = Date.parse(text);
  return Number.isNaN(until) ? null : Math.max(0, until - Date.now());
}

function failureOf(error: Error): string {
  const code = (error as { code?: string }).code ?? '';
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT' || code === 'UND_ERR_CONNECT_TIMEOUT'
    ? 'timeout'
    : 'connect';
}

const noMoreRetries: Readonly<Record<string, string>> = { 'x-should-retry': 'false' };

function replyToFailure(response: ServerResponse, failure: string, order: UpstreamOrder, rules: AttemptRules): void {
  const timeout = failure === 'timeout';
  const message = timeout
    ? `The provider "${order.model.provider}" did not answer within ${order.timeoutMs} ms.`
    : failure === 'upstream_3xx'
      ? `The provider "${order.model.provider}" answered with a redirect, which is not followed; its base_url is wrong.`
      : failure === 'connect'
        ? `The provider "${order.model.provider}" could not be reached.`
        : `The provider "${order.model.provider}" failed.`;
  const headers = { ...order.replyHeaders, ...(rules.tellsNotToRetry ? noMoreRetries : {}) };
  sendRefusal(response, { status: timeout ? 504 : 502, code: failure, message, source: 'provider' }, headers);
}

/** One attempt at a provider: either its answer goes through to the client, or nothing was sent and it may be tried again. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendRefusal } from './failure.ts';
import type { Exchange, ExchangeHandler, ProviderClient, ProviderRequest } from './http/client.ts';
import type { ResponseHead } from './http/response-parser.ts';
import type { Usage } from './recorder.ts';
import type { ServedModel } from './served.ts';
import { failureOfStatus, passHeaders, retryable, type Retryable } from './upstream-answer.ts';
import { AnswerWriter } from './answer-writer.ts';
import { createTail, isWhole, usageOf, withoutUsageEvent } from './usage.ts';

export interface UpstreamOrder {
  readonly model: ServedModel;
  readonly path: string;
  readonly body: string;
  readonly timeoutMs: number;
  readonly stream: boolean;
  /** We asked for usage in the stream, and the client did not. */
  readonly hidesUsage: boolean;
  /** Headers of ours on the reply: name, value, name, value ... */
  readonly replyHeaders: readonly string[];
  /** Bytes of the answer to keep; 0: none. */
  readonly capture: number;
}

export type Abandoned = 'client_left' | 'client_stalled';

export interface Answered {
  readonly kind: 'answered';
  /** Null: a complete answer with a status below 400. */
  readonly failure: string | null;
  readonly abandoned: Abandoned | null;
  readonly firstByteAt: number | null;
  readonly usage: Usage | null;
  /** Of the answer, as far as it came. */
  readonly bytes: number;
  readonly captured: string | null;
}

/** Attempts still to come: `mayRetry` false sends the client whatever comes of this one. */
export interface AttemptRules {
  readonly mayRetry: boolean;
  /** We have retried for the client; its own retries would multiply ours. */
  readonly tellsNotToRetry: boolean;
}

/** Of the client's headers only those that mean something to a provider and can't do harm. */
const forwardedHeaders = ['accept', 'openai-beta', 'anthropic-beta', 'traceparent', 'tracestate'] as const;

/** A whole answer may take this many times as long as the wait for its next byte: a provider that drips would hold us for ever. */
const deadlineFactor = 20;
/** A client that reads nothing for so long is gone, whatever its socket says. */
const stallMs = 60_000;
const longestRefusal = 64 * 1024;

/** Never rejects. An answered request has had its answer; after a retryable one nothing was sent yet. */
export function attempt(
  client: ProviderClient,
  order: UpstreamOrder,
  rules: AttemptRules,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Answered | Retryable> {
  return new Promise((resolve) => {
    const handler = new Attempt(order, rules, request, response, resolve);
    handler.begins(client.send(providerRequest(order, request), handler));
  });
}

class Attempt implements ExchangeHandler {
  readonly #order: UpstreamOrder;
  readonly #rules: AttemptRules;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #resolve: (result: Answered | Retryable) => void;
  readonly #writer: AnswerWriter;
  readonly #tail = createTail();
  readonly #captured: Buffer[] = [];
  #capturedBytes = 0;
  #bytes = 0;
  #status = 0;
  #isEncoded = false;
  #firstByteAt: number | null = null;
  /** An answer that is not for the client: there will be another attempt. */
  #refusal: Retryable | null = null;
  #refusalBytes = 0;
  #isSettled = false;
  #exchange: Exchange | undefined;
  #stall: NodeJS.Timeout | undefined;

  constructor(
    order: UpstreamOrder,
    rules: AttemptRules,
    request: IncomingMessage,
    response: ServerResponse,
    resolve: (result: Answered | Retryable) => void,
  ) {
    this.#order = order;
    this.#rules = rules;
    this.#request = request;
    this.#response = response;
    this.#writer = new AnswerWriter(request, response);
    this.#resolve = resolve;
    response.on('close', this.#onClose);
  }

  begins(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.#isSettled) exchange.abort();
  }

  onHead({ status, headers }: ResponseHead): void {
    if (this.#isSettled) return;
    this.#status = status;
    // A redirect is never followed: the key and the prompt would go to wherever it points.
    if (status >= 300 && status < 400) {
      this.#giveUp('upstream_3xx');
      return;
    }
    const { stream, hidesUsage, replyHeaders } = this.#order;
    this.#refusal = this.#rules.mayRetry && status >= 400 ? retryable(status, headers) : null;
    if (this.#refusal !== null) return;
    const encoding = headers.get('content-encoding');
    this.#isEncoded = encoding !== undefined && encoding !== 'identity';
    const raw = [...replyHeaders];
    passHeaders(headers, hidesUsage, raw);
    if (status >= 400 && this.#rules.tellsNotToRetry) replaceRetryAdvice(raw);
    this.#writer.head(status, raw);
    // Status and headers leave at once: a stream's client may wait for them.
    if (stream) this.#response.flushHeaders();
  }

  onBody(chunk: Buffer): void {
    if (this.#isSettled) return;
    if (this.#refusal === null) this.#pass(chunk);
    else if ((this.#refusalBytes += chunk.length) > longestRefusal) this.#giveUp(this.#refusal.failure);
  }

  onEnd(): void {
    if (this.#isSettled) return;
    if (this.#refusal !== null) this.#settle(this.#refusal);
    else {
      this.#writer.end();
      this.#answered(this.#status >= 400 ? failureOfStatus(this.#status) : null);
    }
  }

  onError(kind: 'timeout' | 'connect'): void {
    this.#giveUp(kind);
  }

  #pass(chunk: Buffer): void {
    this.#firstByteAt ??= performance.now();
    this.#tail.push(chunk);
    this.#bytes += chunk.length;
    if (this.#capturedBytes < this.#order.capture) {
      this.#captured.push(chunk);
      this.#capturedBytes += chunk.length;
    }
    const sent = this.#order.hidesUsage ? withoutUsageEvent(chunk) : chunk;
    if (sent.length === 0 || this.#writer.write(sent)) return;
    // What was read already still comes; one wait is enough for all of it.
    if (this.#stall !== undefined) return;
    this.#exchange?.pause();
    this.#stall = setTimeout(() => this.#leave('client_stalled'), stallMs);
    this.#response.once('drain', () => {
      clearTimeout(this.#stall);
      this.#stall = undefined;
      if (!this.#isSettled) this.#exchange?.resume();
    });
  }

  #settle(result: Answered | Retryable): void {
    this.#isSettled = true;
    clearTimeout(this.#stall);
    this.#response.off('close', this.#onClose);
    this.#resolve(result);
  }

  #answered(failure: string | null, abandoned: Abandoned | null = null): void {
    if (this.#isSettled) return;
    const isGood = failure === null && abandoned === null;
    const tail = this.#tail.text();
    const isBroken = isGood && !this.#isEncoded && !isWhole(tail, this.#order.stream);
    this.#settle({
      kind: 'answered',
      failure: isBroken ? 'malformed' : failure,
      abandoned,
      firstByteAt: this.#firstByteAt,
      // Also of an answer that was not taken to its end: it is paid for all the same.
      usage: usageOf(tail),
      bytes: this.#bytes,
      captured: isGood && this.#order.capture > 0 ? Buffer.concat(this.#captured).toString('utf8') : null,
    });
  }

  /** Nothing whole will come any more. */
  #giveUp(failure: string): void {
    if (this.#isSettled) return;
    const isUnderWay = this.#response.headersSent;
    if (!isUnderWay && this.#rules.mayRetry && failure !== 'upstream_3xx') {
      this.#settle(this.#refusal ?? { kind: 'retryable', failure, retryAfterMs: null });
    } else {
      this.#answered(isUnderWay ? 'truncated' : failure);
      replyToFailure(this.#response, failure, this.#order, this.#rules);
    }
    this.#exchange?.abort();
  }

  #leave(reason: Abandoned): void {
    this.#answered(null, reason);
    // Without this a client that leaves would keep the provider generating, and the connection busy.
    this.#exchange?.abort();
    // Our half of the socket is still open; nobody else would ever close it.
    this.#request.socket.destroy();
  }

  readonly #onClose = (): void => {
    if (!this.#response.writableFinished) this.#leave('client_left');
  };
}

/** Other characters could be read as something else by the provider. */
const printable = /^[ -~]*$/;

export function providerRequest(
  { model, path, body, timeoutMs }: Pick<UpstreamOrder, 'model' | 'path' | 'body' | 'timeoutMs'>,
  request: IncomingMessage,
): ProviderRequest {
  // None of them can be one of the configuration's: the schema keeps those names from it.
  let headers = model.headerText;
  for (const name of forwardedHeaders) {
    const value = request.headers[name];
    if (typeof value === 'string' && printable.test(value)) headers += `${name}: ${value}\r\n`;
  }
  const deadline = performance.now() + timeoutMs * deadlineFactor;
  return { origin: model.origin, path: model.basePath + path + model.queryString, headers, body, timeoutMs, deadline };
}

function replaceRetryAdvice(raw: string[]): void {
  const at = raw.indexOf('x-should-retry');
  if (at >= 0) raw[at + 1] = 'false';
  else raw.push('x-should-retry', 'false');
}

function replyToFailure(response: ServerResponse, failure: string, order: UpstreamOrder, rules: AttemptRules): void {
  const headers = [...order.replyHeaders, ...(rules.tellsNotToRetry ? ['x-should-retry', 'false'] : [])];
  const status = failure === 'timeout' ? 504 : 502;
  sendRefusal(response, { status, code: failure, message: explain(failure, order), source: 'provider' }, headers);
}

function explain(failure: string, { model, timeoutMs }: UpstreamOrder): string {
  switch (failure) {
    case 'timeout':
      return `The provider "${model.provider}" did not answer within ${timeoutMs} ms.`;
    case 'upstream_3xx':
      return `The provider "${model.provider}" answered with a redirect, which is not followed; its base_url is wrong.`;
    case 'connect':
      return `The provider "${model.provider}" could not be reached.`;
    default:
      return `The provider "${model.provider}" failed.`;
  }
}

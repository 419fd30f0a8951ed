/** What a provider's status and headers mean: for the error classes, for retries, for the client. */

import type { ResponseHeaders } from './http/response-parser.ts';

export interface Retryable {
  readonly kind: 'retryable';
  readonly failure: string;
  /** What the provider asks for; null: nothing. */
  readonly retryAfterMs: number | null;
}

/** Of the provider's headers only those that a client can use; nothing about the connection, no cookies. */
const passed = new Set([
  'content-type',
  'content-encoding',
  'content-length',
  'retry-after',
  'retry-after-ms',
  'x-request-id',
  'x-should-retry',
]);
const passedFamilies = ['x-ratelimit-', 'openai-'];

/** A provider that wants to be left alone for longer is not waited for; the client is told. */
const longestRetryAfterMs = 10_000;

/** Adds them to `raw`: name, value, name, value ... */
export function passHeaders(headers: ResponseHeaders, changesLength: boolean, raw: string[]): void {
  for (const [name, value] of headers) {
    if (passed.has(name) ? !(changesLength && name === 'content-length') : passedFamilies.some((family) => name.startsWith(family)))
      raw.push(name, value);
  }
}

/** Error classes of buckets and metrics. 4xx count: a configuration can cause them, and the client's own fall on both variants. */
export function failureOfStatus(status: number): string {
  if (status === 429) return 'upstream_429';
  return status >= 500 ? 'upstream_5xx' : 'upstream_4xx';
}

/** The rules of the OpenAI SDKs: 408, 409, 429 and 5xx, unless the provider says otherwise by `x-should-retry`. Null: not to be retried. */
export function retryable(status: number, headers: ResponseHeaders): Retryable | null {
  const said = headers.get('x-should-retry');
  const isTransient = status === 408 || status === 409 || status === 429 || status >= 500;
  if (said === 'false' || (said !== 'true' && !isTransient)) return null;
  const retryAfterMs = retryAfter(headers);
  if (retryAfterMs !== null && retryAfterMs > longestRetryAfterMs) return null;
  return { kind: 'retryable', failure: failureOfStatus(status), retryAfterMs };
}

/** Milliseconds, from seconds or a date. */
function retryAfter(headers: ResponseHeaders): number | null {
  const ms = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (ms >= 0) return ms;
  const text = headers.get('retry-after') ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const until = Date.parse(text);
  return Number.isNaN(until) ? null : Math.max(0, until - Date.now());
}

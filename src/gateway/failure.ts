/** Error replies of the gateway itself, in the shape that OpenAI clients read. */
import type { ServerResponse } from 'node:http';

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** Who is to blame: told in `x-actuator-failure`, so that a client's own statistics can tell. */
  readonly source: 'client' | 'gateway' | 'provider';
  readonly headers?: Readonly<Record<string, string>>;
}

/** `raw`: further headers, name, value, name, value ... */
export function sendRefusal(response: ServerResponse, refusal: Refusal, raw: readonly string[] = []): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const type = refusal.source === 'client' ? 'invalid_request_error' : 'api_error';
  const body = JSON.stringify({ error: { message: refusal.message, type, param: null, code: refusal.code } });
  response.writeHead(refusal.status, [
    ...raw,
    ...Object.entries(refusal.headers ?? {}).flat(),
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
    'x-actuator-failure',
    refusal.source,
  ]);
  response.end(body);
}

/** The API over HTTP, for the command line. */
import { request } from 'undici';
import { TransientError } from '../../base/failures.ts';
import { isObject } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import type { ApiClient } from '../../ports/api-client.ts';

export function createHttpClient(baseUrl: string, key: string | null): ApiClient {
  async function call(method: 'GET' | 'POST', path: string, body?: object): Promise<Result<unknown, readonly Problem[]>> {
    let status: number;
    let text: string;
    try {
      const response = await request(`${baseUrl}${path}`, {
        method,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headersTimeout: 30_000,
        bodyTimeout: 30_000,
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (thrown) {
      const code = isObject(thrown) && typeof thrown['code'] === 'string' ? ` (${thrown['code']})` : '';
      throw new TransientError(
        `The control plane at ${baseUrl} can't be reached${code}. Is \`actuator serve\` running? Set ACTUATOR_URL or --url to reach another one.`,
        { cause: thrown },
      );
    }
    const value = parseJson(text);
    if (status < 300) return ok(value);
    return refuse(problemsOf(value, status));
  }
  return { get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemsOf(value: unknown, status: number): readonly Problem[] {
  if (isObject(value) && Array.isArray(value['problems'])) return value['problems'] as Problem[];
  return [{ code: 'unavailable', message: `The control plane answered ${status} without saying why.` }];
}

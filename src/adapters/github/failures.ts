/** What GitHub's refusals mean to us. */
import { RequestError } from '@octokit/request-error';
import { RefusedError, StalledError, TransientError } from '../../base/failures.ts';
import { oneLine } from '../../base/text.ts';

/** `doing`: what was tried, for people. */
export function classifyGithubFailure(thrown: unknown, doing: string): Error {
  if (thrown instanceof StalledError || thrown instanceof TransientError || thrown instanceof RefusedError) return thrown;
  const said = oneLine(thrown instanceof Error ? thrown.message : String(thrown), 300);
  const message = `GitHub, ${doing}: ${said}`;
  const options = { cause: thrown };
  if (!(thrown instanceof RequestError)) return new TransientError(message, options);
  switch (thrown.status) {
    case 401:
      return new StalledError(`${message}. The token or the key of the app is not accepted; put a new one in its file.`, options);
    case 403:
    case 429:
      // A conversation that people have locked takes nothing more.
      if (/\blocked\b/i.test(said)) return new RefusedError(message, options);
      return isRateLimit(thrown) ? new TransientError(message, options) : new StalledError(`${message}. ${permissionHint}`, options);
    case 404:
    case 410:
    case 422:
      return new RefusedError(message, options);
    default:
      return thrown.status >= 500 || thrown.status === 408 || thrown.status === 409
        ? new TransientError(message, options)
        : new StalledError(message, options);
  }
}

const permissionHint =
  'docs/github.md lists the permissions that are needed; after a change of an app its installation must be approved anew.';

export function isRateLimit({ status, response, message }: RequestError): boolean {
  const headers = response?.headers ?? {};
  return status === 429 || headers['retry-after'] !== undefined || headers['x-ratelimit-remaining'] === '0' || /rate limit/i.test(message);
}

export function isStatus(thrown: unknown, ...statuses: readonly number[]): boolean {
  return thrown instanceof RequestError && statuses.includes(thrown.status);
}

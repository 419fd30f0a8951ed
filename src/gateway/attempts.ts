/** Retries: all within the variant, with growing pauses, and only while nothing of an answer was sent. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Rng } from '../base/random.ts';
import type { AssignmentRetry } from '../generated/types.ts';
import type { ProviderClient } from './http/client.ts';
import { attempt, type Answered, type UpstreamOrder } from './upstream.ts';

export interface AttemptsResult extends Answered {
  /** Class of the first attempt's failure: what counts against the variant, whether or not a retry made it good. */
  readonly firstFailure: string | null;
  readonly retries: number;
}

const longestPauseMs = 30_000;

/** Pause before the n-th retry (from 1): doubled each time, with jitter over its upper half so that clients do not come back as one. */
export function backoffMs(delayMs: number, retry: number, rng: Rng): number {
  return Math.min(longestPauseMs, delayMs * 2 ** (retry - 1)) * (0.5 + rng() / 2);
}

/** Never rejects. */
export async function callProvider(
  { providers, rng }: { readonly providers: ProviderClient; readonly rng: Rng },
  order: UpstreamOrder,
  retry: AssignmentRetry,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<AttemptsResult> {
  let firstFailure: string | null = null;
  for (let retries = 0; ; retries++) {
    const rules = { mayRetry: retries < retry.max_retries, tellsNotToRetry: retry.max_retries > 0 };
    const result = await attempt(providers, order, rules, request, response);
    if (result.kind === 'answered') return { ...result, firstFailure: firstFailure ?? result.failure, retries };
    firstFailure ??= result.failure;
    const pauseMs = Math.max(result.retryAfterMs ?? 0, backoffMs(retry.delay_ms, retries + 1, rng));
    if (!(await pause(pauseMs, response))) {
      return { ...left, firstFailure, retries };
    }
  }
}

const left: Answered = {
  kind: 'answered',
  failure: null,
  abandoned: 'client_left',
  firstByteAt: null,
  usage: null,
  bytes: 0,
  captured: null,
};

/** False when the client left meanwhile. */
function pause(ms: number, response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) {
      resolve(false);
      return;
    }
    const timer = setTimeout(() => end(true), ms);
    const onClose = (): void => end(false);
    function end(stays: boolean): void {
      clearTimeout(timer);
      response.off('close', onClose);
      resolve(stays);
    }
    response.on('close', onClose);
  });
}

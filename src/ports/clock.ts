import type { Instant } from '../base/time.ts';

/** The only source of time outside `base/time.ts` and the data plane's measurements. */
export interface Clock {
  now(): Instant;
  /** Calls `run` once after `delayMs`; the returned function takes that back. */
  schedule(delayMs: number, run: () => void): () => void;
}

/** One piece of background work at a time, again when there is more, with backoff while the world fails. */
import { messageOf } from '../base/failures.ts';
import type { Rng } from '../base/random.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

export interface Worker {
  /** There is work; runs it soon, and once more if called while it runs. */
  wake(): void;
  /** The same, without waiting for the end of a backoff. */
  runNow(): void;
  /** What went wrong last; null after a success. */
  problem(): { readonly message: string } | null;
  /** Waits for the running piece and starts no other. */
  stop(): Promise<void>;
}

export interface WorkerDeps {
  readonly name: string;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
}

export function createWorker(deps: WorkerDeps, work: () => Promise<void>): Worker {
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  let failures = 0;
  let problem: { message: string } | null = null;
  let cancelRetry: (() => void) | null = null;

  function start(): void {
    cancelRetry?.();
    cancelRetry = null;
    running = once().finally(() => {
      running = null;
      if (stopped) return;
      if (problem !== null) cancelRetry = deps.clock.schedule(delay(), start);
      else if (again) start();
    });
  }

  async function once(): Promise<void> {
    again = false;
    try {
      await work();
      failures = 0;
      problem = null;
    } catch (thrown) {
      failures++;
      const message = messageOf(thrown);
      if (problem?.message !== message) deps.log.warn({ worker: deps.name, error: message }, 'background work failed, will try again');
      problem = { message };
    }
  }

  function delay(): number {
    const base = Math.min(deps.longestDelayMs, deps.firstDelayMs * 2 ** Math.min(failures - 1, 20));
    return base * (0.75 + deps.rng() / 2);
  }

  return {
    wake() {
      again = true;
      if (running === null && !stopped && cancelRetry === null) start();
    },
    runNow() {
      again = true;
      if (running === null && !stopped) start();
    },
    problem: () => problem,
    async stop() {
      stopped = true;
      cancelRetry?.();
      await running;
    },
  };
}

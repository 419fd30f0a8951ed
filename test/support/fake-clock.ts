import type { Clock } from '../../src/ports/clock.ts';

/** Time that moves only when a test says so. */
export interface FakeClock extends Clock {
  advance(ms: number): void;
}

export function fakeClock(now = 1_000_000): FakeClock {
  let at = now;
  let timers: { readonly due: number; readonly run: () => void }[] = [];
  return {
    now: () => at,
    schedule(delayMs, run) {
      const timer = { due: at + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      at += ms;
      const due = timers.filter((timer) => timer.due <= at);
      timers = timers.filter((timer) => timer.due > at);
      for (const timer of due) timer.run();
    },
  };
}

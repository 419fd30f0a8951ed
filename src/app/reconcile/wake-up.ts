/** Hints that the branch has changed: many of them make one look a second, and a commit that is announced but not there yet another one soon. */
import type { Instant } from '../../base/time.ts';
import type { Clock } from '../../ports/clock.ts';

export interface WakeUp {
  /** `commit`: what the branch is said to hold; null: nobody said. */
  hint(commit: string | null): void;
  stop(): void;
}

export interface WakeUpDeps {
  readonly clock: Clock;
  /** Looks at the repository now. */
  readonly poll: () => void;
  /** Commit that was worked through last. */
  readonly head: () => string | null;
}

const leastBetweenMs = 1000;
/** A host announces a push before all of its servers have it. After these the poll finds it. */
const againAfterMs: readonly number[] = [1000, 2000, 4000];

export function createWakeUp({ clock, poll, head }: WakeUpDeps): WakeUp {
  let lookedAt: Instant = -Infinity;
  let cancel: (() => void) | null = null;
  let announced: string | null = null;
  let tries = 0;

  function look(): void {
    cancel = null;
    lookedAt = clock.now();
    poll();
    const delay = againAfterMs[tries++];
    if (announced !== null && delay !== undefined) cancel = clock.schedule(delay, lookAgain);
  }

  function lookAgain(): void {
    cancel = null;
    if (announced !== head()) look();
    else announced = null;
  }

  return {
    hint(commit) {
      // The newest announcement is what is waited for; older ones lie behind it.
      announced = commit ?? announced;
      tries = 0;
      // A clock that was set back must not put it off.
      const sinceMs = Math.max(0, clock.now() - lookedAt);
      if (sinceMs >= leastBetweenMs) {
        cancel?.();
        look();
      } else {
        cancel?.();
        cancel = clock.schedule(leastBetweenMs - sinceMs, look);
      }
    },
    stop: () => cancel?.(),
  };
}

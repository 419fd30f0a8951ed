/** Hints that the branch has changed: many of them make one look a second, and commits that are announced but not there yet another one soon. */
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
const mostAnnounced = 100;

export function createWakeUp({ clock, poll, head }: WakeUpDeps): WakeUp {
  const announced = new Set<string>();
  let lookedAt: Instant = -Infinity;
  /** The look that is due next; `isSoon`: within a second, so that no hint needs to bring it forward. */
  let next: { readonly cancel: () => void; readonly isSoon: boolean } | null = null;
  let tries = 0;
  let isStopped = false;

  function schedule(delayMs: number, run: () => void, isSoon: boolean): void {
    next?.cancel();
    const cancel = clock.schedule(delayMs, () => {
      next = null;
      run();
    });
    next = { cancel, isSoon };
  }

  function look(): void {
    lookedAt = clock.now();
    poll();
    const delay = againAfterMs[tries++];
    if (announced.size > 0 && delay !== undefined) schedule(delay, lookAgain, false);
    else announced.clear();
  }

  function lookAgain(): void {
    announced.delete(head() ?? '');
    if (announced.size > 0) look();
  }

  return {
    hint(commit) {
      if (isStopped) return;
      if (commit !== null && announced.size < mostAnnounced) announced.add(commit);
      tries = 0;
      if (next?.isSoon === true) return;
      // A clock that was set back must not put it off for longer than that.
      const sinceMs = Math.max(0, clock.now() - lookedAt);
      if (sinceMs < leastBetweenMs) schedule(leastBetweenMs - sinceMs, look, true);
      else {
        next?.cancel();
        next = null;
        look();
      }
    },
    stop() {
      isStopped = true;
      next?.cancel();
    },
  };
}

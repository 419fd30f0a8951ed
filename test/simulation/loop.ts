/** Virtual time: what is due runs one at a time, in the order of time, and what is due at once in an order that the seed decides. */
import type { Rng } from '../../src/base/random.ts';

export interface Loop {
  readonly now: () => number;
  /** Runs once after `delayMs`; the returned function takes that back. */
  after(delayMs: number, run: () => void): () => void;
  /** Runs all that is due up to then. */
  runUntil(time: number): Promise<void>;
}

interface Task {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

export function createLoop(start: number, rng: Rng): Loop {
  const heap: Task[] = [];
  let at = start;

  return {
    now: () => at,
    after(delayMs, run) {
      const task = { due: at + Math.max(0, delayMs), order: rng(), run, isCancelled: false };
      push(heap, task);
      return () => {
        task.isCancelled = true;
      };
    },
    async runUntil(time) {
      for (;;) {
        const next = heap[0];
        if (next === undefined || next.due > time) break;
        pop(heap);
        if (next.isCancelled) continue;
        at = Math.max(at, next.due);
        next.run();
        // Everything that only waits for promises runs before the next task.
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      at = Math.max(at, time);
    },
  };
}

function isBefore(a: Task, b: Task): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function push(heap: Task[], task: Task): void {
  let index = heap.length;
  heap.push(task);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(task, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = task;
}

function pop(heap: Task[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    const left = 2 * index + 1;
    const [a, b] = [heap[left], heap[left + 1]];
    const child = b !== undefined && a !== undefined && isBefore(b, a) ? left + 1 : left;
    const below = heap[child];
    if (below === undefined || !isBefore(below, last)) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
}

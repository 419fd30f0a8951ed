/** One run of the control plane, from its start to its death. Whatever it asks of the world goes through `call`, where it can die or be held up. */
import type { Loop } from './loop.ts';
import type { Rng } from '../../src/base/random.ts';

export interface Ports {
  /** Called before and after the effect of each call; may end the process. */
  readonly onPoint: (process: Process, port: string, when: 'before' | 'after') => void;
  /** Milliseconds that a call takes. */
  readonly latency: (port: string) => number;
}

export class Process {
  isAlive = true;
  /** Held up as by a stopped machine: nothing of it runs, and it does not know. */
  isFrozen = false;
  /** Another one leads, or is about to. */
  isReplaced = false;
  /** What its clock shows beyond the true time. */
  clockOffset = 0;
  readonly #held: (() => void)[] = [];
  readonly loop: Loop;
  readonly rng: Rng;
  readonly #ports: Ports;

  constructor(loop: Loop, rng: Rng, ports: Ports) {
    this.loop = loop;
    this.rng = rng;
    this.#ports = ports;
  }

  /** The effect happens at once or not at all; the answer can get lost with the process, or be an error. */
  call<T>(port: string, effect: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.later(this.#ports.latency(port), () => {
        this.#ports.onPoint(this, port, 'before');
        if (!this.isAlive) return;
        let answer: () => void;
        try {
          const value = effect();
          answer = () => resolve(value);
        } catch (thrown) {
          answer = () => reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
        }
        this.#ports.onPoint(this, port, 'after');
        this.#unlessDead(answer);
      });
    });
  }

  #unlessDead(run: () => void): void {
    if (this.isAlive) run();
  }

  /** Runs in this process after a while, unless it has died by then. */
  later(delayMs: number, run: () => void): () => void {
    return this.loop.after(delayMs, () => {
      if (!this.isAlive) return;
      if (this.isFrozen) this.#held.push(run);
      else run();
    });
  }

  thaw(): void {
    this.isFrozen = false;
    for (const run of this.#held.splice(0)) this.later(0, run);
  }

  /** Its clock, with the process's own error. */
  now(): number {
    return Math.floor(this.loop.now() + this.clockOffset);
  }
}

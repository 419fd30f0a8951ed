/** Runs a seed, and finds the shortest scenario that still breaks the same invariant. */
import { messageOf } from '../../src/base/failures.ts';
import { BrokenInvariant, createWatcher } from './invariants.ts';
import type { Scenario } from './scenario.ts';
import { runScenario, scenarioOf, type World } from './world.ts';

export interface Failure {
  readonly scenario: Scenario;
  readonly invariant: string;
  readonly message: string;
}

export async function runSeed(seed: number): Promise<Failure | null> {
  return tryScenario(scenarioOf(seed));
}

export async function tryScenario(scenario: Scenario, onEnd: (world: World) => void = () => undefined): Promise<Failure | null> {
  const watcher = createWatcher();
  const thrown = await runGuarded(() =>
    runScenario(scenario, watcher).then((world) => {
      if (world.broken !== null) throw world.broken as Error;
      onEnd(world);
    }),
  );
  if (thrown === null) return null;
  const invariant = thrown instanceof BrokenInvariant ? thrown.invariant : 'no bug';
  return { scenario, invariant, message: messageOf(thrown) };
}

/** A check can fail inside a callback of the program, which may swallow it: the first failure counts wherever it was thrown. */
async function runGuarded(run: () => Promise<void>): Promise<unknown> {
  let first: unknown = null;
  const keep = (thrown: unknown): void => void (first ??= thrown);
  process.on('unhandledRejection', keep);
  process.on('uncaughtException', keep);
  try {
    await run();
  } catch (thrown) {
    keep(thrown);
  } finally {
    process.off('unhandledRejection', keep);
    process.off('uncaughtException', keep);
  }
  return first;
}

/** Takes away one action after the other for as long as the same invariant breaks. */
export async function shrink(failure: Failure): Promise<{ readonly scenario: Scenario; readonly error: string }> {
  let best = failure;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (let index = best.scenario.actions.length - 1; index >= 0; index--) {
      const actions = best.scenario.actions.filter((_, other) => other !== index);
      const again = await tryScenario({ ...best.scenario, actions });
      if (again?.invariant !== failure.invariant) continue;
      best = again;
      isSmaller = true;
    }
  }
  return { scenario: best.scenario, error: best.message };
}

export function describeScenario({ seed, services, gateways, requestsPerSecond, actions }: Scenario): string {
  const head = `seed ${seed}: ${services.join(', ')}; ${gateways} gateways; ${requestsPerSecond} requests/s`;
  return [head, ...actions.map(({ at, ...rest }) => `  ${(at / 1000).toFixed(1).padStart(6)} s  ${Object.values(rest).join(' ')}`)].join(
    '\n',
  );
}

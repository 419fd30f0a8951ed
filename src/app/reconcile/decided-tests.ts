/** A/B tests that have been decided: a file that still holds one means the arm that has won it, and runs no test again. */
import { armsOf, type Arm } from '../../domain/config/arms.ts';
import { ownDigest } from '../../domain/config/digest.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { LlmConfig } from '../../generated/types.ts';
import type { Store } from '../../ports/store.ts';

export interface DecidedTests {
  /** The arm that a file means; null: it holds no test that was decided. */
  readonly wonIn: (config: LlmConfig) => Arm | null;
}

/** By what the files say themselves: a new price list makes no new test. */
export async function decidedTests(
  store: Pick<Store, 'configuration'>,
  service: string,
  decided: ServiceState['decided'],
): Promise<DecidedTests> {
  const names = new Map<string, string>();
  for (const { test, arm } of decided) {
    const stored = await store.configuration(service, test);
    // The newest decision counts.
    if (stored !== null && !names.has(ownDigest(stored.config))) names.set(ownDigest(stored.config), arm);
  }
  return {
    wonIn(config) {
      const name = config.variants === undefined ? undefined : names.get(ownDigest(config));
      return armsOf(config).find((arm) => arm.name === name) ?? null;
    },
  };
}

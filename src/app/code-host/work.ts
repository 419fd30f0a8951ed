/** All that we do at the code host; what fails holds up nothing else, and is tried again. */
import type { CodeHostDeps } from './parts.ts';
import { createOrigins } from './origins.ts';
import { createProposals } from './proposals.ts';
import { createReporting } from './reporting.ts';

export interface CodeHostWork {
  /** What somebody waits for, then what the branch lacks. */
  decide(): Promise<void>;
  /** What people want to read. Hosts take a write a second, so much of it takes its time, and keeps no decision waiting. */
  report(): Promise<void>;
  /** Somebody says that there is something new. */
  hint(): void;
}

export function createCodeHostWork(deps: CodeHostDeps): CodeHostWork {
  const origins = createOrigins(deps);
  const proposals = createProposals(deps);
  const reporting = createReporting(deps);
  const hint = { isThere: true };

  async function trace(): Promise<void> {
    const all = hint.isThere;
    hint.isThere = false;
    try {
      await origins.trace(all);
    } catch (thrown) {
      if (all) hint.isThere = true;
      throw thrown;
    }
  }

  return {
    hint() {
      hint.isThere = true;
    },
    report: () => reporting.report(),
    async decide() {
      let failure: unknown;
      for (const part of [trace, () => proposals.keep()]) {
        try {
          await part();
        } catch (thrown) {
          failure ??= thrown;
        }
      }
      if (failure !== undefined) throw failure as Error;
    },
  };
}

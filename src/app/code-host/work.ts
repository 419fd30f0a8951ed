/** All that we do at the code host; what fails holds up nothing else, and is tried again. */
import { StalledError } from '../../base/failures.ts';
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
  let isKnown = false;

  /** Wrong credentials are told at the start, and not by the first change, which may come days later. */
  async function introduce(): Promise<void> {
    if (isKnown) return;
    const { login, repository, missing } = await deps.host.identify();
    const { statuses, deployments } = deps.settings().codeHost;
    const needed = { contents: true, 'pull-requests': true, statuses, deployments };
    const lacking = missing.filter((permission) => needed[permission]);
    if (lacking.length > 0)
      throw new StalledError(
        `${login} may not write ${lacking.join(', ')} of ${repository}; docs/github.md lists what each permission is for. After a change of an app its installation must be approved anew.`,
      );
    isKnown = true;
    deps.log.info({ login, repository }, 'works at the code host');
  }

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
      for (const part of [introduce, trace, () => proposals.keep()]) {
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

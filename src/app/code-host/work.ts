/** All that we do at the code host; what fails holds up nothing else, and is tried again. */
import { messageOf } from '../../base/failures.ts';
import type { Instant } from '../../base/time.ts';
import { tryEach } from '../../base/try-each.ts';
import type { CodeHostDeps } from './parts.ts';
import { createOrigins } from './origins.ts';
import { createProposals } from './proposals.ts';
import { createReporting } from './reporting.ts';

export interface CodeHostWork {
  /** What somebody waits for, then what the branch lacks. */
  decide(): Promise<void>;
  /** What people want to read. Hosts take a write a second, so much of it takes its time, and keeps no decision waiting. */
  report(): Promise<void>;
  /** Permissions that are missing; null: none. */
  readonly problem: () => string | null;
  /** Somebody says that there is something new. */
  hint(): void;
}

/** A person gives a permission meanwhile. */
const askAgainMs = 60_000;
const soonMs = 2000;

export function createCodeHostWork(deps: CodeHostDeps): CodeHostWork {
  const origins = createOrigins(deps);
  const proposals = createProposals(deps);
  const reporting = createReporting(deps);
  const hint = { isThere: true };
  let askAt: Instant | null = 0;
  let lacking: string | null = null;

  /** Wrong credentials are told at the start, and not by the first change, which may come days later. */
  async function introduce(): Promise<void> {
    if (askAt === null || deps.clock.now() < askAt) return;
    try {
      await identify();
    } catch (thrown) {
      // Whatever else is asked may do.
      lacking = messageOf(thrown);
      askAt = deps.clock.now() + soonMs;
    }
  }

  async function identify(): Promise<void> {
    const { login, repository, missing } = await deps.host.identify();
    const { statuses, deployments } = deps.settings().codeHost;
    const needed = { contents: true, 'pull-requests': true, statuses, deployments };
    const wanted = missing.filter((permission) => needed[permission]);
    // What can be done without them goes on.
    lacking =
      wanted.length === 0
        ? null
        : `${login} may not write ${wanted.join(', ')} of ${repository}; docs/github.md lists what each permission is for. After a change of an app its installation must be approved anew.`;
    askAt = lacking === null ? null : deps.clock.now() + askAgainMs;
    deps.log.info({ login, repository, lacking }, 'works at the code host');
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
    problem: () => lacking,
    report: () => reporting.report(),
    decide: () => tryEach([introduce, trace, () => proposals.keep()], (part) => part()),
  };
}

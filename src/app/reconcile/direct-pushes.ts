/** Settings come by pull request too, where direct pushes are not allowed: otherwise the first push could allow the second. */
import { isAway, messageOf } from '../../base/failures.ts';
import { LRUMap } from '../../base/lru.ts';
import type { Problem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { DirectPushes } from '../../domain/safety/gates.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { Log } from '../../ports/log.ts';
import { arrivalOf } from './arrival.ts';

export interface DirectPushDeps {
  readonly codeHost: CodeHost | null;
  readonly branchName: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is wrong with how a change of a settings file came to the branch; null: nothing. */
export type DirectPushCheck = (mode: DirectPushes, commit: string, path: string) => Promise<Problem | null>;

export function createDirectPushCheck({ codeHost, branchName, clock, log }: DirectPushDeps): DirectPushCheck {
  const firstSeen = new LRUMap<string, Instant>(1000);

  async function originProblem(host: CodeHost, commit: string): Promise<Pick<Problem, 'code' | 'message'> | null> {
    const since = firstSeen.get(commit) ?? clock.now();
    firstSeen.set(commit, since);
    try {
      const arrival = await arrivalOf(host, branchName, commit, { ageMs: clock.now() - since, isFinal: true });
      if (arrival === 'not-shown') return { code: 'unavailable', message: 'is not known to the code host yet' };
      if (arrival === 'undecided') return { code: 'unavailable', message: 'is not known yet to come from a pull request' };
      if (arrival !== 'push') return null;
    } catch (thrown) {
      if (!isAway(thrown)) throw thrown;
      // In the log, and not in the problem: that would be another one each time.
      log.warn({ commit, error: messageOf(thrown) }, 'a change of settings could not be traced to its pull request');
      return { code: 'unavailable', message: "can't be traced to its pull request now, the code host does not answer" };
    }
    return {
      code: 'forbidden',
      message: `came to ${branchName} without a pull request, which settings do not allow (versioning.direct_pushes)`,
    };
  }

  return async (mode, commit, path) => {
    if (mode === 'allow' || codeHost === null) return null;
    const problem = await originProblem(codeHost, commit);
    return problem === null
      ? null
      : { ...problem, file: path, message: `Commit ${commit.slice(0, 12)}, which brought this, ${problem.message}.` };
  };
}

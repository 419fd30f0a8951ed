/** Commits of ours on the configuration branch and on branches for pull requests: built here, and pushed. */
import type { Clock } from '../../ports/clock.ts';
import type { PlaceCommit } from '../../ports/repository.ts';
import type { CommitBuilder } from './commit-builder.ts';
import type { Mirror } from './mirror.ts';
import { pushWithLease, replaceBranch } from './push.ts';

export function createPlacing(mirror: Mirror, builder: CommitBuilder, clock: Clock): PlaceCommit {
  return async ({ branch, expected, parent, path, text, message, announce }) => {
    const commit = await builder.commit({
      parent,
      files: new Map([[path, text]]),
      message,
      timestamp: Math.floor(clock.now() / 1000),
    });
    await announce(commit);
    const outcome =
      expected === parent ? await pushWithLease(mirror, branch, expected, commit) : await replaceBranch(mirror, branch, expected, commit);
    return outcome.kind === 'pushed' ? { kind: 'placed', commit } : outcome;
  };
}

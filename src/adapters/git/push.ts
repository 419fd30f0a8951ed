/** Pushes one ref by compare-and-swap, and says in our words what the remote made of it. */
import { classifyGitFailure, GitExit, isOid } from './git-command.ts';
import type { Mirror } from './mirror.ts';

export type PushOutcome =
  | { readonly kind: 'pushed' }
  /** Somebody else was faster: fetch, look again, build again. */
  | { readonly kind: 'lost-race' }
  /** The remote does not let us write this branch. */
  | { readonly kind: 'refused'; readonly message: string };

/**
 * Moves `branch` from `expected` (null: must not exist) to `commit`. The lease switches git's own fast-forward check off, so
 * `commit` must be built on `expected`; that is checked here. Throws TransientError or StalledError when the remote is away.
 */
export async function pushWithLease(mirror: Mirror, branch: string, expected: string | null, commit: string): Promise<PushOutcome> {
  await assertDescends(mirror, expected, commit);
  return push(mirror, branch, expected, commit);
}

/** The same for a branch that is ours alone, whatever it held. */
export async function replaceBranch(mirror: Mirror, branch: string, expected: string | null, commit: string): Promise<PushOutcome> {
  return push(mirror, branch, expected, commit);
}

async function push(mirror: Mirror, branch: string, expected: string | null, commit: string): Promise<PushOutcome> {
  if (!isOid(commit)) throw new Error(`${commit} is no commit id`);
  const ref = `refs/heads/${branch}`;
  try {
    await mirror.git.run(['push', '--porcelain', `--force-with-lease=${ref}:${expected ?? ''}`, 'origin', `${commit}:${ref}`]);
    return { kind: 'pushed' };
  } catch (thrown) {
    if (!(thrown instanceof GitExit)) throw thrown;
    return outcomeOf(thrown);
  }
}

async function assertDescends(mirror: Mirror, expected: string | null, commit: string): Promise<void> {
  let at: string | null = commit;
  for (let steps = 0; steps < 1000 && at !== null; steps++) {
    if (at === expected) return;
    at = (await mirror.commit(at)).parents[0] ?? null;
  }
  if (expected !== null || at !== null) throw new Error('a commit to push must be built on the one it replaces');
}

function outcomeOf(exit: GitExit): PushOutcome {
  const line = /^!\t[^\t]*\t(.*)$/m.exec(exit.stdout)?.[1] ?? '';
  if (/stale info|fetch first|non-fast-forward|failed to update ref|cannot lock ref|reference already exists/.test(line))
    return { kind: 'lost-race' };
  if (line !== '') return { kind: 'refused', message: reasonOf(line, exit.stderr) };
  throw classifyGitFailure(exit, 'git push');
}

function reasonOf(line: string, stderr: string): string {
  const said = stderr
    .split('\n')
    .filter((text) => text.startsWith('remote: '))
    .map((text) => text.slice(8).trim())
    .find((text) => text !== '' && !text.startsWith('error: cannot lock'));
  return [line.replace(/^\[remote rejected\] /, ''), said].filter(Boolean).join(': ').slice(0, 300);
}

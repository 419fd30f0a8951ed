/** The status branch: our permanent record, pushed as a chain of commits with the cursor in each tree. */
import { parse, stringify } from 'yaml';
import { StalledError, TransientError } from '../../base/failures.ts';
import { isObject } from '../../base/json.ts';
import type { Clock } from '../../ports/clock.ts';
import type { StatusBranch, StatusCommit, StatusCursor } from '../../ports/repository.ts';
import type { CommitBuilder } from './commit-builder.ts';
import { statusBranchName, type Mirror } from './mirror.ts';
import { parseTree } from './objects.ts';
import { pushWithLease } from './push.ts';

const cursorFile = 'cursor.yaml';
const attempts = 5;

export function createStatusBranch(mirror: Mirror, builder: CommitBuilder, clock: Clock): StatusBranch {
  // What we pushed last: the mirror's own copy of the ref is as old as the last fetch.
  let pushed: string | null = null;

  async function tip(): Promise<string | null> {
    return pushed ?? mirror.tip(statusBranchName);
  }

  async function refetch(): Promise<void> {
    pushed = null;
    await mirror.fetch();
  }

  async function build(parent: string | null, commits: readonly (StatusCommit & { readonly cursor: StatusCursor })[]): Promise<string> {
    let at = parent;
    for (const commit of commits) {
      const files = new Map(commit.files.map(({ path, text }) => [path, text]));
      for (const { path, text } of commit.appends) {
        files.set(path, `${files.get(path) ?? (at === null ? '' : await readFileAt(mirror, at, path)) ?? ''}${text}`);
      }
      files.set(cursorFile, stringify(commit.cursor));
      at = await builder.commit({ parent: at, files, message: commit.message, timestamp: Math.floor(clock.now() / 1000) });
    }
    if (at === null) throw new Error('nothing to publish');
    return at;
  }

  return {
    cursor: () =>
      mirror.exclusively(async () => {
        await refetch();
        const at = await tip();
        return at === null ? null : readCursor(mirror, at);
      }),
    publish: (commits, takeOver) =>
      mirror.exclusively(async () => {
        const ours = commits.at(-1)?.cursor;
        if (ours === undefined) return;
        for (let attempt = 1; attempt <= attempts; attempt++) {
          const parent = await tip();
          const present = parent === null ? null : await readCursor(mirror, parent);
          if (present !== null && present.instance !== ours.instance && !takeOver) throw foreign(present);
          // A crash came between an earlier push and its bookkeeping, or its answer was lost.
          const wanted = commits.filter(
            ({ cursor, besides }) =>
              besides === true || present === null || present.instance !== cursor.instance || cursor.position > present.position,
          );
          if (wanted.length === 0) return;
          const commit = await build(parent, wanted);
          const outcome = await pushWithLease(mirror, statusBranchName, parent, commit);
          if (outcome.kind === 'pushed') {
            pushed = commit;
            return;
          }
          if (outcome.kind === 'refused') throw new StalledError(`the remote refuses pushes to ${statusBranchName}: ${outcome.message}`);
          await refetch();
        }
        throw new TransientError(`${statusBranchName} moved under each of ${attempts} pushes`);
      }),
  };
}

function foreign(present: StatusCursor): StalledError {
  return new StalledError(
    `${statusBranchName} is written by another control plane (instance ${present.instance}). Stop that one, or start this one with --take-over.`,
  );
}

async function readCursor(mirror: Mirror, commit: string): Promise<StatusCursor | null> {
  const value: unknown = parse((await readFileAt(mirror, commit, cursorFile)) ?? '');
  if (!isObject(value) || typeof value['instance'] !== 'string' || typeof value['position'] !== 'number') return null;
  return { instance: value['instance'], position: value['position'] };
}

/** The file's text in a commit; null when it is not there. */
export async function readFileAt(mirror: Mirror, commit: string, path: string): Promise<string | null> {
  let oid = (await mirror.commit(commit)).tree;
  for (const part of path.split('/')) {
    const tree = await mirror.objects.read(oid, 64 * 1024 * 1024);
    if (tree?.type !== 'tree' || tree.content === null) return null;
    const entry = parseTree(tree.content).find(({ name }) => name === part);
    if (entry === undefined) return null;
    oid = entry.oid;
  }
  const blob = await mirror.objects.read(oid, 64 * 1024 * 1024);
  return blob?.type === 'blob' ? (blob.content?.toString('utf8') ?? null) : null;
}

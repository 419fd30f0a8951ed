/** What the stand-in for GitHub does to the bare repository behind it: by git itself, past the hooks, as GitHub's own servers do. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type MergeMethod = 'merge' | 'squash' | 'rebase';

export interface BareCommit {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly authorName: string;
  readonly authorEmail: string;
  readonly committerName: string;
  readonly committerEmail: string;
  readonly date: string;
  readonly message: string;
}

export interface Bare {
  /** Commit of a branch; null: there is none. */
  tip(branch: string): Promise<string | null>;
  commit(sha: string): Promise<BareCommit | null>;
  /** Oldest first. */
  between(base: string, head: string): Promise<readonly string[]>;
  isAncestor(one: string, other: string): Promise<boolean>;
  /** Paths that differ between where the two parted and the second. */
  changed(base: string, head: string): Promise<readonly string[]>;
  file(commit: string, path: string): Promise<{ readonly oid: string; readonly content: Buffer } | null>;
  /** All of them; null: there is no such commit. */
  files(commit: string): Promise<readonly { readonly path: string; readonly mode: string; readonly sha: string }[] | null>;
  /** The new tip of the branch, and what was made on the way; null: it conflicts. */
  merge(order: MergeOrder): Promise<{ readonly sha: string; readonly made: readonly string[] } | null>;
  deleteBranch(branch: string): Promise<boolean>;
  /** The id of a tree: `base` with the files put in. Null: there is no such base. */
  writeTree(
    base: string,
    files: readonly { readonly path: string; readonly mode: string; readonly content: string }[],
  ): Promise<string | null>;
  /** The id of a commit that no branch has. Null: there is no such tree or parent. */
  writeCommit(order: NewCommit): Promise<string | null>;
  moveBranch(branch: string, commit: string): Promise<void>;
  /** Keeps a commit although no branch has it, as `refs/pull/N/head` does. */
  keep(number: number, sha: string): Promise<void>;
  /** Refuses pushes to the branch, whoever comes. */
  protect(branch: string | null): Promise<void>;
}

export interface MergeOrder {
  readonly branch: string;
  readonly head: string;
  readonly method: MergeMethod;
  readonly message: string;
  readonly by: { readonly name: string; readonly email: string };
}

export interface NewCommit {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly author: MergeOrder['by'];
}

export function openBare(directory: string): Bare {
  const git = async (
    args: readonly string[],
    cwd = directory,
    by?: MergeOrder['by'],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<string> =>
    (
      await run('git', args, {
        cwd,
        maxBuffer: 64 * 1024 * 1024,
        env: {
          PATH: process.env['PATH'],
          GIT_CONFIG_GLOBAL: '/dev/null',
          GIT_CONFIG_NOSYSTEM: '1',
          ...(by === undefined ? {} : identity(by)),
          ...environment,
        },
      })
    ).stdout;
  const tip = async (branch: string): Promise<string | null> =>
    (await git(['rev-parse', '-q', '--verify', `refs/heads/${branch}`]).catch(() => '')).trim() || null;
  const between = async (base: string, head: string): Promise<readonly string[]> =>
    (await git(['rev-list', '--topo-order', '--reverse', `${base}..${head}`])).split('\n').filter((line) => line !== '');

  return {
    tip,
    between,
    commit: async (sha) => {
      const format = '%H%x00%T%x00%P%x00%an%x00%ae%x00%cn%x00%ce%x00%cI%x00%B';
      const shown = await git(['show', '-s', `--format=${format}`, `${sha}^{commit}`]).catch(() => null);
      if (shown === null) return null;
      const [oid = '', tree = '', parents = '', an = '', ae = '', cn = '', ce = '', date = '', message = ''] = shown.split('\0');
      return {
        sha: oid,
        tree,
        parents: parents.split(' ').filter((parent) => parent !== ''),
        authorName: an,
        authorEmail: ae,
        committerName: cn,
        committerEmail: ce,
        date,
        message: message.trim(),
      };
    },
    changed: async (base, head) => (await git(['diff', '--name-only', `${base}...${head}`])).split('\n').filter((line) => line !== ''),
    isAncestor: (one, other) =>
      git(['merge-base', '--is-ancestor', one, other]).then(
        () => true,
        () => false,
      ),
    async file(commit, path) {
      const listed = await git(['ls-tree', commit, '--', path]).catch(() => '');
      const oid = /^100\d+ blob ([0-9a-f]{40})\t/.exec(listed)?.[1];
      return oid === undefined ? null : { oid, content: Buffer.from(await git(['cat-file', 'blob', oid])) };
    },
    async files(commit) {
      const listed = await git(['ls-tree', '-r', commit]).catch(() => null);
      return listed === null
        ? null
        : [...listed.matchAll(/^(\d+) blob ([0-9a-f]{40})\t(.*)$/gm)].map(([, mode = '', sha = '', path = '']) => ({ mode, sha, path }));
    },
    async merge({ branch, head, method, message, by }) {
      const place = `${directory}.merging`;
      await rm(place, { recursive: true, force: true });
      const base = await tip(branch);
      if (base === null) return null;
      try {
        await git(['clone', '-q', '--shared', '--no-checkout', directory, place]);
        await git(['checkout', '-q', '--detach', method === 'rebase' ? head : base], place);
        if (method === 'merge') await git(['merge', '-q', '--no-ff', '-m', message, head], place, by);
        else if (method === 'squash') {
          await git(['merge', '-q', '--squash', head], place, by);
          await git(['commit', '-q', '-m', message], place, by);
        } else await git(['rebase', '-q', base], place, by);
      } catch {
        return null;
      }
      const sha = (await git(['rev-parse', 'HEAD'], place)).trim();
      // Fetched by the bare repository itself: its hooks are for those who push.
      await git(['fetch', '-q', place, `+HEAD:refs/heads/${branch}`]);
      await rm(place, { recursive: true, force: true });
      return { sha, made: method === 'merge' ? [sha] : await between(base, sha) };
    },
    async deleteBranch(branch) {
      if ((await tip(branch)) === null) return false;
      await git(['update-ref', '-d', `refs/heads/${branch}`]);
      return true;
    },
    async writeTree(base, files) {
      const index = { GIT_INDEX_FILE: `${directory}.index` };
      try {
        await git(['read-tree', base], directory, undefined, index);
        for (const { path, mode, content } of files) {
          const written = `${directory}.blob`;
          await writeFile(written, content);
          const oid = (await git(['hash-object', '-w', '--no-filters', written])).trim();
          await git(['update-index', '--add', '--cacheinfo', `${mode},${oid},${path}`], directory, undefined, index);
        }
        return (await git(['write-tree'], directory, undefined, index)).trim();
      } catch {
        return null;
      }
    },
    async writeCommit({ tree, parents, message, author }) {
      const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-m', message];
      return (await git(args, directory, author).catch(() => '')).trim() || null;
    },
    async moveBranch(branch, commit) {
      await git(['update-ref', `refs/heads/${branch}`, commit]);
    },
    async keep(number, sha) {
      await git(['update-ref', `refs/pull/${number}/head`, sha]);
    },
    async protect(branch) {
      const hook = join(directory, 'hooks', 'update');
      await mkdir(join(directory, 'hooks'), { recursive: true });
      const refusal = `if [ "$1" = "refs/heads/${branch ?? ''}" ]; then echo "GH006: Protected branch update failed for $1." >&2; exit 1; fi\n`;
      await writeFile(hook, `#!/bin/sh\n${branch === null ? '' : refusal}exit 0\n`, { mode: 0o755 });
    },
  };
}

function identity({ name, email }: MergeOrder['by']): Record<string, string> {
  return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: 'GitHub', GIT_COMMITTER_EMAIL: 'noreply@github.com' };
}

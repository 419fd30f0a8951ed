/** The bare mirror of the configuration repository: a cache that can be thrown away at any time. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StalledError } from '../../base/failures.ts';
import { openCatFile, type CatFile } from './cat-file.ts';
import { checkRemoteUrl, classifyGitFailure, createGitCommand, GitExit, type GitCommand, type RemoteAccess } from './git-command.ts';
import { parseCommit, type CommitObject } from './objects.ts';

export const statusBranchName = 'actuator/status';

export interface MirrorOptions {
  readonly directory: string;
  readonly branch: string;
  readonly access: RemoteAccess;
}

export interface Mirror {
  readonly directory: string;
  readonly branch: string;
  readonly git: GitCommand;
  readonly objects: CatFile;
  /** Runs alone: fetch, push and repack never overlap. Reads need no turn. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** Fetches both branches; must be called inside `exclusively`. */
  fetch(): Promise<void>;
  /** The commit of a branch as fetched last; null when it does not exist. */
  tip(branch: string): Promise<string | null>;
  commit(oid: string): Promise<CommitObject>;
  close(): void;
}

/** git's configuration of the mirror; reasons in docs/architecture.md. */
const configuration = `[core]
	repositoryformatversion = 0
	bare = true
	fsync = committed,loose-object
[fetch]
	fsckObjects = true
	unpackLimit = 1
[transfer]
	credentialsInUrl = die
[http]
	followRedirects = false
	lowSpeedLimit = 1
	lowSpeedTime = 20
[gc]
	auto = 0
[maintenance]
	auto = false
`;

/** A message may be very long; it must not stop the walk over it. */
const commitCap = 256 * 1024 * 1024;
const fetchesPerRepack = 200;

/** Checks git's version, makes the mirror if there is none, and throws StalledError when it can't be used. */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  checkRemoteUrl(options.access);
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(options.branch) || options.branch.includes('..')) {
    throw new StalledError(`"${options.branch}" is not a branch name that we accept.`);
  }
  prepare(options);
  const git = createGitCommand(options.directory, options.access);
  await checkVersion(git);
  const objects = openCatFile(options.directory);
  let turn: Promise<unknown> = Promise.resolve();
  let fetches = 0;

  return {
    directory: options.directory,
    branch: options.branch,
    git,
    objects,
    exclusively(work) {
      const mine = turn.then(work, work);
      turn = mine.catch(() => undefined);
      return mine;
    },
    async fetch() {
      await fetchBranches(git, options);
      if (++fetches % fetchesPerRepack === 0) await git.run(['repack', '-d', '--geometric=2']).catch(() => undefined);
    },
    async tip(branch) {
      return (await objects.read(`refs/remotes/origin/${branch}`, 0))?.oid ?? null;
    },
    async commit(oid) {
      const object = await objects.read(oid, commitCap);
      if (object?.type !== 'commit' || object.content === null) throw new Error(`${oid} is not a commit`);
      return parseCommit(object.content);
    },
    close: () => objects.close(),
  };
}

function prepare(options: MirrorOptions): void {
  const { directory, access } = options;
  const remote = `[remote "origin"]\n\turl = ${quoted(access.url)}\n`;
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads']) mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
  if (!existsSync(join(directory, 'HEAD'))) writeFileSync(join(directory, 'HEAD'), 'ref: refs/heads/main\n');
  writeFileSync(join(directory, 'config'), configuration + remote);
  // A killed git leaves its lock; we are the only writer here.
  for (const lock of ['packed-refs.lock', 'shallow.lock']) rmSync(join(directory, lock), { force: true });
}

function quoted(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

async function checkVersion(git: GitCommand): Promise<void> {
  const text = await git.run(['version']).catch(() => '');
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(text)?.slice(1) ?? []).map(Number);
  if (major > 2 || (major === 2 && minor >= 36)) return;
  throw new StalledError(`git 2.36 or newer is needed, this machine has ${text.trim() === '' ? 'none' : text.trim()}.`);
}

/** `-v`: simple-git waits 50 ms longer for a command that prints nothing. */
async function fetchBranches(git: GitCommand, { branch }: MirrorOptions): Promise<void> {
  const spec = (name: string): string => `+refs/heads/${name}:refs/remotes/origin/${name}`;
  // A pattern, so that a branch that does not exist (yet) is no error, and --prune notices one that is gone.
  const args = ['fetch', '-v', '--atomic', '--no-tags', '--prune', '--no-auto-maintenance', '--no-write-fetch-head', 'origin'];
  try {
    await git.run([...args, spec(branch), '+refs/heads/actuator/*:refs/remotes/origin/actuator/*']);
  } catch (thrown) {
    if (thrown instanceof GitExit && /couldn't find remote ref/.test(thrown.stderr)) return fetchWithoutBranch(git, branch, args);
    throw classifyGitFailure(thrown, 'git fetch');
  }
}

/** The branch is gone, or the repository is empty: forget our copy, so that nobody takes it for the truth. */
async function fetchWithoutBranch(git: GitCommand, branch: string, args: readonly string[]): Promise<void> {
  await git.run(['update-ref', '-d', `refs/remotes/origin/${branch}`]);
  await git.run([...args, '+refs/heads/actuator/*:refs/remotes/origin/actuator/*']).catch((thrown: unknown) => {
    throw classifyGitFailure(thrown, 'git fetch');
  });
}

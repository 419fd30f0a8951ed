/** Every short-lived git process: simple-git, `raw` only, with a strict environment and strict exit codes. */
import { join } from 'node:path';
import { GitError, simpleGit, type SimpleGit } from 'simple-git';
import { StalledError, TransientError } from '../../base/failures.ts';
import { oneLine } from '../../base/text.ts';

/** git answered with a non-zero exit code (simple-git alone lets some of those pass as success). */
export class GitExit extends GitError {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;

  constructor(exitCode: number, stdout: string, stderr: string) {
    super(undefined, oneLine(stderr || stdout || `git ended with exit code ${exitCode}`));
    this.exitCode = exitCode;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

export interface RemoteAccess {
  readonly url: string;
  /** Sent as basic authentication to the remote's origin only; never in an argument or a message. A function: it changes now and then. */
  readonly token: string | (() => Promise<string>) | null;
  /** Allow http and file, which only tests and local demonstrations need. */
  readonly allowLocal: boolean;
}

export interface GitCommand {
  /** Standard output. Rejects with GitExit. Arguments must be built from constants and checked names only. */
  run(args: readonly string[]): Promise<string>;
}

const guard = join(import.meta.dirname, '..', '..', '..', 'bin', 'git-guard');

export function createGitCommand(directory: string, access: RemoteAccess): GitCommand {
  const local = create(directory, gitEnvironment({ ...access, token: null }));
  let made: { readonly token: string | null; readonly git: SimpleGit } | null = null;
  async function remote(): Promise<SimpleGit> {
    const token = typeof access.token === 'function' ? await access.token() : access.token;
    if (made === null || made.token !== token) made = { token, git: create(directory, gitEnvironment({ ...access, token })) };
    return made.git;
  }
  // What needs no remote must not wait for a token either.
  return { run: async (args) => (goesOut.has(args[0] ?? '') ? await remote() : local).raw([...args]) };
}

const goesOut = new Set(['fetch', 'push']);

function create(directory: string, env: Record<string, string>): SimpleGit {
  return simpleGit({
    baseDir: directory,
    binary: guard,
    maxConcurrentProcesses: 4,
    allowEnvironment: Object.keys(env).filter((name) => name.startsWith('GIT_')),
    unsafe: { allowUnsafeCustomBinary: true, allowUnsafeConfigEnvCount: true, allowUnsafeConfigPaths: true },
    errors(_error, result) {
      if (result.exitCode === 0) return undefined;
      const text = (chunks: readonly Buffer[]): string => Buffer.concat([...chunks]).toString('utf8');
      return new GitExit(result.exitCode, text(result.stdOut), text(result.stdErr));
    },
  }).env(env);
}

/** Nothing of the user's own configuration and nothing that could ask a question. */
export function gitEnvironment(access: (Omit<RemoteAccess, 'token'> & { readonly token: string | null }) | null): Record<string, string> {
  const base = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    ACTUATOR_GIT_SECONDS: process.env['ACTUATOR_GIT_SECONDS'] ?? '300',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: access?.allowLocal === true ? 'https:ssh:http:file' : 'https:ssh',
  };
  if (access?.token == null || !/^https?:/.test(access.url)) return base;
  const basic = Buffer.from(`x-access-token:${access.token}`).toString('base64');
  return {
    ...base,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${new URL(access.url).origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
}

/** https and ssh from anywhere; http and file only when allowed, http on loopback only. Throws StalledError. */
export function checkRemoteUrl(access: RemoteAccess): void {
  const { url, allowLocal } = access;
  if (/^(https:\/\/|ssh:\/\/(?!-)|[A-Za-z0-9._-]+@[A-Za-z0-9][A-Za-z0-9.-]*:)/.test(url) && !/^https:\/\/[^/]*@/.test(url)) return;
  if (allowLocal && /^(file:\/\/\/|http:\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?\/)/.test(url)) return;
  throw new StalledError(
    'The repository URL must be https:// or ssh, without credentials in it (give the token in ACTUATOR_GIT_TOKEN). http:// on loopback and file:// need --allow-local-remote.',
  );
}

/** Whether the remote will answer again by itself, or a person must act. */
export function classifyGitFailure(thrown: unknown, doing: string): Error {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const message = `${doing}: ${text}`;
  const needsPerson =
    /Authentication failed|could not read Username|repository .*not found|does not appear to be a git repository|Permission denied|access denied|\b(401|403|404)\b|mismatched algorithms|not allowed/i;
  return needsPerson.test(text) ? new StalledError(message, { cause: thrown }) : new TransientError(message, { cause: thrown });
}

export function isOid(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

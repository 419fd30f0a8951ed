/** The code host, when its credentials are given. */
import { access, constants, stat } from 'node:fs/promises';
import { createGithubClient, type GithubClient } from '../adapters/github/client.ts';
import { apiUrlOf } from '../adapters/github/addresses.ts';
import { createSignedPlacing } from '../adapters/github/commits.ts';
import { createGithubHost } from '../adapters/github/code-host.ts';
import { repositoryName } from '../adapters/github/delivery.ts';
import { classifyGithubFailure } from '../adapters/github/failures.ts';
import { statusBranchName } from '../adapters/git/mirror.ts';
import type { GithubCredentials } from '../adapters/github/octokit.ts';
import { messageOf, StalledError } from '../base/failures.ts';
import type { CodeHost } from '../ports/code-host.ts';
import type { Log } from '../ports/log.ts';
import type { GithubFlags, ServeOptions } from '../ports/programs.ts';
import type { PlaceCommit } from '../ports/repository.ts';

export interface Github {
  readonly host: CodeHost;
  /** For git, by the same credentials. */
  readonly gitToken: GithubClient['gitToken'];
  /** Null: our commits are built here. */
  readonly place: PlaceCommit | null;
}

const timeoutMs = 15_000;

/** Null where no credentials are given. Throws StalledError when they don't fit together. */
export async function openGithub(options: ServeOptions, log: Log): Promise<Github | null> {
  const { github, repository, branch } = options;
  const credentials = credentialsOf(github);
  checkSigning(options, credentials);
  if (credentials === null) return null;
  // Better now than at the first revert. It is read when it is needed, so that a key can be rotated.
  await checkSecretFile(credentials.kind === 'app' ? credentials.keyFile : credentials.file, log);
  const [owner, repo, ...more] = (github.repository ?? repositoryName(repository) ?? '').split('/');
  if (!owner || !repo || more.length > 0)
    throw new StalledError('The name of the repository at GitHub is not in its address; give it with --github-repository owner/name.');
  const baseUrl = checkedUrl(github.url ?? apiUrlFor(repository));
  const isPaced = !isLoopbackUrl(baseUrl);
  const client = createGithubClient({ baseUrl, owner, repo, credentials, isPaced, timeoutMs });
  return {
    host: createGithubHost(client, { owner, repo, baseUrl, branch, statusBranch: statusBranchName }),
    async gitToken() {
      try {
        return await client.gitToken();
      } catch (thrown) {
        throw classifyGithubFailure(thrown, 'a token for git');
      }
    },
    place: github.signsCommits ? createSignedPlacing(client, { owner, repo }) : null,
  };
}

function checkSigning({ github, signingKeyFile }: ServeOptions, credentials: GithubCredentials | null): void {
  if (!github.signsCommits) return;
  if (credentials?.kind !== 'app')
    throw new StalledError(
      '--github-signed-commits needs a GitHub App (--github-app-id, --github-app-key-file): GitHub signs nothing for tokens.',
    );
  if (signingKeyFile !== null) throw new StalledError('Give either --signing-key or --github-signed-commits, not both.');
}

/** Throws StalledError when it can't be read. Orchestrators mount secrets for everybody in a container, so that is only told. */
export async function checkSecretFile(file: string, log: Log): Promise<void> {
  try {
    await access(file, constants.R_OK);
    const { mode } = await stat(file);
    if ((mode & 0o007) !== 0)
      log.warn({ file, mode: (mode & 0o777).toString(8) }, 'a secret can be read by everybody on this machine; chmod 600 it');
  } catch (thrown) {
    throw new StalledError(`A secret can't be read: ${messageOf(thrown)}`);
  }
}

function credentialsOf({ tokenFile, appId, appKeyFile, installation }: GithubFlags): GithubCredentials | null {
  if (tokenFile !== null && (appId !== null || appKeyFile !== null))
    throw new StalledError('Give either --github-token-file, or --github-app-id with --github-app-key-file, not both.');
  if (tokenFile !== null) return { kind: 'token', file: tokenFile };
  if (appId === null && appKeyFile === null) return null;
  if (appId === null || appKeyFile === null) throw new StalledError('A GitHub App needs both --github-app-id and --github-app-key-file.');
  return { kind: 'app', appId, keyFile: appKeyFile, installation };
}

function apiUrlFor(remote: string): string {
  const scp = /^[^/@]+@([^/:]+):/.exec(remote)?.[1];
  const host = scp ?? (URL.canParse(remote) ? new URL(remote).hostname : '');
  if (host === '') throw new StalledError('The address of --repo names no host; say with --github-url where the API of GitHub is.');
  return apiUrlOf(host);
}

function checkedUrl(url: string): string {
  const isGood = URL.canParse(url) && (url.startsWith('https://') || isLoopbackUrl(url));
  if (!isGood)
    throw new StalledError(`"${url}" is no address of GitHub's API; it must be https, such as https://github.example.com/api/v3.`);
  return url.replace(/\/+$/, '');
}

function isLoopbackUrl(url: string): boolean {
  return /^http:\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(\/|$)/.test(url);
}

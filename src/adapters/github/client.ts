/** Asking GitHub: by present credentials, and not before the time that a limit names. */
import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import { StalledError, TransientError } from '../../base/failures.ts';
import type { Instant } from '../../base/time.ts';
import { isRateLimit, isStatus } from './failures.ts';
import { createConnection, GoneInstallationError, secret, type Connection, type GithubOptions } from './octokit.ts';

export interface GithubClient {
  /** Runs with present credentials; once more with those that the file holds by then when they are refused. */
  ask<T>(work: (octokit: Octokit) => Promise<T>): Promise<T>;
  /** For git over https. */
  gitToken(): Promise<string>;
  /** Our own login. */
  login(): Promise<string>;
  /** Of the app's installation; null: a token does not tell. */
  permissions(): Promise<Readonly<Record<string, unknown>> | null>;
  /** The same for what people only read: a limit that it runs into keeps nothing else waiting, unless no request is left at all. */
  readonly forReports: GithubClient;
}

/** No requests before; 0: now. */
interface Limits {
  all: Instant;
  reports: Instant;
}

export function createGithubClient(options: GithubOptions): GithubClient {
  const connection = createConnection(options);
  const limits: Limits = { all: 0, reports: 0 };
  let ownLogin: string | null = null;
  const viewOf = (scope: keyof Limits, forReports: () => GithubClient): GithubClient => {
    const ask: GithubClient['ask'] = (work) => askWithin(options, connection, limits, scope, work);
    return {
      ask,
      gitToken() {
        const { credentials } = options;
        // Read each time: git's own failures do not come by here.
        if (credentials.kind === 'token') return secret(credentials.file);
        // Whatever limit there is, git may go on with the token that we have.
        return attempt(options, connection, async (client) => (await installationOf(client)).token);
      },
      async login() {
        ownLogin ??= await ask(async (client) => {
          if (options.credentials.kind === 'token') return (await client.rest.users.getAuthenticated()).data.login;
          return `${(await client.rest.apps.getAuthenticated()).data?.slug ?? ''}[bot]`;
        });
        return ownLogin;
      },
      permissions() {
        if (options.credentials.kind === 'token') return Promise.resolve(null);
        // A token keeps the permissions that it was made with.
        return ask(async (client) => (await installationOf(client, true)).permissions);
      },
      get forReports() {
        return forReports();
      },
    };
  };
  const reports: GithubClient = viewOf('reports', () => reports);
  return viewOf('all', () => reports);
}

async function askWithin<T>(
  options: GithubOptions,
  connection: Connection,
  limits: Limits,
  scope: keyof Limits,
  work: (octokit: Octokit) => Promise<T>,
): Promise<T> {
  const until = Math.max(limits.all, limits[scope]);
  if (Date.now() < until)
    throw new TransientError(`GitHub wants to be asked nothing before ${new Date(until).toISOString()} (a rate limit)`);
  try {
    return await attempt(options, connection, work);
  } catch (thrown) {
    const { at, isOfAll } = limitOf(thrown);
    const limited = isOfAll ? 'all' : scope;
    limits[limited] = Math.max(limits[limited], at);
    throw thrown;
  }
}

async function attempt<T>(options: GithubOptions, connection: Connection, work: (octokit: Octokit) => Promise<T>): Promise<T> {
  try {
    return await work(await connection.octokit());
  } catch (thrown) {
    if (!isStatus(thrown, 401) && !(thrown instanceof GoneInstallationError)) throw thrown;
  }
  // Rotated or installed anew meanwhile: the file has the new key, GitHub the new installation.
  connection.reconnect();
  try {
    return await work(await connection.octokit());
  } catch (thrown) {
    if (!(thrown instanceof GoneInstallationError)) throw thrown;
    throw new StalledError(
      `The GitHub App is not installed on ${options.owner}/${options.repo} any more; install it there, and leave --github-installation out or change it.`,
      { cause: thrown },
    );
  }
}

interface InstallationToken {
  readonly token: string;
  readonly permissions: Readonly<Record<string, unknown>>;
}

async function installationOf(octokit: Octokit, refresh = false): Promise<InstallationToken> {
  return (await octokit.auth({ type: 'installation', refresh })) as InstallationToken;
}

/** When a limit ends that we do not wait for; 0: it is none. Going on would get us banned. `isOfAll`: no request of any kind is left. */
function limitOf(thrown: unknown): { readonly at: Instant; readonly isOfAll: boolean } {
  if (!(thrown instanceof RequestError) || (thrown.status !== 403 && thrown.status !== 429) || !isRateLimit(thrown))
    return { at: 0, isOfAll: false };
  const { 'retry-after': after, 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset } = thrown.response?.headers ?? {};
  const isOfAll = remaining === '0';
  if (after !== undefined && Number(after) > 0) return { at: Date.now() + Number(after) * 1000, isOfAll };
  return { at: isOfAll && Number(reset) > 0 ? Number(reset) * 1000 : Date.now() + 60_000, isOfAll };
}

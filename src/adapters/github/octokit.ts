/** Octokit as we use it: our credentials, patience with limits, conditional requests, and an end to every wait. */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createAppAuth } from '@octokit/auth-app';
import { retry } from '@octokit/plugin-retry';
import { throttling, type ThrottlingOptions } from '@octokit/plugin-throttling';
import { RequestError } from '@octokit/request-error';
import { Octokit } from '@octokit/rest';
import type { EndpointDefaults, OctokitResponse } from '@octokit/types';
import { messageOf, StalledError, TransientError } from '../../base/failures.ts';
import { isObject } from '../../base/json.ts';
import { LRUMap } from '../../base/lru.ts';
import { isStatus } from './failures.ts';

export type GithubCredentials =
  | { readonly kind: 'token'; readonly file: string }
  /** `installation`: null: looked up by the repository. */
  | { readonly kind: 'app'; readonly appId: string; readonly keyFile: string; readonly installation: number | null };

export interface GithubOptions {
  /** Of the API: `https://api.github.com`, or `https://<host>/api/v3` of an Enterprise server. */
  readonly baseUrl: string;
  readonly owner: string;
  readonly repo: string;
  readonly credentials: GithubCredentials;
  /** GitHub asks for a second between writes; a stand-in on loopback does not. */
  readonly isPaced: boolean;
  /** For one answer, in milliseconds. */
  readonly timeoutMs: number;
}

const ClientWithPlugins = Octokit.plugin(throttling, retry);
/** Answers kept for conditional requests, which cost nothing of the rate limit. */
const answersKept = 5000;
const longestRateLimitWaitS = 30;

export interface Connection {
  octokit(): Promise<Octokit>;
  /** With what the file holds by now, to the installation that there is by now. */
  reconnect(): void;
}

export function createConnection(options: GithubOptions): Connection {
  const answers = new LRUMap<string, Answer>(answersKept);
  let connected: Promise<Octokit> | null = null;
  return {
    octokit() {
      connected ??= connect(options, answers).catch((thrown: unknown) => {
        connected = null;
        throw thrown;
      });
      return connected;
    },
    reconnect() {
      connected = null;
    },
  };
}

/** A token was asked for, of an installation that is no more; what it was wanted for is not known not to be there. */
export class GoneInstallationError extends Error {
  override readonly name = 'GoneInstallationError';
}

async function tellingGoneInstallation(send: Send, request: Sent): Promise<Answered> {
  try {
    return await send(request);
  } catch (thrown) {
    const isOfToken = thrown instanceof RequestError && thrown.request.url.endsWith('/access_tokens');
    throw isOfToken && thrown.status === 404 ? new GoneInstallationError(thrown.message, { cause: thrown }) : thrown;
  }
}

interface Answer {
  readonly etag: string;
  readonly response: OctokitResponse<unknown>;
}

async function connect(options: GithubOptions, answers: LRUMap<string, Answer>): Promise<Octokit> {
  const { credentials } = options;
  if (credentials.kind === 'token') return create(options, { auth: await secret(credentials.file) }, answers);
  const app = { appId: credentials.appId, privateKey: await privateKey(credentials.keyFile) };
  const installationId = credentials.installation ?? (await findInstallation(create(options, appAuth(app), answers), options));
  return create(options, appAuth({ ...app, installationId }), answers);
}

function appAuth(auth: object): object {
  return { authStrategy: createAppAuth, auth };
}

export async function secret(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    throw new StalledError(`GitHub's credentials can't be read: ${messageOf(thrown)}`);
  });
  if (text.trim() === '') throw new StalledError(`${file} is empty; it must hold the token, or the private key of the app.`);
  return text.trim();
}

async function privateKey(file: string): Promise<string> {
  const text = await secret(file);
  try {
    createPrivateKey(text);
    return text;
  } catch (thrown) {
    throw new StalledError(`${file} holds no private key; it must be the .pem that GitHub made for the app.`, { cause: thrown });
  }
}

async function findInstallation(octokit: Octokit, { owner, repo, baseUrl }: GithubOptions): Promise<number> {
  try {
    const answer: unknown = (await octokit.rest.apps.getRepoInstallation({ owner, repo })).data;
    const id = isObject(answer) ? answer['id'] : undefined;
    if (typeof id === 'number') return id;
    throw new StalledError(`${baseUrl} does not answer as GitHub's API does; see --github-url.`);
  } catch (thrown) {
    if (!isStatus(thrown, 404)) throw thrown;
    throw new StalledError(`The GitHub App is not installed on ${owner}/${repo}; install it there.`, { cause: thrown });
  }
}

function create(options: GithubOptions, auth: object, answers: LRUMap<string, Answer>): Octokit {
  const mayWait = (retryAfter: number, _options: object, _octokit: object, retryCount: number): boolean =>
    retryAfter <= longestRateLimitWaitS && retryCount < 2;
  const octokit = new ClientWithPlugins({
    ...auth,
    baseUrl: options.baseUrl,
    userAgent: 'actuator',
    request: { fetch: (url: string, init: RequestInit) => fetchInTime(url, init, options.timeoutMs) },
    throttle: {
      onRateLimit: mayWait,
      onSecondaryRateLimit: mayWait,
      ...(options.isPaced ? {} : { write: unpaced, notifications: unpaced }),
    },
    retry: { retries: 2, ...(options.isPaced ? {} : { retryAfterBaseValue: 50 }) },
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  octokit.hook.before('request', (request) => {
    // What has been written although the answer was lost must not be written twice: we look before we write again.
    if (request.method !== 'GET') request.request = { ...request.request, retries: 0 };
  });
  octokit.hook.wrap('request', (send, request) => conditionally(answers, send, request));
  octokit.hook.wrap('request', (send, request) => tellingGoneInstallation(send, request));
  return octokit;
}

/** In the place of the groups of the throttling plugin. */
const unpaced = {
  key: () => ({ schedule: (_options: object, work: () => Promise<unknown>): Promise<unknown> => work() }),
} as unknown as NonNullable<ThrottlingOptions['write']>;

type Sent = Required<EndpointDefaults>;
type Answered = OctokitResponse<unknown>;
type Send = (request: Sent) => Answered | Promise<Answered>;

/** Nothing new is a good answer: 304 comes as an error, and the answer before it holds on. */
async function conditionally(answers: LRUMap<string, Answer>, send: Send, request: Sent): Promise<Answered> {
  if (request.method !== 'GET') return send(request);
  // By its parameters too: one route stands for many addresses.
  const { headers: _headers, request: _request, ...identity } = request;
  const key = JSON.stringify(identity);
  const known = answers.get(key);
  // In place: the hooks inside of this one get the request itself, whatever is passed on.
  if (known !== undefined) request.headers['if-none-match'] = known.etag;
  try {
    const response = await send(request);
    const { etag } = response.headers;
    if (etag !== undefined) answers.set(key, { etag, response });
    return response;
  } catch (thrown) {
    if (known === undefined || !isStatus(thrown, 304)) throw thrown;
    return known.response;
  }
}

async function fetchInTime(url: string, init: RequestInit, timeoutMs: number): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'TimeoutError')
      throw new TransientError(`no answer from ${new URL(url).host} within ${timeoutMs} ms`, { cause: thrown });
    throw thrown;
  }
}

/**
 * A stand-in for GitHub on loopback: its REST API as far as we use it, over a real bare repository. For the demonstration and the tests.
 * It keeps state, refuses what GitHub refuses, and sends webhooks; the tests hold it to GitHub's own description.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { appRoute, botLogin, loginOf, newApp, type App } from './app.ts';
import { openBare } from './bare.ts';
import { refusal, type Answer, type Call } from './call.ts';
import { graphql } from './graphql.ts';
import { routes } from './routes.ts';
import { newId, type Rules, type State, type User } from './state.ts';

export interface Exchange {
  /** `GET /repos/{owner}/{repo}`: an operation of GitHub's description, or `POST /graphql`; null: none of it. */
  readonly operation: string | null;
  readonly query: Readonly<Record<string, string>>;
  readonly requestBody: unknown;
  readonly status: number;
  readonly body: unknown;
  /** Made up by a test. */
  readonly isFailure: boolean;
  readonly login: string | null;
}

export interface Failure {
  /** Only of operations that contain this. */
  readonly of?: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
  /** How often; left out: until it is taken away. */
  readonly times?: number;
  /** The work is done all the same: its answer is lost. */
  readonly afterwards?: true;
  /** Answered after this long. */
  readonly delayMs?: number;
}

export interface FakeGithub {
  /** Of the API, as an Enterprise server has it. */
  readonly baseUrl: string;
  readonly state: State;
  readonly app: { readonly id: string; readonly privateKey: string };
  /** A token of the user's. */
  tokenOf(login: string): string;
  addUser(user: Partial<User> & Pick<User, 'login'>): void;
  /** Also puts the rule on pushes. */
  protect(rules: Partial<Rules>): Promise<void>;
  /** Null: answers as it should again. */
  fail(failure: Failure | null): void;
  /** From now on there is no such commit for statuses and deployments. */
  failCommit(sha: string): void;
  /** Makes the private key of the app useless, and makes a new one. */
  rotateKey(): string;
  onExchange(hook: (exchange: Exchange) => void): void;
  /** Tells of pushes and reviews. */
  setWebhook(url: string, secret: string): void;
  exchanges(): number;
  close(): Promise<void>;
}

export async function startFakeGithub(bareDirectory: string, owner: string, repo: string): Promise<FakeGithub> {
  const state: State = {
    owner,
    repo,
    url: '',
    bare: openBare(bareDirectory),
    users: new Map(),
    tokens: new Map(),
    pulls: [],
    statuses: [],
    deployments: [],
    permissions: { contents: 'write', pull_requests: 'write', statuses: 'write', deployments: 'write' },
    rules: { branch: null, approvals: 0, allowsAutoMerge: true, methods: ['merge', 'squash', 'rebase'] },
    verified: new Set(),
    signsForApps: true,
    labels: null,
    gone: new Set(),
    nextId: 1000,
  };
  const app = newApp();
  const addUser: FakeGithub['addUser'] = ({ login, ...rest }) =>
    void state.users.set(login, {
      id: newId(state),
      login,
      name: login,
      email: `${login}@example.com`,
      type: 'User',
      permission: 'write',
      teams: [],
      ...rest,
    });
  addUser({ login: botLogin, type: 'Bot' });
  addUser({ login: 'web-flow', email: 'noreply@github.com', permission: 'none' });
  let failure: (Failure & { left: number }) | null = null;
  let onExchange = (_exchange: Exchange): void => undefined;
  let webhook: { readonly url: string; readonly secret: string } | null = null;
  let exchanges = 0;

  const tell = (event: string, payload: object): void => {
    if (webhook !== null) void deliver(webhook, event, payload);
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    exchanges++;
    const asked = await read(request);
    const login = loginOf(state, app, request.headers.authorization ?? '');
    const failing = takeFailure(asked.operation ?? '');
    const isLost = failing !== null && failing.afterwards !== true;
    const given = isLost ? failed(failing) : await act({ state, app, tell }, asked, login);
    const { answer: sent, headers } = paged(request, failing === null ? given : failed(failing), state);
    if (failing?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, failing.delayMs));
    const { operation, query, requestBody } = asked;
    const exchange = { operation, query: Object.fromEntries(query), requestBody, body: sent.body, isFailure: failing !== null, login };
    reply(request, response, sent, { ...headers, ...failing?.headers }, (status) => onExchange({ ...exchange, status }));
  }

  function takeFailure(operation: string): Failure | null {
    if (failure === null || !operation.includes(failure.of ?? '')) return null;
    const taken = failure;
    taken.left--;
    if (taken.left <= 0) failure = null;
    return taken;
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((thrown: unknown) => {
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: String(thrown) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    baseUrl: `${state.url}/api/v3`,
    state,
    app,
    tokenOf(login) {
      const token = `ghp_${createHash('sha256').update(login).digest('hex').slice(0, 36)}`;
      state.tokens.set(token, login);
      return token;
    },
    addUser,
    async protect(rules) {
      state.rules = { ...state.rules, ...rules };
      await state.bare.protect(state.rules.branch);
    },
    fail: (given) => {
      failure = given === null ? null : { ...given, left: given.times ?? Infinity };
    },
    failCommit: (sha) => void state.gone.add(sha),
    rotateKey: () => app.rotate(),
    onExchange: (hook) => {
      onExchange = hook;
    },
    setWebhook: (url, secret) => {
      webhook = { url, secret };
    },
    exchanges: () => exchanges,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Asked {
  readonly operation: string | null;
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly requestBody: unknown;
  readonly isGraphql: boolean;
}

async function read(request: IncomingMessage): Promise<Asked> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const text = await bodyOf(request);
  const found = match(`${request.method ?? ''} ${url.pathname.replace(/^\/api\/v3/, '')}`);
  const isGraphql = url.pathname === '/api/graphql';
  return {
    operation: isGraphql ? 'POST /graphql' : (found?.operation ?? null),
    path: found?.path ?? {},
    query: url.searchParams,
    requestBody: text === '' ? null : (JSON.parse(text) as unknown),
    isGraphql,
  };
}

async function act(
  { state, app, tell }: { readonly state: State; readonly app: App; readonly tell: Call['tell'] },
  { operation, path, query, requestBody, isGraphql }: Asked,
  login: string | null,
): Promise<Answer> {
  if (login === null) return refusal(401, 'Bad credentials');
  const body = (requestBody ?? {}) as Readonly<Record<string, unknown>>;
  if (isGraphql) return graphql(body, state);
  const ofApp = appRoute(state, app, operation ?? '', login);
  if (ofApp !== null) return ofApp;
  const route = operation === null ? undefined : routes[operation];
  return route === undefined ? refusal(404, 'Not Found') : route({ state, login, path, query, body, tell });
}

function match(target: string): { readonly operation: string; readonly path: Readonly<Record<string, string>> } | null {
  const [method = '', path = ''] = target.split(' ');
  const operations = [
    ...Object.keys(routes),
    'GET /app',
    'POST /app/installations/{installation_id}/access_tokens',
    'GET /repos/{owner}/{repo}/installation',
  ];
  // The longest template that fits: `/commits/{ref}` also fits what comes below it.
  const found = operations
    .flatMap((operation) => {
      const [ofMethod = '', template = ''] = operation.split(' ');
      if (ofMethod !== method) return [];
      const found = new RegExp(`^${template.replace(/\{(path|ref)\}$/, '(?<$1>.+)').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`).exec(path);
      return found === null ? [] : [{ operation, groups: found.groups ?? {} }];
    })
    .sort((a, b) => b.operation.length - a.operation.length)[0];
  if (found === undefined) return null;
  const decoded = Object.entries(found.groups).map(([name, value]) => [name, decodeURIComponent(value)] as const);
  return { operation: found.operation, path: Object.fromEntries(decoded) };
}

function failed({ status, message = 'made to fail' }: Failure): Answer {
  return refusal(status, message);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** A page of a list, with the address of the next one. */
function paged(
  request: IncomingMessage,
  answer: Answer,
  state: State,
): { readonly answer: Answer; readonly headers: Readonly<Record<string, string>> } {
  if (request.method !== 'GET' || !Array.isArray(answer.body)) return { answer, headers: {} };
  const url = new URL(request.url ?? '/', state.url);
  const [size, page] = [Number(url.searchParams.get('per_page') ?? 30), Number(url.searchParams.get('page') ?? 1)];
  const body: unknown[] = answer.body.slice((page - 1) * size, page * size);
  url.searchParams.set('page', String(page + 1));
  const isLast = page * size >= answer.body.length;
  return { answer: { ...answer, body }, headers: isLast ? {} : { link: `<${url.href}>; rel="next"` } };
}

/** With an entity tag, by which a client learns that nothing has changed. */
function reply(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body }: Answer,
  headers: Readonly<Record<string, string>>,
  sent: (status: number) => void,
): void {
  const text = body === undefined ? '' : JSON.stringify(body);
  const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"`;
  const isSame = request.method === 'GET' && status === 200 && request.headers['if-none-match'] === etag;
  response.writeHead(isSame ? 304 : status, {
    'content-type': 'application/json; charset=utf-8',
    ...(status === 200 ? { etag } : {}),
    ...headers,
  });
  response.end(isSame ? '' : text);
  sent(isSame ? 304 : status);
}

async function deliver({ url, secret }: { readonly url: string; readonly secret: string }, event: string, payload: object): Promise<void> {
  const body = JSON.stringify(payload);
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  await fetch(url, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-github-event': event,
      'x-github-delivery': randomBytes(8).toString('hex'),
      'x-hub-signature-256': signature,
    },
    // A delivery that gets lost is what the poll is for.
  }).catch(() => undefined);
}

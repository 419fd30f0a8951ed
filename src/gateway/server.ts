/** The data plane's HTTP server: who may call what, and within which limits. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { messageOf } from '../base/failures.ts';
import type { Feedback } from '../generated/types.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentTable } from './assignment-table.ts';
import type { Client, ClientKeys } from './client-keys.ts';
import { endpoints } from './endpoints.ts';
import { sendRefusal } from './failure.ts';
import type { FeedbackDesk } from './feedback.ts';
import { serveModelRequest, type ModelRequestDeps } from './model-request.ts';
import { evaluateAllFlags, evaluateFlag, type OfrepReply } from './ofrep.ts';

export interface ServerDeps extends ModelRequestDeps {
  readonly gateway: string;
  /** Names the data directory without showing its path: a control plane knows its own gateway by it. */
  readonly directoryId: string;
  readonly connected: () => boolean;
  readonly refusals: () => Readonly<Record<string, readonly string[]>>;
  /** Null: on loopback anybody may call. */
  readonly clientKeys: ClientKeys | null;
  readonly feedback: FeedbackDesk;
  /** Problems of a value that claims to be feedback. */
  readonly checkFeedback: (value: unknown) => readonly string[];
  /** The text for Prometheus: of this process, or of all workers. */
  readonly metricsText: () => Promise<string>;
  readonly log: Log;
}

/** Slow clients: all headers within 20 s, the whole request within 60 s, looked at each second. */
const limits = { maxHeaderSize: 32 * 1024, requestTimeout: 60_000, headersTimeout: 20_000, connectionsCheckingInterval: 1000 };
const mostConnections = 20_000;

export function createGatewayServer(deps: ServerDeps): Server {
  const server = createServer(limits, (request, response) => {
    response.on('error', () => response.destroy());
    answer(deps, request, response).catch((thrown: unknown) => {
      deps.log.error({ error: messageOf(thrown) }, 'request failed in the gateway');
      sendRefusal(response, {
        status: 500,
        code: 'internal',
        message: 'The gateway failed; the request was not answered.',
        source: 'gateway',
      });
    });
  });
  server.keepAliveTimeout = 65_000;
  server.maxConnections = mostConnections;
  return server;
}

async function answer(deps: ServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '/'] = (request.url ?? '/').split('?', 1);
  if (request.method === 'GET' && path === '/health') {
    sendJson(response, 200, health(deps, isFromLoopback(request)));
    return;
  }
  const client = deps.clientKeys === null ? null : findClient(deps.clientKeys, request);
  if (client === 'unknown') {
    const message = 'A client key is needed: Authorization: Bearer <key>, which OpenAI clients send as their apiKey.';
    sendRefusal(response, { status: 401, code: 'invalid_api_key', message, source: 'client' });
    return;
  }
  const endpoint = request.method === 'POST' ? endpoints.get(path) : undefined;
  if (endpoint !== undefined) return serveModelRequest(deps, endpoint, client, request, response);
  return answerOther(deps, `${request.method ?? ''} ${path}`, client, request, response);
}

async function answerOther(
  deps: ServerDeps,
  route: string,
  client: Client | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const model = /^GET \/v1\/models(?:\/([^/]+))?$/.exec(route);
  const flag = /^POST \/ofrep\/v1\/evaluate\/flags(?:\/([^/]+))?$/.exec(route);
  if (model !== null) sendModels(deps.table, client, decode(model[1]), response);
  else if (flag !== null) sendFlags(response, await evaluateFlags(deps, decode(flag[1]), client, request, response));
  else if (route === 'POST /v1/feedback') await takeFeedback(deps, request, response);
  else if (route === 'GET /metrics') {
    response.writeHead(200, { 'content-type': deps.metrics.registry.contentType });
    response.end(await deps.metricsText());
  } else if (route === 'GET /api/v1/routing/stats') sendJson(response, 200, routingStats(deps));
  else {
    const known = [...endpoints.keys()].join(', ');
    const message = `${route} is not served here. There is POST ${known}, /v1/feedback and /ofrep/v1/evaluate/flags, GET /v1/models, /health, /metrics and /api/v1/routing/stats.`;
    sendRefusal(response, { status: 404, code: 'unknown_route', message: message.slice(-600), source: 'client' });
  }
}

/** OpenAI's header, and those of Anthropic's and Azure's clients. */
function findClient(keys: ClientKeys, { headers }: IncomingMessage): Client | 'unknown' {
  const bearer = /^Bearer (\S{1,500})$/i.exec(headers.authorization ?? '')?.[1];
  const key = bearer ?? headers['x-api-key'] ?? headers['api-key'];
  return (typeof key === 'string' ? keys.find(key) : null) ?? 'unknown';
}

function isFromLoopback({ socket }: IncomingMessage): boolean {
  return /^(::1|(::ffff:)?127\.)/.test(socket.remoteAddress ?? '');
}

function decode(part: string | undefined): string | null {
  try {
    return part === undefined ? null : decodeURIComponent(part);
  } catch {
    return part ?? null;
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(`${JSON.stringify(value)}\n`);
}

function sendModels(table: AssignmentTable, client: Client | null, asked: string | null, response: ServerResponse): void {
  const names = table.names().filter((name) => client?.services?.has(name) !== false);
  const view = (id: string): object => ({ id, object: 'model', created: 0, owned_by: 'actuator' });
  if (asked === null) sendJson(response, 200, { object: 'list', data: names.map(view) });
  else if (names.includes(asked)) sendJson(response, 200, view(asked));
  else {
    const message = `There is no service ${JSON.stringify(asked.slice(0, 100))}.`;
    sendRefusal(response, { status: 404, code: 'model_not_found', message, source: 'client' });
  }
}

async function readJson(deps: ServerDeps, request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const read = await deps.bodies.read(request, response);
  try {
    return typeof read === 'string' ? null : (JSON.parse(read.toString('utf8')) as unknown);
  } catch {
    return null;
  }
}

async function evaluateFlags(
  deps: ServerDeps,
  flag: string | null,
  client: Client | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<OfrepReply> {
  const body = await readJson(deps, request, response);
  return flag === null ? evaluateAllFlags(deps, body, client, request.headers['if-none-match']) : evaluateFlag(deps, flag, body, client);
}

function sendFlags(response: ServerResponse, { status, body, etag }: OfrepReply): void {
  const headers = etag === undefined ? {} : { etag };
  if (body !== undefined) sendJson(response, status, body, headers);
  else response.writeHead(status, headers).end();
}

async function takeFeedback(deps: ServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const value = await readJson(deps, request, response);
  const problems = deps.checkFeedback(value);
  const taken =
    problems.length > 0
      ? ({ ok: false, error: { status: 400, code: 'invalid_feedback', message: problems.join(' '), source: 'client' } } as const)
      : deps.feedback.take(value as Feedback, deps.wallClock());
  if (taken.ok) sendJson(response, 200, { accepted: true });
  else {
    deps.metrics.refused(taken.error.code);
    sendRefusal(response, taken.error);
  }
}

/** From elsewhere only whether it is well: the rest is for those who run it. */
function health(deps: ServerDeps, isLocal: boolean): object {
  const services = deps.table.assignments().length;
  const status = Object.keys(deps.refusals()).length > 0 ? 'degraded' : services > 0 ? 'ok' : 'starting';
  if (!isLocal) return { status };
  return {
    status,
    gateway: deps.gateway,
    pid: process.pid,
    data_directory: deps.directoryId,
    control_plane: deps.connected() ? 'connected' : 'disconnected',
    canary_weights: deps.table.leaseIsValid() ? 'in force' : 'lapsed, serving stable',
    services,
    refused: deps.refusals(),
  };
}

function routingStats(deps: ServerDeps): object {
  const rows = deps.metrics.routing();
  const services = deps.table.assignments().map((assignment) => ({
    service: assignment.service,
    term: assignment.term,
    generation: assignment.generation,
    deployment_id: assignment.deployment_id,
    split: assignment.split,
    spent_today_usd: deps.ledger.spentToday(assignment.service, deps.wallClock()),
    variants: assignment.variants.map(({ serving: _serving, ...variant }) => variant),
    routes: rows.filter((row) => row.service === assignment.service),
  }));
  return { gateway: deps.gateway, lease_valid: deps.table.leaseIsValid(), services };
}

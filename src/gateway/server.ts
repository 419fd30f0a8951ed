/** The data plane's HTTP server. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { messageOf } from '../base/failures.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentTable } from './assignment-table.ts';
import { serveChat, type ChatDeps } from './chat.ts';
import { sendRefusal } from './failure.ts';

export interface ServerDeps extends ChatDeps {
  readonly gateway: string;
  /** Names the data directory without showing its path: a control plane knows its own gateway by it. */
  readonly directoryId: string;
  readonly connected: () => boolean;
  readonly refusals: () => Readonly<Record<string, readonly string[]>>;
  readonly log: Log;
}

export function createGatewayServer(deps: ServerDeps): Server {
  const server = createServer({ maxHeaderSize: 32 * 1024, requestTimeout: 60_000, headersTimeout: 20_000 }, (request, response) => {
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
  return server;
}

async function answer(deps: ServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?')[0];
  const route = `${request.method ?? ''} ${path ?? ''}`;
  switch (route) {
    case 'POST /v1/chat/completions':
      return serveChat(deps, request, response);
    case 'GET /v1/models': {
      sendJson(response, 200, modelList(deps.table));
      return;
    }
    case 'GET /health': {
      sendJson(response, 200, health(deps));
      return;
    }
    case 'GET /metrics':
      response.writeHead(200, { 'content-type': deps.metrics.registry.contentType });
      response.end(await deps.metrics.registry.metrics());
      return;
    case 'GET /api/v1/routing/stats': {
      sendJson(response, 200, routingStats(deps));
      return;
    }
    default: {
      const message = `${route} is not served here. There is POST /v1/chat/completions, GET /v1/models, /health, /metrics and /api/v1/routing/stats.`;
      sendRefusal(response, { status: 404, code: 'unknown_route', message: message.slice(0, 400), source: 'client' });
    }
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

function modelList(table: AssignmentTable): object {
  return { object: 'list', data: table.names().map((id) => ({ id, object: 'model', created: 0, owned_by: 'actuator' })) };
}

function health(deps: ServerDeps): object {
  const services = deps.table.assignments().length;
  return {
    status: Object.keys(deps.refusals()).length > 0 ? 'degraded' : services > 0 ? 'ok' : 'starting',
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
    split: assignment.split.method,
    variants: assignment.variants.map(({ name, weight, commit, digest }) => ({ name, weight, commit, digest })),
    routes: rows.filter((row) => row.service === assignment.service),
  }));
  return { gateway: deps.gateway, lease_valid: deps.table.leaseIsValid(), services };
}

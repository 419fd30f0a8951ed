/** The control plane's HTTP API. Every route names the role it needs; one that does not is a bug and fails at start. */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { messageOf, StalledError, TransientError } from '../base/failures.ts';
import { sha256Hex } from '../base/hash.ts';
import type { Problem } from '../base/problem.ts';
import type { Log } from '../ports/log.ts';
import type { Role } from '../ports/store.ts';
import { addEvidenceRoutes } from './evidence-routes.ts';
import { addAbTestRoutes } from './ab-test-routes.ts';
import { addHistoryRoutes } from './history-routes.ts';
import { addGatewayRoutes } from './gateway-routes.ts';
import { addOperatorRoutes } from './operator-routes.ts';
import { addPublicRoutes } from './public-routes.ts';
import { addTrafficRoutes } from './traffic-routes.ts';
import { addWebhookRoutes, type WebhookDeps } from './webhook-routes.ts';
import { sendProblems, type ApiDeps } from './routing.ts';

const bodyCap = 8 * 1024 * 1024;

export function createApi(deps: ApiDeps, webhooks: WebhookDeps | null): FastifyInstance {
  const api = fastify({ logger: false, bodyLimit: bodyCap, forceCloseConnections: true, return503OnClosing: false });
  api.decorateRequest('caller', null);
  api.addHook('onRoute', (route) => {
    if (route.config?.role === undefined) throw new Error(`${String(route.method)} ${route.url} names no role`);
  });
  api.addHook('onRequest', (request, reply) => authorize(deps, request, reply));
  api.setErrorHandler((error, _request, reply) => sendProblems(reply, statusOfError(error), [problemOfError(error, deps.log)]));
  api.setNotFoundHandler((request, reply) =>
    sendProblems(reply, 404, [{ code: 'not-found', message: `There is no ${request.method} ${request.url.slice(0, 200)}.` }]),
  );
  const registry = addPublicRoutes(api, deps);
  addOperatorRoutes(api, deps);
  addTrafficRoutes(api, deps);
  addEvidenceRoutes(api, deps);
  addHistoryRoutes(api, deps);
  addAbTestRoutes(api, deps);
  addGatewayRoutes(api, deps);
  addWebhookRoutes(api, deps, webhooks, registry);
  return api;
}

const ranks: Readonly<Record<Role, readonly Role[]>> = {
  viewer: ['viewer', 'operator', 'approver', 'admin'],
  operator: ['operator', 'admin'],
  approver: ['approver', 'admin'],
  admin: ['admin'],
  gateway: ['gateway'],
};

const noKey =
  'An API key is needed: on the command line --key-file, --data-dir or ACTUATOR_KEY, over HTTP the header Authorization: Bearer <key>. The first one is in admin.key in the data directory of the daemon.';

async function authorize(deps: ApiDeps, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  // The handler for unknown routes has no role either, and tells nothing.
  const role = request.routeOptions.config.role ?? 'public';
  if (role === 'public') return;
  const token = /^Bearer ([A-Za-z0-9_-]{16,200})$/.exec(request.headers.authorization ?? '')?.[1];
  // The hash is looked up, so its comparison needs no constant time.
  request.caller = token === undefined ? null : await deps.store.apiKey(sha256Hex(token));
  if (request.caller === null) {
    void reply.header('www-authenticate', 'Bearer');
    return sendProblems(reply, 401, [
      {
        code: 'unauthenticated',
        message:
          token === undefined
            ? noKey
            : 'This API key is not known here. Its daemon keeps the first one in admin.key in its data directory.',
      },
    ]);
  }
  if (ranks[role].includes(request.caller.role)) return;
  return sendProblems(reply, 403, [
    { code: 'forbidden', message: `This needs the role ${role}; the key "${request.caller.name}" has the role ${request.caller.role}.` },
  ]);
}

function statusOfError(error: unknown): number {
  if (error instanceof TransientError || error instanceof StalledError) return 503;
  const status = (error as { statusCode?: number }).statusCode;
  return status !== undefined && status < 500 ? status : 500;
}

function problemOfError(error: unknown, log: Log): Problem {
  const status = statusOfError(error);
  if (status === 503) return { code: 'unavailable', message: messageOf(error) };
  if (status < 500) return { code: 'bad-request', message: messageOf(error) };
  log.error({ error: messageOf(error) }, 'request failed');
  return { code: 'unavailable', message: 'The request failed inside the control plane; its log says why.' };
}

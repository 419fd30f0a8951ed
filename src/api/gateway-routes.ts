/** What gateways call: the assignment stream, acknowledgements, buckets. */
import type { FastifyInstance } from 'fastify';
import { actorOf, checkedBody, sendProblems, type ApiDeps } from './routing.ts';

const base = '/api/v1/gateway';
const gatewayName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function addGatewayRoutes(api: FastifyInstance, deps: ApiDeps): void {
  api.get<{ Querystring: { gateway?: string } }>(`${base}/assignments`, { config: { role: 'gateway' } }, async (request, reply) => {
    const name = request.query.gateway ?? '';
    if (!gatewayName.test(name))
      return sendProblems(reply, 400, [{ code: 'bad-request', message: 'Name the gateway: ?gateway=<letters, digits, dots, dashes>.' }]);
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    raw.flushHeaders();
    request.raw.socket.setNoDelay(true);
    // Listened for before anything is awaited: a socket that closes meanwhile must not stay connected in our eyes.
    const closed = new Promise<void>((resolve) => raw.on('close', resolve));
    const disconnect = await deps.controlPlane.connectGateway(name, ({ event, data }) => {
      if (!raw.destroyed) raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    });
    deps.log.info({ gateway: name, key: actorOf(request) }, 'gateway connected');
    await closed;
    disconnect();
    deps.log.info({ gateway: name }, 'gateway disconnected');
  });

  api.post(`${base}/acknowledgements`, { config: { role: 'gateway' } }, async (request, reply) => {
    const body = await checkedBody(deps, 'acknowledgement', request, reply);
    if (body === undefined) return;
    await deps.controlPlane.acknowledge(body);
    return reply.code(204).send();
  });

  api.post(`${base}/buckets`, { config: { role: 'gateway' } }, async (request, reply) => {
    const body = await checkedBody(deps, 'bucket-batch', request, reply);
    if (body === undefined) return;
    await deps.controlPlane.takeBuckets(body);
    return reply.code(204).send();
  });
}

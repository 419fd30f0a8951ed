/** Tests of several variants (guide 8.5). */
import type { FastifyInstance } from 'fastify';
import { startAbTest } from '../app/commands/deploy.ts';
import { promoteWinner } from '../app/commands/ab-tests.ts';
import { viewAbTest } from '../app/queries/ab-test-view.ts';
import { actorOf, checkedBody, sendResult, type ApiDeps } from './routing.ts';

const base = '/api/v1/actuator/ab-tests';

export function addAbTestRoutes(api: FastifyInstance, deps: ApiDeps): void {
  api.post(base, { config: { role: 'operator' } }, async (request, reply) => {
    const body = await checkedBody(deps, 'ab-test-request', request, reply);
    if (body === undefined) return;
    return sendResult(reply, await startAbTest(deps.deploy, body, actorOf(request)), 202);
  });
  type ById = { Params: { id: string } };
  api.get<ById>(`${base}/:id`, { config: { role: 'viewer' } }, async (request, reply) =>
    sendResult(reply, viewAbTest(deps.controlPlane, request.params.id, deps.clock.now()), 200),
  );
  api.post<ById>(`${base}/:id/promote`, { config: { role: 'operator' } }, async (request, reply) => {
    const body = await checkedBody(deps, 'ab-test-promotion', request, reply);
    if (body === undefined) return;
    const { engine, judging } = deps.controlPlane;
    return sendResult(reply, await promoteWinner({ engine, judging, clock: deps.clock }, request.params.id, body, actorOf(request)), 200);
  });
}

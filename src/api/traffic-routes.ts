/** Where requests went, and what people said about the answers. */
import type { FastifyInstance } from 'fastify';
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';
import type { ControlPlane } from '../app/control-plane.ts';
import { viewFeedback, viewHash, viewRouting, viewTraffic, type TrafficQuestion } from '../app/queries/traffic-view.ts';
import { sendProblems, sendResult, type ApiDeps } from './routing.ts';

const base = '/api/v1/actuator';
type View = (controlPlane: ControlPlane, question: TrafficQuestion) => Result<object, readonly Problem[]>;
const views: Readonly<Record<string, View>> = { 'traffic-stats': viewTraffic, 'hash-analysis': viewHash, 'routing-stats': viewRouting };

export function addTrafficRoutes(api: FastifyInstance, deps: ApiDeps): void {
  for (const [name, view] of Object.entries(views)) {
    api.get<{ Querystring: TrafficQuestion }>(`${base}/${name}`, { config: { role: 'viewer' } }, (request, reply) => {
      const { deployment_id: id, service } = request.query;
      if ((id === undefined) === (service === undefined))
        return sendProblems(reply, 400, [{ code: 'bad-request', message: 'Name either ?deployment_id=<id> or ?service=<name>.' }]);
      return sendResult(reply, view(deps.controlPlane, request.query), 200);
    });
  }
  api.get<{ Querystring: { service?: string } }>(`${base}/feedback`, { config: { role: 'viewer' } }, (request, reply) =>
    sendResult(reply, viewFeedback(deps.controlPlane, request.query.service ?? ''), 200),
  );
}

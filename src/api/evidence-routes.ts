/** What a verdict rests on, and what it still needs. */
import type { FastifyInstance } from 'fastify';
import { viewEvidence, viewSampleSize, type DeploymentQuestion } from '../app/queries/evidence-view.ts';
import { sendProblems, sendResult, type ApiDeps } from './routing.ts';

const base = '/api/v1/actuator';

export function addEvidenceRoutes(api: FastifyInstance, { controlPlane, clock }: ApiDeps): void {
  api.get<{ Querystring: DeploymentQuestion }>(`${base}/sample-size`, { config: { role: 'viewer' } }, async (request, reply) => {
    const { deployment_id: id, service } = request.query;
    if ((id === undefined) === (service === undefined))
      return sendProblems(reply, 400, [{ code: 'bad-request', message: 'Name either ?deployment_id=<id> or ?service=<name>.' }]);
    return sendResult(reply, await viewSampleSize(controlPlane, request.query, clock.now()), 200);
  });
  api.get<{ Params: { id: string } }>(`${base}/deployments/:id/evidence`, { config: { role: 'viewer' } }, async (request, reply) =>
    sendResult(reply, await viewEvidence(controlPlane, { deployment_id: request.params.id }), 200),
  );
}

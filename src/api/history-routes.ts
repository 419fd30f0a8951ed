/** What was, and what needs a person. */
import type { FastifyInstance } from 'fastify';
import { writtenMinutesToMs, type Instant } from '../base/time.ts';
import { findIssues, openPullRequests, pendingDeployments, safetyOf } from '../app/queries/attention.ts';
import { deploymentDiff, deploymentLog, listEnded, listRollbacks, rollbackDetails, type HistoryDeps } from '../app/queries/history.ts';
import { sendProblems, sendResult, type ApiDeps } from './routing.ts';

const base = '/api/v1/actuator';

export function addHistoryRoutes(api: FastifyInstance, deps: ApiDeps): void {
  const history: HistoryDeps = { store: deps.store, states: () => deps.controlPlane.engine.states() };
  const role = { config: { role: 'viewer' } } as const;
  type Since = { Querystring: { since?: string } };
  api.get<Since>(`${base}/deployments`, role, async (request, reply) => {
    const since = sinceOf(request.query.since, deps.clock.now());
    return since === null ? sendBadSince(reply) : { deployments: await listEnded(history, since) };
  });
  api.get<Since>(`${base}/rollbacks`, role, async (request, reply) => {
    const since = sinceOf(request.query.since, deps.clock.now());
    return since === null ? sendBadSince(reply) : { rollbacks: await listRollbacks(history, since) };
  });
  type ById = { Params: { id: string } };
  api.get<ById>(`${base}/rollbacks/:id`, role, async (request, reply) =>
    sendResult(reply, await rollbackDetails(history, request.params.id), 200),
  );
  api.get<ById>(`${base}/deployments/:id/log`, role, async (request, reply) => {
    const lines = await deploymentLog(history, request.params.id);
    return sendResult(reply, lines.ok ? { ok: true, value: { lines: lines.value } } : lines, 200);
  });
  api.get<ById>(`${base}/deployments/:id/diff`, role, async (request, reply) =>
    sendResult(reply, await deploymentDiff(history, request.params.id), 200),
  );
  api.get<ById>(`${base}/deployments/:id/safety`, role, async (request, reply) => {
    const state = history.states().find(({ active }) => active?.id === request.params.id);
    if (state?.active == null) return sendProblems(reply, 404, [{ code: 'not-found', message: `${request.params.id} is not under way.` }]);
    return { checks: await safetyOf(deps.controlPlane, deps.store, state.service, state.active) };
  });
  api.get(`${base}/approvals`, role, async () => ({
    pending: pendingDeployments(deps.controlPlane),
    ...(await openPullRequests(deps.deploy.codeHost)),
  }));
  api.get(`${base}/issues`, role, () => Promise.resolve({ issues: findIssues(deps.controlPlane, deps.clock.now()) }));
}

function sendBadSince(reply: Parameters<typeof sendProblems>[0]): Promise<void> {
  return sendProblems(reply, 400, [
    { code: 'bad-request', message: 'since takes a time such as 24h or 7d, or a moment such as 2026-11-24T10:00:00Z.' },
  ]);
}

/** A span back from now, or a moment; left out: everything. Null: neither. */
function sinceOf(written: string | undefined, now: Instant): Instant | null {
  if (written === undefined) return 0;
  if (/^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$/.test(written)) return now - writtenMinutesToMs(written);
  const at = Date.parse(written);
  return Number.isNaN(at) ? null : at;
}

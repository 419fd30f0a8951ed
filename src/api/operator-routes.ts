/** What people and their tools call. Paths are those of the guide (4.2, 7). */
import type { FastifyInstance } from 'fastify';
import { sha256Hex } from '../base/hash.ts';
import { toIso } from '../base/time.ts';
import { deploy } from '../app/commands/deploy.ts';
import { approve, turnDown } from '../app/commands/approvals.ts';
import { reviewPullRequest } from '../app/commands/pull-request-approvals.ts';
import { operate } from '../app/commands/operate.ts';
import { orders, type OrderName } from '../app/commands/orders.ts';
import { rollBackDeployment } from '../app/commands/roll-back.ts';
import { withoutMoment } from '../app/publication/render.ts';
import { viewService, type ServiceView } from '../app/queries/service-view.ts';
import type { ServiceState } from '../domain/rollout/state.ts';
import { actorOf, checkedBody, sendProblems, sendResult, type ApiDeps } from './routing.ts';

const base = '/api/v1/actuator';

export function addOperatorRoutes(api: FastifyInstance, deps: ApiDeps): void {
  addQueries(api, deps);
  addRecords(api, deps);
  addCommands(api, deps);
  addApprovals(api, deps);
}

function views(deps: ApiDeps): ServiceView[] {
  const now = deps.clock.now();
  return deps.controlPlane.engine.states().map((state) => viewService(deps.controlPlane, state, now, deps.term));
}

function addQueries(api: FastifyInstance, deps: ApiDeps): void {
  const { engine, reconciler, fleet } = deps.controlPlane;
  api.get<{ Querystring: { service?: string } }>(`${base}/status`, { config: { role: 'viewer' } }, async (request, reply) => {
    const asked = request.query.service;
    if (asked !== undefined && engine.state(asked) === undefined) {
      return sendProblems(reply, 404, [{ code: 'not-found', message: `There is no service "${asked}".` }]);
    }
    const problems = deps.controlPlane.problems();
    return {
      head: reconciler.head(),
      problems: {
        repository: problems.repository,
        publication: problems.publication,
        effects: problems.effects,
        code_host: problems.codeHost,
        settings: problems.settings,
      },
      gateways: fleet.known().map(({ gateway, connected, leaseUntil }) => ({ gateway, connected, lease_until: toIso(leaseUntil) })),
      services: views(deps).filter((view) => asked === undefined || view.service === asked),
    };
  });
  api.get(`${base}/list-active`, { config: { role: 'viewer' } }, () => ({
    services: views(deps).filter((view) => view.deployment !== null),
  }));
}

function addRecords(api: FastifyInstance, deps: ApiDeps): void {
  const { engine } = deps.controlPlane;
  api.get<{ Params: { id: string } }>(`${base}/deployments/:id`, { config: { role: 'viewer' } }, async (request, reply) => {
    const { id } = request.params;
    const view = views(deps).find((candidate) => candidate.deployment?.deployment_id === id || candidate.last_deployment?.id === id);
    if (view === undefined)
      return sendProblems(reply, 404, [
        {
          code: 'not-found',
          message: `Deployment ${id} is neither under way nor the last of its service; its record is on the branch actuator/status.`,
        },
      ]);
    return view;
  });
  api.get<{ Params: { id: string } }>(`${base}/rollback/status/:id`, { config: { role: 'viewer' } }, async (request, reply) => {
    const status = rollbackStatus(engine.states(), request.params.id.replace(/^rollback-/, ''));
    return (
      status ??
      sendProblems(reply, 404, [
        { code: 'not-found', message: `There is no rollback of ${request.params.id} under way, nor as the last of its service.` },
      ])
    );
  });
  api.get<{ Querystring: { after?: string } }>(`${base}/events`, { config: { role: 'viewer' } }, async (request) => {
    const after = Math.max(0, Number(request.query.after ?? 0) || 0);
    const rows = await deps.store.journal(after, 500);
    return {
      events: rows.map((row) => ({
        position: row.position,
        at: toIso(row.at),
        at_ms: row.at,
        service: row.service,
        actor: row.actor,
        event: withoutMoment(row.event),
        phase: row.stateAfter.active?.phase.name ?? 'idle',
        message: row.message,
      })),
    };
  });
}

const rollbackWords: Readonly<Record<string, string>> = {
  'rolling-back': 'in_progress',
  recovering: 'in_progress',
  'rolled-back': 'completed',
  held: 'held',
};

function rollbackStatus(states: readonly ServiceState[], id: string): object | null {
  const state = states.find(({ active, last }) => active?.id === id || last?.id === id);
  const phase = state?.active?.id === id ? state.active.phase.name : state?.last?.phase;
  const status = rollbackWords[phase ?? ''];
  if (state === undefined || status === undefined) return null;
  const revertCommit = state.last?.id === id ? state.last.revertCommit : null;
  return { rollback_id: `rollback-${id}`, deployment_id: id, service: state.service, status, phase, revert_commit: revertCommit };
}

function addCommands(api: FastifyInstance, deps: ApiDeps): void {
  const { engine, reconciler } = deps.controlPlane;
  api.post(`${base}/deploy`, { config: { role: 'operator' } }, async (request, reply) => {
    const body = await checkedBody(deps, 'deploy-request', request, reply);
    if (body === undefined) return;
    return sendResult(reply, await deploy(deps.deploy, body, actorOf(request)), 202);
  });
  api.post(`${base}/rollback`, { config: { role: 'viewer' } }, async (request, reply) => {
    const body = await checkedBody(deps, 'rollback-request', request, reply);
    if (body === undefined || request.caller === null) return;
    if (request.caller.role === 'viewer')
      return sendProblems(reply, 403, [{ code: 'forbidden', message: 'A rollback needs the role operator or approver.' }]);
    const result = await rollBackDeployment({ ...deps, engine, reconciler, read: deps.deploy.read }, body, request.caller);
    return sendResult(
      reply,
      result.ok ? { ok: true, value: { ...result.value, rollback_id: `rollback-${result.value.deployment_id ?? ''}` } } : result,
      202,
    );
  });
  for (const [name, { role }] of Object.entries(orders)) {
    api.post(`${base}/${name}`, { config: { role } }, async (request, reply) => {
      const body = await checkedBody(deps, 'operator-command', request, reply);
      if (body === undefined) return;
      const result = await operate({ engine, clock: deps.clock }, name as OrderName, body, actorOf(request));
      // What left quarantine is on the branch still: it is looked at anew.
      if (result.ok && name === 'retry') deps.controlPlane.poll();
      return sendResult(reply, result, 200);
    });
  }
  api.post(`${base}/keys`, { config: { role: 'admin' } }, async (request, reply) => {
    const body = await checkedBody(deps, 'key-request', request, reply);
    if (body === undefined) return;
    const key = deps.newKey();
    await deps.store.addApiKey(sha256Hex(key), body);
    // Shown once: the store keeps its hash.
    return reply.code(201).send({ ...body, key });
  });
  api.post<{ Querystring: { accept?: string } }>(`${base}/resync`, { config: { role: 'admin' } }, async (request, reply) => {
    const commit = request.query.accept ?? '';
    if (!/^[0-9a-f]{40}$/.test(commit))
      return sendProblems(reply, 400, [
        { code: 'bad-request', message: 'Name the commit to accept in full, by its 40 hexadecimal digits.' },
      ]);
    const problem = reconciler.acceptHead(commit);
    if (problem !== null) return sendProblems(reply, 409, [problem]);
    deps.controlPlane.poll();
    return reply.code(202).send({ accepted: commit });
  });
}

function addApprovals(api: FastifyInstance, deps: ApiDeps): void {
  const { engine } = deps.controlPlane;
  for (const [name, order] of [
    ['approve', approve],
    ['reject', turnDown],
  ] as const) {
    api.post(`${base}/${name}`, { config: { role: 'approver' } }, async (request, reply) => {
      const body = await checkedBody(deps, 'approval-request', request, reply);
      if (body === undefined) return;
      const approving = { engine, clock: deps.clock, people: deps.controlPlane.people, store: deps.store };
      const { pull_request: number } = body;
      if (number === undefined) return sendResult(reply, await order(approving, body, actorOf(request)), 200);
      const { codeHost, read } = deps.deploy;
      const verdict = name === 'approve' ? 'approved' : 'changes-requested';
      const reviewing = { ...approving, codeHost, read, store: deps.store, accepted: deps.controlPlane.reconciler.accepted };
      const reviewed = await reviewPullRequest(reviewing, { ...body, pull_request: number }, actorOf(request), verdict);
      if (reviewed.ok) deps.controlPlane.hinted();
      return sendResult(reply, reviewed, 200);
    });
  }
}

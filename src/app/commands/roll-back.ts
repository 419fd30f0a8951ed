/** Rollbacks that people order (guide 4.2): identify the target, validate it, plan, and hand it to the engine, which does the rest. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import { defineService, noPast } from '../../domain/config/service-definition.ts';
import type { DocumentReader } from '../../domain/config/document.ts';
import type { Plan } from '../../domain/planning/plan.ts';
import type { Revision, ServiceState } from '../../domain/rollout/state.ts';
import type { RollbackRequest } from '../../generated/types.ts';
import type { ApiKey, Store } from '../../ports/store.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { settingsFor } from '../reconcile/admission.ts';
import { dispatchOrder, target, type OperateDeps, type Ordered } from './operate.ts';

export interface RollBackDeps extends OperateDeps {
  readonly store: Store;
  readonly read: DocumentReader;
  readonly reconciler: Pick<Reconciler, 'accepted'>;
}

const defaultGradualMs = 30 * 60_000;

export async function rollBackDeployment(
  deps: RollBackDeps,
  request: RollbackRequest,
  caller: ApiKey,
): Promise<Result<Ordered, readonly Problem[]>> {
  const contradiction = requestProblem(request, caller);
  if (contradiction !== null) return refuse([contradiction]);
  const chosen = target(deps.engine, request);
  if (!chosen.ok) return chosen;
  const state = chosen.value;
  if (request.scope === 'canary' && state.active === null) {
    const message = `${state.service} has no canary; with the scope "all" the promoted revision is rolled back.`;
    return refuse([{ code: 'not-applicable', path: '/scope', message }]);
  }
  const restored = request.to_version === undefined ? ok(null) : await versionOf(deps, state, request.to_version);
  if (!restored.ok) return restored;
  const { gradual, duration_minutes: duration, notify_channels: channels } = request;
  const gradualMs = gradual !== true ? null : duration === undefined ? defaultGradualMs : writtenMinutesToMs(duration);
  const order = { type: 'rollback-requested', gradualMs, target: restored.value, ...(channels === undefined ? {} : { channels }) } as const;
  return dispatchOrder(deps, state, order, { request, reason: request.reason, actor: caller.name });
}

function requestProblem(request: RollbackRequest, caller: ApiKey): Problem | null {
  const { immediate, gradual, duration_minutes: duration, approval_required: mustBeApproved } = request;
  if (immediate === true && gradual === true)
    return { code: 'bad-request', path: '/gradual', message: 'A rollback is either immediate or gradual, not both.' };
  if (duration !== undefined && gradual !== true)
    return {
      code: 'bad-request',
      path: '/duration_minutes',
      message: 'duration_minutes needs gradual: true; an immediate rollback takes about a second.',
    };
  if (mustBeApproved === true && caller.role !== 'approver' && caller.role !== 'admin')
    return {
      code: 'forbidden',
      path: '/approval_required',
      message: 'This request asks for an approver: somebody with the role approver or admin must send it.',
    };
  return null;
}

/** A version by commit, digest or deployment, among those that were promoted. It must still be valid: models come and go. */
async function versionOf(
  { store, read, reconciler }: RollBackDeps,
  state: ServiceState,
  version: string,
): Promise<Result<{ readonly revision: Revision; readonly plan: Plan }, readonly Problem[]>> {
  const found = state.promoted.find(
    ({ commit, digest, deploymentId }) =>
      deploymentId === version ||
      (version.length >= 7 && (commit.startsWith(version) || digest.replace(/^sha256:/, '').startsWith(version.replace(/^sha256:/, '')))),
  );
  if (found === undefined) {
    const known = state.promoted
      .slice(0, 5)
      .map(({ commit, deploymentId }) => `${commit.slice(0, 12)}${deploymentId === null ? '' : ` (${deploymentId})`}`);
    return refuse([
      {
        code: 'not-found',
        path: '/to_version',
        message: `${state.service} never had "${version}" in force. There is ${known.join(', ')}. Older ones are in Git: restore the file by a commit.`,
      },
    ]);
  }
  const stored = await store.configuration(state.service, found.digest);
  const accepted = reconciler.accepted();
  if (stored === null || accepted?.catalogue == null)
    return refuse([
      {
        code: 'not-found',
        path: '/to_version',
        message: `The configuration of "${version}" is no longer kept here; restore the file by a commit.`,
      },
    ]);
  const document = read('llm-config', stored.text, `services/${state.service}/config.yaml`);
  const defined = document.ok
    ? defineService(state.service, document.value, accepted.catalogue, settingsFor(accepted, state.service), noPast)
    : document;
  if (!defined.ok)
    return refuse(defined.error.map(({ code, message }) => ({ code, message: `"${version}" can't be served any more: ${message}` })));
  if (defined.value.digest !== found.digest)
    return refuse([
      {
        code: 'conflict',
        path: '/to_version',
        message: `models.yaml has changed what "${version}" would serve; restore the file by a commit, which is then judged like any other.`,
      },
    ]);
  return ok({ revision: { commit: found.commit, digest: found.digest }, plan: defined.value.plan });
}

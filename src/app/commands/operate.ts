/** Orders of operators to a running deployment. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { commandProblem, type CommandEvent } from '../../domain/rollout/commands.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { DeploymentCommand, RollbackRequest } from '../../generated/types.ts';
import type { Engine } from '../engine/engine.ts';
import { chooseService } from './choose-service.ts';

export interface Ordered {
  readonly service: string;
  readonly deployment_id: string;
}

export async function pauseDeployment(
  engine: Engine,
  request: DeploymentCommand,
  actor: string,
): Promise<Result<Ordered, readonly Problem[]>> {
  return order(engine, request, actor, (deploymentId) => ({
    type: 'paused',
    deploymentId,
    reason: request.reason ?? `paused by ${actor}`,
  }));
}

export async function resumeDeployment(
  engine: Engine,
  request: DeploymentCommand,
  actor: string,
): Promise<Result<Ordered, readonly Problem[]>> {
  return order(engine, request, actor, (deploymentId) => ({
    type: 'resumed',
    deploymentId,
    reason: request.reason ?? `resumed by ${actor}`,
  }));
}

export async function rollBackDeployment(
  engine: Engine,
  request: RollbackRequest,
  actor: string,
): Promise<Result<Ordered, readonly Problem[]>> {
  if (request.immediate === false) {
    return refuse([
      {
        code: 'not-in-effect',
        path: '/immediate',
        message: 'Gradual rollbacks are not offered in this version; leave immediate out or set it to true.',
      },
    ]);
  }
  const chosen = target(engine, request);
  if (!chosen.ok) return chosen;
  if (request.scope === 'canary' && chosen.value.active === null) {
    return refuse([
      {
        code: 'not-applicable',
        path: '/scope',
        message: `${chosen.value.service} has no canary; with the scope "all" the promoted revision is rolled back.`,
      },
    ]);
  }
  return order(engine, request, actor, (deploymentId) => ({ type: 'rollback-requested', deploymentId, reason: request.reason, actor }));
}

async function order(
  engine: Engine,
  request: { readonly service?: string; readonly deployment_id?: string },
  actor: string,
  eventFor: (deploymentId: string | null) => CommandEvent,
): Promise<Result<Ordered, readonly Problem[]>> {
  const chosen = target(engine, request);
  if (!chosen.ok) return chosen;
  const event = eventFor(request.deployment_id ?? null);
  const problem = commandProblem(chosen.value, event);
  if (problem !== null) return refuse([problem]);
  const row = await engine.dispatch(chosen.value.service, event, actor);
  const id = row?.stateAfter.active?.id;
  // Between the check and its turn something else happened to the service.
  if (id === undefined)
    return refuse([{ code: 'conflict', message: `${chosen.value.service} has changed in this moment; look at its status and try again.` }]);
  return ok({ service: chosen.value.service, deployment_id: id });
}

function target(
  engine: Engine,
  request: { readonly service?: string; readonly deployment_id?: string },
): Result<ServiceState, readonly Problem[]> {
  const states = engine.states();
  const byDeployment = states.find((state) =>
    [state.active?.id, state.watch?.deploymentId, state.last?.id].includes(request.deployment_id ?? ''),
  );
  if (request.deployment_id !== undefined && byDeployment === undefined) {
    return refuse([
      {
        code: 'not-found',
        message: `There is no deployment ${request.deployment_id} in force. \`actuator list-active\` shows what is under way.`,
      },
    ]);
  }
  const active = states.filter((state) => state.active !== null).map((state) => state.service);
  const candidates = active.length > 0 && request.service === undefined ? active : states.map((state) => state.service);
  const name = chooseService(candidates, request.service ?? byDeployment?.service);
  if (!name.ok) return name;
  const state = engine.state(name.value);
  return state === undefined ? refuse([{ code: 'not-found', message: `There is no service ${name.value}.` }]) : ok(state);
}

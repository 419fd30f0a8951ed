/** Orders of operators: to a running deployment, to what was promoted, to a service, or to all of them. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { commandProblem } from '../../domain/rollout/command-problems.ts';
import type { Command, Order } from '../../domain/rollout/event.ts';
import { everyService, type ServiceState } from '../../domain/rollout/state.ts';
import type { OperatorCommand } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Engine } from '../engine/engine.ts';
import { chooseService } from './choose-service.ts';
import { fieldProblems, orders, type OrderName } from './orders.ts';

export interface Ordered {
  readonly service: string;
  /** Null: the order was about no deployment. */
  readonly deployment_id: string | null;
}

export interface OperateDeps {
  readonly engine: Engine;
  readonly clock: Clock;
}

interface Target {
  readonly service?: string;
  readonly deployment_id?: string;
}

export async function operate(
  deps: OperateDeps,
  name: OrderName,
  request: OperatorCommand,
  actor: string,
): Promise<Result<Ordered, readonly Problem[]>> {
  const wrong = fieldProblems(name, request);
  if (wrong.length > 0) return refuse(wrong);
  if (name === 'resume' && endsDrain(deps.engine, request)) return operate(deps, 'unfreeze', request, actor);
  const chosen = isForAll(name) ? frozenTarget(deps.engine, request) : target(deps.engine, request);
  if (!chosen.ok) return chosen;
  if (name === 'abort' && chosen.value.active === null)
    return refuse([
      {
        code: 'not-applicable',
        message: `${chosen.value.service} has nothing to abort; \`actuator rollback\` takes back what was promoted.`,
      },
    ]);
  const ordered = orders[name].toOrder(request, chosen.value);
  if (!ordered.ok) return ordered;
  return dispatchOrder(deps, chosen.value, ordered.value, { request, reason: request.reason ?? `${name} by ${actor}`, actor });
}

/** The guide ends a drain with a bare `resume`. A freeze is somebody's decision, and is ended by name. */
function endsDrain(engine: Engine, { service, deployment_id: id }: Target): boolean {
  return service === undefined && id === undefined && engine.everywhere().freeze?.drains === true;
}

function isForAll(name: OrderName): boolean {
  return name === 'freeze' || name === 'unfreeze' || name === 'drain';
}

/** A freeze without a service is for all of them. */
function frozenTarget(engine: Engine, request: Target): Result<ServiceState, readonly Problem[]> {
  return request.service === undefined ? ok(engine.everywhere()) : target(engine, request);
}

export async function dispatchOrder(
  { engine, clock }: OperateDeps,
  state: ServiceState,
  order: Order,
  by: { readonly request: Target; readonly reason: string; readonly actor: string },
): Promise<Result<Ordered, readonly Problem[]>> {
  const command: Command = { ...order, deploymentId: by.request.deployment_id ?? null, reason: by.reason, actor: by.actor };
  const problem = commandProblem(state, command, clock.now());
  if (problem !== null) return refuse([problem]);
  const row = await engine.dispatch(state.service, command, by.actor);
  // Between the check and its turn something else happened to the service.
  if (row === null)
    return refuse([{ code: 'conflict', message: `${state.service} has changed in this moment; look at its status and try again.` }]);
  const { active, watch, last } = row.stateAfter;
  return ok({
    service: state.service === everyService ? 'all services' : state.service,
    deployment_id: (active ?? last)?.id ?? watch?.deploymentId ?? null,
  });
}

export function target(engine: Engine, request: Target): Result<ServiceState, readonly Problem[]> {
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

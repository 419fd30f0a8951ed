/** Approvals: of an authenticated person who is not the author, bound to the digest that was reviewed. */
import type { Problem } from '../../base/problem.ts';
import { refuse, type Result } from '../../base/result.ts';
import type { Deployment } from '../../domain/rollout/state.ts';
import { isSamePerson, namesOf, personOf, type Person } from '../../domain/safety/gates.ts';
import type { ApprovalRequest } from '../../generated/types.ts';
import type { Store } from '../../ports/store.ts';
import { identitiesOf, type Identities } from '../reconcile/people.ts';
import { dispatchOrder, target, type OperateDeps, type Ordered } from './operate.ts';

export interface ApprovalDeps extends OperateDeps {
  readonly people: () => readonly Person[];
  readonly store: Pick<Store, 'get'>;
}

export async function approve(deps: ApprovalDeps, request: ApprovalRequest, caller: string): Promise<Result<Ordered, readonly Problem[]>> {
  const chosen = target(deps.engine, request);
  if (!chosen.ok) return chosen;
  const { active } = chosen.value;
  const people = deps.people();
  const problem =
    identityProblem(people, request.approver, caller) ??
    (active === null ? null : approverProblem(await identitiesOf(deps.store, active.plan.gates, people), active, caller));
  if (problem !== null) return refuse([problem]);
  const digest = request.digest ?? active?.revision.digest ?? '';
  const actor = personOf(people, caller)?.name ?? caller;
  return dispatchOrder(
    deps,
    chosen.value,
    { type: 'approved', digest },
    { request, reason: request.comment ?? request.reason ?? '', actor },
  );
}

export async function turnDown(deps: ApprovalDeps, request: ApprovalRequest, caller: string): Promise<Result<Ordered, readonly Problem[]>> {
  if (request.comment !== undefined)
    return refuse([{ code: 'unknown-key', path: '/comment', message: 'reject takes "reason", not "comment".' }]);
  if (request.reason === undefined)
    return refuse([{ code: 'missing', path: '/reason', message: 'reject needs "reason": the author wants to know.' }]);
  const chosen = target(deps.engine, request);
  if (!chosen.ok) return chosen;
  const problem = identityProblem(deps.people(), request.approver, caller);
  if (problem !== null) return refuse([problem]);
  const actor = personOf(deps.people(), caller)?.name ?? caller;
  return dispatchOrder(deps, chosen.value, { type: 'turned-down' }, { request, reason: request.reason, actor });
}

/** Who somebody says to be must be who the key says. */
export function identityProblem(people: readonly Person[], claimed: string | undefined, caller: string): Problem | null {
  if (claimed === undefined || isSamePerson(people, claimed, caller)) return null;
  return {
    code: 'forbidden',
    path: '/approver',
    message: `The key belongs to "${caller}", and settings do not say that "${claimed}" is the same person; see \`people\` in actuator.yaml.`,
  };
}

function approverProblem({ then, isSame }: Identities, { author, plan, approvals, origin }: Deployment, caller: string): Problem | null {
  if (origin?.unknown !== undefined)
    return { code: 'forbidden', message: `${origin.unknown}, so nobody is known to have no hand in it; bring it by a new pull request.` };
  if (namesOf(author).some((name) => isSame(name, caller)))
    return { code: 'forbidden', message: `${caller} has made this change, and nobody approves a change of their own.` };
  if (approvals.some(({ approver }) => isSame(approver, caller)))
    return { code: 'conflict', message: `${caller} has approved it already; another person must.` };
  const { roles, approvers } = plan.gates;
  const own = personOf(then, caller)?.roles ?? [];
  // By the settings that the change came under: one that makes somebody an approver is not approved by them.
  if (roles.length === 0 || personOf(approvers, caller) !== null) return null;
  return {
    code: 'forbidden',
    message: `An approver of this change needs the role ${roles.join(' or ')}; ${caller} has ${own.length === 0 ? 'none' : own.join(', ')}. Roles are given under \`people\` in actuator.yaml.`,
  };
}

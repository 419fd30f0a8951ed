/** Taking back what was promoted already: the revision before it, or another one, becomes stable again. */
import type { Instant } from '../../base/time.ts';
import type { Plan } from '../planning/plan.ts';
import type { Deployment, PromotedRevision, Revision, ServiceState } from './state.ts';
import { nothingOrdered, rollBack, unchanged, type RollbackOrder, type Transition } from './transitions.ts';
import { restoring } from './unreverted.ts';

/** Of what was promoted, the most recent first: this one and what came before it. All of it when it is not among them. */
export function since(promoted: readonly PromotedRevision[], digest: string): readonly PromotedRevision[] {
  return promoted.slice(
    Math.max(
      0,
      promoted.findIndex((entry) => entry.digest === digest),
    ),
  );
}

/** Makes room for a way back: what had not started yet starts after it, what is being promoted is what goes back. */
export function setAside(state: ServiceState): ServiceState {
  const { active } = state;
  if (active === null) return state;
  if (active.phase.name !== 'pending') return { ...state, active: null };
  const { id: deploymentId, revision, plan, author } = active;
  return { ...state, active: null, waiting: state.waiting ?? { deploymentId, revision, plan, author } };
}

/** A promoted revision turned out bad: `target` is stable again, then the rollback runs as any other. */
export function rollBackPromoted(
  state: ServiceState,
  { revision: target, plan }: { readonly revision: Revision; readonly plan: Plan },
  order: RollbackOrder,
  now: Instant,
): Transition {
  const { stable } = state;
  const deployment = stable === null ? null : undoing(state, stable, target, plan, now);
  if (stable === null || deployment === null) return unchanged(state);
  const withoutBad = since(state.promoted, target.digest).filter((entry) => entry.digest !== stable.digest);
  const older = withoutBad.find(({ digest }) => digest !== target.digest) ?? null;
  const previous = older === null ? null : { commit: older.commit, digest: older.digest };
  const decided = state.decided.filter(({ armDigest }) => armDigest !== stable.digest);
  const unreverted = restoring(state.unreverted, target);
  const restored = { ...state, decided, stable: target, previous, promoted: withoutBad, watch: null, held: null, unreverted };
  return rollBack(restored, { ...deployment, judgement: order.judgement }, order, now);
}

function idOfStable({ watch, promoted, last }: ServiceState, stable: Revision): string | undefined {
  return watch?.deploymentId ?? promoted.find(({ digest }) => digest === stable.digest)?.deploymentId ?? last?.id;
}

/** The deployment that promoted what is stable, as if it had all the traffic still: what a gradual way back begins with. */
function undoing(state: ServiceState, stable: Revision, target: Revision, plan: Plan, now: Instant): Deployment | null {
  const { last, watch } = state;
  const id = idOfStable(state, stable);
  if (id === undefined) return null;
  return {
    id,
    revision: stable,
    base: target,
    attempt: last?.attempt ?? 1,
    plan,
    createdAt: last?.createdAt ?? now,
    startedAt: now,
    stableWasBreaching: false,
    stableErrorRate: watch?.baseErrorRate ?? null,
    phase: { name: 'paused', step: 0, weight: 100, reason: 'operator', message: '', since: now, heldMs: 0, extraHoldMs: 0, until: null },
    ...nothingOrdered,
    author: '',
    judgement: null,
  };
}

/** Turns the state of a service into the assignment that gateways understand. */
import { completeServing } from '../../domain/config/serving.ts';
import { assignedVariants, fleetShare, mirrorShare } from '../../domain/rollout/shares.ts';
import type { Deployment, ServiceState } from '../../domain/rollout/state.ts';
import type { Assignment, AssignmentServing, AssignmentSplit } from '../../generated/types.ts';
import type { Store } from '../../ports/store.ts';

export interface AssignmentSource {
  /** Null before the first promotion, when nothing can be served yet. */
  of(state: ServiceState): Promise<Assignment | null>;
  /** Must be called when what a digest resolves to was stored anew. */
  forget(service: string): void;
}

export function createAssignmentSource(store: Store, term: number): AssignmentSource {
  // A rollback must not wait for the disk: what is in force was read when it came into force.
  const servings = new Map<string, Map<string, AssignmentServing>>();

  async function servingOf(service: string, digest: string): Promise<AssignmentServing> {
    const known = servings.get(service)?.get(digest);
    if (known !== undefined) return known;
    const stored = await store.configuration(service, digest);
    if (stored === null) throw new Error(`the store lacks ${service} ${digest}`);
    const ofService = servings.get(service) ?? new Map<string, AssignmentServing>();
    const serving = completeServing(stored.serving);
    ofService.set(digest, serving);
    servings.set(service, ofService);
    return serving;
  }

  return {
    async of(state) {
      const variants = await Promise.all(
        assignedVariants(state).map(async ({ name, arm, weight, revision }) => ({
          name,
          ...(arm === null ? {} : { arm }),
          weight,
          commit: revision.commit,
          digest: revision.digest,
          serving: await servingOf(state.service, revision.digest),
        })),
      );
      if (variants.length === 0) return null;
      prune(servings, state);
      const onTrial = variants.length > 1 ? state.active : null;
      return {
        service: state.service,
        term,
        generation: state.generation,
        deployment_id: onTrial?.id ?? null,
        split: splitOf(onTrial),
        variants,
        mirror: mirrorShare(state) || null,
        canary_gateways: fleetShare(state)?.slice() ?? null,
      };
    },
    forget: (service) => {
      servings.delete(service);
    },
  };
}

/** Without a trial there is nothing to divide; the salt is the deployment's own. */
function splitOf(onTrial: Deployment | null): AssignmentSplit {
  const { method, hashKey, stickyMs } = onTrial?.plan.split ?? { method: 'weighted_random' as const, hashKey: 'user_id', stickyMs: null };
  return { method, hash_key: hashKey, salt: onTrial === null ? '' : saltOf(onTrial), sticky_ms: stickyMs };
}

/** A person can have it drawn anew. */
function saltOf({ id, resalted }: Deployment): string {
  return resalted === 0 ? id : `${id}/${resalted}`;
}

/** Keeps what is in force and what would be next. */
function prune(servings: Map<string, Map<string, AssignmentServing>>, state: ServiceState): void {
  const arms = state.active?.plan.abTest?.arms.map(({ digest }) => digest) ?? [];
  const kept = new Set([state.stable?.digest, state.previous?.digest, state.active?.revision.digest, ...arms]);
  for (const digest of servings.get(state.service)?.keys() ?? []) {
    if (!kept.has(digest)) servings.get(state.service)?.delete(digest);
  }
}

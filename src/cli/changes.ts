/** Files on disk against a commit: the services that differ, with their patches. */
import { checkRepository } from '../domain/config/check-repository.ts';
import { diffPatch, type PatchOperation } from '../domain/config/patch.ts';
import type { ServiceDefinition } from '../domain/config/service-definition.ts';
import { suggestion } from '../base/text.ts';
import { refused, type CliContext } from './context.ts';

export interface ServiceChange {
  readonly service: string;
  /** Null for a new service. */
  readonly from: ServiceDefinition | null;
  /** Null for a removed one. */
  readonly to: ServiceDefinition | null;
  readonly patch: readonly PatchOperation[];
}

export async function compareWithBase(
  context: CliContext,
  flags: { readonly dir: string; readonly base: string; readonly service?: string },
): Promise<readonly ServiceChange[]> {
  const checkout = context.checkout(flags.dir);
  const [working, base] = await Promise.all([checkout.workingTree(), checkout.at(flags.base)]);
  // What was wrong in the base is no concern of this change.
  const before = checkRepository(base, context.read);
  const after = checkRepository(working, context.read, before);
  if (after.problems.length > 0) throw refused(after.problems);
  const names = [...new Set([...before.services.keys(), ...after.services.keys()])].sort();
  if (flags.service !== undefined && !names.includes(flags.service)) {
    throw refused([{ code: 'not-found', message: `There is no service "${flags.service}".${suggestion(flags.service, names)}` }]);
  }
  return names
    .filter((service) => flags.service === undefined || service === flags.service)
    .map((service) => compare(service, before.services.get(service) ?? null, after.services.get(service) ?? null))
    .filter((change) => change.patch.length > 0);
}

/** Both the file and what the catalogue makes of it: a change of models.yaml is a change of each service it reaches. */
function compare(service: string, from: ServiceDefinition | null, to: ServiceDefinition | null): ServiceChange {
  const whole = (definition: ServiceDefinition | null): unknown =>
    definition === null ? {} : { config: definition.config, models: definition.serving.models };
  return { service, from, to, patch: diffPatch(whole(from), whole(to)) };
}

/** Settings and catalogue of a commit, and which of them are in force: a commit can't loosen what judges it. */
import { canonicalJson } from '../../base/json.ts';
import { formatProblem, type Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { checkCatalogue, checkSettings, type SettingsInForce } from '../../domain/config/service-definition.ts';
import { ownersOf } from '../../domain/safety/code-owners.ts';
import type { ModelCatalogue, WrittenSettings } from '../../generated/types.ts';
import type { BlobRef, RepositoryTree } from '../../ports/repository.ts';
import type { Unfit } from './fitness.ts';
import type { Loader } from './loader.ts';

/** What was accepted last. Survives a force-push. */
export interface Accepted {
  readonly repository: WrittenSettings;
  readonly policies: Readonly<Record<string, WrittenSettings>>;
  /** rollout.yaml by service. */
  readonly services: Readonly<Record<string, WrittenSettings>>;
  readonly catalogue: ModelCatalogue | null;
  /** CODEOWNERS as written; empty: there is none. */
  readonly codeOwners: string;
}

export const nothingAccepted: Accepted = { repository: {}, policies: {}, services: {}, catalogue: null, codeOwners: '' };

export function settingsFor(accepted: Accepted, service: string): SettingsInForce {
  return {
    repository: accepted.repository,
    policies: new Map(Object.entries(accepted.policies)),
    service: Object.hasOwn(accepted.services, service) ? (accepted.services[service] ?? {}) : {},
    owners: ownersOf(accepted.codeOwners, `services/${service}/config.yaml`),
  };
}

/** What is accepted after this commit: each unit (actuator.yaml with policies, each rollout.yaml, models.yaml) that is valid; for the others the last stays. */
export async function accept(
  loader: Loader,
  tree: RepositoryTree,
  last: Accepted,
  unfit: Unfit,
): Promise<{ readonly accepted: Accepted; readonly problems: readonly Problem[] }> {
  const repository = fitRepositorySettings(await loadRepositorySettings(loader, tree), unfit);
  const services = await loadServiceSettings(loader, tree, last, unfit);
  const catalogue = fit(await loadCatalogue(loader, tree), 'models.yaml', unfit);
  const codeOwners = await loadCodeOwners(loader, tree, unfit);
  return {
    accepted: {
      ...(repository.ok ? repository.value : { repository: last.repository, policies: last.policies }),
      services: services.accepted,
      codeOwners: codeOwners.ok ? codeOwners.value : last.codeOwners,
      catalogue: catalogue.ok ? catalogue.value : last.catalogue,
    },
    problems: [
      ...(repository.ok ? [] : repository.error),
      ...services.problems,
      ...(catalogue.ok ? [] : catalogue.error),
      ...(codeOwners.ok ? [] : codeOwners.error),
      ...(tree.problems.get('') ?? []),
    ],
  };
}

export function isSameAccepted(a: Accepted, b: Accepted): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

async function loadSettings(
  loader: Loader,
  blob: BlobRef,
  kind: 'repository' | 'policy' | 'service',
): Promise<Result<WrittenSettings, readonly Problem[]>> {
  const loaded = await loader.load('settings', blob);
  if (!loaded.ok) return loaded;
  const problems = checkSettings(loaded.value, kind);
  return problems.length > 0 ? refuse(problems) : ok(loaded.value.value);
}

async function loadRepositorySettings(
  loader: Loader,
  tree: RepositoryTree,
): Promise<Result<Pick<Accepted, 'repository' | 'policies'>, readonly Problem[]>> {
  const repository = tree.settings === null ? ok({}) : await loadSettings(loader, tree.settings, 'repository');
  // A link in the place of a settings file is no missing file: that would put the defaults in force.
  const unsafe = (tree.problems.get('') ?? []).filter(({ file }) => file === 'actuator.yaml' || file?.startsWith('policies/'));
  const problems = [...unsafe, ...(repository.ok ? [] : repository.error)];
  const policies: Record<string, WrittenSettings> = {};
  for (const [name, blob] of tree.policies) {
    const policy = await loadSettings(loader, blob, 'policy');
    if (policy.ok) policies[name] = policy.value;
    else problems.push(...policy.error);
  }
  return repository.ok && problems.length === 0 ? ok({ repository: repository.value, policies }) : refuse(problems);
}

/** What is not fit stays out, valid or not. */
function fit<T>(loaded: Result<T, readonly Problem[]>, path: string, unfit: Unfit): Result<T, readonly Problem[]> {
  const problem = unfit.get(path);
  return problem === undefined ? loaded : refuse([problem]);
}

/** actuator.yaml and its policies are one: also those that are gone. */
function fitRepositorySettings(
  loaded: Result<Pick<Accepted, 'repository' | 'policies'>, readonly Problem[]>,
  unfit: Unfit,
): Result<Pick<Accepted, 'repository' | 'policies'>, readonly Problem[]> {
  const problems = [...unfit].filter(([path]) => path === 'actuator.yaml' || path.startsWith('policies/')).map(([, problem]) => problem);
  return problems.length === 0 ? loaded : refuse(problems);
}

/** Null: the service has none. A link in its place is no missing file. */
async function loadOverrides(
  loader: Loader,
  tree: RepositoryTree,
  service: string,
): Promise<Result<WrittenSettings, readonly Problem[]> | null> {
  const path = `services/${service}/rollout.yaml`;
  const unsafe = (tree.problems.get(service) ?? []).filter(({ file }) => file === path);
  if (unsafe.length > 0) return refuse(unsafe);
  const blob = tree.services.get(service)?.rollout ?? null;
  return blob === null ? null : loadSettings(loader, blob, 'service');
}

async function loadServiceSettings(
  loader: Loader,
  tree: RepositoryTree,
  last: Accepted,
  unfit: Unfit,
): Promise<{ readonly accepted: Accepted['services']; readonly problems: readonly Problem[] }> {
  const accepted: Record<string, WrittenSettings> = {};
  const problems: Problem[] = [];
  for (const service of new Set([...tree.services.keys(), ...Object.keys(last.services)])) {
    const before = Object.hasOwn(last.services, service) ? last.services[service] : undefined;
    const loaded = await loadOverrides(loader, tree, service);
    const meant = fit(loaded ?? ok({}), `services/${service}/rollout.yaml`, unfit);
    if (!meant.ok) {
      problems.push(...meant.error);
      if (before !== undefined) accepted[service] = before;
    } else if (loaded !== null) accepted[service] = meant.value;
  }
  return { accepted, problems };
}

async function loadCatalogue(loader: Loader, tree: RepositoryTree): Promise<Result<ModelCatalogue, readonly Problem[]>> {
  if (tree.catalogue === null)
    return refuse([
      { code: 'missing', file: 'models.yaml', message: 'The repository has no models.yaml, which names the models that may be used.' },
    ]);
  const loaded = await loader.load('models', tree.catalogue);
  if (!loaded.ok) return loaded;
  const problems = checkCatalogue(loaded.value);
  return problems.length > 0 ? refuse(problems) : ok(loaded.value.value);
}

export function describeProblems(problems: readonly Problem[]): string {
  return problems.slice(0, 5).map(formatProblem).join('; ');
}

/** Its text; a file that is not there is an empty one. */
async function loadCodeOwners(loader: Loader, tree: RepositoryTree, unfit: Unfit): Promise<Result<string, readonly Problem[]>> {
  const problems = [...unfit].filter(([path]) => path.endsWith('CODEOWNERS')).map(([, problem]) => problem);
  if (problems.length > 0) return refuse(problems);
  return ok(tree.codeOwners === null ? '' : await loader.text(tree.codeOwners));
}

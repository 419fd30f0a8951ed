/** What a service's file at a commit means, and keeping it. */
import type { Problem } from '../../base/problem.ts';
import { refuse, type Result } from '../../base/result.ts';
import { winningPatch } from '../../domain/config/arms.ts';
import { defineService, type Past, type ServiceDefinition } from '../../domain/config/service-definition.ts';
import type { LlmConfig } from '../../generated/types.ts';
import type { RepositoryTree } from '../../ports/repository.ts';
import type { Store } from '../../ports/store.ts';
import type { DeployDeps } from '../commands/deploy.ts';
import type { Engine } from '../engine/engine.ts';
import { settingsFor, type Accepted } from './admission.ts';
import { decidedTests } from './decided-tests.ts';
import type { Loader } from './loader.ts';

export interface ReadingDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly loader: Loader;
  readonly mergeYaml: DeployDeps['mergeYaml'];
  /** What a digest of the service resolves to was stored anew. */
  readonly onConfiguration: (service: string) => void;
}

export interface Read {
  readonly definition: ServiceDefinition;
  readonly text: string;
}

export async function readService(
  deps: ReadingDeps,
  tree: RepositoryTree,
  service: string,
  inForce: Accepted,
): Promise<Result<Read, readonly Problem[]>> {
  const unsafe = tree.problems.get(service);
  if (unsafe !== undefined) return refuse(unsafe);
  const blob = tree.services.get(service)?.config ?? null;
  const file = `services/${service}/config.yaml`;
  if (blob === null) return refuse([{ code: 'missing', file, message: 'The service has a folder, but no config.yaml in it.' }]);
  if (inForce.catalogue === null)
    return refuse([{ code: 'missing', file: 'models.yaml', message: 'There is no valid models.yaml, so no model is known.' }]);
  const document = await deps.loader.load('llm-config', blob);
  if (!document.ok) return document;
  const past = await pastOf(deps, service);
  const won = (await decidedTests(deps.store, service, deps.engine.state(service)?.decided ?? [])).wonIn(document.value.value);
  const meant = won === null ? document.value : { ...document.value, value: won.config };
  const defined = defineService(service, meant, inForce.catalogue, settingsFor(inForce, service), past);
  const text = won === null ? document.value.text : deps.mergeYaml(document.value.text, winningPatch(won));
  return defined.ok ? { ok: true, value: { definition: defined.value, text } } : defined;
}

async function pastOf({ engine, store }: ReadingDeps, service: string): Promise<Past> {
  const state = engine.state(service);
  const configOf = async (digest: string | null | undefined): Promise<LlmConfig | null> =>
    digest == null ? null : ((await store.configuration(service, digest))?.config ?? null);
  const stable = await configOf(state?.stable?.digest);
  return { before: state?.seen?.digest == null ? stable : await configOf(state.seen.digest), stable };
}

export async function save(deps: ReadingDeps, { definition, text }: Read, commit: string): Promise<void> {
  const { service, digest, config, serving } = definition;
  await deps.store.saveConfiguration({ service, digest, commit, config, serving, text });
  for (const arm of definition.arms) {
    // What the branch holds when the arm has won; of one that was in force before, as it stood there.
    const known = await deps.store.configuration(service, arm.digest);
    const saved = known ?? { commit, text: deps.mergeYaml(text, winningPatch(arm)) };
    const { name: _name, share: _share, ...own } = arm;
    await deps.store.saveConfiguration({ service, commit: saved.commit, text: saved.text, ...own });
  }
  deps.onConfiguration(service);
}

/** As stored, of the configuration and its arms; null for what is new. */
export async function servingsOf({ store }: ReadingDeps, definition: ServiceDefinition): Promise<readonly (string | null)[]> {
  const digests = [definition, ...definition.arms].map(({ digest }) => digest);
  const stored = await Promise.all(digests.map((digest) => store.configuration(definition.service, digest)));
  return stored.map((one) => (one === null ? null : JSON.stringify(one.serving)));
}

/** What was reviewed: the content that a service has at the head of a pull request. */
import { canonicalJson } from '../../base/json.ts';
import { LRUMap } from '../../base/lru.ts';
import { collapse } from '../../domain/config/collapse.ts';
import { digestOf } from '../../domain/config/digest.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { LlmConfig } from '../../generated/types.ts';
import type { ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';
import type { Store } from '../../ports/store.ts';
import { blobAt, oidAt } from '../reconcile/history.ts';
import { decidedTests } from '../reconcile/decided-tests.ts';
import type { CodeHostDeps } from './parts.ts';

export interface Content {
  readonly digest: string;
  /** What else of the file says how it is rolled out: no part of the digest, and a part of what was reviewed. */
  readonly content: string;
}

export interface HeadDigests {
  /**
   * What the service's file means at a commit: itself, and the arm that has won the test in it. Empty: nothing that could be served.
   * `near`: a commit of the branch that mostly has the same files; null: none.
   */
  of(state: Pick<ServiceState, 'service' | 'decided'>, commit: string, near: string | null): Promise<readonly Content[]>;
  /** Whether a reviewed commit has the service as one of ours has it: the same files, or the same meaning. */
  isSame(state: Pick<ServiceState, 'service' | 'decided'>, reviewed: string, own: string): Promise<boolean>;
}

/** Of files that are the same in a commit of ours only the names are asked of the host, for all services at once. */
const knownContents = 20_000;
const knownTrees = 20;

interface HeadDigestDeps extends Pick<CodeHostDeps, 'host' | 'read' | 'store'> {
  /** Null: every file is asked of the host. */
  readonly repository: ConfigurationRepository | null;
}

/** Of all services, for each of which it would be made again. Null: no repository. */
function treesOf(repository: ConfigurationRepository | null): (commit: string) => Promise<RepositoryTree | null> {
  const trees = new LRUMap<string, Promise<RepositoryTree>>(knownTrees);
  return async (commit) => {
    if (repository === null) return null;
    const found = trees.get(commit) ?? repository.tree(commit);
    trees.set(commit, found);
    found.catch(() => trees.delete(commit));
    return found;
  };
}

/** A commit that was merged by a squash is in no branch of ours, so its files are asked of the host. */
export function createHeadDigests({ host, read, store, repository }: HeadDigestDeps): HeadDigests {
  const known = new LRUMap<string, readonly Content[]>(knownContents);
  const ownTree = treesOf(repository);

  async function textAt(path: string, commit: string, near: string | null): Promise<string | null> {
    const tree = near === null ? null : await ownTree(near);
    const own = tree === null ? null : blobAt(tree, path);
    const isOwn = commit === near || (own != null && (await host.filesAt(commit))?.get(path) === own.oid);
    if (own == null || repository === null || !isOwn) return host.fileAt(commit, path);
    const found = await repository.read(own);
    return 'text' in found ? found.text : host.fileAt(commit, path);
  }

  async function compute(
    { service, decided }: Pick<ServiceState, 'service' | 'decided'>,
    commit: string,
    near: string | null,
  ): Promise<readonly Content[]> {
    const path = `services/${service}/config.yaml`;
    const [text, models] = await Promise.all([textAt(path, commit, near), textAt('models.yaml', commit, near)]);
    const config = text === null ? null : read('llm-config', text, path);
    const catalogue = models === null ? null : read('models', models, 'models.yaml');
    if (config?.ok !== true || catalogue?.ok !== true) return [];
    const { value } = config.value;
    const won = (await decidedTests(store, service, decided)).wonIn(value);
    return [value, ...(won === null ? [] : [won.config])].map((meant) => ({
      digest: digestOf(meant, catalogue.value.value),
      content: rolloutOf(collapse(meant)),
    }));
  }
  async function contentsOf(
    state: Pick<ServiceState, 'service' | 'decided'>,
    commit: string,
    near: string | null,
  ): Promise<readonly Content[]> {
    const key = `${state.service} ${commit} ${state.decided.length}`;
    const found = known.get(key) ?? (await compute(state, commit, near));
    // Nothing is what a host says too that does not show the commit yet.
    if (found.length > 0) known.set(key, found);
    return found;
  }

  return {
    of: contentsOf,
    async isSame(state, reviewed, own) {
      const tree = await ownTree(own);
      const files = await host.filesAt(reviewed);
      const hasSame = (path: string): boolean => tree !== null && (files?.get(path) ?? null) === oidAt(tree, path);
      if (['models.yaml', `services/${state.service}/config.yaml`].every(hasSame)) return true;
      const [one] = await contentsOf(state, reviewed, own);
      const [other] = await contentsOf(state, own, own);
      return one !== undefined && one.digest === other?.digest && one.content === other.content;
    },
  };
}

/** Of what was merged: as it is kept, with the plan made of it. */
export async function mergedContent(store: Pick<Store, 'configuration'>, service: string, digest: string): Promise<string> {
  const stored = await store.configuration(service, digest);
  return stored === null ? '' : rolloutOf(stored.config);
}

function rolloutOf({ deployment_strategy: strategy }: LlmConfig): string {
  return canonicalJson(strategy ?? null);
}

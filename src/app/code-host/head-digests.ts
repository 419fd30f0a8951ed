/** What was reviewed: the content that a service has at the head of a pull request. */
import { canonicalJson } from '../../base/json.ts';
import { LRUMap } from '../../base/lru.ts';
import { collapse } from '../../domain/config/collapse.ts';
import { digestOf } from '../../domain/config/digest.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { LlmConfig } from '../../generated/types.ts';
import type { Store } from '../../ports/store.ts';
import { decidedTests } from '../reconcile/decided-tests.ts';
import type { CodeHostDeps } from './parts.ts';

export interface Content {
  readonly digest: string;
  /** What else of the file says how it is rolled out: no part of the digest, and a part of what was reviewed. */
  readonly content: string;
}

export interface HeadDigests {
  /** What the service's file means at a commit: itself, and the arm that has won the test in it. Empty: nothing that could be served. */
  of(state: Pick<ServiceState, 'service' | 'decided'>, commit: string): Promise<readonly Content[]>;
}

/** A commit that was merged by a squash is in no branch of ours, so its files are asked of the host. */
export function createHeadDigests({ host, read, store }: Pick<CodeHostDeps, 'host' | 'read' | 'store'>): HeadDigests {
  const known = new LRUMap<string, readonly Content[]>(500);
  async function compute({ service, decided }: Pick<ServiceState, 'service' | 'decided'>, commit: string): Promise<readonly Content[]> {
    const path = `services/${service}/config.yaml`;
    const [text, models] = await Promise.all([host.fileAt(commit, path), host.fileAt(commit, 'models.yaml')]);
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
  return {
    async of(state, commit) {
      const key = `${state.service} ${commit} ${state.decided.length}`;
      const found = known.get(key) ?? (await compute(state, commit));
      known.set(key, found);
      return found;
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

/** What was reviewed: the content that a service has at the head of a pull request. */
import { LRUMap } from '../../base/lru.ts';
import { digestOf } from '../../domain/config/digest.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import { decidedTests } from '../reconcile/decided-tests.ts';
import type { CodeHostDeps } from './parts.ts';

export interface HeadDigests {
  /** What the service's file means at a commit: itself, and the arm that has won the test in it. Empty: nothing that could be served. */
  of(state: Pick<ServiceState, 'service' | 'decided'>, commit: string): Promise<readonly string[]>;
}

/** A commit that was merged by a squash is in no branch of ours, so its files are asked of the host. */
export function createHeadDigests({ host, read, store }: Pick<CodeHostDeps, 'host' | 'read' | 'store'>): HeadDigests {
  const known = new LRUMap<string, readonly string[]>(500);
  async function compute({ service, decided }: Pick<ServiceState, 'service' | 'decided'>, commit: string): Promise<readonly string[]> {
    const path = `services/${service}/config.yaml`;
    const [text, models] = await Promise.all([host.fileAt(commit, path), host.fileAt(commit, 'models.yaml')]);
    const config = text === null ? null : read('llm-config', text, path);
    const catalogue = models === null ? null : read('models', models, 'models.yaml');
    if (config?.ok !== true || catalogue?.ok !== true) return [];
    const won = (await decidedTests(store, service, decided)).wonIn(config.value.value);
    return [config.value.value, ...(won === null ? [] : [won.config])].map((meant) => digestOf(meant, catalogue.value.value));
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

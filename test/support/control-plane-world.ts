/** The control plane on a real store and a fake clock, with a repository in memory and fakes for the rest of the world. */
import { mergeIntoYaml } from '../../src/adapters/documents/edit.ts';
import { nextTime } from '../../src/adapters/system/next-time.ts';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { createControlPlane, type ControlPlane } from '../../src/app/control-plane.ts';
import { sha1Hex } from '../../src/base/hash.ts';
import type { ServiceState } from '../../src/domain/rollout/state.ts';
import type { ConfigurationRepository, ConfigurationWriter, RepositoryTree, StatusCommit } from '../../src/ports/repository.ts';
import type { CodeHost } from '../../src/ports/code-host.ts';
import type { Store } from '../../src/ports/store.ts';
import type { FakeClock } from './fake-clock.ts';

const models = 'providers: { p: { base_url: "https://p.example.com/v1" } }\nmodels: { m: { provider: p }, n: { provider: p } }\n';
const settings = `actuator:
  max_concurrent_deployments: 1
  canary:
    steps: [{ percentage: 10, duration_minutes: 1m }, { percentage: 100, duration_minutes: 1m }]
    max_total_duration_minutes: 30
    success_criteria: { min_sample_size: 20, max_error_rate_increase: 0.05 }
recovery_validation: { validation_duration_minutes: 0s }
metrics: { collection_interval_seconds: 1 }
`;

type Files = Readonly<Record<string, string>>;

/** A repository in memory: each commit is a set of files. */
export function aHistory(): ConfigurationRepository & { /** The commit's id. */ push(files: Files): string } {
  const commits: { readonly id: string; readonly files: Files }[] = [];
  const blobs = new Map<string, string>();
  const filesOf = (id: string): Files => commits.find((commit) => commit.id === id)?.files ?? {};
  return {
    push(files) {
      const id = sha1Hex(`${commits.length}`);
      commits.push({ id, files });
      for (const text of Object.values(files)) blobs.set(sha1Hex(text), text);
      return id;
    },
    fetch: () => Promise.resolve(commits.at(-1)?.id ?? null),
    tree(id): Promise<RepositoryTree> {
      const files = filesOf(id);
      const ref = (path: string): { oid: string; path: string } | null =>
        files[path] === undefined ? null : { oid: sha1Hex(files[path]), path };
      const names = [...new Set(Object.keys(files).flatMap((path) => /^services\/([^/]+)\//.exec(path)?.[1] ?? []))];
      return Promise.resolve({
        commit: id,
        settings: ref('actuator.yaml'),
        catalogue: ref('models.yaml'),
        policies: new Map(),
        codeOwners: null,
        services: new Map(
          names.map((name) => [name, { config: ref(`services/${name}/config.yaml`), rollout: ref(`services/${name}/rollout.yaml`) }]),
        ),
        problems: new Map(),
      });
    },
    read: ({ oid }) => Promise.resolve({ text: blobs.get(oid) ?? '' }),
    firstParents(from, to) {
      const ids = commits.map((commit) => commit.id);
      return Promise.resolve(ids.slice(ids.indexOf(from) + 1, ids.indexOf(to) + 1));
    },
    author: () => Promise.resolve('Ada'),
    merge: () => Promise.resolve(null),
    signature: () => Promise.resolve({ state: 'none', signer: null, fingerprint: '', committerEmail: '' }),
    message: () => Promise.resolve('change'),
    close: () => Promise.resolve(),
  };
}

export interface ControlPlaneWorld<H = ReturnType<typeof aHistory>> {
  readonly controlPlane: ControlPlane;
  readonly history: H;
  readonly clock: FakeClock;
  readonly store: Store;
  readonly reverts: string[];
  /** What went to the status branch. */
  readonly published: StatusCommit[];
  /** What people were told. */
  readonly told: string[];
  state(service: string): ServiceState;
}

export const service = (model: string): string => `llm: { model: ${model} }\n`;
export const base: Readonly<Record<'actuator.yaml' | 'models.yaml', string>> = { 'actuator.yaml': settings, 'models.yaml': models };

export async function bootControlPlane<H extends ConfigurationRepository>(
  store: Store,
  history: H,
  clock: FakeClock,
  foreign: string | null = null,
  writer?: ConfigurationWriter,
  codeHost: CodeHost | null = null,
): Promise<ControlPlaneWorld<H>> {
  const lease = await store.acquireLease(`holder-${Math.random()}`, 0);
  const reverts: string[] = [];
  const published: StatusCommit[] = [];
  const told: string[] = [];
  const controlPlane = createControlPlane({
    store,
    repository: history,
    writer: writer ?? {
      revert(order) {
        reverts.push(order.service);
        return Promise.resolve({ kind: 'committed', commit: 'revert' });
      },
      edit: () => Promise.resolve({ kind: 'not-needed' }),
      propose: () => Promise.resolve({ kind: 'not-needed' }),
    },
    branch: {
      cursor: () => Promise.resolve(foreign === null ? null : { instance: foreign, position: 9 }),
      publish(commits) {
        published.push(...commits);
        return Promise.resolve();
      },
    },
    notifier: {
      notify({ message }) {
        told.push(message);
        return Promise.resolve();
      },
    },
    codeHost,
    branchName: 'main',
    publicUrl: null,
    probe: { status: () => Promise.resolve(200) },
    nextTime,
    mergeYaml: mergeIntoYaml,
    read: readDocument,
    clock,
    rng: () => 0.5,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    term: lease?.term ?? 0,
    instance: 'i',
    version: '0',
    takeOver: false,
    requestIdKey: 'a2V5',
    onLost(error) {
      throw error;
    },
  });
  await controlPlane.start();
  const state = (name: string): ServiceState => {
    const found = controlPlane.engine.state(name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };
  return { controlPlane, history, clock, store, reverts, published, told, state };
}

/** The Git remote: a configuration branch and a status branch, and the ways in which a code host fails. */
import { StalledError, TransientError } from '../../src/base/failures.ts';
import { sha1Hex } from '../../src/base/hash.ts';
import type {
  ConfigurationRepository,
  ConfigurationWriter,
  RepositoryTree,
  StatusBranch,
  StatusCommit,
  StatusCursor,
  WriteOutcome,
} from '../../src/ports/repository.ts';
import type { Process } from './process.ts';

export type Files = Readonly<Record<string, string>>;

export interface MainCommit {
  readonly id: string;
  readonly parent: string | null;
  readonly files: Files;
  readonly author: string;
  readonly message: string;
}

export interface Remote {
  readonly commits: Map<string, MainCommit>;
  tip: string | null;
  readonly status: (StatusCommit & { readonly cursor: StatusCursor })[];
  isDown: boolean;
  /** The branch is protected: our pushes to it are refused. */
  isProtected: boolean;
  /** The next push arrives, and its answer does not. */
  losesAnswer: boolean;
  push(files: Files, author: string, message?: string): MainCommit;
  head(): MainCommit;
}

export function createRemote(): Remote {
  const remote: Remote = {
    commits: new Map(),
    tip: null,
    status: [],
    isDown: false,
    isProtected: false,
    losesAnswer: false,
    push(files, author, message = 'change') {
      const id = sha1Hex(`${remote.commits.size} ${remote.tip ?? ''} ${message}`);
      const commit = { id, parent: remote.tip, files, author, message };
      remote.commits.set(id, commit);
      remote.tip = id;
      return commit;
    },
    head() {
      const commit = remote.commits.get(remote.tip ?? '');
      if (commit === undefined) throw new Error('the branch is empty');
      return commit;
    },
  };
  return remote;
}

export function connectRemote(
  remote: Remote,
  process: Process,
): { readonly repository: ConfigurationRepository; readonly writer: ConfigurationWriter; readonly branch: StatusBranch } {
  const reach = <T>(port: string, effect: () => T): Promise<T> =>
    process.call(port, () => {
      if (remote.isDown) throw new TransientError('the remote does not answer');
      return effect();
    });
  const answered = <T>(value: T): T => {
    if (!remote.losesAnswer) return value;
    remote.losesAnswer = false;
    throw new TransientError('the connection was lost after the push');
  };
  return {
    repository: {
      fetch: () => reach('fetch', () => remote.tip),
      tree: (id) => Promise.resolve(treeOf(remote, id)),
      read: (blob) => Promise.resolve({ text: texts.get(blob.oid) ?? '' }),
      firstParents: (from, to) => Promise.resolve(firstParents(remote, from, to)),
      signature: () => Promise.resolve({ state: 'none', signer: null, fingerprint: '', committerEmail: '' }),
      message: (id) => Promise.resolve(remote.commits.get(id)?.message ?? ''),
      author: (id) => Promise.resolve(remote.commits.get(id)?.author ?? ''),
      merge: () => Promise.resolve(null),
      close: () => Promise.resolve(),
    },
    writer: {
      async revert({ service, isBad, restoreText, message, marker }) {
        const path = `services/${service}/config.yaml`;
        for (;;) {
          const judged = remote.head().files[path];
          const isBadNow = judged !== undefined && (await isBad(judged));
          const outcome = await reach('push', (): WriteOutcome | null => {
            const { files } = remote.head();
            // Somebody was faster: looked at once more, as after a push that lost the race.
            if (files[path] !== judged) return null;
            if (!isBadNow) {
              const earlier = byMarker(remote, marker);
              return earlier === null ? { kind: 'not-needed' } : { kind: 'committed', commit: earlier };
            }
            if (remote.isProtected) return { kind: 'blocked', message: 'the branch is protected' };
            const commit = remote.push({ ...files, [path]: restoreText }, 'actuator', message);
            return answered({ kind: 'committed', commit: commit.id });
          });
          if (outcome !== null) return outcome;
        }
      },
      edit: ({ path, edit, message }) =>
        reach('push', (): WriteOutcome => {
          const text = edit(remote.head().files[path] ?? null);
          if (text === null || text === remote.head().files[path]) return { kind: 'not-needed' };
          if (remote.isProtected) return { kind: 'blocked', message: 'the branch is protected' };
          return answered({ kind: 'committed', commit: remote.push({ ...remote.head().files, [path]: text }, 'actuator', message).id });
        }),
      propose: () => Promise.resolve({ kind: 'not-needed' }),
    },
    branch: {
      cursor: () => reach('fetch', () => remote.status.at(-1)?.cursor ?? null),
      publish: (commits, takeOver) =>
        reach('publish', () => {
          const present = remote.status.at(-1)?.cursor;
          const ours = commits.at(-1)?.cursor;
          if (present !== undefined && ours !== undefined && present.instance !== ours.instance && !takeOver)
            throw new StalledError('written by another control plane');
          for (const commit of commits)
            if (commit.besides === true || present === undefined || commit.cursor.position > present.position) remote.status.push(commit);
          answered(undefined);
        }),
    },
  };
}

/** By object id; contents are few, and the same in every run. */
const texts = new Map<string, string>();
const oids = new Map<string, string>();

function oidOf(text: string): string {
  const known = oids.get(text);
  if (known !== undefined) return known;
  const oid = sha1Hex(text);
  oids.set(text, oid);
  texts.set(oid, text);
  return oid;
}

function treeOf(remote: Remote, id: string): RepositoryTree {
  const files = remote.commits.get(id)?.files ?? {};
  const ref = (path: string): { oid: string; path: string } | null =>
    files[path] === undefined ? null : { oid: oidOf(files[path]), path };
  const names = [...new Set(Object.keys(files).flatMap((path) => /^services\/([^/]+)\//.exec(path)?.[1] ?? []))];
  return {
    commit: id,
    settings: ref('actuator.yaml'),
    catalogue: ref('models.yaml'),
    policies: new Map(),
    codeOwners: null,
    services: new Map(
      names.map((name) => [name, { config: ref(`services/${name}/config.yaml`), rollout: ref(`services/${name}/rollout.yaml`) }]),
    ),
    problems: new Map(),
  };
}

function firstParents(remote: Remote, from: string, to: string): readonly string[] | null {
  const path: string[] = [];
  for (let at: string | null = to; at !== null; at = remote.commits.get(at)?.parent ?? null) {
    if (at === from) return path.reverse();
    path.push(at);
  }
  return null;
}

function byMarker(remote: Remote, marker: string): string | null {
  for (let at = remote.tip; at !== null; at = remote.commits.get(at)?.parent ?? null)
    if (remote.commits.get(at)?.message.split('\n').includes(marker) === true) return at;
  return null;
}

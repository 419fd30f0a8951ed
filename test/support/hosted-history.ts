/** The control plane on a history in memory, beside a code host that tells of each commit how it came: by what a test says. */
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { TransientError } from '../../src/base/failures.ts';
import type { CodeHost, CommitStatus } from '../../src/ports/code-host.ts';
import type { ConfigurationRepository } from '../../src/ports/repository.ts';
import { aHistory, bootControlPlane, type ControlPlaneWorld } from './control-plane-world.ts';
import { fakeClock, type FakeClock } from './fake-clock.ts';
import { until } from './fake-control-plane.ts';

/** How a commit comes: by a pull request, which the host tells now or only when it is back, or by a push. */
export type Way = 'pull request' | 'away' | 'push';
export type Files = Readonly<Record<string, string>>;

export interface HostedWorld {
  readonly bench: ControlPlaneWorld<ConfigurationRepository>;
  readonly clock: FakeClock;
  /** On a commit, in order. */
  readonly statuses: readonly (CommitStatus & { readonly commit: string })[];
  /** The commit's id. */
  push(files: Files, way?: Way): string;
  look(): Promise<void>;
  /** Looks fail when they have come to so many changes; null: they do not. */
  fail(after: number | null): void;
  /** The host answers to nothing. */
  away(): void;
  /** It answers again. */
  back(): void;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function aHostedWorld(first: Files): Promise<HostedWorld> {
  const history = aHistory();
  history.push(first);
  const ways = new Map<string, Way>();
  const statuses: (CommitStatus & { readonly commit: string })[] = [];
  let failsAfter: number | null = null;
  const repository: ConfigurationRepository = {
    ...history,
    author(commit) {
      if (failsAfter === 0) return Promise.reject(new TransientError('no answer'));
      if (failsAfter !== null) failsAfter--;
      return history.author(commit);
    },
  };
  const host = {
    identify: () => Promise.resolve({ login: 'bot', repository: 'a/b', missing: [] }),
    pullRequestsOf(commit: string) {
      const way = ways.get(commit);
      if (way === 'away') return Promise.reject(new TransientError('away'));
      if (way === 'push') return Promise.resolve([]);
      return Promise.resolve([
        { number: 1, url: 'u', title: 't', state: 'merged', base: 'main', branch: 'b', head: commit, author: 'ada' },
      ]);
    },
    verification: () => Promise.resolve({ isVerified: false, isMadeByHost: false, reason: 'unsigned' }),
    committers: () => Promise.resolve({ commits: [], isComplete: true }),
    reviews: () => Promise.resolve([]),
    openPullRequests: () => Promise.resolve([]),
    pullRequest: () => Promise.resolve(null),
    ensureStatus(commit: string, status: CommitStatus) {
      statuses.push({ commit, ...status });
      return Promise.resolve();
    },
    ensureDeployment: () => Promise.resolve(),
    ensureComment: () => Promise.resolve(),
    recordUrl: (path: string) => path,
  } as unknown as CodeHost;
  const store = await openSqliteStore(':memory:');
  const clock = fakeClock();
  const boot = (): Promise<ControlPlaneWorld<ConfigurationRepository>> => bootControlPlane(store, repository, clock, null, undefined, host);
  let bench = await boot();
  const settled = async (): Promise<void> => {
    const tip = await history.fetch();
    await until('looked at', () => bench.controlPlane.reconciler.head() === tip);
  };
  await settled();
  return {
    get bench() {
      return bench;
    },
    clock,
    statuses,
    push(files, way = 'pull request') {
      const commit = history.push(files);
      ways.set(commit, way);
      return commit;
    },
    look: () => bench.controlPlane.reconciler.reconcile(),
    fail(after) {
      failsAfter = after;
    },
    away() {
      for (const [commit, way] of ways) if (way === 'pull request') ways.set(commit, 'away');
    },
    back() {
      for (const [commit, way] of ways) if (way === 'away') ways.set(commit, 'pull request');
    },
    async restart() {
      await bench.controlPlane.stop();
      bench = await boot();
      await settled();
    },
    async close() {
      await bench.controlPlane.stop();
      await store.close();
    },
  };
}

/** The control plane on a fake clock beside the stand-in for GitHub: real Git, real HTTP, and people who work by pull requests. */
import assert from 'node:assert/strict';
import { Octokit } from '@octokit/rest';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import type { MergeMethod } from '../../src/demo/github/bare.ts';
import type { PullRequest, Status } from '../../src/demo/github/state.ts';
import type { ServiceState } from '../../src/domain/rollout/state.ts';
import type { ConfigurationRepository } from '../../src/ports/repository.ts';
import type { Store } from '../../src/ports/store.ts';
import { base, bootControlPlane, type ControlPlaneWorld } from './control-plane-world.ts';
import { fakeClock, type FakeClock } from './fake-clock.ts';
import { until } from './fake-control-plane.ts';
import { aGithubWorld, assertContract, type GithubWorld } from './github-world.ts';
import type { Opened } from './repositories.ts';

export const file = 'services/chat/config.yaml';
const at = { owner: 'acme', repo: 'prompts' };
export const text = (temperature: number): string => `llm:\n  model: m\n  parameters: { temperature: ${temperature}, max_tokens: 100 }\n`;

export const people = `people:
  - { name: Ada, emails: [ada@example.com], logins: [ada], roles: [sre] }
  - { name: Bob, emails: [bob@corp.example], logins: [bob, bob-second], keys: [bob-key], roles: [sre] }
`;
export const needsApproval = `versioning: { require_approver: true, approval_roles: [sre] }\n`;
export const settings = (...more: readonly string[]): string => [base['actuator.yaml'], people, ...more].join('');

export interface PullRequestWorld {
  readonly github: GithubWorld['github'];
  readonly world: GithubWorld;
  readonly git: Opened;
  readonly store: Store;
  readonly bench: ControlPlaneWorld<ConfigurationRepository>;
  /** Another process on the same store, from now on in the place of `bench`. */
  restart(): Promise<ControlPlaneWorld<ConfigurationRepository>>;
  as(login: string): Octokit['rest'];
  open(branch: string, files: Readonly<Record<string, string>>, author?: string): Promise<PullRequest>;
  review(number: number, login: string, event?: 'APPROVE' | 'REQUEST_CHANGES' | 'COMMENT'): Promise<void>;
  /** The commit that it made on main. */
  merge(number: number, method?: MergeMethod, login?: string): Promise<string>;
  chat(): ServiceState;
  /** Waits, while the control plane looks at Git and GitHub. */
  eventually<T>(what: string, check: () => T | null | undefined | false): Promise<T>;
  readonly isPending: () => boolean;
  readonly approvers: () => readonly string[];
  /** Of what is pending, in sentences. */
  readonly waitsFor: () => string;
  /** Its origin is known, and what it has does not suffice. */
  assertHeld(why: RegExp): Promise<void>;
  promote(service?: string): Promise<void>;
  rollBack(): Promise<void>;
  /** What stands at a commit: context -> newest state. */
  statuses(commit: string): Readonly<Record<string, string>>;
  statusLog(commit: string): readonly Status[];
  close(): Promise<void>;
}

export async function aPullRequestWorld(
  actuatorYaml: string,
  more: Readonly<Record<string, string>> = {},
  prepare: (world: GithubWorld) => Promise<void> = () => Promise.resolve(),
): Promise<PullRequestWorld> {
  const world = await aGithubWorld();
  const { remote, github } = world;
  remote.commit({ ...base, 'actuator.yaml': actuatorYaml, [file]: text(0.1), ...more }, 'first');
  await prepare(world);
  const git = await remote.open();
  const store = await openSqliteStore(':memory:');
  const boot = (clock: FakeClock): Promise<ControlPlaneWorld<ConfigurationRepository>> =>
    bootControlPlane(store, git.repository, clock, null, git.writer, world.host());
  let bench = await boot(fakeClock());
  const as = (login: string): Octokit['rest'] =>
    new Octokit({ auth: github.tokenOf(login), baseUrl: github.baseUrl, userAgent: 'person' }).rest;
  const chat = (): ServiceState => bench.state('chat');
  await until('adopted', () => bench.controlPlane.engine.state('chat')?.stable);

  async function eventually<T>(what: string, check: () => T | null | undefined | false): Promise<T> {
    return until(
      what,
      async () => {
        bench.controlPlane.hinted();
        await bench.controlPlane.tick();
        return check();
      },
      10_000,
    );
  }

  const isPending = (): boolean => chat().active?.phase.name === 'pending';
  const approvers = (): readonly string[] => (chat().active?.approvals ?? []).map(({ approver }) => approver);
  function waitsFor(): string {
    const phase = chat().active?.phase;
    return phase?.name === 'pending' ? phase.waitsFor.join('; ') : '';
  }

  return {
    isPending,
    approvers,
    waitsFor,
    async assertHeld(why) {
      await eventually(`held because of ${String(why)}`, () => isPending() && why.test(waitsFor()));
      assert.deepEqual(approvers(), []);
    },
    github,
    world,
    git,
    store,
    get bench() {
      return bench;
    },
    async restart() {
      await bench.controlPlane.stop();
      bench = await boot(bench.clock);
      return bench;
    },
    as,
    chat,
    eventually,
    async open(branch, files, author = 'ada') {
      remote.git('fetch', '-q', 'origin');
      remote.git('reset', '-q', '--hard', 'origin/main');
      world.branch(branch, files, author);
      const { data } = await as(author).pulls.create({ ...at, head: branch, base: 'main', title: `Try ${branch}`, body: 'because' });
      const found = github.state.pulls.find(({ number }) => number === data.number);
      if (found === undefined) throw new Error('no pull request');
      return found;
    },
    async review(number, login, event = 'APPROVE') {
      await as(login).pulls.createReview({ ...at, pull_number: number, event, body: 'seen' });
    },
    async merge(number, method = 'merge', login = 'cleo') {
      return (await as(login).pulls.merge({ ...at, pull_number: number, merge_method: method })).data.sha;
    },
    async promote(service = 'chat') {
      await eventually('on trial', () => bench.state(service).active?.phase.name === 'progressing');
      const order = { type: 'promotion-requested', full: true, deploymentId: null, reason: 'because', actor: 'me' } as const;
      await bench.controlPlane.engine.dispatch(service, order, 'me');
      await eventually('promoted', () => bench.state(service).active === null);
    },
    async rollBack() {
      await eventually('on trial', () => chat().active?.phase.name === 'progressing');
      const order = {
        type: 'rollback-requested',
        gradualMs: null,
        target: null,
        deploymentId: null,
        reason: 'it is bad',
        actor: 'me',
      } as const;
      await bench.controlPlane.engine.dispatch('chat', order, 'me');
      await eventually('rolled back', () => chat().last?.phase === 'rolled-back');
    },
    statuses: (commit) =>
      Object.fromEntries(github.state.statuses.filter(({ sha }) => sha === commit).map(({ context, state }) => [context, state])),
    statusLog: (commit) => github.state.statuses.filter(({ sha }) => sha === commit),
    async close() {
      await bench.controlPlane.stop();
      await store.close();
      await world.close();
      assertContract(world);
    },
  };
}

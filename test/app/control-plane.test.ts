/** The control plane on a real store and a fake clock, with a world of fakes around it. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { createControlPlane, type ControlPlane } from '../../src/app/control-plane.ts';
import type { StreamMessage } from '../../src/app/fleet/fleet.ts';
import { sha1Hex } from '../../src/base/hash.ts';
import { canaryWeight, type ServiceState } from '../../src/domain/rollout/state.ts';
import type { Assignment, Bucket } from '../../src/generated/types.ts';
import type { ConfigurationRepository, RepositoryTree } from '../../src/ports/repository.ts';
import type { Store } from '../../src/ports/store.ts';
import { fakeClock, type FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/fake-control-plane.ts';
import { aBucket } from '../builders/bucket.ts';

const models = 'providers: { p: { base_url: "https://p.example.com/v1" } }\nmodels: { m: { provider: p }, n: { provider: p } }\n';
const settings = `actuator:
  max_concurrent_deployments: 1
  canary:
    steps: [{ percentage: 10, duration_minutes: 1m }, { percentage: 100, duration_minutes: 1m }]
    max_total_duration_minutes: 30
    success_criteria: { min_sample_size: 20, max_error_rate_increase: 0.05 }
metrics: { collection_interval_seconds: 1 }
`;

type Files = Readonly<Record<string, string>>;

/** A repository in memory: each commit is a set of files. */
function aHistory(): ConfigurationRepository & { push(files: Files): void } {
  const commits: { readonly id: string; readonly files: Files }[] = [];
  const blobs = new Map<string, string>();
  const filesOf = (id: string): Files => commits.find((commit) => commit.id === id)?.files ?? {};
  return {
    push(files) {
      commits.push({ id: sha1Hex(`${commits.length}`), files });
      for (const text of Object.values(files)) blobs.set(sha1Hex(text), text);
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
    close: () => Promise.resolve(),
  };
}

interface Bench {
  readonly controlPlane: ControlPlane;
  readonly history: ReturnType<typeof aHistory>;
  readonly clock: FakeClock;
  readonly store: Store;
  readonly reverts: string[];
  state(service: string): ServiceState;
}

let bench: Bench;
const service = (model: string): string => `llm: { model: ${model} }\n`;
const base = { 'actuator.yaml': settings, 'models.yaml': models };

async function boot(store: Store, history: ReturnType<typeof aHistory>, clock: FakeClock, foreign: string | null = null): Promise<Bench> {
  const lease = await store.acquireLease(`holder-${Math.random()}`, 0);
  const reverts: string[] = [];
  const controlPlane = createControlPlane({
    store,
    repository: history,
    writer: {
      revert(order) {
        reverts.push(order.service);
        return Promise.resolve({ kind: 'committed', commit: 'revert' });
      },
      edit: () => Promise.resolve({ kind: 'not-needed' }),
    },
    branch: {
      cursor: () => Promise.resolve(foreign === null ? null : { instance: foreign, position: 9 }),
      publish: () => Promise.resolve(),
    },
    notifier: { notify: () => Promise.resolve() },
    read: readDocument,
    clock,
    rng: () => 0.5,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    term: lease?.term ?? 0,
    instance: 'i',
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
  return { controlPlane, history, clock, store, reverts, state };
}

async function start(services: readonly string[]): Promise<Bench> {
  const history = aHistory();
  history.push({ ...base, ...Object.fromEntries(services.map((name) => [`services/${name}/config.yaml`, service('m')])) });
  bench = await boot(await openSqliteStore(':memory:'), history, fakeClock());
  await until('adopted', () => services.every((name) => bench.controlPlane.engine.state(name)?.stable));
  return bench;
}

function push(changed: readonly string[], all: readonly string[], model = 'n'): void {
  bench.history.push({
    ...base,
    ...Object.fromEntries(all.map((name) => [`services/${name}/config.yaml`, service(changed.includes(name) ? model : 'm')])),
  });
  bench.controlPlane.poll();
}

let seq = 0;
async function buckets(name: string, canary: readonly [number, number], stable: readonly [number, number]): Promise<void> {
  const { active, stable: inForce } = bench.state(name);
  const bucket = (variant: 'canary' | 'stable', [requests, errors]: readonly [number, number]): Bucket =>
    aBucket({
      service: name,
      variant,
      digest: (variant === 'canary' ? active?.revision.digest : inForce?.digest) ?? '',
      deployment_id: active?.id ?? null,
      requests,
      errors: errors > 0 ? { upstream_5xx: errors } : {},
    });
  await bench.controlPlane.takeBuckets({
    gateway: 'g',
    epoch: 'e',
    seq: ++seq,
    buckets: [bucket('canary', canary), bucket('stable', stable)],
    comments: [],
  });
}

afterEach(async () => {
  await bench.controlPlane.stop();
  await bench.store.close();
});

describe('slots', () => {
  it('let no more deployments shift traffic at once than settings allow, also after a restart', async () => {
    await start(['a', 'b']);
    push(['a', 'b'], ['a', 'b']);
    await until('one progresses', () => bench.state('a').active?.phase.name === 'progressing');
    assert.equal(bench.state('b').active?.phase.name, 'pending');

    await bench.controlPlane.stop();
    bench = await boot(bench.store, bench.history, bench.clock);
    await bench.controlPlane.tick();
    assert.equal(bench.state('b').active?.phase.name, 'pending');

    await bench.controlPlane.engine.dispatch('a', { type: 'paused', deploymentId: null, reason: 'wait' }, 'me');
    await until('the slot is given on', () => bench.state('b').active?.phase.name === 'progressing');
  });
});

describe('time', () => {
  it('ends a canary without traffic at its deadline, however long the hold is over', async () => {
    await start(['a']);
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');

    for (let minute = 0; minute < 31; minute++) {
      bench.clock.advance(60_000);
      await bench.controlPlane.tick();
    }

    const phase = bench.state('a').active?.phase;
    assert.equal(phase?.name === 'paused' && phase.reason, 'deadline');
    assert.equal(bench.controlPlane.judging.judgement('a')?.verdict, 'no-data');
  });
});

describe('the judge', () => {
  it('counts each batch once', async () => {
    await start(['a']);
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');
    await buckets('a', [10, 0], [90, 0]);
    seq--;
    await buckets('a', [10, 0], [90, 0]);

    assert.equal(bench.controlPlane.judging.judgement('a')?.canary.requests, 10);
  });

  it('does not promote a canary that fails only when it has all traffic', async () => {
    await start(['a']);
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');
    for (let second = 0; second < 62; second++) {
      bench.clock.advance(1000);
      await buckets('a', [20, 0], [180, 1]);
    }
    await until('all traffic', () => canaryWeight(bench.state('a')) === 100);

    for (let second = 0; second < 70; second++) {
      bench.clock.advance(1000);
      await buckets('a', [200, 100], [0, 0]);
      if (bench.state('a').active?.phase.name !== 'progressing') break;
    }

    await until('rolled back', () => bench.state('a').last?.phase === 'rolled-back');
    assert.deepEqual(bench.reverts, ['a']);
  });

  it('rests on what comes after a person has resumed an incident', async () => {
    await start(['a']);
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');
    bench.clock.advance(1000);
    await buckets('a', [200, 100], [1800, 900]);
    const phase = bench.state('a').active?.phase;
    assert.equal(phase?.name === 'paused' && phase.reason, 'incident');
    assert.equal(canaryWeight(bench.state('a')), 0);

    await bench.controlPlane.engine.dispatch('a', { type: 'resumed', deploymentId: null, reason: 'over' }, 'me');
    bench.clock.advance(1000);
    await buckets('a', [20, 0], [180, 1]);

    assert.equal(bench.state('a').active?.phase.name, 'progressing');
    assert.equal(bench.controlPlane.judging.judgement('a')?.canary.requests, 20);
  });

  it('goes on with its evidence after a restart, and counts the step anew', async () => {
    await start(['a']);
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');
    for (let second = 0; second < 10; second++) {
      bench.clock.advance(1000);
      await buckets('a', [20, 0], [180, 1]);
    }
    const before = bench.controlPlane.judging.judgement('a');

    await bench.controlPlane.stop();
    bench = await boot(bench.store, bench.history, bench.clock);
    await bench.controlPlane.tick();

    const after = bench.controlPlane.judging.judgement('a');
    assert.ok((after?.blocks ?? 0) >= (before?.blocks ?? 0) - 6);
    assert.ok((after?.blocks ?? 0) > 0);
  });
});

describe('a gateway', () => {
  it('hears of a change that happens while it connects', async () => {
    await start(['a']);
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');
    const told: Assignment[] = [];
    const connecting = bench.controlPlane.connectGateway(
      'g',
      (message: StreamMessage) => message.event === 'assignment' && told.push(message.data),
    );

    await bench.controlPlane.engine.dispatch('a', { type: 'rollback-requested', deploymentId: null, reason: 'now', actor: 'me' }, 'me');
    await connecting;
    await until('told', () => told.some((assignment) => assignment.variants.length === 1));

    assert.ok(told.some((assignment) => assignment.generation === bench.state('a').generation));
    assert.equal(bench.state('a').active?.phase.name, 'rolling-back');
  });

  it('that refuses everything does not hold a promotion that others have proved', async () => {
    await start(['a']);
    const told: Assignment[] = [];
    await bench.controlPlane.connectGateway('g', (message) => message.event === 'assignment' && told.push(message.data));
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');
    for (let second = 0; second < 130 && bench.state('a').active?.phase.name === 'progressing'; second++) {
      bench.clock.advance(1000);
      await buckets('a', [100, 0], [canaryWeight(bench.state('a')) === 100 ? 0 : 900, 0]);
    }
    await until('promoting', () => bench.state('a').active?.phase.name === 'promoting');
    const last = await until('told', () => told.findLast((assignment) => assignment.generation === bench.state('a').generation));

    await bench.controlPlane.acknowledge({
      gateway: 'g',
      service: 'a',
      term: last.term,
      generation: last.generation,
      applied: false,
      problems: ['no key'],
    });

    await until('completed', () => bench.state('a').last?.phase === 'completed');
    assert.equal(bench.state('a').stable?.digest, bench.state('a').last?.revision.digest);
  });

  it('is reminded until it answers', async () => {
    await start(['a']);
    const told: Assignment[] = [];
    await bench.controlPlane.connectGateway('g', (message) => message.event === 'assignment' && told.push(message.data));
    push(['a'], ['a']);
    await until('progresses', () => bench.state('a').active?.phase.name === 'progressing');
    await bench.controlPlane.engine.dispatch('a', { type: 'rollback-requested', deploymentId: null, reason: 'now', actor: 'me' }, 'me');
    const before = told.length;
    await bench.controlPlane.tick();
    assert.ok(told.length > before);
    const last = told.at(-1);
    assert.ok(last);

    await bench.controlPlane.acknowledge({
      gateway: 'g',
      service: 'a',
      term: last.term,
      generation: last.generation,
      applied: true,
      problems: [],
    });

    await until('rolled back', () => bench.state('a').last?.phase === 'rolled-back');
  });
});

describe('the repository', () => {
  it('of an empty store beside a foreign record is not adopted', async () => {
    const history = aHistory();
    history.push({ ...base, 'services/a/config.yaml': service('m') });

    bench = await boot(await openSqliteStore(':memory:'), history, fakeClock(), 'somebody-else');
    await until('said', () => bench.controlPlane.problems().repository !== null);

    assert.match(bench.controlPlane.problems().repository ?? '', /another control plane.*--take-over/);
    assert.deepEqual(bench.controlPlane.engine.states(), []);
  });

  it('looks at a rejected service again when another file has mended it', async () => {
    await start(['a']);
    bench.history.push({ ...base, 'services/a/config.yaml': service('n'), 'services/a/rollout.yaml': 'policy: nowhere\n' });
    bench.controlPlane.poll();
    await until('taken', () => bench.state('a').active !== null || bench.state('a').rejection !== null);
    bench.history.push({ ...base, 'services/a/config.yaml': service('m'), 'services/a/rollout.yaml': 'policy: nowhere\n' });
    bench.controlPlane.poll();
    await until('rejected', () => bench.state('a').rejection !== null);

    bench.history.push({ ...base, 'services/a/config.yaml': service('m') });
    bench.controlPlane.poll();
    await until('looked at', () => bench.state('a').seen?.commit !== undefined);
    bench.history.push({ ...base, 'services/a/config.yaml': service('m'), 'README.md': 'x' });
    bench.controlPlane.poll();

    await until('no longer rejected', () => bench.state('a').rejection === null);
  });
});

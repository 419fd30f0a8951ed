/** The control plane on a real store and a fake clock, with a world of fakes around it. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import type { StreamMessage } from '../../src/app/fleet/fleet.ts';
import { canaryWeight } from '../../src/domain/rollout/shares.ts';
import type { Assignment, Bucket } from '../../src/generated/types.ts';
import { aHistory, base, bootControlPlane, service, type ControlPlaneWorld } from '../support/control-plane-world.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { until } from '../support/fake-control-plane.ts';
import { aBucket } from '../builders/bucket.ts';
import { ordered, rollbackOrder } from '../builders/service.ts';

let bench: ControlPlaneWorld;

async function start(services: readonly string[]): Promise<ControlPlaneWorld> {
  const history = aHistory();
  history.push({ ...base, ...Object.fromEntries(services.map((name) => [`services/${name}/config.yaml`, service('m')])) });
  bench = await bootControlPlane(await openSqliteStore(':memory:'), history, fakeClock());
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
    bench = await bootControlPlane(bench.store, bench.history, bench.clock);
    await bench.controlPlane.tick();
    assert.equal(bench.state('b').active?.phase.name, 'pending');

    await bench.controlPlane.engine.dispatch('a', ordered({ type: 'paused' }, 'wait'), 'me');
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

    await bench.controlPlane.engine.dispatch('a', ordered({ type: 'resumed' }, 'over'), 'me');
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
    bench = await bootControlPlane(bench.store, bench.history, bench.clock);
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

    await bench.controlPlane.engine.dispatch('a', ordered(rollbackOrder, 'now', 'me'), 'me');
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
    await bench.controlPlane.engine.dispatch('a', ordered(rollbackOrder, 'now', 'me'), 'me');
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

    bench = await bootControlPlane(await openSqliteStore(':memory:'), history, fakeClock(), 'somebody-else');
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

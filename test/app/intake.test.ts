import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { createIntake, type Intake } from '../../src/app/intake/intake.ts';
import { createQualityWatch } from '../../src/app/intake/quality-watch.ts';
import { createSpending, type Spending } from '../../src/app/intake/spending.ts';
import { createTrialTraffic } from '../../src/app/intake/trial-traffic.ts';
import type { Judging } from '../../src/app/judging/judging.ts';
import { createRecentTraffic } from '../../src/app/judging/traffic.ts';
import type { AssignmentCostControls, Bucket, BucketBatch } from '../../src/generated/types.ts';
import type { Store } from '../../src/ports/store.ts';
import { aBucket } from '../builders/bucket.ts';
import { fakeClock, type FakeClock } from '../support/fake-clock.ts';

const noon = Date.UTC(2026, 0, 1, 12);
let store: Store;
let clock: FakeClock;
let told: string[];
let judged: Bucket[];
let limits: AssignmentCostControls;

beforeEach(async () => {
  store = await openSqliteStore(':memory:');
  clock = fakeClock(noon);
  told = [];
  judged = [];
  limits = { daily_budget_usd: 10, per_request_limit_usd: null, alert_threshold_usd: 8 };
});
afterEach(() => store.close());

const notifier = {
  notify: ({ severity, message }: { severity: string; message: string }): Promise<void> => {
    told.push(`${severity}: ${message}`);
    return Promise.resolve();
  },
};

async function open(): Promise<{ intake: Intake; spending: Spending }> {
  const judging = {
    knows: (service: string) => service === 'chat',
    take(_service: string, buckets: readonly Bucket[]) {
      judged.push(...buckets);
      return Promise.resolve();
    },
    checkpoint: () => Promise.resolve(),
  } as unknown as Judging;
  const spending = createSpending({ store, notifier, limitsOf: () => Promise.resolve(limits) });
  const quality = { look: () => Promise.resolve() };
  const intake = createIntake({ store, clock, judging, spending, quality });
  await intake.load();
  await spending.load(['chat']);
  return { intake, spending };
}

const spent = (usd: number): Bucket => aBucket({ requests: 1, cost_usd: { n: 1, pivot: usd, sum: 0, sum_squares: 0 } });
const batch = (gateway: string, seq: number, buckets: readonly Bucket[], comments: BucketBatch['comments'] = []): BucketBatch => ({
  gateway,
  epoch: 'e1',
  seq,
  buckets: [...buckets],
  comments,
});

describe('a batch', () => {
  it('is taken in once, whichever gateway repeats it, and also after a restart', async () => {
    const { intake } = await open();
    assert.equal(await intake.take(batch('g1', 1, [aBucket()])), true);
    assert.equal(await intake.take(batch('g2', 1, [aBucket()])), true);
    assert.equal(await intake.take(batch('g1', 1, [aBucket()])), false);
    clock.advance(6000);
    assert.equal(await intake.take(batch('g1', 2, [aBucket()])), true);

    const again = await open();
    assert.equal(await again.intake.take(batch('g1', 2, [aBucket()])), false);
    assert.equal(await again.intake.take({ ...batch('g1', 1, [aBucket()]), epoch: 'e2' }), true);
    assert.equal(judged.length, 4);
  });

  it('about a service that nobody knows changes nothing; comments are kept, the newest first', async () => {
    const { intake } = await open();
    const comment = { service: 'chat', variant: 'stable', deployment_id: null, request_id: 'r', text: 'one' } as const;
    await intake.take(
      batch('g1', 1, [aBucket({ service: 'nobody' })], [comment, { ...comment, text: 'two' }, { ...comment, service: 'nobody' }]),
    );
    assert.equal(judged.length, 0);
    assert.deepEqual(
      intake.comments('chat').map(({ text }) => text),
      ['two', 'one'],
    );
    assert.deepEqual(intake.comments('nobody'), []);
  });
});

describe('spending', () => {
  it('is summed over gateways, told once each time it grows, and tells people at the threshold and at the end', async () => {
    const { intake, spending } = await open();
    await intake.take(batch('g1', 1, [spent(5)]));
    await intake.take(batch('g2', 1, [spent(2)]));
    assert.deepEqual(spending.changed(), [{ service: 'chat', day: '2026-01-01', spent_usd: 7 }]);
    assert.deepEqual(spending.changed(), []);
    assert.deepEqual(told, []);
    await intake.take(batch('g1', 2, [spent(2)]));
    await intake.take(batch('g1', 3, [spent(0.5)]));
    await intake.take(batch('g1', 4, [spent(1)]));
    assert.deepEqual(told, [
      'warning: chat: has spent 9.00 US dollars on 2026-01-01 (UTC), beyond its alert threshold of 8',
      'critical: chat: has spent 10.50 US dollars on 2026-01-01 (UTC); its budget of 10 is exhausted, and requests are refused until midnight UTC',
    ]);
  });

  it('outlives a restart, and begins anew at midnight UTC', async () => {
    await (await open()).intake.take(batch('g1', 1, [spent(5)]));
    const { intake, spending } = await open();
    assert.deepEqual(spending.reports(clock.now()), [{ service: 'chat', day: '2026-01-01', spent_usd: 5 }]);
    clock.advance(12 * 3_600_000);
    assert.deepEqual(spending.reports(clock.now()), []);
    await intake.take(batch('g1', 2, [spent(1)]));
    assert.deepEqual(spending.reports(clock.now()), [{ service: 'chat', day: '2026-01-02', spent_usd: 1 }]);
    assert.equal(spending.spentToday('chat', clock.now()), 1);
  });

  it('of a service without limits is known, and told to nobody', async () => {
    limits = { daily_budget_usd: null, per_request_limit_usd: null, alert_threshold_usd: null };
    const { intake, spending } = await open();
    await intake.take(batch('g1', 1, [spent(500)]));
    assert.equal(spending.spentToday('chat', clock.now()), 500);
    assert.deepEqual([spending.changed(), spending.reports(clock.now()), told], [[], [], []]);
  });
});

describe('the quality of what is in force', () => {
  it('tells people when it is below min_quality_score, at most hourly', async () => {
    const traffic = createRecentTraffic();
    const watch = createQualityWatch({ notifier, traffic: () => traffic, floorOf: () => Promise.resolve(0.7) });
    const scores = (n: number, mean: number): Bucket =>
      aBucket({ variant: 'stable', deployment_id: null, scores: { quality_score: { n, pivot: mean, sum: 0, sum_squares: 0 } } });
    async function arrive(bucket: Bucket): Promise<void> {
      traffic.add(bucket, clock.now());
      await watch.look('chat', [bucket], clock.now());
    }
    await arrive(scores(20, 0.5));
    assert.deepEqual(told, []);
    await arrive(scores(20, 0.5));
    await arrive(scores(20, 0.5));
    assert.deepEqual(told, ['warning: chat: quality_score of what is in force is 0.50 over the last five minutes (40 scores), below 0.7']);
    clock.advance(3_600_000);
    await arrive(scores(40, 0.9));
    assert.equal(told.length, 1);
  });
});

describe('where requests went', () => {
  it('is kept by weight, route and key', () => {
    const traffic = createTrialTraffic();
    const bucket = (generation: number, variant: 'canary' | 'stable', requests: number, keys: number[]): Bucket =>
      aBucket({ generation, variant, requests, new_keys: keys, unkeyed: 1, shards: [5, requests, 0, 1, 0, 0, 0] });
    traffic.add(bucket(1, 'canary', 5, [1, 2]), 1000);
    traffic.add(bucket(1, 'stable', 95, [3, 4, 5]), 1000);
    traffic.add(bucket(2, 'canary', 25, [1, 2, 3]), 2000);
    // A late one of the step before counts for the whole, not for the present weight.
    traffic.add(bucket(1, 'stable', 10, [6]), 2100);
    const totals = traffic.of('deploy-20260101-001')!;
    assert.deepEqual(totals.requests, { canary: 30, stable: 105 });
    assert.deepEqual([totals.step.requests, totals.step.since], [{ canary: 25, stable: 0 }, 2000]);
    assert.deepEqual([totals.step.users.canary.estimate(), totals.step.users.stable.estimate()], [3, 0]);
    assert.deepEqual([totals.shards.canary[5], totals.shards.stable[5], totals.unkeyed], [30, 105, 4]);
    assert.deepEqual(
      totals.routes.map(({ variant, requests }) => [variant, requests]),
      [
        ['canary', 30],
        ['stable', 105],
      ],
    );
    assert.equal(traffic.of('deploy-other'), undefined);
  });
});

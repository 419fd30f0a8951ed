import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { createIntake, type Intake, type IntakeDeps } from '../../src/app/intake/intake.ts';
import { aBucket } from '../builders/bucket.ts';
import { fakeClock } from '../support/fake-clock.ts';

it('what copies cost is added up, whatever the sums are kept about, and outlives a restart', async () => {
  const store = await openSqliteStore(':memory:');
  const done = (): Promise<void> => Promise.resolve();
  const judging = { knows: () => true, take: done, checkpoint: done } as unknown as IntakeDeps['judging'];
  const others = { spending: { take: done }, quality: { look: done } } as unknown as Pick<IntakeDeps, 'spending' | 'quality'>;
  const open = async (): Promise<Intake> => {
    const intake = createIntake({ store, clock: fakeClock(), judging, ...others });
    await intake.load();
    return intake;
  };
  const cost = { n: 10, pivot: 0.02, sum: 0.05, sum_squares: 0 };
  const first = await open();
  const buckets = [aBucket({ mirrored: true, requests: 10, cost_usd: cost }), aBucket({ requests: 10, cost_usd: cost })];
  await first.take({ gateway: 'g', epoch: 'e', seq: 1, buckets, comments: [] });
  assert.equal(first.mirroredCostUsd('deploy-20260101-001'), 0.25);
  assert.equal((await open()).mirroredCostUsd('deploy-20260101-001'), 0.25);
  await store.close();
});

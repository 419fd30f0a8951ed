/** What is kept while stores fail and gateways report at once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { createBaselines } from '../../src/app/judging/baselines.ts';
import { createEvidenceLog, dropEvidence, readEvidence } from '../../src/app/judging/evidence-log.ts';
import type { Store } from '../../src/ports/store.ts';
import { aPolicy, aSample } from '../builders/judge.ts';
import { trial } from '../builders/traffic.ts';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

describe('the evidence log', () => {
  const rows = trial({ ...aPolicy(), triggers: [] }, {}, { seconds: 80 }).court.rows;

  it('keeps every block in order, over several chunks, and drops what a crash has overtaken', async () => {
    const store = await openSqliteStore(':memory:');
    const log = createEvidenceLog(store, quiet);
    for (const [index, row] of rows.entries()) log.keep('deploy-1', index, row);
    await log.flush();
    assert.deepEqual(await readEvidence(store, 'deploy-1', 1000), rows);

    const after = createEvidenceLog(store, quiet);
    after.keep('deploy-1', 40, rows[0]!);
    await after.flush();
    assert.deepEqual(await readEvidence(store, 'deploy-1', 41), [...rows.slice(0, 40), rows[0]]);
    await dropEvidence(store, 'deploy-1');
    assert.deepEqual(await readEvidence(store, 'deploy-1', 1), []);
    await store.close();
  });

  it('loses no block to a store that was busy for a moment', async () => {
    const store = await openSqliteStore(':memory:');
    let failures = 3;
    const busy: Store = { ...store, put: (key, value) => (failures-- > 0 ? Promise.reject(new Error('busy')) : store.put(key, value)) };
    const log = createEvidenceLog(busy, quiet);
    for (const [index, row] of rows.slice(0, 5).entries()) log.keep('deploy-1', index, row);
    await log.flush().catch(() => undefined);
    await log.flush();

    assert.deepEqual(await readEvidence(store, 'deploy-1', 1000), rows.slice(0, 5));
    await store.close();
  });
});

describe('the baseline', () => {
  it('counts what several gateways report at once, and survives a restart', async () => {
    const store = await openSqliteStore(':memory:');
    const baselines = createBaselines(store);
    const sample = aSample({ requests: 10, latencies: [900] });
    await Promise.all(Array.from({ length: 20 }, () => baselines.add('chat', 'sha256:a', sample, 1_000_000)));
    assert.equal(baselines.known('chat').requests, 200);

    await baselines.checkpoint(1_060_000);
    assert.equal((await createBaselines(store).of('chat')).requests, 200);
    await store.close();
  });

  it('begins anew with another revision, and still knows what is measured', async () => {
    const store = await openSqliteStore(':memory:');
    const baselines = createBaselines(store);
    await baselines.add('chat', 'sha256:a', aSample({ requests: 10, costs: [0.01] }), 1_000_000);
    await baselines.add('chat', 'sha256:b', aSample({ requests: 3 }), 1_001_000);

    assert.equal(baselines.known('chat').requests, 3);
    assert.equal(baselines.known('chat').slots[0]?.counts['cost_per_request'], 1);
    await store.close();
  });
});

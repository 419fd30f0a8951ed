import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../../src/adapters/store/sqlite-store.ts';
import type { Effect } from '../../../src/domain/rollout/effect.ts';
import { newService } from '../../../src/domain/rollout/state.ts';
import type { JournalRow, Store } from '../../../src/ports/store.ts';
import { aConfig } from '../../builders/configuration.ts';
import { aServing } from '../../support/fake-control-plane.ts';

let directory: string;
let file: string;
let store: Store;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'store-test-'));
  file = join(directory, 'deep', 'actuator.db');
  store = await openSqliteStore(file);
});

afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const notify: Effect = { kind: 'notify', key: 'k', severity: 'info', message: 'm' };

function aRow(service: string, change: Partial<JournalRow> = {}): Omit<JournalRow, 'position' | 'seq'> {
  return {
    service,
    at: 1,
    actor: 'test',
    event: { type: 'woken' },
    message: 'it happened',
    stateAfter: newService(service),
    effects: [],
    ...change,
  };
}

async function lead(holder = 'a', ttlMs = 60_000): Promise<number> {
  const lease = await store.acquireLease(holder, ttlMs);
  if (lease === null) throw new Error('not leading');
  return lease.term;
}

describe('the journal', () => {
  it('numbers rows over all services and within each, and keeps the last state', async () => {
    const term = await lead();
    await store.append(aRow('a'), term);
    await store.append(aRow('b'), term);
    const { row } = await store.append(aRow('a', { stateAfter: { ...newService('a'), generation: 7 } }), term);

    assert.deepEqual([row.position, row.seq], [3, 2]);
    assert.deepEqual(
      (await store.states()).map((state) => [state.service, state.generation]),
      [
        ['a', 7],
        ['b', 0],
      ],
    );
    assert.deepEqual(
      (await store.journal(1, 10)).map((each) => each.position),
      [2, 3],
    );
    assert.deepEqual(await store.journal(3, 10), []);
  });

  it('keeps effects until they are settled, over a restart', async () => {
    const term = await lead();
    await store.append(aRow('a', { effects: [{ kind: 'assign', generation: 1 }, notify] }), term);
    await store.close();
    store = await openSqliteStore(file);

    const [pending, ...others] = await store.pendingEffects();
    assert.deepEqual(pending?.effect, notify);
    assert.equal(others.length, 0);
    await store.settleEffect(pending.id);
    assert.deepEqual(await store.pendingEffects(), []);
  });

  it('takes nothing of a former leader', async () => {
    const old = await lead('a', 0);
    await lead('b');

    await assert.rejects(store.append(aRow('a'), old), /another control plane leads/);
    assert.deepEqual(await store.states(), []);
  });
});

describe('the lease', () => {
  it("is one holder's until it expires; each new holder has a higher term", async () => {
    const first = await lead('a');
    assert.equal(await store.acquireLease('b', 1000), null);
    assert.equal(await store.renewLease('a', first, 0), true);

    const second = await lead('b');

    assert.ok(second > first);
    assert.equal(await store.renewLease('a', first, 1000), false);
  });

  it('begins at the clock, so that terms rise even when a store was lost', async () => {
    assert.ok((await lead()) >= Math.floor(Date.now() / 1000) - 5);
  });

  it('is free after a release', async () => {
    await store.releaseLease('a', await lead('a'));
    await lead('b');
  });
});

describe('the rest', () => {
  it('keeps configurations by service and digest, the newest text of each', async () => {
    const saved = { service: 'a', digest: 'd', commit: 'c1', config: aConfig(), serving: aServing('http://x'), text: 'one' };
    await store.saveConfiguration(saved);
    await store.saveConfiguration({ ...saved, commit: 'c2', text: 'two' });

    assert.deepEqual(await store.configuration('a', 'd'), { ...saved, commit: 'c2', text: 'two' });
    assert.equal(await store.configuration('b', 'd'), null);
  });

  it('counts the deployments of a day', async () => {
    assert.deepEqual(
      [
        await store.nextDeploymentNumber('20260101'),
        await store.nextDeploymentNumber('20260101'),
        await store.nextDeploymentNumber('20260102'),
      ],
      [1, 2, 1],
    );
  });

  it('keeps entries, documents and keys', async () => {
    await store.put('k', '1');
    await store.put('k', '2');
    assert.equal(await store.get('k'), '2');
    await store.remove('k');
    assert.equal(await store.get('k'), null);
    await store.cacheDocument('x', 'body');
    assert.deepEqual([...(await store.cachedDocuments(['x', 'y']))], [['x', 'body']]);
    await store.addApiKey('hash', { name: 'n', role: 'viewer' });
    assert.deepEqual(await store.apiKey('hash'), { name: 'n', role: 'viewer' });
    assert.equal(await store.apiKey('other'), null);
  });

  it('survives being opened twice, and refuses a file that is no database', async () => {
    const second = await openSqliteStore(file);
    await second.put('k', '1');
    assert.equal(await store.get('k'), '1');
    await second.close();
    const broken = join(directory, 'broken.db');
    const other = new DatabaseSync(broken);
    other.exec('create table journal (x)');
    other.close();
    await assert.rejects(openSqliteStore(broken), /could not be migrated/);
    const after = new DatabaseSync(broken);
    // A failed migration leaves nothing behind.
    assert.deepEqual(after.prepare("select name from sqlite_master where name in ('services', 'effects')").all(), []);
    after.close();
  });
});

describe('a fence', () => {
  it('keeps a former leader from writing anything, and a present one from nothing', async () => {
    const first = await store.acquireLease('first', 0);
    store.fence(first?.term ?? 0);
    await store.put('head', 'by the first');
    const { pending } = await store.append(aRow('chat', { effects: [notify] }), first?.term ?? 0);

    const other = await openSqliteStore(file);
    const second = await other.acquireLease('second', 60_000);
    other.fence(second?.term ?? 0);
    await other.put('head', 'by the second');

    const refused = { name: 'StalledError', message: /another control plane leads/ };
    await assert.rejects(store.settleEffect(pending[0]?.id ?? 0), refused);
    await assert.rejects(store.put('head', 'by the first'), refused);
    await assert.rejects(store.remove('head'), refused);
    await assert.rejects(store.nextDeploymentNumber('20260101'), refused);
    assert.equal(await other.get('head'), 'by the second');
    assert.equal((await other.pendingEffects()).length, 1);
    await other.close();
  });
});

/** States that an older version of ours has stored are taken over with what has come since. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { createEngine } from '../../src/app/engine/engine.ts';
import type { ServiceState } from '../../src/domain/rollout/state.ts';
import { aService, seen } from '../builders/service.ts';
import { fakeClock } from '../support/fake-clock.ts';

it('an older state', async () => {
  const store = await openSqliteStore(':memory:');
  const { unreverted: _unreverted, trail: _trail, ...older } = aService().take(seen('new', 'd1')).state;
  assert.ok(older.active);
  const { origin: _origin, ...active } = older.active;
  const { teams: _teams, owners: _owners, approvers: _approvers, people: _people, directPushes: _pushes, ...gates } = active.plan.gates;
  const stateAfter = { ...older, active: { ...active, plan: { ...active.plan, gates } } } as unknown as ServiceState;
  const lease = await store.acquireLease('me', 1000);
  const event = { type: 'woken' } as const;
  await store.append({ service: 'chat', at: 0, actor: 'clock', event, message: 'x', stateAfter, effects: [] }, lease?.term ?? 0);
  const engine = createEngine({ store, clock: fakeClock(), term: lease?.term ?? 0 });
  await engine.load();
  const { unreverted, trail, active: loaded } = engine.state('chat') ?? {};
  assert.deepEqual([unreverted, trail?.entries, loaded?.origin], [null, [], null]);
  assert.deepEqual([loaded?.plan.gates.teams, loaded?.plan.gates.directPushes], [[], null]);
  await store.close();
});

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Assignment, AssignmentSplit } from '../../src/generated/types.ts';
import { startMockProvider, type MockProvider } from '../../src/demo/mock-provider.ts';
import { aServing, anAssignment } from '../support/fake-control-plane.ts';
import { startGatewayWorld, total, type GatewayWorld } from '../support/gateway-world.ts';

let provider: MockProvider;
let world: GatewayWorld;

before(async () => {
  provider = await startMockProvider(1);
  provider.set('gpt-4', { latencyMs: 0 });
});
after(() => provider.close());
beforeEach(async () => {
  world = await startGatewayWorld();
  world.control.lease(60);
});
afterEach(() => world.close());

function splitting(generation: number, weight: number, split: Partial<AssignmentSplit>): Assignment {
  const assignment = anAssignment(generation, weight, aServing(provider.url));
  return { ...assignment, split: { ...assignment.split, ...split } };
}

async function variantOf(user: string | null, headers: Record<string, string> = {}): Promise<string> {
  const response = await world.chat(user === null ? {} : { user }, headers);
  await response.arrayBuffer();
  return response.headers.get('x-actuator-variant') ?? '';
}

const users = Array.from({ length: 60 }, (_, index) => `u${index}`);

describe('consistent hashing', () => {
  it('gives a user the same variant each time, and only moves users to the canary', async () => {
    await world.serve(splitting(1, 30, { method: 'consistent_hash' }));
    const first = await Promise.all(users.map((user) => variantOf(user)));
    assert.deepEqual(await Promise.all(users.map((user) => variantOf(user))), first);
    await world.serve(splitting(2, 60, { method: 'consistent_hash' }));
    const later = await Promise.all(users.map((user) => variantOf(user)));
    assert.ok(first.every((variant, index) => variant === 'stable' || later[index] === 'canary'));
    assert.ok(
      first.includes('canary') && later.filter((name) => name === 'canary').length > first.filter((name) => name === 'canary').length,
    );
  });

  it('reports shards, new keys and requests without a key', async () => {
    await world.serve(splitting(1, 50, { method: 'consistent_hash', hash_key: 'session_id' }));
    for (const user of users.slice(0, 20)) await variantOf(null, { 'x-session-id': user });
    await variantOf('nobody-asks-for-users');

    const all = await world.buckets((list) => total(list, (bucket) => bucket.requests) === 21);
    assert.equal(
      total(all, (bucket) => bucket.unkeyed),
      1,
    );
    assert.equal(new Set(all.flatMap((bucket) => bucket.new_keys)).size, 20);
    const rows = all.flatMap((bucket) => bucket.shards.map((_, at) => bucket.shards.slice(at, at + 7)).filter((_, at) => at % 7 === 0));
    assert.equal(
      rows.reduce((sum, [, requests = 0]) => sum + requests, 0),
      20,
    );
    assert.ok(rows.every(([shard = -1]) => shard >= 0 && shard < 64));
    // Each request's cost is in its shard: 25 prompt and 40 completion tokens at a dollar and two.
    assert.ok(rows.every(([, requests = 0, , , cost]) => cost === requests * 105));
  });
});

describe('round robin', () => {
  it('gives the canary exactly its share', async () => {
    await world.serve(splitting(1, 25, { method: 'round_robin' }));
    const variants = await Promise.all(users.map((user) => variantOf(user)));
    assert.equal(variants.filter((name) => name === 'canary').length, 15);
  });
});

describe('sticky sessions on two gateways', () => {
  it('begin on the same side, whatever the method', async () => {
    const other = await startGatewayWorld();
    other.control.lease(60);
    const methods = ['weighted_random', 'round_robin', 'consistent_hash'] as const;
    for (const [index, method] of methods.entries()) {
      const assignment = splitting(index + 1, 40, { method, sticky_ms: 60_000 });
      await Promise.all([world.serve(assignment), other.serve(assignment)]);
      for (const user of users.slice(0, 20)) {
        const response = await other.chat({ user });
        assert.equal(response.headers.get('x-actuator-variant'), await variantOf(user), `${method} ${user}`);
      }
    }
    await other.close();
  });
});

describe('sticky sessions', () => {
  it('stay with what began them while the weight rises, and go when it falls', async () => {
    const split = { method: 'weighted_random', sticky_ms: 60_000 } as const;
    await world.serve(splitting(1, 20, split));
    const first = await Promise.all(users.map((user) => variantOf(user)));
    await world.serve(splitting(2, 80, split));
    assert.deepEqual(await Promise.all(users.map((user) => variantOf(user))), first);
    assert.ok((await Promise.all(users.map((user) => variantOf(`new-${user}`)))).filter((name) => name === 'canary').length > 30);

    await world.serve(splitting(3, 1, split));
    const after = await Promise.all(users.map((user) => variantOf(user)));
    assert.ok(after.filter((name) => name === 'canary').length <= 6, 'a lowered weight takes users off the canary');
  });

  it('end with the deployment, and with all traffic on the canary', async () => {
    const split = { method: 'consistent_hash', sticky_ms: 60_000 } as const;
    await world.serve(splitting(1, 50, split));
    await Promise.all(users.map((user) => variantOf(user)));
    await world.serve(splitting(2, 100, split));
    assert.deepEqual(new Set(await Promise.all(users.map((user) => variantOf(user)))), new Set(['canary']));
    await world.serve(anAssignment(3, 0, aServing(provider.url)));
    assert.deepEqual(new Set(await Promise.all(users.map((user) => variantOf(user)))), new Set(['stable']));
  });

  it('let go of a session that was idle', async () => {
    const split = { method: 'consistent_hash', sticky_ms: 50 } as const;
    await world.serve(splitting(1, 1, split));
    await Promise.all(users.map((user) => variantOf(user)));
    await world.serve(splitting(2, 99, split));
    await new Promise((resolve) => setTimeout(resolve, 80));
    const canary = (await Promise.all(users.map((user) => variantOf(user)))).filter((name) => name === 'canary').length;
    assert.ok(canary > 50, `${canary} of 60`);
  });
});

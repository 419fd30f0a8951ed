import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FlagdCore } from '@openfeature/flagd-core';
import { seededRng } from '../../../src/base/random.ts';
import { distinctKeys, sampleHash } from '../../../src/domain/traffic/distinct.ts';
import { murmur3 } from '../../../src/domain/traffic/murmur3.ts';
import { keyReader, type KeySource } from '../../../src/domain/traffic/request-key.ts';
import { armOf, byHash, keyHash, roundRobin, shardOf, weightedRandom, type Variants } from '../../../src/domain/traffic/split.ts';
import { stickyPins } from '../../../src/domain/traffic/sticky.ts';

interface Variant {
  readonly name: string;
  readonly weight: number;
}

function weighing(canary: number): Variants<Variant> {
  return [
    { name: 'canary', weight: canary },
    { name: 'stable', weight: 100 - canary },
  ];
}

const keys = Array.from({ length: 10_000 }, (_, index) => `user-${index * 7919}`);

describe('the hash', () => {
  it('is murmur3 x86 32 over UTF-8', () => {
    // From the reference implementation (SMHasher) and its ports.
    assert.equal(murmur3(''), 0);
    assert.equal(murmur3('', 1), 0x514e28b7);
    assert.equal(murmur3('hello'), 0x248bfa47);
    assert.equal(murmur3('hello, world'), 0x149bbb7f);
    assert.equal(murmur3('The quick brown fox jumps over the lazy dog'), 0x2e4ff723);
    // Beyond ASCII: imurmurhash 0.1.4, given the UTF-8 bytes one by one.
    assert.equal(murmur3('é'), 0x10110787);
    assert.equal(murmur3('日本'), 0xc4d9f942);
    assert.equal(murmur3('user-🌍-7'), 0x0c0ee07a);
  });

  it('divides 10,000 keys as flagd does', () => {
    const flagd = new FlagdCore();
    for (const weight of [1, 5, 33.333, 50]) {
      const canary = Math.round(weight * 1000);
      flagd.setConfigurations(
        JSON.stringify({
          flags: {
            'deploy-20260101-001': {
              state: 'ENABLED',
              variants: { canary: 'canary', stable: 'stable' },
              defaultVariant: 'stable',
              targeting: {
                fractional: [
                  { cat: [{ var: '$flagd.flagKey' }, { var: 'targetingKey' }] },
                  ['canary', canary],
                  ['stable', 100_000 - canary],
                ],
              },
            },
          },
        }),
      );
      for (const targetingKey of keys) {
        const theirs = flagd.resolveStringEvaluation('deploy-20260101-001', 'stable', { targetingKey }, console).value;
        const ours = byHash(weighing(weight), keyHash('deploy-20260101-001', targetingKey)).name;
        assert.equal(ours, theirs, `${targetingKey} at ${weight}`);
      }
    }
  });

  it('only ever moves keys to the canary as its weight rises', () => {
    for (const key of keys) {
      const hash = keyHash('deploy-1', key);
      let before = 'stable';
      for (const weight of [0, 1, 5, 25, 50, 75, 100]) {
        const { name } = byHash(weighing(weight), hash);
        assert.ok(before === 'stable' || name === 'canary', `${key} fell back at ${weight}`);
        before = name;
      }
      assert.equal(before, 'canary');
    }
  });

  it('gives each deployment a draw of its own', () => {
    const chosen = (salt: string): Set<string> => new Set(keys.filter((key) => byHash(weighing(5), keyHash(salt, key)).name === 'canary'));
    const [first, second] = [chosen('deploy-1'), chosen('deploy-2')];
    const both = [...first].filter((key) => second.has(key)).length;
    // 5 % of 5 % of 10,000 is 25, with a standard deviation of 5.
    assert.ok(both < 50, `${both} keys in both`);
    assert.ok(Math.abs(first.size - 500) < 110, `${first.size} keys`);
  });

  it('spreads the keys of the canary over all shards', () => {
    const counts = new Map<number, number>();
    for (const key of keys) {
      const hash = keyHash('d', key);
      if (byHash(weighing(25), hash).name === 'canary') counts.set(shardOf(hash), (counts.get(shardOf(hash)) ?? 0) + 1);
    }
    const expected = [...counts.values()].reduce((sum, count) => sum + count, 0) / 64;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    assert.equal(counts.size, 64);
    // 63 degrees of freedom: beyond 110 once in 5,000.
    assert.ok(chiSquare < 110, `chi-square ${chiSquare}`);
  });
});

describe('other splits', () => {
  it('round robin is exact and never gives the canary two in a row', () => {
    const credit = [0, 0];
    const drawn = Array.from({ length: 10_000 }, () => roundRobin(weighing(5), credit).name);
    assert.equal(drawn.filter((name) => name === 'canary').length, 500);
    assert.ok(!drawn.some((name, index) => name === 'canary' && drawn[index + 1] === 'canary'));
  });

  it('weighted random keeps to the weight', () => {
    const rng = seededRng(3);
    const canary = Array.from({ length: 20_000 }, () => weightedRandom(weighing(25), rng)).filter(({ name }) => name === 'canary').length;
    assert.ok(Math.abs(canary - 5000) < 250, `${canary}`);
  });
});

describe('a key', () => {
  const source = (headers: Record<string, string>, body: Record<string, unknown> = {}): KeySource => ({
    header: (name) => headers[name],
    body,
    clientKey: 'app-1',
  });

  it('is looked for in order', () => {
    const read = keyReader('user_id');
    const body = { safety_identifier: 's', user: 'u', metadata: { user_id: 'm' } };
    assert.equal(read(source({ 'x-user-id': 'h' }, body)), 'h');
    assert.equal(read(source({}, body)), 's');
    assert.equal(read(source({}, { user: 'u', metadata: { user_id: 'm' } })), 'u');
    assert.equal(read(source({}, { metadata: { user_id: 7 } })), '7');
    assert.equal(read(source({})), null);
  });

  it('comes from any header, metadata field, session or client', () => {
    assert.equal(keyReader('header:X-Tenant')(source({ 'x-tenant': 't' })), 't');
    assert.equal(keyReader('metadata.team')(source({}, { metadata: { team: 'red' } })), 'red');
    assert.equal(keyReader('metadata.toString')(source({}, { metadata: {} })), null);
    assert.equal(keyReader('session_id')(source({}, { prompt_cache_key: 'p' })), 'p');
    assert.equal(keyReader('request_id')(source({ 'x-request-id': 'r' })), 'r');
    assert.equal(keyReader('client_key')(source({})), 'app-1');
  });
});

describe('counting keys', () => {
  it('is exact for few, within a few percent for many, and unites without counting twice', () => {
    const few = distinctKeys();
    for (const key of [...keys.slice(0, 300), ...keys.slice(0, 300)]) few.add(sampleHash(keyHash('d', key)));
    assert.equal(few.estimate(), 300);

    const [a, b] = [distinctKeys(), distinctKeys()];
    const shipped: number[] = [];
    for (let i = 0; i < 60_000; i++) {
      const hash = sampleHash(keyHash('d', `many-${i}`));
      if (i < 40_000 && a.add(hash)) shipped.push(hash);
      if (i >= 20_000 && b.add(hash)) shipped.push(hash);
    }
    const united = distinctKeys(shipped);
    assert.ok(Math.abs(united.estimate() / 60_000 - 1) < 0.1, `${united.estimate()}`);
    assert.ok(shipped.length < 20_000, `${shipped.length} hashes were shipped for 60,000 keys`);
  });
});

describe('sticky pins', () => {
  it('hold while they are used, lapse when idle, and never grow beyond their bound', () => {
    const pins = stickyPins(1000, 3);
    pins.set(1, 'stable', 0);
    assert.equal(pins.get(1, 999), 'stable');
    pins.set(1, 'stable', 999);
    assert.equal(pins.get(1, 1900), 'stable');
    assert.equal(pins.get(1, 2000), undefined);
    for (let key = 10; key < 20; key++) pins.set(key, 'canary', 3000);
    assert.equal(pins.size(), 3);
    assert.equal(pins.get(19, 3001), 'canary');
    assert.equal(pins.get(10, 3001), undefined);
  });
});

describe('arms', () => {
  const arms = (a: number, b: number, c: number): Variants<{ readonly arm: string; readonly weight: number }> => [
    { arm: 'a', weight: a },
    { arm: 'b', weight: b },
    { arm: 'c', weight: c },
  ];
  const chosen = (variants: ReturnType<typeof arms>): readonly string[] => keys.map((key) => armOf(variants, 'deploy-1', key).arm);

  it('get keys by their weights', () => {
    const found = chosen(arms(10, 30, 60));
    const share = (arm: string): number => found.filter((one) => one === arm).length / keys.length;
    for (const [arm, expected] of [
      ['a', 0.1],
      ['b', 0.3],
      ['c', 0.6],
    ] as const)
      assert.ok(Math.abs(share(arm) - expected) < 0.015, `${arm}: ${share(arm)}`);
    assert.equal(chosen(arms(0, 50, 50)).includes('a'), false);
  });

  it('move hardly more keys than must, when shares change', () => {
    const [before, after] = [chosen(arms(33, 34, 33)), chosen(arms(40, 30, 30))];
    const moved = before.filter((arm, index) => arm !== after[index]);
    // 7 percent must.
    assert.ok(moved.length / keys.length < 0.085, String(moved.length));
  });

  it('are independent of whether a key is in the test at all', () => {
    const inTest = keys.filter((key) => byHash(weighing(20), keyHash('deploy-1', key)).name === 'canary');
    const first = inTest.filter((key) => armOf(arms(50, 50, 0), 'deploy-1', key).arm === 'a').length;
    assert.ok(Math.abs(first / inTest.length - 0.5) < 0.04, String(first / inTest.length));
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng, type Rng } from '../../../src/base/random.ts';
import { reweigh } from '../../../src/domain/analysis/judge.ts';
import { checkTraffic } from '../../../src/domain/analysis/traffic-check.ts';
import { aCourt, aPolicy, type Measured } from '../../builders/judge.ts';
import { drawNormal } from '../../../src/domain/analysis/stats/draw.ts';

const policy = aPolicy({ success_criteria: { min_sample_size: 50 } }, { triggers: [], health: null });

interface User {
  readonly shard: number;
  /** Requests come in this share, and cost this much each. */
  readonly share: number;
  readonly cost: number;
  readonly fails: number;
}

/** Few heavy users among many, each with costs and errors of its own. */
function users(rng: Rng): readonly User[] {
  return Array.from({ length: 400 }, (_, index) => ({
    shard: Math.floor(rng() * 64),
    share: 1 / (index + 1),
    cost: 0.01 * Math.exp(1.2 * drawNormal(rng)),
    fails: rng() < 0.1 ? 0.2 : 0.002,
  }));
}

function draw(group: readonly User[], n: number, rng: Rng): Measured {
  const all = group.reduce((sum, user) => sum + user.share, 0);
  const rows = new Map<number, [number, number, number, number, number, number, number]>();
  const costs: number[] = [];
  let failed = 0;
  for (let i = 0; i < n; i++) {
    let at = rng() * all;
    const user = group.find((one) => (at -= one.share) <= 0) ?? group[0]!;
    const [cost, error] = [user.cost * Math.exp(0.2 * drawNormal(rng)), rng() < user.fails ? 1 : 0];
    const row = rows.get(user.shard) ?? [user.shard, 0, 0, 0, 0, 0, 0];
    rows.set(user.shard, [user.shard, row[1] + 1, row[2] + error, 0, row[4] + cost, row[5] + 1, 0]);
    costs.push(cost);
    failed += error;
  }
  return { requests: n, errors: failed, costs, shards: [...rows.values()].flat() };
}

/** Equal variants whose users stay where they are: how many of the runs end badly, and the design effect of the cost at the end. */
function falseAlarms(clustered: boolean): { readonly failed: number; readonly design: number } {
  let [failed, design] = [0, 0];
  for (let seed = 1; seed <= 20; seed++) {
    const rng = seededRng(seed);
    const everybody = users(rng);
    const canary = everybody.filter(() => rng() < 0.25);
    const stable = everybody.filter((user) => !canary.includes(user));
    const court = aCourt({ ...policy, clustered, blockMs: 10_000 }, 25);
    for (let i = 0; i < 60; i++) {
      const judgement = court.arrive(draw(canary, 50, rng), draw(stable, 150, rng), 10_000);
      if (judgement.verdict !== 'fail') continue;
      failed++;
      break;
    }
    design += (court.look().criteria.find(({ metric }) => metric === 'cost_per_request')?.design_effect ?? 1) / 20;
  }
  return { failed, design };
}

describe('users that stay with their variant', () => {
  it('make many false alarms where requests are taken for independent, and hardly any by the variance over shards', () => {
    const naive = falseAlarms(false);
    const robust = falseAlarms(true);

    assert.ok(naive.failed >= 8, `${naive.failed} of 20 naively`);
    assert.ok(robust.failed <= 1, `${robust.failed} of 20 robustly`);
    assert.ok(robust.design > 5 && Math.round(naive.design) === 1, `design effect ${robust.design}`);
  });

  it('hide no change that all of them meet', () => {
    const rng = seededRng(1);
    const everybody = Array.from({ length: 2000 }, (_, index) => ({ shard: index % 64, share: 1, cost: 0.01, fails: 0.01 }));
    const court = aCourt({ ...policy, clustered: true, blockMs: 10_000 }, 25);
    let judgement = court.look();
    for (let i = 0; i < 60 && judgement.verdict !== 'fail'; i++) {
      const canary = draw(
        everybody.map((user) => ({ ...user, cost: user.cost * 1.5 })),
        50,
        rng,
      );
      judgement = court.arrive(canary, draw(everybody, 150, rng), 10_000);
    }

    assert.equal(judgement.metric, 'cost_per_request');
  });
});

describe('the traffic check', () => {
  it('calls a split uneven only when it is more than 5 % off and chance does not explain it', () => {
    assert.equal(checkTraffic({ canary: 1000, stable: 9000 }, 10, 'requests').verdict, 'even');
    assert.equal(checkTraffic({ canary: 1200, stable: 8800 }, 10, 'requests').verdict, 'uneven');
    assert.equal(checkTraffic({ canary: 40, stable: 310 }, 10, 'requests').verdict, 'even');
    assert.equal(checkTraffic({ canary: 102_500, stable: 897_500 }, 10, 'requests').verdict, 'even');
    assert.equal(checkTraffic({ canary: 5, stable: 40 }, 10, 'users').verdict, 'too-few');
    assert.equal(checkTraffic({ canary: 10, stable: 10 }, 100, 'users').verdict, 'not-applicable');
    assert.equal(checkTraffic({ canary: 10, stable: 10 }, null, 'users').verdict, 'not-applicable');
  });

  it('alarms in about one of a thousand even splits', () => {
    const rng = seededRng(3);
    let alarms = 0;
    for (let run = 0; run < 4000; run++) {
      let canary = 0;
      for (let i = 0; i < 500; i++) if (rng() < 0.2) canary++;
      if (checkTraffic({ canary, stable: 500 - canary }, 20, 'requests').verdict === 'uneven') alarms++;
    }

    assert.ok(alarms <= 12, `${alarms} of 4000`);
  });

  it('counts anew when a step is widened: what was drawn before was drawn by another weight', () => {
    const court = aCourt(policy, 5);
    for (let i = 0; i < 60; i++) court.arrive({ requests: 5 }, { requests: 95 });
    court.state = reweigh(court.state, court.bench, 10, court.now).state;
    court.weight = 10;
    for (let i = 0; i < 60; i++) court.arrive({ requests: 10 }, { requests: 90 });

    assert.equal(court.look().traffic?.verdict, 'even');
    assert.equal(court.look().step_requests, 900);
  });

  it('holds a step while its split is uneven, on what the split draws', () => {
    const court = aCourt(policy, 25);
    const even = { requests: 25 };
    for (let i = 0; i < 60; i++) court.arrive(even, { requests: 75 });
    assert.equal(court.look().verdict, 'pass');

    const users = { unit: 'users', canary: 300, stable: 300 } as const;
    const judgement = court.look({ drawn: users });
    assert.equal(judgement.verdict, 'inconclusive');
    assert.equal(judgement.remedy, 'person');
    assert.match(judgement.reason, /300 of 600 users/);
    assert.equal(court.look({ drawn: null }).verdict, 'pass');
  });
});

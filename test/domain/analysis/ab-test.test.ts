import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng } from '../../../src/base/random.ts';
import {
  addArmBlocks,
  allocate,
  chooseWinner,
  judgeAbTest,
  newAbTest,
  type AbTestSettings,
  type AbTestVerdict,
} from '../../../src/domain/analysis/ab-test.ts';
import { drawNormal } from '../../../src/domain/analysis/stats/draw.ts';

const settings: AbTestSettings = {
  arms: ['conservative', 'balanced', 'creative'],
  metric: 'quality_score',
  minSampleSize: 200,
  significanceLevel: 0.05,
  allocation: 'thompson-sampling',
  weights: [0.33, 0.34, 0.33],
};

interface Run {
  readonly verdict: AbTestVerdict;
  readonly shares: readonly number[];
}

/** 300 scored requests a minute for an hour, while quality drifts for all alike; ends with a winner. */
function run(lifts: readonly number[], change: Partial<AbTestSettings>, seed: number): Run {
  const using = { ...settings, ...change };
  const rng = seededRng(seed);
  let state = newAbTest(using);
  let [shares, verdict] = [allocate(state, using, rng), judgeAbTest(state, using, false)];
  for (let minute = 1; minute <= 60 && verdict.verdict === 'running'; minute++) {
    const drift = 0.1 * Math.sin(minute / 8);
    const blocks = shares.map((share, arm) => {
      const values = Array.from({ length: Math.round(300 * share) }, () => 0.7 + drift + (lifts[arm] ?? 0) + 0.12 * drawNormal(rng));
      const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
      return { n: values.length, mean, squares: values.reduce((sum, value) => sum + (value - mean) ** 2, 0), hits: null };
    });
    state = addArmBlocks(state, blocks, using);
    shares = allocate(state, using, rng);
    verdict = judgeAbTest(state, using, minute === 60);
  }
  return { verdict, shares };
}

describe('a test of several variants', () => {
  for (const allocation of ['thompson-sampling', 'fixed'] as const) {
    it(`names the best arm, by ${allocation}`, () => {
      const winners = Array.from({ length: 10 }, (_, seed) => run([0, 0.05, 0.01], { allocation }, seed + 1).verdict.winner);

      assert.deepEqual([...new Set(winners)], ['balanced']);
    });

    it(`names none among equal arms, by ${allocation}, however they drift: no winner at the end of the time`, () => {
      const verdicts = Array.from({ length: 40 }, (_, seed) => run([0, 0, 0], { allocation }, seed + 1).verdict);

      assert.ok(verdicts.filter(({ verdict }) => verdict === 'winner').length <= 2);
      assert.match(verdicts.find(({ verdict }) => verdict === 'no-winner')?.reason ?? '', /no arm is better than every other/);
    });
  }

  it('is not over before each arm has its samples', () => {
    assert.equal(run([0, 0.3, 0], { minSampleSize: 1_000_000 }, 1).verdict.verdict, 'no-winner');
  });

  it('asks for more evidence at a stricter level', () => {
    const samples = (significanceLevel: number): number =>
      run([0, 0.03, 0], { significanceLevel, minSampleSize: 1 }, 4).verdict.arms.reduce((sum, arm) => sum + arm.samples, 0);

    assert.ok(samples(0.0001) > samples(0.2));
  });

  it('of a metric that should be low names the lowest', () => {
    assert.equal(run([0, 0.05, 0.05], { metric: 'cost_per_request' }, 2).verdict.winner, 'conservative');
  });
});

describe('the allocation', () => {
  it('begins evenly, leans to the leader and its challenger, and starves no arm', () => {
    const even = allocate(newAbTest(settings), settings, seededRng(1));
    const { shares } = run([0, 0.05, -0.2], { minSampleSize: 1_000_000 }, 3);

    assert.deepEqual(even, [1 / 3, 1 / 3, 1 / 3]);
    assert.ok((shares[1] ?? 0) > (shares[2] ?? 1));
    assert.ok(Math.min(...shares) >= 0.01);
    assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
  });

  it('fixed, is what was written', () => {
    assert.deepEqual(allocate(newAbTest(settings), { ...settings, allocation: 'fixed' }, seededRng(1)), settings.weights);
  });
});

describe('the winner', () => {
  const proven = run([0, 0.05, 0], {}, 1).verdict;
  const open = run([0, 0, 0], {}, 1).verdict;

  it('is the proven one for auto, and nobody without a proof', () => {
    assert.deepEqual(chooseWinner(proven, 'auto'), { ok: true, value: 'balanced' });
    assert.match(JSON.stringify(chooseWinner(open, 'auto')), /There is no winner/);
  });

  it('is whom a person names, if there is such an arm', () => {
    assert.deepEqual(chooseWinner(open, 'creative'), { ok: true, value: 'creative' });
    assert.match(JSON.stringify(chooseWinner(open, 'cretive')), /there is conservative, balanced, creative/);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng } from '../../../src/base/random.ts';
import { addArmBlocks, judgeAbTest, newAbTest } from '../../../src/domain/analysis/ab-test.ts';
import { armBlockOf, closeComparison, newComparison, observeArms, type Comparison } from '../../../src/domain/analysis/comparison.ts';
import { binOf, newHistogram, newMoments, packHistogram, recordMoment, recordValue } from '../../../src/domain/analysis/histogram.ts';
import { drawNormal } from '../../../src/domain/analysis/stats/draw.ts';
import { noSample, type ArmSample } from '../../../src/domain/analysis/sample.ts';

const settings = {
  arms: ['a', 'b'],
  metric: 'error_rate',
  minSampleSize: 100,
  significanceLevel: 0.05,
  allocation: 'fixed',
  weights: [0.5, 0.5],
} as const;
const rules = { blockMs: 1000, warmUpMs: 0, clustered: false };

function counts(requests: number, errors: number): ArmSample {
  return { ...noSample, requests, errors };
}

function fed(state: Comparison, arms: readonly ArmSample[], now: number, change: Partial<typeof rules> = {}): Comparison {
  return observeArms(state, { arms, stable: noSample, thresholds: {} }, settings, { ...rules, ...change }, now);
}

describe('the blocks of an A/B test', () => {
  it('close together, by time and counts of every arm', () => {
    let state = fed(newComparison(settings, 0), [counts(20, 0), counts(3, 0)], 1500);
    assert.equal(state.blocks, 0, 'b has too few');
    state = fed(state, [noSample, counts(10, 1)], 2000);
    assert.equal(state.blocks, 1);
    assert.deepEqual(
      state.test.arms.map(({ n }) => n),
      [20, 13],
    );
    assert.equal(
      fed(fed(newComparison(settings, 0), [counts(20, 0), noSample], 500), [noSample, noSample], 120_001).blocks,
      1,
      'or after long',
    );
  });

  it('do not span two divisions, and drop what came in the warm-up', () => {
    const open = fed(newComparison(settings, 0), [counts(20, 0), counts(20, 0)], 500);
    assert.equal(closeComparison(open, settings, rules, 600).blocks, 1);
    assert.equal(closeComparison(open, settings, { ...rules, warmUpMs: 5000 }, 600).blocks, 0);
    assert.equal(closeComparison(newComparison(settings, 0), settings, rules, 600).blocks, 0, 'nothing came');
  });

  it('find the arm with fewer errors, and hardly ever one of two equal ones', () => {
    const rng = seededRng(3);
    const errors = (n: number, rate: number): number => Array.from({ length: n }, () => rng()).filter((x) => x < rate).length;
    const winnerOf = (rates: readonly [number, number]): string | null => {
      let state = newComparison(settings, 0);
      for (let second = 1; second <= 120; second++) {
        state = fed(
          state,
          rates.map((rate) => counts(50, errors(50, rate))),
          second * 1000,
        );
        const { winner } = judgeAbTest(state.test, settings, false);
        if (winner !== null) return winner;
      }
      return null;
    };
    assert.equal(winnerOf([0.06, 0.02]), 'b');
    const equal = Array.from({ length: 60 }, () => winnerOf([0.04, 0.04])).filter((winner) => winner !== null);
    assert.ok(equal.length <= 6, `${equal.length} of 60`);
  });

  it('of few scores each name hardly ever one of two equal arms, though one looks after each', () => {
    const rng = seededRng(11);
    const quality = { ...settings, metric: 'quality_score', minSampleSize: 30 } as const;
    let wrong = 0;
    const runs = 200;
    for (let run = 0; run < runs; run++) {
      let test = newAbTest(quality);
      for (let block = 0; block < 150; block++) {
        const blocks = [0, 1].map(() => {
          const values = Array.from({ length: Math.floor(rng() * 3) }, () => drawNormal(rng));
          const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
          return { n: values.length, mean, squares: values.reduce((sum, value) => sum + (value - mean) ** 2, 0), hits: null };
        });
        test = addArmBlocks(test, blocks, quality);
        if (judgeAbTest(test, quality, false).winner !== null) {
          wrong++;
          break;
        }
      }
    }
    // Alpha is 0.05; 99 of 100 such experiments stay below 18.
    assert.ok(wrong <= 18, `${wrong} of ${runs}`);
  });

  it('compare quantiles by how many are slower than stable, and scores by their means', () => {
    const slow = newHistogram();
    for (const ms of [100, 100, 100, 900]) recordValue(slow, ms);
    const sample = { ...noSample, requests: 4, latency: packHistogram(slow) };
    assert.deepEqual(armBlockOf(sample, 'latency_p95', { latency_p95: binOf(500) }), { n: 4, mean: 0.25, squares: 0.75, hits: 1 });
    assert.equal(armBlockOf(sample, 'latency_p95', {}).n, 0, 'nothing is known of stable');
    const moments = newMoments();
    for (const score of [0.5, 0.7]) recordMoment(moments, score);
    const block = armBlockOf({ ...noSample, means: { quality_score: { moments, histogram: null } } }, 'quality_score', {});
    assert.deepEqual([block.n, block.mean.toFixed(2), block.squares.toFixed(3), block.hits], [2, '0.60', '0.020', null]);
    assert.equal(armBlockOf(noSample, 'quality_score', {}).n, 0);
  });
});

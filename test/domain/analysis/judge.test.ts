import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng, type Rng } from '../../../src/base/random.ts';
import type { ArmCounts } from '../../../src/domain/analysis/counts.ts';
import { addBlock, anytimePValue, marginZ, noEvidence } from '../../../src/domain/analysis/evidence.ts';
import { beginStep, gateZ, judge, newJudge, observe, type JudgeState, type Judgement } from '../../../src/domain/analysis/judge.ts';
import type { Criteria } from '../../../src/domain/settings/resolve.ts';

const criteria: Criteria = { maxErrorRateIncrease: 0.02, confidenceLevel: 0.95, minSampleSize: 50, criticalErrorRate: 0.1 };
const steps = [5, 25, 50, 75, 100];

function binomial(n: number, p: number, rng: Rng): number {
  let hits = 0;
  for (let i = 0; i < n; i++) if (rng() < p) hits++;
  return hits;
}

interface World {
  readonly perSecond: number;
  readonly stableRate: (second: number) => number;
  readonly canaryRate: (second: number) => number;
}

/** A rollout of 30 s a step, looked at each second; the first judgement that ends it, or the last one. */
function rollOut(world: World, seed: number): { readonly last: Judgement; readonly seconds: number; readonly weight: number } {
  const rng = seededRng(seed);
  let state: JudgeState = newJudge(0);
  let second = 0;
  for (const weight of steps) {
    for (let i = 0; i < 30; i++, second++) {
      const canary = Math.round((world.perSecond * weight) / 100);
      const stable = world.perSecond - canary;
      const arrived = {
        canary: { requests: canary, errors: binomial(canary, world.canaryRate(second), rng) },
        stable: { requests: stable, errors: binomial(stable, world.stableRate(second), rng) },
      };
      state = observe(state, arrived, 1000, (second + 1) * 1000);
      const judgement = judge(state, criteria, weight);
      if (judgement.verdict === 'fail' || judgement.verdict === 'incident') return { last: judgement, seconds: second + 1, weight };
    }
    if (weight < 100) state = beginStep(state, second * 1000);
  }
  return { last: judge(state, criteria, 100), seconds: second, weight: 100 };
}

function fed(arrivals: readonly ArmCounts[]): JudgeState {
  return arrivals.reduce((state, arrived, index) => observe(state, arrived, 1000, (index + 1) * 1000), newJudge(0));
}

function arms(canary: readonly [number, number], stable: readonly [number, number]): ArmCounts {
  return { canary: { requests: canary[0], errors: canary[1] }, stable: { requests: stable[0], errors: stable[1] } };
}

describe('the sequential test', () => {
  it('follows the formula of EBin on one block', () => {
    const block = arms([20, 8], [180, 2]);
    const [rho, q] = [20 / 200, 10 / 200];
    const values = [1.07, 1.2, 1.45, 1.9, 2.8, 5, 10].map((ratio) =>
      Math.exp(8 * Math.log(ratio) - (rho >= q ? 10 * Math.log(1 + rho * (ratio - 1)) : 20 * Math.log(1 + q * (ratio - 1)))),
    );
    const expected = Math.log(values.reduce((sum, value) => sum + value, 0) / 7);

    assert.ok(Math.abs(addBlock(noEvidence, block).maxLnE - expected) < 1e-12);
  });

  it('finds nothing in a burst that hits both arms alike', () => {
    const evidence = addBlock(noEvidence, arms([100, 40], [900, 360]));

    assert.equal(anytimePValue(evidence), 1);
  });

  it('keeps its promise: at most alpha of the equal pairs ever reach 1/alpha, however often one looks', () => {
    let alarms = 0;
    const runs = 1500;
    for (let seed = 0; seed < runs; seed++) {
      const rng = seededRng(seed);
      let evidence = noEvidence;
      for (let look = 0; look < 100; look++)
        evidence = addBlock(evidence, arms([10, binomial(10, 0.05, rng)], [90, binomial(90, 0.05, rng)]));
      if (evidence.maxLnE >= Math.log(20)) alarms++;
    }

    assert.ok(alarms / runs <= 0.05, `${alarms} of ${runs}`);
  });

  it('does not mistake drift under changing weights for a difference', () => {
    const calm = arms([50, 0], [950, 10]);
    const storm = arms([750, 75], [250, 25]);
    const evidence = [calm, calm, calm, storm, storm, storm].reduce(addBlock, noEvidence);

    assert.ok(evidence.maxLnE < Math.log(20));
    assert.ok((marginZ(evidence, 0.02) ?? 0) < 0);
  });
});

describe('verdicts', () => {
  it('ends a canary with 30 % errors within seconds', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { last, weight, seconds } = rollOut({ perSecond: 150, stableRate: () => 0.005, canaryRate: () => 0.3 }, seed);
      assert.equal(last.verdict, 'fail');
      assert.equal(weight, 5);
      assert.ok(seconds <= 15, `${seconds} s`);
    }
  });

  it('lets equal variants through, also with shared bursts', () => {
    const rate = (second: number): number => (second % 40 < 5 ? 0.08 : 0.01);
    let failed = 0;
    for (let seed = 1; seed <= 200; seed++) {
      if (rollOut({ perSecond: 150, stableRate: rate, canaryRate: rate }, seed).last.verdict !== 'pass') failed++;
    }

    assert.ok(failed <= 2, `${failed} of 200`);
  });

  it('allows what the criteria allow', () => {
    let failed = 0;
    for (let seed = 1; seed <= 100; seed++) {
      if (rollOut({ perSecond: 150, stableRate: () => 0.01, canaryRate: () => 0.02 }, seed).last.verdict === 'fail') failed++;
    }

    assert.ok(failed <= 5, `${failed} of 100`);
  });

  it('never passes without data, and says which', () => {
    assert.equal(judge(newJudge(0), criteria, 5).verdict, 'no-data');
    assert.equal(judge(fed([arms([0, 0], [100, 1])]), criteria, 5).verdict, 'no-data');
    assert.equal(judge(fed([arms([60, 0], [0, 0])]), criteria, 5).verdict, 'no-data');
  });

  it('is inconclusive below the sample size, with the number that is missing', () => {
    const judgement = judge(fed([arms([20, 0], [200, 2])]), criteria, 5);

    assert.equal(judgement.verdict, 'inconclusive');
    assert.match(judgement.reason, /20 of 50/);
  });

  it('demands more, the more traffic is at stake', () => {
    assert.deepEqual([1, 5, 25, 50, 75].map(gateZ), [0, 0, -0.5, -0.84, -1.645]);
  });

  it('is critical without waiting for a block, when the exact bound is above the threshold', () => {
    const judgement = judge(observe(newJudge(0), arms([200, 100], [800, 8]), 60_000, 1000), criteria, 25);

    assert.equal(judgement.verdict, 'fail');
    assert.equal(judgement.detected_by, 'critical');
  });

  it('is critical at low traffic too, where no second has requests of both', () => {
    const slices = Array.from({ length: 240 }, (_, second) => (second % 4 === 0 ? arms([1, 1], [0, 0]) : arms([0, 0], [1, 0])));

    assert.equal(
      judge(
        slices.reduce((state, arrived, second) => observe(state, arrived, 600_000, (second + 1) * 1000), newJudge(0)),
        criteria,
        25,
      ).detected_by,
      'critical',
    );
  });

  it('calls it an incident when stable is as bad', () => {
    const judgement = judge(observe(newJudge(0), arms([200, 100], [800, 400]), 60_000, 1000), criteria, 25);

    assert.equal(judgement.verdict, 'incident');
  });

  it('never lets a block span two weights, and counts the samples of each step anew', () => {
    const state = beginStep(observe(newJudge(0), arms([5, 0], [95, 1]), 60_000, 1000), 2000);

    assert.equal(state.evidence.blocks, 1);
    assert.equal(state.block.canary.requests, 0);
    assert.equal(judge(state, criteria, 25).step_requests, 0);
    assert.equal(judge(state, criteria, 25).canary.requests, 5);
  });

  it('closes a block by time and counts only', () => {
    const state = observe(newJudge(0), arms([7, 0], [100, 0]), 1000, 5000);
    assert.equal(state.evidence.blocks, 0);
    assert.equal(observe(state, arms([1, 1], [0, 0]), 1000, 6000).evidence.blocks, 1);
    assert.equal(observe(state, arms([0, 0], [0, 0]), 1000, 121_000).evidence.blocks, 1);
  });
});

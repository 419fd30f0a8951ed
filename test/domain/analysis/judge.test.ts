import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seededRng, type Rng } from '../../../src/base/random.ts';
import { gateZ } from '../../../src/domain/analysis/criteria.ts';
import { noEvidence } from '../../../src/domain/analysis/evidence.ts';
import type { Judgement } from '../../../src/domain/analysis/look.ts';
import { normalQuantile } from '../../../src/domain/analysis/stats/normal.ts';
import { addLikelihoods, lnMeanExp, lnNormalMixture, noLikelihoods, scoreOf } from '../../../src/domain/analysis/stats/sequential.ts';
import { planRollout } from '../../../src/domain/planning/plan.ts';
import { resolveRolloutSettings, type RolloutSettings } from '../../../src/domain/settings/resolve.ts';
import type { WrittenSettings } from '../../../src/generated/types.ts';
import type { AnalysisPolicy } from '../../../src/domain/settings/policy.ts';
import { meanOf, squaresOf } from '../../../src/domain/analysis/histogram.ts';
import { addSamples } from '../../../src/domain/analysis/sample.ts';
import { aCourt, aPolicy, aSample, type Court, type Measured } from '../../builders/judge.ts';

function resolved(service: WrittenSettings): RolloutSettings {
  const result = resolveRolloutSettings({ repository: {}, policies: new Map(), service, oneOff: undefined, choice: null });
  if (!result.ok) throw new Error(result.error.map(({ message }) => message).join());
  return result.value;
}

const policy = aPolicy({ success_criteria: { min_sample_size: 50 } });
const steps = [5, 25, 50, 75, 100];

function binomial(n: number, p: number, rng: Rng): number {
  let hits = 0;
  for (let i = 0; i < n; i++) if (rng() < p) hits++;
  return hits;
}

function counts(requests: number, errors: number): Measured {
  return { requests, errors };
}

interface World {
  readonly perSecond: number;
  readonly stableRate: (second: number) => number;
  readonly canaryRate: (second: number) => number;
}

/** A rollout of 30 s a step, looked at each second; the first judgement that ends it, or the last one. */
function rollOut(world: World, seed: number): { readonly last: Judgement; readonly seconds: number; readonly weight: number } {
  const rng = seededRng(seed);
  const court = aCourt(policy);
  let second = 0;
  for (const weight of steps) {
    if (weight > 5) court.begin(weight);
    for (let i = 0; i < 30; i++, second++) {
      const canary = Math.round((world.perSecond * weight) / 100);
      const stable = world.perSecond - canary;
      const judgement = court.arrive(
        counts(canary, binomial(canary, world.canaryRate(second), rng)),
        counts(stable, binomial(stable, world.stableRate(second), rng)),
      );
      if (judgement.verdict === 'fail' || judgement.verdict === 'incident') return { last: judgement, seconds: second + 1, weight };
    }
  }
  return { last: court.look(), seconds: second, weight: 100 };
}

describe('the sequential test', () => {
  it('follows the formula of EBin on one block', () => {
    const block = { nc: 20, xc: 8, ns: 180, xs: 2 };
    const [rho, q] = [20 / 200, 10 / 200];
    const values = [1.07, 1.2, 1.45, 1.9, 2.8, 5, 10].map(
      (ratio) => 8 * Math.log(ratio) - (rho >= q ? 10 * Math.log(1 + rho * (ratio - 1)) : 20 * Math.log(1 + q * (ratio - 1))),
    );

    assert.deepEqual(
      addLikelihoods(noLikelihoods, block).map((value) => value.toFixed(10)),
      values.map((value) => value.toFixed(10)),
    );
  });

  it('finds nothing in a burst that hits both arms alike', () => {
    assert.ok(lnMeanExp(addLikelihoods(noLikelihoods, { nc: 100, xc: 40, ns: 900, xs: 360 })) <= 0);
  });

  it('keeps its promise: at most alpha of the equal pairs ever reach 1/alpha, however often one looks', () => {
    let [exact, mixed] = [0, 0];
    const runs = 1500;
    for (let seed = 0; seed < runs; seed++) {
      const rng = seededRng(seed);
      let likelihoods: readonly number[] = noEvidence.likelihoods;
      let [score, variance, best, bestMixed] = [0, 0, 0, 0];
      for (let look = 0; look < 100; look++) {
        const block = { nc: 10, xc: binomial(10, 0.05, rng), ns: 90, xs: binomial(90, 0.05, rng) };
        likelihoods = addLikelihoods(likelihoods, block);
        const one = scoreOf(block);
        [score, variance] = [score + one.score, variance + one.variance];
        best = Math.max(best, lnMeanExp(likelihoods));
        bestMixed = Math.max(bestMixed, lnNormalMixture(score, variance, [1.5, 15, 200]));
      }
      if (best >= Math.log(20)) exact++;
      if (bestMixed >= Math.log(20)) mixed++;
    }

    assert.ok(exact / runs <= 0.05, `${exact} of ${runs} by EBin`);
    assert.ok(mixed / runs <= 0.05, `${mixed} of ${runs} by the normal mixture`);
  });

  it('does not mistake drift under changing weights for a difference', () => {
    const court = aCourt(policy);
    for (let i = 0; i < 3; i++) court.arrive(counts(50, 0), counts(950, 10));
    court.begin(75);
    let judgement = court.look();
    for (let i = 0; i < 3; i++) judgement = court.arrive(counts(750, 75), counts(250, 25));

    const found = judgement.criteria.find(({ metric }) => metric === 'error_rate');
    assert.ok((found?.ln_e ?? 9) < Math.log(20));
    assert.ok((found?.margin_z ?? 9) < 0);
  });
});

describe('evidence', () => {
  const table = fc.record({
    nc: fc.integer({ min: 1, max: 200 }),
    ns: fc.integer({ min: 1, max: 2000 }),
    c: fc.double({ min: 0, max: 1, noNaN: true }),
    s: fc.double({ min: 0, max: 0.5, noNaN: true }),
  });

  it('grows with each further error of the canary, as long as stable is no worse', () => {
    fc.assert(
      fc.property(table, ({ nc, ns, c, s }) => {
        const [xc, xs] = [Math.floor(c * (nc - 1)), Math.floor(s * ns)];
        fc.pre(xc / nc >= xs / ns);
        const of = (errors: number): number => lnMeanExp(addLikelihoods(noLikelihoods, { nc, xc: errors, ns, xs }));
        assert.ok(of(xc + 1) >= of(xc) - 1e-9);
      }),
    );
  });

  it('of buckets added up is that of one bucket with all of their requests', () => {
    const request = fc.record({
      latency: fc.double({ min: 1, max: 1e5, noNaN: true }),
      cost: fc.double({ min: 1e-6, max: 1, noNaN: true }),
      score: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 30 }), fc.array(request, { minLength: 1, maxLength: 30 }), (a, b) => {
        const of = (list: typeof a): ReturnType<typeof aSample> =>
          aSample({
            requests: list.length,
            latencies: list.map(({ latency }) => latency),
            costs: list.map(({ cost }) => cost),
            scores: { quality_score: list.map(({ score }) => score) },
          });
        const [sum, union] = [addSamples(of(a), of(b)), of([...a, ...b])];
        assert.deepEqual(sum.latency, union.latency);
        for (const metric of ['cost_per_request', 'quality_score']) {
          const [one, other] = [sum.means[metric]!, union.means[metric]!];
          assert.deepEqual(one.histogram, other.histogram);
          assert.equal(one.moments.n, other.moments.n);
          assert.ok(Math.abs((meanOf(one.moments) ?? 0) - (meanOf(other.moments) ?? 1)) < 1e-9);
          assert.ok(Math.abs(squaresOf(one.moments) - squaresOf(other.moments)) < 1e-9);
        }
      }),
    );
  });
});

describe('verdicts', () => {
  it('end a canary with 30 % errors within seconds', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { last, weight, seconds } = rollOut({ perSecond: 150, stableRate: () => 0.005, canaryRate: () => 0.3 }, seed);
      assert.equal(last.verdict, 'fail');
      assert.equal(weight, 5);
      assert.ok(seconds <= 15, `${seconds} s`);
    }
  });

  it('let equal variants through, also with shared bursts', () => {
    const rate = (second: number): number => (second % 40 < 5 ? 0.08 : 0.01);
    let failed = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const { verdict } = rollOut({ perSecond: 150, stableRate: rate, canaryRate: rate }, seed).last;
      if (verdict === 'fail' || verdict === 'incident') failed++;
    }

    assert.ok(failed <= 1, `${failed} of 100`);
  });

  it('allow what the criteria allow', () => {
    let failed = 0;
    for (let seed = 1; seed <= 100; seed++) {
      if (rollOut({ perSecond: 150, stableRate: () => 0.01, canaryRate: () => 0.02 }, seed).last.verdict === 'fail') failed++;
    }

    assert.ok(failed <= 5, `${failed} of 100`);
  });

  it('never pass without data, and say which is missing', () => {
    assert.equal(aCourt(policy).look().verdict, 'no-data');
    assert.equal(aCourt(policy).arrive(null, counts(100, 1)).verdict, 'no-data');
    assert.equal(aCourt(policy).arrive(counts(60, 0), null).verdict, 'no-data');
  });

  it('are inconclusive below the sample size, with the number that is missing and the remedy', () => {
    const judgement = aCourt(policy).arrive(counts(20, 0), counts(200, 2));

    assert.equal(judgement.verdict, 'inconclusive');
    assert.match(judgement.reason, /20 of 50/);
    assert.equal(judgement.remedy, 'weight');
  });

  it('are critical without waiting for a block, when the exact bound is above the threshold', () => {
    const judgement = aCourt({ ...policy, blockMs: 60_000 }, 25).arrive(counts(200, 100), counts(800, 8));

    assert.equal(judgement.verdict, 'fail');
    assert.equal(judgement.detected_by, 'critical');
  });

  it('are critical at low traffic too, where no second has requests of both', () => {
    const court = aCourt({ ...policy, blockMs: 600_000, health: null }, 25);
    let judgement = court.look();
    for (let second = 0; second < 240; second++)
      judgement = second % 4 === 0 ? court.arrive(counts(1, 1), null) : court.arrive(null, counts(1, 0));

    assert.equal(judgement.detected_by, 'critical');
  });

  it('call it an incident when stable is as bad', () => {
    assert.equal(aCourt({ ...policy, blockMs: 60_000 }, 25).arrive(counts(200, 100), counts(800, 400)).verdict, 'incident');
  });
});

describe('gates', () => {
  it('demand more, the more traffic is at stake', () => {
    const at = (weight: number): string => gateZ(weight, { confidence: 0.95, gatePValue: null }, normalQuantile).toFixed(2);

    assert.deepEqual([1, 5, 25, 50, 75].map(at), ['0.00', '0.00', '-0.50', '-0.84', '-1.89']);
  });

  it('follow the confidence level, and are all as strict as the last when significance is required', () => {
    const strict = aPolicy({ success_criteria: { confidence_level: 0.99 } });
    const significant = aPolicy({ success_criteria: { require_statistical_significance: true, p_value_threshold: 0.01 } });

    assert.equal(gateZ(75, strict, normalQuantile).toFixed(3), '-2.675');
    assert.equal(gateZ(5, significant, normalQuantile).toFixed(3), '-2.326');
    // No gate gets laxer by it.
    assert.equal(
      gateZ(75, { confidence: 0.999, gatePValue: 0.5 }, normalQuantile),
      gateZ(75, { confidence: 0.999, gatePValue: null }, normalQuantile),
    );
  });
});

describe('a control group', () => {
  it('keeps the last step comparable: its gate is asked for, and a canary that is worse fails at 95 % of the traffic', () => {
    const plan = planRollout(resolved({ canary: { control_group_size: 0.05 } }));
    const weight = plan.steps.at(-1)?.weight ?? 0;
    const court = aCourt(policy, weight);
    let judgement = court.look();
    for (let i = 0; i < 200 && judgement.verdict !== 'fail'; i++) judgement = court.arrive(counts(190, 19), counts(10, 0));

    assert.equal(weight, 95);
    assert.equal(judgement.criteria[0]?.gate_z?.toFixed(2), '-1.89');
    assert.equal(judgement.detected_by, 'sequential');
  });
});

describe('blocks', () => {
  function blocksAfter(court: Court, canary: number, stable: number, ms: number): number {
    court.arrive(counts(canary, 0), counts(stable, 0), ms);
    return court.state.blocks;
  }

  it('never span two weights, and samples of each step count anew', () => {
    const court = aCourt({ ...policy, blockMs: 60_000 });
    court.arrive(counts(5, 0), counts(95, 1));
    court.begin(25);

    assert.equal(court.state.blocks, 1);
    assert.equal(court.state.open.arms.canary.requests, 0);
    assert.equal(court.look().step_requests, 0);
    assert.equal(court.look().canary.requests, 5);
  });

  it('close by time and counts only', () => {
    const court = aCourt(policy);
    assert.equal(blocksAfter(court, 7, 100, 5000), 0);
    assert.equal(blocksAfter(court, 1, 1, 1000), 1);
    assert.equal(blocksAfter(court, 1, 1, 1000), 1);
    assert.equal(blocksAfter(court, 0, 0, 120_000), 2);
  });

  it('give the same evidence in whatever order their requests arrive', () => {
    const policyOnce: AnalysisPolicy = { ...policy, blockMs: 10_000 };
    const parts: Measured[] = [
      { requests: 6, errors: 1, latencies: [500, 900], costs: [0.01] },
      { requests: 5, latencies: [700, 5000, 900], costs: [0.02, 0.03] },
    ];
    const run = (order: readonly Measured[]): unknown => {
      const court = aCourt(policyOnce);
      court.warm({ requests: 40, latencies: Array.from({ length: 40 }, (_, i) => 500 + i * 10) });
      for (const part of order) court.arrive(part, { requests: 50, errors: 1, latencies: [600, 800], costs: [0.01, 0.02] });
      court.arrive(null, null, 10_000);
      return court.rows.map(
        ({ at: _at, from: _from, ...row }) =>
          JSON.parse(
            JSON.stringify(row, (_key, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(9)) : value)),
          ) as unknown,
      );
    };

    assert.deepEqual(run(parts), run(parts.toReversed()));
  });
});

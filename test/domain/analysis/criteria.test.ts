import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng } from '../../../src/base/random.ts';
import type { CriterionFinding } from '../../../src/domain/analysis/criteria.ts';
import type { Judgement } from '../../../src/domain/analysis/look.ts';
import type { WrittenSettingsCanary } from '../../../src/generated/types.ts';
import { aCourt, aPolicy } from '../../builders/judge.ts';
import { requests, trial, type Effect } from '../../builders/traffic.ts';

const few = { min_sample_size: 50 };

function policyOf(
  criteria: NonNullable<WrittenSettingsCanary['success_criteria']> = {},
  rest: WrittenSettingsCanary = {},
): ReturnType<typeof aPolicy> {
  return aPolicy({ ...rest, success_criteria: { ...few, ...criteria } });
}

function found(judgement: Judgement, metric: string): CriterionFinding {
  const finding = judgement.criteria.find((one) => one.metric === metric);
  assert.ok(finding !== undefined, `no finding on ${metric}`);
  return finding;
}

describe('a criterion', () => {
  const regressions: readonly [string, Effect, NonNullable<WrittenSettingsCanary['success_criteria']>][] = [
    ['error_rate', { error: 0.07 }, {}],
    ['latency_p50', { latency: 1.5 }, { max_latency_p95_increase: 5, max_latency_p99_increase: 5 }],
    ['latency_p95', { latency: 1.5 }, { max_latency_p50_increase: 5, max_latency_p99_increase: 5 }],
    ['latency_p99', { latency: 2 }, { max_latency_p50_increase: 5, max_latency_p95_increase: 5 }],
    ['first_token_p95', { firstToken: 1.6 }, { max_first_token_p95_increase: 0.15 }],
    ['cost_per_request', { cost: 1.5 }, {}],
    ['tokens_per_request', { tokens: 1.4 }, { max_tokens_increase: 0.1 }],
    ['quality_score', { score: 0.8 }, {}],
    ['judged_quality', { score: 0.8, scored: 'judged_quality' }, {}],
    ['helpfulness', { score: 0.8, scored: 'helpfulness' }, { custom_metrics: [{ name: 'helpfulness', max_decrease: 0.05 }] }],
  ];
  for (const [metric, effect, criteria] of regressions) {
    it(`on ${metric} fails a canary that is worse than it allows, and passes one that is not`, () => {
      const policy = { ...policyOf(criteria), triggers: [] };

      const bad = trial(policy, effect, { seconds: 400 }).judgement;
      assert.equal(bad.verdict, 'fail');
      assert.equal(bad.metric, metric);
      assert.equal(bad.detected_by, 'sequential');
      const scored: Effect = effect.scored === undefined ? {} : { scored: effect.scored };
      const good = trial(policy, scored, { seconds: 400 }).judgement;
      assert.equal(found(good, metric).verdict, 'pass', found(good, metric).reason);
    });
  }

  it('allows more when it says so', () => {
    assert.equal(trial(policyOf({ max_cost_increase: 1 }), { cost: 1.5 }).judgement.verdict, 'pass');
    assert.equal(
      trial(policyOf({ max_latency_increase: 1 }, { auto_rollback: { warning_triggers: {} } }), { latency: 1.4 }).judgement.metric,
      null,
    );
  });

  it('with a limit of its own is not met beyond it, although the difference from stable would be allowed', () => {
    const policy = { ...policyOf({ absolute_max_latency_p95: 2500, max_latency_increase: 1 }), triggers: [] };
    const judgement = trial(policy, { latency: 1.2 }).judgement;

    assert.equal(judgement.verdict, 'inconclusive');
    assert.equal(judgement.metric, 'latency_p95');
    assert.match(judgement.reason, /beyond the limit of 2500 ms/);
  });

  it('does not hold a limit against the canary that stable is beyond as well: it may be the cure', () => {
    const policy = { ...policyOf({ absolute_max_latency_p95: 1000, min_quality_score: 0.99 }), triggers: [] };

    assert.equal(trial(policy, {}).judgement.verdict, 'pass');
  });

  it('on a custom metric takes a least and a largest mean', () => {
    const least = policyOf({ custom_metrics: [{ name: 'helpfulness', min_value: 0.79 }] });
    const largest = policyOf({ custom_metrics: [{ name: 'helpfulness', max_value: 0.81 }] });

    assert.equal(found(trial(least, { score: 0.9, scored: 'helpfulness' }).judgement, 'helpfulness').verdict, 'inconclusive');
    assert.equal(found(trial(largest, { score: 1.1, scored: 'helpfulness' }).judgement, 'helpfulness').verdict, 'inconclusive');
    assert.equal(found(trial(least, { scored: 'helpfulness' }).judgement, 'helpfulness').verdict, 'pass');
  });

  it('holds a limit against the canary also where stable does not report the metric at all', () => {
    const policy = policyOf({ custom_metrics: [{ name: 'grounding', min_value: 0.9 }], required_metrics: ['grounding'] });
    const court = aCourt({ ...policy, triggers: [] }, 25);
    const values = Array.from({ length: 15 }, (_, i) => 0.5 + i / 100);
    for (let i = 0; i < 60; i++) court.arrive({ requests: 15, scores: { grounding: values } }, { requests: 45 });

    assert.equal(found(court.look(), 'grounding').verdict, 'inconclusive');
    assert.notEqual(court.look().verdict, 'pass');
  });

  it('with nothing but a limit passes no canary that is further beyond it than stable', () => {
    const policy = { ...policyOf({ custom_metrics: [{ name: 'grounding', min_value: 0.9 }] }), triggers: [] };

    assert.equal(found(trial(policy, { score: 0.2, scored: 'grounding' }).judgement, 'grounding').verdict, 'inconclusive');
    assert.equal(found(trial(policy, { score: 1.05, scored: 'grounding' }).judgement, 'grounding').verdict, 'pass');
  });

  it('on an absolute error rate is not met above it', () => {
    const policy = { ...policyOf({ absolute_max_error_rate: 0.02, max_error_rate_increase: 0.2 }), triggers: [] };

    assert.equal(found(trial(policy, { error: 0.03 }).judgement, 'error_rate').verdict, 'inconclusive');
  });

  it('is looked at only when monitoring names its metric', () => {
    const policy = policyOf({}, { monitoring: { metrics: ['latency_p95'] } });

    assert.deepEqual(
      policy.criteria.map(({ metric }) => metric),
      ['error_rate', 'latency_p95'],
    );
    assert.equal(trial(policy, { cost: 3 }).judgement.verdict, 'pass');
  });
});

describe('statistical validation', () => {
  it('alpha: a smaller one asks for more evidence', () => {
    const of = (alpha: number): number =>
      found(trial(policyOf({}, { statistical_validation: { alpha } }), {}, { seconds: 5 }).judgement, 'error_rate').ln_e_needed;

    assert.ok(Math.abs(of(0.05) - Math.log(7 / 0.05)) < 1e-12);
    assert.ok(Math.abs(of(0.001) - Math.log(7 / 0.001)) < 1e-12);
  });

  it('correction: Bonferroni asks the same of every metric, Holm less of those behind the strongest, none least', () => {
    const needed = (correction: 'bonferroni' | 'holm' | 'none'): readonly number[] => {
      const policy = {
        ...policyOf({ max_latency_increase: 9, max_cost_increase: 9 }, { statistical_validation: { correction } }),
        triggers: [],
      };
      return trial(policy, { latency: 2, cost: 2 }, { seconds: 100 }).judgement.criteria.map(({ ln_e_needed: ln }) =>
        Math.round(0.05 * Math.exp(ln)),
      );
    };

    assert.deepEqual(needed('bonferroni'), [7, 7, 7, 7, 7, 7, 7]);
    assert.deepEqual(needed('none'), [1, 1, 1, 1, 1, 1, 1]);
    assert.ok(Math.min(...needed('holm')) < 7 && Math.max(...needed('holm')) === 7);
  });

  it('test_method: means alone, ranks alone, or both decide on a mean', () => {
    const lnE = (test_method?: 'welch_t_test' | 'mann_whitney' | 'bootstrap'): number => {
      const policy = { ...policyOf({}, test_method === undefined ? {} : { statistical_validation: { test_method } }), triggers: [] };
      return found(trial(policy, { cost: 1.08 }, { seconds: 200 }).judgement, 'cost_per_request').ln_e;
    };
    const [welch, ranks, both] = [lnE('welch_t_test'), lnE('mann_whitney'), lnE()];

    assert.notEqual(welch, ranks);
    assert.ok(both <= Math.max(welch, ranks) && both >= Math.min(welch, ranks));
    assert.equal(lnE('bootstrap'), both);
  });

  it('min_effect_size: a smaller difference of means fails nothing', () => {
    const of = (min_effect_size: number): Judgement =>
      trial({ ...policyOf({}, { statistical_validation: { min_effect_size } }), triggers: [] }, { cost: 1.5 }, { seconds: 300 }).judgement;

    assert.equal(of(0.1).metric, 'cost_per_request');
    assert.notEqual(of(2).verdict, 'fail');
    assert.ok((found(of(2), 'cost_per_request').effect_size ?? 0) > 0.1);
  });

  it('counts no p-value as significant that is not so after correction and however often one looks', () => {
    const equal = trial(policyOf(), {}).judgement;
    const worse = trial(policyOf(), { error: 0.2 }).judgement;

    assert.equal(equal.statistical_significance, false);
    assert.ok(worse.p_value < 0.05 && worse.statistical_significance);
  });

  it('gives intervals that hold the true difference at every look, in at least 95 of 100 runs', () => {
    let missed = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const { court } = trial({ ...policyOf({ max_cost_increase: 9 }), triggers: [] }, { cost: 1.2 }, { seconds: 30, seed, perSecond: 40 });
      const interval = found(court.look(), 'cost_per_request').interval;
      if (interval === null || interval[0] > 0.2 || interval[1] < 0.2) missed++;
    }

    assert.ok(missed <= 2, `${missed} of 40`);
  });
});

describe('gates', () => {
  it('open later when significance is required of each', () => {
    const first = (criteria: object): number => {
      for (let seconds = 10; seconds <= 300; seconds += 10)
        if (trial({ ...policyOf(criteria), triggers: [] }, {}, { seconds, weight: 10, seed: 3 }).judgement.verdict === 'pass')
          return seconds;
      return Infinity;
    };

    assert.ok(first({ require_statistical_significance: true, p_value_threshold: 0.001 }) > first({}));
  });

  it('are not opened by a step that looks worse by itself, however good those before it were', () => {
    const rng = seededRng(12);
    const { court } = trial({ ...policyOf(), triggers: [] }, { cost: 0.7 }, { seconds: 200, weight: 10 });
    court.begin(20);
    for (let i = 0; i < 12; i++) court.arrive(requests(12, rng, { cost: 1.5 }), requests(48, rng));

    const cost = found(court.look(), 'cost_per_request');
    assert.ok((cost.margin_z ?? 9) < (cost.gate_z ?? -9), 'over all steps it would pass');
    assert.equal(cost.verdict, 'inconclusive');
  });
});

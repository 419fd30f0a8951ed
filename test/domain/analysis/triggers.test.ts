import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng } from '../../../src/base/random.ts';
import type { Judgement } from '../../../src/domain/analysis/look.ts';
import type { WrittenSettingsAutoRollback } from '../../../src/generated/types.ts';
import { aCourt, aPolicy, type Court } from '../../builders/judge.ts';
import { requests, trial, type Effect } from '../../builders/traffic.ts';

/** Criteria that nothing but a trigger can fail. */
const lax = {
  max_error_rate_increase: 1,
  max_latency_increase: 10,
  max_cost_increase: 100,
  max_quality_degradation: 1,
  min_sample_size: 50,
};

function policyOf(auto_rollback: WrittenSettingsAutoRollback = {}): ReturnType<typeof aPolicy> {
  return aPolicy({ success_criteria: lax, auto_rollback });
}

function run(auto_rollback: WrittenSettingsAutoRollback, effect: Effect, seconds = 120): Judgement {
  return trial(policyOf(auto_rollback), effect, { seconds }).judgement;
}

describe('critical triggers', () => {
  const cases: readonly [string, WrittenSettingsAutoRollback, Effect, Effect, string][] = [
    ['critical_error_rate', { critical_error_rate: 0.3 }, { error: 0.5 }, { error: 0.2 }, 'error_rate'],
    ['critical_latency_p95_ms', { critical_latency_p95_ms: 4000 }, { latency: 2.5 }, { latency: 1.1 }, 'latency_p95'],
    ['critical_quality_drop', { critical_quality_drop: 0.4 }, { score: 0.45 }, { score: 0.8 }, 'quality_score'],
    ['error_rate.threshold', { critical_triggers: { error_rate: { threshold: 0.3 } } }, { error: 0.5 }, { error: 0.2 }, 'error_rate'],
    [
      'latency_p95.threshold_ms',
      { critical_triggers: { latency_p95: { threshold_ms: 4000 } } },
      { latency: 2.5 },
      { latency: 1.1 },
      'latency_p95',
    ],
    [
      'latency_p95.increase_pct',
      { critical_triggers: { latency_p95: { increase_pct: 1 } } },
      { latency: 3 },
      { latency: 1.5 },
      'latency_p95',
    ],
    [
      'quality_score.min_threshold',
      { critical_triggers: { quality_score: { min_threshold: 0.5 } } },
      { score: 0.5 },
      { score: 0.8 },
      'quality_score',
    ],
    [
      'quality_score.degradation_pct',
      { critical_triggers: { quality_score: { degradation_pct: 0.4 } } },
      { score: 0.45 },
      { score: 0.8 },
      'quality_score',
    ],
    [
      'cost_per_request.threshold_usd',
      { critical_triggers: { cost_per_request: { threshold_usd: 0.03 } } },
      { cost: 4 },
      { cost: 1.5 },
      'cost_per_request',
    ],
    [
      'cost_per_request.increase_pct',
      { critical_triggers: { cost_per_request: { increase_pct: 1 } } },
      { cost: 3 },
      { cost: 1.5 },
      'cost_per_request',
    ],
  ];
  for (const [key, settings, beyond, within, metric] of cases) {
    it(`${key} ends a canary beyond it at once, and none within`, () => {
      const quiet: WrittenSettingsAutoRollback = { ...settings, warning_action: 'alert_only' };
      const bad = run(quiet, beyond);

      assert.equal(bad.detected_by, 'critical', bad.reason);
      assert.equal(bad.metric, metric);
      assert.notEqual(run(quiet, within).verdict, 'fail');
    });
  }

  it('are those of the decision matrix where nothing is written: 10 % errors, three times the latency or 10 s, 30 % less quality', () => {
    const critical = policyOf()
      .triggers.filter(({ level }) => level === 'critical')
      .map(({ metric, kind, threshold }) => `${metric} ${kind} ${threshold}`);

    assert.deepEqual(critical, [
      'error_rate above 0.1',
      'latency_p95 above 10000',
      'latency_p95 increase 2',
      'quality_score decrease 0.3',
      'judged_quality decrease 0.3',
    ]);
  });

  it('replace what the matrix says of a metric, and leave the others', () => {
    const { triggers } = policyOf({ critical_triggers: { latency_p95: { threshold_ms: 7000, window_minutes: 2 } } });
    const latency = triggers.filter(({ level, metric }) => level === 'critical' && metric === 'latency_p95');

    assert.deepEqual(latency, [
      { level: 'critical', metric: 'latency_p95', kind: 'above', threshold: 7000, windowMs: 120_000, isDefault: false },
    ]);
    assert.ok(triggers.some(({ level, metric }) => level === 'critical' && metric === 'error_rate'));
  });

  it('look at their window only', () => {
    const rng = seededRng(5);
    const short = aCourt(
      policyOf({ critical_triggers: { error_rate: { threshold: 0.3, window_minutes: '10s' } }, warning_action: 'alert_only' }),
      25,
    );
    const long = aCourt(
      policyOf({ critical_triggers: { error_rate: { threshold: 0.3, window_minutes: 30 } }, warning_action: 'alert_only' }),
      25,
    );
    const both = [short, long];
    for (let i = 0; i < 60; i++) for (const court of both) court.arrive(requests(20, rng), requests(60, rng));
    const bad = (): Judgement[] => both.map((court) => court.arrive({ requests: 20, errors: 12 }, requests(60, rng)));
    let seen = bad();
    for (let i = 0; i < 11; i++) seen = bad();

    assert.equal(seen[0]?.detected_by, 'critical');
    assert.notEqual(seen[1]?.verdict, 'fail');
  });

  it('wait for violation_duration_minutes', () => {
    const at = (violation_duration_minutes: string): number =>
      trial(policyOf({ violation_duration_minutes }), { error: 0.6 }, { seconds: 200 }).seconds;

    assert.ok(at('60s') >= at('0ms') + 55, `${at('60s')} s against ${at('0ms')} s`);
    assert.ok(at('60s') < 120);
  });

  it('make an incident of what stable has as well, and of the matrix only where it is about errors', () => {
    const rng = seededRng(9);
    const slow = aCourt(policyOf({ critical_latency_p95_ms: 3000 }), 25);
    const slowByDefault = aCourt(policyOf(), 25);
    let [judgement, byDefault] = [slow.look(), slowByDefault.look()];
    for (let i = 0; i < 60; i++) {
      judgement = slow.arrive(requests(20, rng, { latency: 10 }), requests(60, rng, { latency: 10 }));
      byDefault = slowByDefault.arrive(requests(20, rng, { latency: 10 }), requests(60, rng, { latency: 10 }));
    }

    assert.equal(judgement.verdict, 'incident');
    assert.notEqual(byDefault.verdict, 'incident');
  });

  it('with all traffic on the canary look at what came since then', () => {
    const rng = seededRng(4);
    const court = aCourt(policyOf(), 75);
    for (let i = 0; i < 120; i++) court.arrive(requests(75, rng), requests(25, rng));
    court.begin(100);
    let judgement = court.look();
    for (let i = 0; i < 5; i++) judgement = court.arrive({ requests: 100, errors: 60 }, null);

    assert.equal(judgement.detected_by, 'critical');
  });
});

describe('service health', () => {
  const settings = { critical_triggers: { service_health: { consecutive_failures: 3, health_check_interval_seconds: 30 } } };

  /** Three requests to the canary in 30 s, all of which fail; `stableFails` of stable's 60. */
  function dead(court: Court, checks: number, stableFails: number): Judgement {
    let judgement = court.look();
    for (let i = 0; i < checks * 3 + 1; i++)
      judgement = court.arrive({ requests: 1, errors: 1 }, { requests: 20, errors: stableFails }, 10_000);
    return judgement;
  }

  it('ends a canary whose every request fails, at a few requests a minute, before any rate has a bound', () => {
    const policy = { ...policyOf(settings), triggers: [] };

    assert.equal(dead(aCourt(policy), 2, 0).verdict, 'inconclusive');
    assert.equal(dead(aCourt(policy), 3, 0).detected_by, 'health');
  });

  it('takes one answer as a sign of life', () => {
    const court = aCourt({ ...policyOf(settings), triggers: [] });
    dead(court, 2, 0);
    court.arrive({ requests: 1 }, { requests: 20 }, 10_000);

    assert.notEqual(dead(court, 1, 0).detected_by, 'health');
  });

  it('is an incident when stable has no answer either, and no proof when stable fails often', () => {
    const policy = { ...policyOf(settings), triggers: [] };

    assert.equal(dead(aCourt(policy), 4, 20).verdict, 'incident');
    assert.notEqual(dead(aCourt(policy), 3, 8).detected_by, 'health');
  });
});

describe('warning triggers', () => {
  it('pause: the verdict is warn, with the metric and a person as the remedy', () => {
    const judgement = run({ critical_error_rate: 0.9 }, { error: 0.15 });

    assert.equal(judgement.verdict, 'warn');
    assert.equal(judgement.metric, 'error_rate');
    assert.equal(
      judgement.warnings.some(({ level }) => level === 'severe'),
      true,
    );
  });

  for (const warning_action of ['alert_only', 'continue'] as const) {
    it(`${warning_action}: the warning is said, and the gate decides`, () => {
      const judgement = run({ critical_error_rate: 0.9, warning_action }, { error: 0.15 });

      assert.equal(judgement.verdict, 'pass');
      assert.equal(
        judgement.warnings.some(({ key }) => key === 'severe/error_rate/above'),
        true,
      );
    });
  }

  const cases: readonly [string, WrittenSettingsAutoRollback, Effect][] = [
    ['warning_error_rate', { warning_error_rate: 0.02 }, { error: 0.03 }],
    ['warning_latency_increase', { warning_latency_increase: 0.2, warning_triggers: {} }, { latency: 1.4 }],
    ['error_rate.threshold', { warning_triggers: { error_rate: { threshold: 0.02 } } }, { error: 0.03 }],
    ['latency_p95.increase_pct', { warning_triggers: { latency_p95: { increase_pct: 0.2 } } }, { latency: 1.4 }],
    ['quality_score.degradation_pct', { warning_triggers: { quality_score: { degradation_pct: 0.05 } } }, { score: 0.88 }],
  ];
  for (const [key, settings, effect] of cases) {
    it(`${key} is what it warns of`, () => {
      assert.equal(run(settings, effect, 240).verdict, 'warn');
      assert.equal(
        run({}, effect, 240).warnings.some(({ level }) => level === 'severe'),
        false,
      );
    });
  }

  it('of the matrix continue with caution below what pauses: 2 to 5 % errors', () => {
    const judgement = run({}, { error: 0.027 }, 300);

    assert.equal(judgement.verdict, 'pass');
    assert.deepEqual(
      judgement.warnings.map(({ level }) => level),
      ['caution'],
    );
  });
});

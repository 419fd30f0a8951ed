import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyProblems, resolvePolicy, withTargets } from '../../../src/domain/settings/resolve-policy.ts';
import { resolveRolloutSettings, type SettingsSources } from '../../../src/domain/settings/resolve.ts';
import type { AnalysisPolicy, Criterion } from '../../../src/domain/settings/policy.ts';
import type { WrittenSettingsCanary } from '../../../src/generated/types.ts';
import { readDocument } from '../../../src/adapters/documents/reader.ts';

const of = (written: WrittenSettingsCanary): AnalysisPolicy => resolvePolicy(written, false, 10_000);

function criterion(policy: AnalysisPolicy, metric: string): Criterion | undefined {
  return policy.criteria.find((one) => one.metric === metric);
}

function resolved(change: Partial<SettingsSources>): AnalysisPolicy {
  const result = resolveRolloutSettings({ repository: {}, policies: new Map(), service: {}, oneOff: undefined, choice: null, ...change });
  if (!result.ok) throw new Error(result.error.map(({ message }) => message).join());
  return result.value.policy;
}

function refusal(change: Partial<SettingsSources>): string {
  const result = resolveRolloutSettings({ repository: {}, policies: new Map(), service: {}, oneOff: undefined, choice: null, ...change });
  return result.ok ? 'accepted' : result.error.map(({ path, message }) => `${path ?? ''} ${message}`).join('\n');
}

describe('the policy', () => {
  it("has the guide's margins where nothing is written", () => {
    assert.deepEqual(
      of({}).criteria.map(({ metric, margin }) => [metric, margin]),
      [
        ['error_rate', 0.02],
        ['latency_p50', 0.1],
        ['latency_p95', 0.15],
        ['latency_p99', 0.2],
        ['cost_per_request', 0.1],
        ['quality_score', 0.05],
        ['judged_quality', 0.05],
      ],
    );
  });

  it('takes the short form of latency for all percentiles that have no key of their own', () => {
    const policy = of({ success_criteria: { max_latency_increase: 0.25, max_latency_p99_increase: 0.5 } });

    assert.deepEqual(
      ['latency_p50', 'latency_p95', 'latency_p99'].map((metric) => criterion(policy, metric)?.margin),
      [0.25, 0.25, 0.5],
    );
  });

  it('shares alpha among seven metrics at the least, and among all when there are more', () => {
    const custom = ['a', 'b', 'c'].map((name) => ({ name, min_value: 0 }));

    assert.equal(of({ monitoring: { metrics: ['error_rate'] } }).family, 7);
    assert.equal(of({ success_criteria: { custom_metrics: custom } }).family, 10);
  });

  it('reads the blocks of the guide as they are printed', () => {
    const text = `statistical_validation:
  test_method: "welch_t_test"
  alpha: 0.01
  correction: "holm"
  min_effect_size: 0.1
success_criteria:
  max_error_rate_increase: 0.01
  custom_metrics: [{ name: "user_satisfaction", min_value: 0.8 }]
auto_rollback:
  enabled: true
  warning_action: "alert_only"
  violation_duration_minutes: 5
  warning_pause_duration_minutes: 20
  require_manual_approval_after_warning: true
  critical_triggers:
    service_health: { consecutive_failures: 4, health_check_interval_seconds: 15 }
`;
    const document = readDocument('settings', text, 'actuator.yaml');
    assert.ok(document.ok);
    const policy = resolved({ repository: document.value.value });

    assert.equal(policy.testMethod, 'welch_t_test');
    assert.equal(policy.alpha, 0.01);
    assert.equal(policy.correction, 'holm');
    assert.equal(policy.minEffectSize, 0.1);
    assert.equal(criterion(policy, 'error_rate')?.margin, 0.01);
    assert.equal(criterion(policy, 'user_satisfaction')?.min, 0.8);
    assert.deepEqual(policy.warning, { action: 'alert_only', pauseMs: 20 * 60_000, requiresApproval: true });
    assert.equal(policy.violationMs, 5 * 60_000);
    assert.deepEqual(policy.health, { failures: 4, intervalMs: 15_000 });
  });

  it('keeps what is required, and custom metrics, whatever monitoring lists', () => {
    const policy = of({
      monitoring: { metrics: ['latency_p95'] },
      success_criteria: { required_metrics: ['quality_score'], custom_metrics: [{ name: 'grounding', min_value: 0.9 }] },
    });

    assert.deepEqual(
      policy.criteria.map(({ metric }) => metric),
      ['error_rate', 'latency_p95', 'quality_score', 'grounding'],
    );
  });

  it('knows requests that share a key from independent ones by the split', () => {
    const split = (traffic_split: NonNullable<WrittenSettingsCanary['traffic_split']>): boolean =>
      resolved({ service: { canary: { traffic_split } } }).clustered;

    assert.equal(split({ method: 'weighted_random' }), false);
    assert.equal(split({ method: 'consistent_hash' }), true);
    assert.equal(split({ method: 'weighted_random', sticky_sessions: true }), true);
  });

  it('takes the stricter of the settings’ limits and those of the configuration itself', () => {
    const policy = of({ success_criteria: { absolute_max_latency_p95: 4000, min_quality_score: 0.6 } });
    const limited = withTargets(policy, { p95Ms: 3000, p99Ms: 9000, quality: 0.5 });

    assert.equal(criterion(limited, 'latency_p95')?.max, 3000);
    assert.equal(criterion(limited, 'latency_p99')?.max, 9000);
    assert.equal(criterion(limited, 'judged_quality')?.min, 0.6);
    assert.equal(criterion(withTargets(policy, { p95Ms: 5000, p99Ms: null, quality: null }), 'latency_p95')?.max, 4000);
  });

  it('uses the comparison window for triggers that name none, wherever it is written', () => {
    const first = (written: WrittenSettingsCanary): number | undefined => of(written).triggers[0]?.windowMs;

    assert.equal(first({}), 5 * 60_000);
    assert.equal(first({ monitoring: { comparison_window_minutes: 15 } }), 15 * 60_000);
    assert.equal(
      first({ success_criteria: { comparison_window_minutes: 10 }, monitoring: { comparison_window_minutes: 15 } }),
      10 * 60_000,
    );
  });
});

describe('keys that would have no effect', () => {
  const cases: readonly [string, WrittenSettingsCanary, RegExp][] = [
    ['a p-value that no gate asks for', { success_criteria: { p_value_threshold: 0.01 } }, /needs require_statistical_significance/],
    ['a sensitivity of what is off', { monitoring: { anomaly_sensitivity: 'high' } }, /needs enable_anomaly_detection/],
    ['a cap on what is not widened', { low_traffic: { max_percentage: 20 } }, /needs policy: widen/],
    [
      'a window of a trigger without a threshold',
      { auto_rollback: { critical_triggers: { error_rate: { window_minutes: 3 } } } },
      /needs a threshold/,
    ],
    [
      'a window beyond an hour',
      { auto_rollback: { warning_triggers: { error_rate: { threshold: 0.1, window_minutes: '2h' } } } },
      /an hour at the most/,
    ],
    [
      'a custom metric twice',
      {
        success_criteria: {
          custom_metrics: [
            { name: 'a', min_value: 1 },
            { name: 'a', max_value: 2 },
          ],
        },
      },
      /"a" twice/,
    ],
    [
      'a custom metric of a name that is taken',
      { success_criteria: { custom_metrics: [{ name: 'quality_score', min_value: 1 }] } },
      /it is taken/,
    ],
  ];
  for (const [name, written, message] of cases) {
    it(`are refused by name: ${name}`, () => {
      assert.match(
        policyProblems(written)
          .map((problem) => problem.message)
          .join(),
        message,
      );
    });
  }
});

describe('a one-off', () => {
  const looser: readonly [string, object][] = [
    ['max_latency_p95_increase', { max_latency_p95_increase: 0.5 }],
    ['max_latency_increase', { max_latency_increase: 0.12 }],
    ['max_cost_increase', { max_cost_increase: 0.5 }],
    ['max_quality_degradation', { max_quality_degradation: 0.5 }],
    ['confidence_level', { confidence_level: 0.8 }],
    ['min_sample_size', { min_sample_size: 1 }],
  ];
  for (const [key, success_criteria] of looser) {
    it(`can not loosen ${key}`, () => {
      assert.match(refusal({ oneOff: { success_criteria } }), new RegExp(`${key} .*would loosen`));
    });
  }

  it('can not put its own custom metrics in the place of those that settings ask for, nor drop a floor or a required proof', () => {
    const service = {
      success_criteria: { custom_metrics: [{ name: 'a', min_value: 1 }], min_quality_score: 0.8, require_statistical_significance: true },
    };

    assert.match(refusal({ service, oneOff: { success_criteria: { custom_metrics: [] } } }), /custom_metrics, which settings have as well/);
    assert.match(refusal({ service, oneOff: { success_criteria: { min_quality_score: 0.5 } } }), /min_quality_score 0\.5 .*would loosen/);
    assert.match(
      refusal({ service, oneOff: { success_criteria: { require_statistical_significance: false } } }),
      /require_statistical_significance false/,
    );
  });

  it('can not shorten how far triggers look back', () => {
    assert.match(refusal({ oneOff: { success_criteria: { comparison_window_minutes: 0.05 } } }), /comparison_window_minutes/);
  });

  it('can tighten all of them', () => {
    const success_criteria = {
      max_latency_increase: 0.05,
      max_cost_increase: 0.01,
      confidence_level: 0.99,
      min_quality_score: 0.9,
      min_sample_size: 5000,
    };

    assert.equal(refusal({ oneOff: { success_criteria } }), 'accepted');
  });
});

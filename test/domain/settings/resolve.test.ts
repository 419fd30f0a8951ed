import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planRollout } from '../../../src/domain/planning/plan.ts';
import {
  misplacedKeys,
  resolveDaemonSettings,
  resolveRolloutSettings,
  type RolloutSettings,
  type SettingsSources,
} from '../../../src/domain/settings/resolve.ts';

function resolve(change: Partial<SettingsSources> = {}): RolloutSettings {
  const resolved = resolveRolloutSettings({ repository: {}, policies: new Map(), service: {}, oneOff: undefined, choice: null, ...change });
  if (!resolved.ok) throw new Error(resolved.error.map((problem) => problem.message).join());
  return resolved.value;
}

function problem(change: Partial<SettingsSources>): string {
  const resolved = resolveRolloutSettings({ repository: {}, policies: new Map(), service: {}, oneOff: undefined, choice: null, ...change });
  assert.equal(resolved.ok, false);
  return resolved.error.map(({ code, message }) => `${code}: ${message}`).join();
}

const weights = (settings: RolloutSettings): number[] => settings.steps.map((step) => step.weight);

describe('settings', () => {
  it("have the guide's values where nothing is written", () => {
    const settings = resolve();
    assert.equal(settings.strategy, 'canary');
    assert.deepEqual(weights(settings), [5, 25, 50, 75, 100]);
    assert.equal(settings.steps[0]?.holdMs, 15 * 60_000);
    assert.equal(settings.policy.minSampleSize, 1000);
    assert.equal(settings.policy.confidence, 0.95);
    assert.equal(settings.policy.alpha, 0.05);
    assert.equal(settings.maxTotalMs, 180 * 60_000);
    assert.equal(settings.policy.blockMs, 10_000);
  });

  it('are overridden by actuator.yaml, then the policy, then rollout.yaml, then the one-off', () => {
    const level = (min_sample_size: number): { canary: { success_criteria: { min_sample_size: number } } } => ({
      canary: { success_criteria: { min_sample_size } },
    });
    const repository = { policy: 'p', actuator: level(1) };
    assert.equal(resolve({ repository: { actuator: level(1) } }).policy.minSampleSize, 1);
    const policies = new Map([['p', level(2)]]);
    assert.equal(resolve({ repository, policies }).policy.minSampleSize, 2);
    assert.equal(resolve({ repository, policies, service: level(3) }).policy.minSampleSize, 3);
    assert.equal(
      resolve({ repository, policies, service: level(3), oneOff: { success_criteria: { min_sample_size: 4 } } }).policy.minSampleSize,
      4,
    );
  });

  it('take minutes as numbers and other units as text', () => {
    const steps = [
      { percentage: 10, duration_minutes: '90s' },
      { percentage: 100, duration_minutes: 0.5 },
    ];
    assert.deepEqual(
      resolve({ service: { canary: { steps } } }).steps.map((step) => step.holdMs),
      [90_000, 30_000],
    );
    assert.equal(resolve({ service: { canary: { max_total_duration_minutes: '24h' } } }).maxTotalMs, 24 * 3_600_000);
  });

  it('start at the initial percentage', () => {
    assert.deepEqual(weights(resolve({ oneOff: { initial_percentage: 10 } })), [10, 25, 50, 75, 100]);
    assert.deepEqual(weights(resolve({ repository: { actuator: { canary: { initial_percentage: 1 } } } })), [1, 5, 25, 50, 75, 100]);
  });

  it('let steps of a higher layer win over an initial percentage of a lower one', () => {
    const repository = { actuator: { canary: { initial_percentage: 1 } } };
    const steps = [
      { percentage: 20, duration_minutes: 1 },
      { percentage: 100, duration_minutes: 1 },
    ];
    assert.deepEqual(weights(resolve({ repository, service: { canary: { steps } } })), [20, 100]);
  });

  it('scale holds to the asked duration', () => {
    const settings = resolve({ oneOff: { rollout_duration_minutes: 60 } });
    assert.equal(
      settings.steps.reduce((sum, step) => sum + step.holdMs, 0),
      60 * 60_000,
    );
    assert.ok(settings.maxTotalMs > 60 * 60_000);
  });

  it('refuse what is not offered, by name', () => {
    assert.match(
      problem({ repository: { actuator: { default_strategy: 'by-mood' } } }),
      /not-in-effect: .*"by-mood".*"canary", "blue-green"/,
    );
    assert.match(problem({ service: { canary: { traffic_split: { method: 'by_mood' } } } }), /not-in-effect: .*by_mood.*consistent_hash/);
    assert.match(
      problem({ service: { canary: { traffic_split: { method: 'consistent_hash', sticky_duration_minutes: 5 } } } }),
      /sticky_duration_minutes needs sticky_sessions/,
    );
    assert.match(
      problem({ repository: { policy: 'standrad' }, policies: new Map([['standard', {}]]) }),
      /unknown-policy: .*Did you mean "standard"/,
    );
  });

  it('refuse steps that make no rollout', () => {
    const steps = (...list: number[]): Partial<SettingsSources> => ({
      service: { canary: { steps: list.map((percentage) => ({ percentage, duration_minutes: 1 })) } },
    });
    assert.match(problem(steps(50, 25, 100)), /must rise/);
    assert.match(problem(steps(5, 50)), /must be 100/);
    assert.match(problem(steps(100)), /below 100/);
  });

  it('can not be loosened by the change that they judge; tightened they can', () => {
    assert.match(
      problem({ oneOff: { success_criteria: { max_error_rate_increase: 0.5 } } }),
      /max_error_rate_increase 0\.5 .*would loosen/,
    );
    assert.match(problem({ oneOff: { success_criteria: { min_sample_size: 1 } } }), /min_sample_size 1 .*would loosen/);
    assert.match(problem({ oneOff: { auto_rollback: false } }), /auto_rollback false .*would loosen/);
    assert.equal(
      resolve({ oneOff: { success_criteria: { min_sample_size: 2000, max_error_rate_increase: 0.01 } } }).policy.minSampleSize,
      2000,
    );
    assert.equal(
      resolve({ service: { canary: { auto_rollback: { enabled: false } } }, oneOff: { auto_rollback: false } }).autoRollback,
      false,
    );
  });

  it('refuse a pace for what has none, and a deadline before the end of the holds', () => {
    assert.match(problem({ oneOff: { type: 'immediate', rollout_duration_minutes: 60 } }), /has no steps and no duration/);
    assert.match(problem({ service: { canary: { max_total_duration_minutes: 5 } } }), /holds add up to 2h 0m.*after 5m 00s/);
  });

  it('know which keys belong where', () => {
    assert.equal(misplacedKeys({ actuator: { max_concurrent_deployments: 3 } }, 'service').length, 1);
    assert.equal(misplacedKeys({ actuator: { max_concurrent_deployments: 3 } }, 'repository').length, 0);
    assert.equal(misplacedKeys({ canary: {}, actuator: { canary: {} } }, 'service').length, 1);
    assert.equal(resolveDaemonSettings({ actuator: { max_concurrent_deployments: 3 } }).maxConcurrentDeployments, 3);
  });
});

describe('a traffic split', () => {
  const split = (canary: object): RolloutSettings => resolve({ service: { canary } });

  it('is weighted random by default; by key and sticky when asked for', () => {
    assert.deepEqual(resolve().split, { method: 'weighted_random', hashKey: 'user_id', stickyMs: null });
    const sticky = split({ traffic_split: { method: 'consistent_hash', hash_key: 'header:x-tenant', sticky_sessions: true } });
    assert.deepEqual(sticky.split, { method: 'consistent_hash', hashKey: 'header:x-tenant', stickyMs: 3_600_000 });
  });

  it('leaves the control group on stable in every step', () => {
    const weightsOf = (canary: object): number[] => planRollout(split(canary)).steps.map((step) => step.weight);
    assert.deepEqual(weightsOf({ ab_test_mode: true }), [5, 25, 50, 75, 95]);
    assert.deepEqual(weightsOf({ control_group_size: 0.3 }), [5, 25, 50, 70, 70]);
    assert.deepEqual(weightsOf({ ab_test_mode: false, control_group_size: 0.3 }), [5, 25, 50, 75, 100]);
  });
});

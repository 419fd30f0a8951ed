import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diffPatch } from '../../../src/domain/config/patch.ts';
import { classify, familyOf, type Choice } from '../../../src/domain/planning/classify.ts';
import { planRollout, type Plan } from '../../../src/domain/planning/plan.ts';
import { describeStep, shift } from '../../../src/domain/planning/step.ts';
import { resolveRolloutSettings, type SettingsSources } from '../../../src/domain/settings/resolve.ts';

function planned(change: Partial<SettingsSources>): Plan {
  const resolved = resolveRolloutSettings({ repository: {}, policies: new Map(), service: {}, oneOff: undefined, choice: null, ...change });
  assert.ok(resolved.ok, JSON.stringify(resolved));
  return planRollout(resolved.value);
}

const strategy = (default_strategy: string): { actuator: { default_strategy: string } } => ({ actuator: { default_strategy } });
const steps = (plan: Plan): readonly string[] => plan.steps.map(describeStep);

describe('strategies become steps', () => {
  it('blue-green: copies, a person, a shift', () => {
    const plan = planned({
      repository: {
        ...strategy('blue-green'),
        blue_green: { validation_percentage: 5, cutover: { traffic_shift_duration_seconds: 4 }, keep_blue_duration: '48h' },
      },
    });
    assert.deepEqual(steps(plan), ['copies of 5 %', 'pause at 0 %', '25 %', '50 %', '75 %']);
    assert.equal(plan.watchMs, 48 * 3_600_000);
  });

  it('blue-green of one change: its cutover is on top of that of settings', () => {
    const plan = planned({
      repository: { blue_green: { cutover: { validation_duration_minutes: 7 } } },
      oneOff: { type: 'blue-green', cutover: { automatic: true } },
    });
    assert.deepEqual(steps(plan), ['copies of 10 %']);
    assert.equal(plan.steps[0]?.holdMs, 7 * 60_000);
  });

  it('rolling: batches up to all gateways', () => {
    const plan = planned({ repository: { ...strategy('rolling'), rolling: { batch_percentage: 40, max_unavailable: 0 } } });
    assert.deepEqual(steps(plan), ['40 % of the gateways', '80 % of the gateways', '100 % of the gateways']);
    assert.equal(plan.maxUnavailable, 0);
  });

  it('shadow: copies, then what settings say', () => {
    const after = (next: 'promote' | 'canary' | 'pause'): readonly string[] =>
      steps(planned({ repository: { ...strategy('shadow'), shadow: { percentage: 20, next } } }));
    assert.deepEqual(after('promote'), ['copies of 20 %']);
    assert.deepEqual(after('pause'), ['copies of 20 %', 'pause at 0 %']);
    assert.deepEqual(after('canary'), ['copies of 20 %', '5 %', '25 %', '50 %', '75 %', '100 %']);
  });

  it('a dry run comes first, also before a change that asks to be immediate, and never twice', () => {
    const validation = { enable_dry_run: true, dry_run_duration_minutes: 2, dry_run_traffic_percentage: 3 };
    assert.deepEqual(steps(planned({ repository: { validation }, oneOff: { type: 'immediate' } })), ['copies of 3 %']);
    assert.equal(steps(planned({ repository: { validation } }))[0], 'copies of 3 %');
    assert.deepEqual(steps(planned({ repository: { ...strategy('shadow'), validation } })), ['copies of 10 %']);
  });

  it('a shift is even, and at once without a duration', () => {
    assert.deepEqual(shift(0, 0), []);
    assert.deepEqual(
      shift(50, 5000).map(({ weight }) => weight),
      [60, 70, 80, 90],
    );
    assert.equal(shift(0, 3_600_000).length, 19);
  });
});

describe('the weights of a canary', () => {
  const weights = (
    canary: NonNullable<SettingsSources['service']['canary']>,
    below: SettingsSources['repository'] = {},
  ): readonly number[] => planned({ repository: below, service: { canary } }).steps.map(({ weight }) => weight);

  it('rise as rollout_strategy says', () => {
    assert.deepEqual(weights({ rollout_strategy: { type: 'linear' } }), [20, 40, 60, 80, 100]);
    assert.deepEqual(weights({ rollout_strategy: { type: 'exponential', base: 3 } }), [5, 15, 45, 100]);
    assert.deepEqual(weights({ initial_percentage: 10, rollout_strategy: { type: 'exponential' } }), [10, 20, 40, 80, 100]);
    assert.deepEqual(weights({ rollout_strategy: { type: 'custom', steps: [5, 10, 25, 50, 75, 90, 100] } }), [5, 10, 25, 50, 75, 90, 100]);
  });

  it('are those of the newest layer that says how they rise', () => {
    const below = { canary: { rollout_strategy: { type: 'linear' } } } as const;
    assert.deepEqual(
      weights(
        {
          steps: [
            { percentage: 1, duration_minutes: 1 },
            { percentage: 100, duration_minutes: 1 },
          ],
        },
        below,
      ),
      [1, 100],
    );
  });

  it('share two thirds of the longest duration evenly', () => {
    const plan = planned({ service: { canary: { rollout_strategy: { type: 'linear' }, max_total_duration_minutes: 150 } } });
    assert.deepEqual(new Set(plan.steps.map(({ holdMs }) => holdMs)), new Set([20 * 60_000]));
  });
});

describe('auto', () => {
  const before = {
    llm: { model: 'gpt-4-0613', prompt_template: 'Hello', parameters: { temperature: 0.7 } },
    routing: { rules: [] },
    cost_controls: { daily_budget_usd: 10 },
  };
  const chosen = (change: object): Choice =>
    classify(diffPatch(before, { ...before, ...change }), (path) => (path === '/llm/model' ? before.llm.model : undefined));

  it('goes by what the patch touches, the riskiest first', () => {
    const llm = (change: object): Choice => chosen({ llm: { ...before.llm, ...change } });
    assert.deepEqual(llm({ parameters: { temperature: 0.9 } }), {
      change: 'parameters',
      pace: 'aggressive',
      paths: ['/llm/parameters/temperature'],
    });
    assert.deepEqual(llm({ model: 'gpt-4-1106-preview' }).change, 'model-version');
    assert.deepEqual(llm({ model: 'gpt-3.5-turbo', parameters: { temperature: 0 } }), {
      change: 'model-switch',
      pace: 'conservative',
      paths: ['/llm/model'],
    });
    assert.equal(llm({ prompt_template: 'Hi' }).pace, 'standard');
    assert.equal(chosen({ routing: { rules: [{ condition: 'true', model: 'm' }] } }).pace, 'conservative');
    assert.equal(chosen({ cost_controls: { daily_budget_usd: 20 } }).change, 'limits');
  });

  it('tells versions of a model from other models', () => {
    assert.equal(familyOf('gpt-4-0613'), familyOf('gpt-4-1106-preview'));
    assert.equal(familyOf('claude-3-opus-20240229'), familyOf('claude-3-opus-latest'));
    assert.notEqual(familyOf('gpt-4'), familyOf('gpt-4-turbo'));
    assert.notEqual(familyOf('gpt-3.5-turbo'), familyOf('gpt-4-turbo'));
    assert.notEqual(familyOf('claude-3-opus'), familyOf('claude-3-haiku'));
  });

  it('takes the pace, and the policy of that name where settings have one', () => {
    const choice = chosen({ llm: { ...before.llm, parameters: {} } });
    const policies = new Map([
      [
        'aggressive',
        {
          canary: {
            steps: [
              { percentage: 50, duration_minutes: 1 },
              { percentage: 100, duration_minutes: 1 },
            ],
            success_criteria: { max_error_rate_increase: 0.05 },
          },
        },
      ],
    ]);
    assert.deepEqual(steps(planned({ repository: strategy('auto'), choice })), ['10 %', '50 %', '100 %']);
    const byPolicy = planned({ repository: strategy('auto'), policies, choice });
    assert.deepEqual(steps(byPolicy), ['50 %', '100 %']);
    assert.equal(byPolicy.policy.criteria[0]?.margin, 0.05);
  });

  it('asked for by one change sets its pace, and loosens nothing', () => {
    const choice = chosen({ llm: { ...before.llm, parameters: {} } });
    const policies = new Map([['aggressive', { canary: { success_criteria: { max_error_rate_increase: 0.5 } } }]]);
    const plan = planned({ policies, choice, oneOff: { type: 'auto' } });
    assert.deepEqual(steps(plan), ['10 %', '50 %', '100 %']);
    assert.equal(plan.policy.criteria[0]?.margin, 0.02);
  });

  it('is careful without anything to compare with, and overruled by what a person writes', () => {
    assert.equal(planned({ repository: strategy('auto') }).steps.length, 7);
    assert.equal(planned({ repository: strategy('auto'), oneOff: { type: 'immediate' } }).kind, 'immediate');
  });
});

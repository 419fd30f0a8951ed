import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { catalogueProblems, compatibilityProblems } from '../../../src/domain/config/compatibility.ts';
import type { LlmConfig } from '../../../src/generated/types.ts';
import { aCatalogue, aConfig } from '../../builders/configuration.ts';

function problemsOf(change: Partial<LlmConfig>): string[] {
  return compatibilityProblems(aConfig(change), aCatalogue()).map((problem) => `${problem.code} ${problem.path ?? ''}: ${problem.message}`);
}

const rule = (condition: string, model = 'gpt-4'): Partial<LlmConfig> => ({ routing: { rules: [{ condition, model }] } });

describe('a configuration that can be served', () => {
  it('has no problems', () => {
    assert.deepEqual(problemsOf({}), []);
    for (const condition of [
      "task.complexity == 'low'",
      'task.latency_budget < 1000',
      'task.quality_required > 0.9',
      'cost_budget < 0.05',
    ]) {
      assert.deepEqual(problemsOf(rule(condition)), [], condition);
    }
  });
});

describe('a configuration that can not be served', () => {
  const cases: readonly (readonly [string, Partial<LlmConfig>, RegExp])[] = [
    ['names an unknown model', { llm: { model: 'gpt-4-trubo' } }, /unknown-model \/llm\/model: .*Did you mean "gpt-4-turbo"/],
    ['names an unknown model in a rule', rule('true', 'nope'), /unknown-model \/routing\/rules\/0\/model/],
    ['names no model', { llm: {} }, /missing \/llm/],
    ['names the wrong provider', { llm: { model: 'gpt-4', provider: 'azure' } }, /served by "openai"/],
    [
      'is out of the range of its model',
      { llm: { model: 'gpt-4-turbo', parameters: { temperature: 1.5 } } },
      /parameter-range .*takes 0 to 1/,
    ],
    ['asks for too many tokens', { llm: { model: 'gpt-4-turbo', parameters: { max_tokens: 5000 } } }, /at most 4096/],
    ['misspells a field of a condition', rule("task.complexty == 'low'"), /"task\.complexty" is not known.*"task\.complexity"/],
    ['has a condition that is no bool', rule('task.complexity'), /must give bool/],
    ['has a condition that compares text with a number', rule('task.complexity > 3'), /no such overload/],
    ['has a condition that does not parse', rule('task.complexity =='), /condition/],
    ['has an unknown template variable', { llm: { model: 'gpt-4', prompt_template: 'Hi {contxt}' } }, /\{contxt\}.*"context"/],
    [
      'has scoring without a model that scores',
      { quality_controls: { enable_quality_monitoring: true } },
      /missing \/quality_controls\/enable_quality_monitoring: .*quality_judge/,
    ],
    [
      'has a sample rate and no scoring',
      { quality_controls: { quality_check_sample_rate: 0.5 } },
      /missing \/quality_controls\/quality_check_sample_rate/,
    ],
    [
      'would alert after its budget ended',
      { cost_controls: { daily_budget_usd: 1, alert_threshold_usd: 2 } },
      /cost-budget \/cost_controls\/alert_threshold_usd/,
    ],
  ];
  for (const [name, change, expected] of cases) {
    it(name, () => assert.match(problemsOf(change).join('\n'), expected));
  }
});

describe('a catalogue', () => {
  it('must not speak plain http to the world', () => {
    const catalogue = aCatalogue();
    catalogue.providers['openai']!.base_url = 'http://api.example.com/v1';
    assert.match(catalogueProblems(catalogue)[0]?.message ?? '', /loopback only/);
    catalogue.providers['openai']!.base_url = 'http://127.0.0.1:1/v1';
    assert.deepEqual(catalogueProblems(catalogue), []);
  });

  it('must know the providers that it names', () => {
    const catalogue = aCatalogue();
    catalogue.models['gpt-4']!.provider = 'opnai';
    assert.match(catalogueProblems(catalogue)[0]?.message ?? '', /Did you mean "openai"/);
  });
});

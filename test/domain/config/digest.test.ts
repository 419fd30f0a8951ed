import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { readDocument } from '../../../src/adapters/documents/reader.ts';
import { digestOf } from '../../../src/domain/config/digest.ts';
import type { LlmConfig } from '../../../src/generated/types.ts';
import { aCatalogue, aConfig } from '../../builders/configuration.ts';

function digestOfText(text: string): string {
  const parsed = readDocument('llm-config', text, 'config.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return digestOf(parsed.value.value, aCatalogue());
}

const reference = 'llm:\n  model: gpt-4\n  parameters: {temperature: 0.7, top_p: 0.9}\n';

it('does not see comments, order, layout, quotes or what does not serve', () => {
  const same = [
    '# why\nllm:\n  parameters:\n    top_p: 0.90\n    temperature: 0.7 # warm\n  model: "gpt-4"\n',
    `version: "1.0"\nmetadata: {name: x, description: y, tags: [a], created_by: me}\n${reference}`,
    `${reference}deployment_strategy: {type: immediate}\n`,
    `${reference}routing: {}\n`,
    `${reference}cost_controls: {alert_threshold_usd: 5}\nquality_controls: {min_quality_score: 0.5}\n`,
    reference.replaceAll('\n', '\r\n'),
  ];
  for (const text of same) assert.equal(digestOfText(text), digestOfText(reference), text);
});

it('sees every change of what serves', () => {
  const other = [
    reference.replace('0.7', '0.8'),
    reference.replace('gpt-4', 'gpt-4-turbo'),
    `${reference}cost_controls: {daily_budget_usd: 5}\n`,
    `${reference}routing: {rules: [{condition: "true", model: gpt-4}]}\n`,
    reference.replace('  model', '  prompt_template: Hi\n  model'),
  ];
  assert.equal(new Set([reference, ...other].map(digestOfText)).size, other.length + 1);
});

it('sees provider, endpoint and limits of the models it can reach, but no prices and no other model', () => {
  const changed = (change: (catalogue: ReturnType<typeof aCatalogue>) => void): string => {
    const catalogue = aCatalogue();
    change(catalogue);
    return digestOf(aConfig(), catalogue);
  };
  const base = changed(() => undefined);
  assert.equal(
    changed((c) => (c.models['gpt-4']!.prices!.input_per_million_usd = 1)),
    base,
  );
  assert.equal(
    changed((c) => delete c.models['gpt-4-turbo']),
    base,
  );
  assert.notEqual(
    changed((c) => (c.models['gpt-4']!.max_output_tokens = 1)),
    base,
  );
  assert.notEqual(
    changed((c) => (c.providers['openai']!.base_url = 'https://other.example.com')),
    base,
  );
});

const json = fc.dictionary(
  fc.string({ maxLength: 5 }),
  fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean()),
  { maxKeys: 6 },
);

it('is the same for every order of the keys', () => {
  fc.assert(
    fc.property(json, (parameters) => {
      const shuffled = Object.fromEntries(Object.entries(parameters).reverse());
      const config = (value: object): LlmConfig => aConfig({ llm: { model: 'gpt-4', parameters: value } });
      assert.equal(digestOf(config(parameters), aCatalogue()), digestOf(config(shuffled), aCatalogue()));
    }),
  );
});

it('is what it was before keys were added that say nothing at their defaults: an upgrade starts no rollout', () => {
  const first = 'sha256:3cdeabd4105a22396aff130351cca15ea7af7222ed4a1d05bb69a7bcd9fc84a1';
  assert.equal(digestOf(aConfig(), aCatalogue()), first);
  const azure = aCatalogue();
  azure.providers['openai'] = { ...azure.providers['openai'], base_url: 'https://api.example.com/v1', auth_header: 'api-key' };
  assert.notEqual(digestOf(aConfig(), azure), first);
});

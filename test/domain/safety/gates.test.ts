import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkSafety, safetyProblems } from '../../../src/domain/safety/checks.ts';
import { dependencyProblems, isSamePerson, type Person } from '../../../src/domain/safety/gates.ts';
import { aCatalogue, aConfig } from '../../builders/configuration.ts';

const messages = (dependsOn: Readonly<Record<string, readonly string[]>>): readonly string[] =>
  dependencyProblems(new Map(Object.entries(dependsOn)), new Set(Object.keys(dependsOn))).map(({ message }) => message);

describe('dependencies between services', () => {
  it('may form any order, but no circle', () => {
    assert.deepEqual(messages({ a: ['b', 'c'], b: ['c'], c: [] }), []);
    assert.match(messages({ a: ['b'], b: ['c'], c: ['a'] })[0] ?? '', /a -> b -> c -> a/);
    assert.match(messages({ a: ['a'] })[0] ?? '', /a -> a/);
  });

  it('name services that there are', () => {
    assert.match(messages({ a: ['serach'], search: [] })[0] ?? '', /no such service.*"search"/);
  });
});

describe('one person under many names', () => {
  const people: readonly Person[] = [
    { name: 'Ada', emails: ['ada@example.com'], logins: ['ada-l'], keys: ['ada-laptop'], roles: ['sre'] },
    { name: 'Bea', emails: [], logins: [], keys: [], roles: [] },
  ];

  it('is found by any of them, whatever their case', () => {
    assert.ok(isSamePerson(people, 'ADA@example.com', 'ada-laptop'));
    assert.ok(isSamePerson(people, 'stranger', 'Stranger'));
    assert.ok(!isSamePerson(people, 'ada-laptop', 'Bea'));
    assert.ok(!isSamePerson(people, 'nobody', 'somebody'));
  });
});

describe('safety checks', () => {
  const catalogue = {
    ...aCatalogue(),
    models: { ...aCatalogue().models, cheap: { provider: 'openai', prices: { input_per_million_usd: 10, output_per_million_usd: 20 } } },
  };
  const cheap = aConfig({ llm: { model: 'cheap' } });
  const dear = aConfig({ llm: { model: 'gpt-4' } });

  it('expect the cost that prices say, and refuse what is beyond the bound', () => {
    const [finding] = checkSafety([{ name: 'cost_explosion', limit: 0.5 }], { before: cheap, after: dear, catalogue });
    assert.deepEqual([finding?.expected, finding?.verdict], [2, 'beyond']);
    assert.match(
      safetyProblems(finding === undefined ? [] : [finding])[0]?.message ?? '',
      /cost_explosion allows 50 %, and 200 % is to be expected/,
    );
    assert.equal(checkSafety([{ name: 'cost_explosion', limit: 0.5 }], { before: dear, after: cheap, catalogue })[0]?.verdict, 'within');
  });

  it('take what the author expects, where prices say less or nothing', () => {
    const expecting = (expected: object): typeof cheap => ({ ...cheap, deployment_strategy: { expected_improvement: expected } });
    const verdict = (name: 'cost_explosion' | 'quality_degradation' | 'latency_spike', expected: object): string | undefined =>
      checkSafety([{ name, limit: 0.1 }], { before: cheap, after: expecting(expected), catalogue })[0]?.verdict;
    assert.equal(verdict('quality_degradation', { quality_change: -0.2 }), 'beyond');
    assert.equal(verdict('quality_degradation', { quality_change: 0.2 }), 'within');
    assert.equal(verdict('latency_spike', { latency_change: 0.2 }), 'beyond');
    assert.equal(verdict('cost_explosion', { cost_reduction: -0.3 }), 'beyond');
    assert.equal(verdict('latency_spike', {}), 'unknown');
  });
});

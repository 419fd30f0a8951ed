import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeIntoYaml } from '../../../src/adapters/documents/edit.ts';
import { readDocument } from '../../../src/adapters/documents/reader.ts';
import { armProblems, armsOf, groundProblems, winningPatch } from '../../../src/domain/config/arms.ts';
import { digestOf } from '../../../src/domain/config/digest.ts';
import { defineService, noPast } from '../../../src/domain/config/service-definition.ts';
import type { LlmConfig } from '../../../src/generated/types.ts';
import { aCatalogue, aConfig } from '../../builders/configuration.ts';

const written = `# the chat
llm:
  model: gpt-4 # for now
  parameters: { temperature: 0.7, max_tokens: 100 }
variants:
  - { name: cool, parameters: { temperature: 0.5 }, weight: 0.4 }
  - { name: fast, model: gpt-4-turbo, weight: 0.6 }
ab_test: { metric: quality_score, max_duration_hours: 2 }
`;

function read(yaml: string): LlmConfig {
  const document = readDocument('llm-config', yaml, 'config.yaml');
  assert.ok(document.ok, JSON.stringify(document));
  return document.value.value;
}

function define(yaml: string): ReturnType<typeof defineService> {
  const document = readDocument('llm-config', yaml, 'config.yaml');
  assert.ok(document.ok, JSON.stringify(document));
  return defineService('chat', document.value, aCatalogue(), { repository: {}, policies: new Map(), service: {} }, noPast);
}

function messagesOf(change: Partial<LlmConfig>): readonly string[] {
  return armProblems({ ...read(written), ...change }).map(({ message }) => message);
}

describe('a configuration with variants', () => {
  it('means one configuration for each, merged onto what the file says', () => {
    const [cool, fast] = armsOf(read(written));
    assert.deepEqual(cool?.config.llm, { model: 'gpt-4', parameters: { temperature: 0.5, max_tokens: 100 } });
    assert.deepEqual(fast?.config.llm, { model: 'gpt-4-turbo', parameters: { temperature: 0.7, max_tokens: 100 } });
    assert.deepEqual([cool.share, fast.share], [0.4, 0.6]);
    assert.equal('variants' in cool.config || 'ab_test' in cool.config, false);
  });

  it('is written down as its winner, comments kept, under the digest that was tried', () => {
    const arm = armsOf(read(written))[1];
    assert.ok(arm !== undefined);
    const text = mergeIntoYaml(written, winningPatch(arm));
    assert.match(text, /# the chat/);
    assert.doesNotMatch(text, /variants|ab_test|cool/);
    assert.equal(digestOf(read(text), aCatalogue()), digestOf(arm.config, aCatalogue()));
  });

  it('has a digest that changes with its arms, their shares and how they are compared', () => {
    const digest = (from: string, to: string): string => digestOf(read(written.replace(from, to)), aCatalogue());
    const digests = [
      digest('', ''),
      digest('0.5', '0.55'),
      digest('fast', 'quick'),
      digest('hours: 2', 'hours: 3'),
      digest('0.4 }', '0.41 }'),
    ];
    assert.equal(new Set(digests).size, digests.length);
    assert.equal(digest('# for now', '# still'), digests[0]);
  });

  it('is planned as one step beside a control group, with the error of a rollback shared between the arms', () => {
    const defined = define(written);
    assert.ok(defined.ok);
    const { plan, arms } = defined.value;
    assert.equal(plan.kind, 'ab-test');
    assert.deepEqual(
      plan.steps.map(({ kind, weight, holdMs }) => [kind, weight, holdMs]),
      [['compare', 95, 7_200_000]],
    );
    assert.deepEqual(
      plan.abTest?.arms,
      arms.map(({ name, digest }) => ({ name, digest })),
    );
    assert.equal(plan.policy.alpha, 0.025);
    assert.equal(plan.abTest.settings.minSampleSize, 1000);
  });

  it('is refused where it is no test, each with its reason', () => {
    assert.match(armProblems({ variants: [{ name: 'a' }, { name: 'b' }] })[0]?.message ?? '', /variants need ab_test/);
    assert.match(armProblems({ ...aConfig(), ab_test: { metric: 'error_rate' } })[0]?.message ?? '', /there are none/);
    assert.match(
      messagesOf({
        variants: [
          { name: 'a', weight: 0.5 },
          { name: 'a', weight: 0.5 },
        ],
      })[0] ?? '',
      /two variants named "a"/,
    );
    assert.match(
      messagesOf({
        variants: [
          { name: 'a', weight: 0.5 },
          { name: 'b', weight: 0.6 },
        ],
      })[0] ?? '',
      /add up to 1.1/,
    );
    assert.match(messagesOf({ variants: [{ name: 'a', weight: 0.5 }, { name: 'b' }] })[0] ?? '', /every variant a weight, or none/);
    assert.match(messagesOf({ deployment_strategy: { type: 'canary', steps: [] } }).join(), /leave type out[^]*leave steps out/);
    assert.deepEqual(messagesOf({}), []);
    assert.match(messagesOf({ ab_test: { metric: 'latency_p96' } })[0] ?? '', /no metric that is measured.*latency_p9/);
    assert.match(messagesOf({ ab_test: { metric: 'constructor' } })[0] ?? '', /no metric/);
    for (const metric of ['wit', 'error_rate_5xx', 'quality_score_v2']) assert.deepEqual(messagesOf({ ab_test: { metric } }), [], metric);
    for (const duration of ['0s', '91d'])
      assert.match(messagesOf({ ab_test: { metric: 'wit', max_duration_hours: duration } })[0] ?? '', /90 days/);
    assert.match(groundProblems(read(written), false)[0]?.message ?? '', /needs a configuration in force/);
    assert.deepEqual(groundProblems(read(written), true), []);
  });

  it('is refused for what any arm lacks, at that arm', () => {
    const unknown = define(written.replace('gpt-4-turbo', 'gpt-9'));
    assert.deepEqual(unknown.ok ? [] : unknown.error.map(({ path, line }) => [path, line]), [['/variants/1', 7]]);
    assert.match(unknown.ok ? '' : (unknown.error[0]?.message ?? ''), /Variant "fast": .*gpt-9/);
    const same = define(written.replace('model: gpt-4-turbo', 'parameters: { temperature: 0.5 }'));
    assert.match(same.ok ? '' : (same.error[0]?.message ?? ''), /"fast" serves the same as "cool"/);
  });

  it('can not name an arm as the program names its own', () => {
    for (const name of ['stable', 'canary', 'auto', 'Not Ok'])
      assert.equal(readDocument('llm-config', written.replace('cool', name), 'config.yaml').ok, false, name);
  });
});

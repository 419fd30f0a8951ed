import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeIntoYaml } from '../../../src/adapters/documents/edit.ts';
import { readDocument } from '../../../src/adapters/documents/reader.ts';
import { collapse, collapsingPatch, variantProblems } from '../../../src/domain/config/collapse.ts';
import { digestOf } from '../../../src/domain/config/digest.ts';
import type { LlmConfig } from '../../../src/generated/types.ts';
import { aCatalogue, aConfig } from '../../builders/configuration.ts';

const green = { model: 'gpt-4-turbo', parameters: { temperature: 0.2 } };
const blueGreen = aConfig({ deployment_strategy: { type: 'blue-green', blue: { model: 'gpt-4' }, green } });

describe('a configuration with green', () => {
  it('means green in the place of what the file says, and is named by that', () => {
    const meant = collapse(blueGreen);
    assert.deepEqual(meant.llm, { model: 'gpt-4-turbo', parameters: { temperature: 0.2 } });
    assert.equal(digestOf(blueGreen, aCatalogue()), digestOf(aConfig({ llm: { ...aConfig().llm, ...green } }), aCatalogue()));
    assert.notEqual(digestOf(blueGreen, aCatalogue()), digestOf(aConfig(), aCatalogue()));
  });

  it('is not held back by a default route that names the old model', () => {
    assert.equal(collapse({ ...blueGreen, routing: { default_model: 'gpt-4' } }).routing?.default_model, 'gpt-4-turbo');
  });

  it('is written down without its rollout, comments kept, under the same digest', () => {
    const text = `# the chat\nllm:\n  model: gpt-4 # old\n  parameters: { temperature: 0.7 }\ndeployment_strategy:\n  type: blue-green\n  green: { model: gpt-4-turbo }\n`;
    const read = (yaml: string): LlmConfig => {
      const document = readDocument('llm-config', yaml, 'config.yaml');
      assert.ok(document.ok);
      return document.value.value;
    };
    const written = mergeIntoYaml(text, collapsingPatch(read(text)));
    assert.match(written, /# the chat/);
    assert.doesNotMatch(written, /deployment_strategy|green/);
    assert.equal(digestOf(read(written), aCatalogue()), digestOf(read(text), aCatalogue()));
  });
});

describe('blue', () => {
  it('must be what is in force, where that is known', () => {
    assert.deepEqual(variantProblems(blueGreen, aConfig()), []);
    assert.deepEqual(variantProblems(blueGreen, null), []);
    assert.match(variantProblems(blueGreen, aConfig({ llm: { model: 'gpt-4-turbo' } }))[0]?.message ?? '', /not what is in force/);
  });

  it('and green belong to blue-green only', () => {
    assert.match(
      variantProblems(aConfig({ deployment_strategy: { type: 'canary', green } }), null)[0]?.message ?? '',
      /need type: blue-green/,
    );
    assert.match(
      variantProblems(aConfig({ deployment_strategy: { type: 'blue-green', blue: {} } }), null)[0]?.message ?? '',
      /green must say/,
    );
  });
});

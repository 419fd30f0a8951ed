import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { mergeIntoYaml } from '../../../src/adapters/documents/edit.ts';
import { readDocument } from '../../../src/adapters/documents/reader.ts';
import { formatProblem } from '../../../src/base/problem.ts';

function problems(text: string): string {
  const read = readDocument('llm-config', text, 'config.yaml');
  return read.ok ? '' : read.error.map(formatProblem).join('\n');
}

describe('a file that is wrong', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      'says where a key is misspelt and what was meant',
      'llm:\n  modle: x\n',
      /^config\.yaml:2:3: .*Did you mean "model"\? \(\/llm\/modle\)$/,
    ],
    ['lists the known keys when none is close', 'zzzzzzzz: 1\n', /Known keys: version/],
    ['says what was expected', 'llm:\n  model: 3\n', /2:3: "llm\.model" must be text, and is 3/],
    ['says the range', 'llm: {model: a, parameters: {temperature: 9}}\n', /must be <= 2, and is 9/],
    ['is refused for a key written twice', 'llm:\n  model: a\n  model: b\n', /3:3: The key "model" is written twice/],
    ['is refused for an alias', 'a: &x 1\nb: *x\n', /Aliases/],
    ['is refused for a tag that nobody knows', 'llm: !python/object x\n', /Not valid YAML/],
    ['is refused for a second document', 'llm: {}\n---\nllm: {}\n', /Not valid YAML/],
    ['is refused for __proto__', '__proto__: {a: 1}\n', /__proto__/],
    ['is refused for infinity', 'llm: {parameters: {seed: .inf}}\n', /Infinity/],
    ['is refused for a number that loses digits', 'llm: {parameters: {seed: 12345678901234567890}}\n', /more digits/],
    ['is refused for a syntax error, with its line', 'llm:\n  model: [a\n', /config\.yaml:\d+:\d+: Not valid YAML/],
    ['is refused when it is a list', '- a\n', /must be a map/],
  ];
  for (const [name, text, expected] of cases) it(name, () => assert.match(problems(text), expected));

  it('is refused for its size, without being parsed', () => {
    assert.match(problems(`x: ${'a'.repeat(300_000)}`), /at most 262144/);
  });

  it('takes no quadratic time over many keys', () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n');
    const startedAt = performance.now();
    assert.match(problems(text), /not known here/);
    assert.ok(performance.now() - startedAt < 20_000);
  });

  it('never makes the reader throw', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc
        .array(fc.constantFrom('a:', ' ', '\n', '- ', '[', '{', '}', '"', "'", '&', '*', '|', '>', '#', '!!', '?', '\t', '\u0000', 'llm'))
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (value) => void readDocument('llm-config', value, 'f')),
      { numRuns: 500 },
    );
  });
});

describe('an edit of a file', () => {
  const text = '# ours\nllm:\n  model: a # old\n  parameters:\n    temperature: 0.7\n    top_p: 0.9\n';

  it('keeps what it does not change, comments included', () => {
    assert.equal(mergeIntoYaml(text, { llm: { parameters: { temperature: 0.5 } } }), text.replace('0.7', '0.5'));
  });

  it('removes by null and adds what is new', () => {
    assert.equal(
      mergeIntoYaml(text, { llm: { parameters: { top_p: null } }, routing: { default_model: 'b' } }),
      `${text.replace('    top_p: 0.9\n', '')}routing:\n  default_model: b\n`,
    );
  });

  it('writes a new file', () => {
    assert.equal(mergeIntoYaml(null, { llm: { model: 'a' } }), 'llm:\n  model: a\n');
  });
});

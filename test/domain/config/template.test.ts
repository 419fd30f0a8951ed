import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseTemplate, renderTemplate } from '../../../src/domain/config/template.ts';

function render(text: string, values: Parameters<typeof renderTemplate>[1]): string {
  const template = parseTemplate(text);
  if (!template.ok) throw new Error(template.error.join());
  return renderTemplate(template.value, values);
}

it('fills in variables, and leaves JSON in the prompt alone', () => {
  assert.equal(render('C: {context} Q: {question}', { context: 'c', question: '{context}' }), 'C: c Q: {context}');
  assert.equal(render('Answer as {"a": 1} or {}', {}), 'Answer as {"a": 1} or {}');
  assert.equal(render('{{context}}', {}), '{context}');
  assert.equal(render('[{language}]', {}), '[]');
});

it('names each unknown variable', () => {
  const parsed = parseTemplate('{one} {question} {two}');
  assert.equal(parsed.ok, false);
  assert.equal(parsed.error.length, 2);
});

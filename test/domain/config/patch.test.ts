import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../../src/base/json.ts';
import { applyPatch, diffPatch } from '../../../src/domain/config/patch.ts';

const rules = Array.from({ length: 50 }, (_, index) => ({ condition: `task.n == ${index}`, model: 'm' }));

it('says one removed rule in one operation', () => {
  assert.deepEqual(diffPatch({ rules }, { rules: rules.slice(1) }), [{ op: 'remove', path: '/rules/0' }]);
  assert.deepEqual(diffPatch({ rules: rules.slice(1) }, { rules }), [{ op: 'add', path: '/rules/0', value: rules[0] }]);
});

it('says one changed member of a rule in one operation', () => {
  const changed = rules.map((rule, index) => (index === 7 ? { ...rule, model: 'other' } : rule));

  assert.deepEqual(diffPatch({ rules }, { rules: changed }), [{ op: 'replace', path: '/rules/7/model', value: 'other' }]);
});

it('gives nothing for equal documents', () => {
  assert.deepEqual(diffPatch({ a: 1, b: [1] }, { b: [1], a: 1 }), []);
});

/** The reader refuses the key `__proto__`, and so does the patch library. */
const value = fc.jsonValue({ maxDepth: 4 }).filter((candidate) => !/__proto__|constructor|prototype/.test(JSON.stringify(candidate)));

it('always turns one document into the other', () => {
  fc.assert(
    fc.property(value, value, (from, to) => {
      assert.equal(canonicalJson(applyPatch({ doc: from }, diffPatch({ doc: from }, { doc: to }))), canonicalJson({ doc: to }));
    }),
    { numRuns: 500 },
  );
});

it('always turns one list into the other', () => {
  const list = fc.array(fc.constantFrom(1, 2, 3, 'x', { a: 1 }, { a: 2 }), { maxLength: 12 });
  fc.assert(
    fc.property(list, list, (from, to) => assert.deepEqual(applyPatch(from, diffPatch(from, to)), to)),
    { numRuns: 500 },
  );
});

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  addMoments,
  addPacked,
  meanOf,
  newHistogram,
  newMoments,
  packHistogram,
  quantileOf,
  recordMoment,
  recordValue,
} from '../../../src/domain/analysis/histogram.ts';
import type { BucketHistogram } from '../../../src/generated/types.ts';

const values = fc.array(fc.double({ min: 0.01, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 });

function packed(list: readonly number[]): BucketHistogram {
  const histogram = newHistogram();
  for (const value of list) recordValue(histogram, value);
  return packHistogram(histogram);
}

it('finds quantiles within one percent', () => {
  fc.assert(
    fc.property(values, fc.constantFrom(0.5, 0.95, 0.99), (list, q) => {
      const exact = list.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * list.length)) - 1] ?? 0;
      assert.ok(Math.abs((quantileOf(packed(list), q) ?? 0) / exact - 1) <= 0.0101);
    }),
  );
});

it('adds up to what one histogram would have held', () => {
  fc.assert(fc.property(values, values, (a, b) => assert.deepEqual(addPacked(packed(a), packed(b)), packed([...a, ...b]))));
});

it('keeps the mean where plain sums lose it', () => {
  const [a, b] = [newMoments(), newMoments()];
  for (const value of [1e9 + 1, 1e9 + 2]) recordMoment(a, value);
  for (const value of [1e9 + 3, 1e9 + 4]) recordMoment(b, value);

  const sum = addMoments(a, b);

  assert.equal(meanOf(sum), 1e9 + 2.5);
  assert.equal(sum.sum_squares - (sum.sum * sum.sum) / sum.n, 5);
});

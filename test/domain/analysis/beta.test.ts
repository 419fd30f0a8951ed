import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { clopperPearsonLower, clopperPearsonUpper } from '../../../src/domain/analysis/stats/beta.ts';

interface Case {
  readonly k: number;
  readonly n: number;
  readonly alpha: number;
  readonly lo: number;
  readonly hi: number;
}

const cases = readFileSync(join(import.meta.dirname, '../../fixtures/r-clopper-pearson.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

/** Relative, except at 0. */
function assertClose(actual: number, expected: number, label: string): void {
  const apart = expected === 0 ? Math.abs(actual) : Math.abs(actual - expected) / Math.abs(expected);
  assert.ok(apart < 1e-9, `${label}: ${actual} against R's ${expected}`);
}

it("gives R's exact binomial bounds within 1e-9", () => {
  assert.equal(cases.length, 200);
  for (const { k, n, alpha, lo, hi } of cases) {
    assertClose(clopperPearsonLower(k, n, alpha), lo, `lower ${k}/${n} at ${alpha}`);
    assertClose(clopperPearsonUpper(k, n, alpha), hi, `upper ${k}/${n} at ${alpha}`);
  }
});

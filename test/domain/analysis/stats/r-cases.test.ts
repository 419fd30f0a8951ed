/** Every formula against R, within 1e-9 relative, outside the generator `huge` (1e9 plus noise), where doubles have no such digits. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { adjustPValues } from '../../../../src/domain/analysis/stats/adjust.ts';
import {
  binomialLowerTail,
  binomialUpperTail,
  clopperPearsonLower,
  clopperPearsonUpper,
  studentQuantile,
  studentUpperTail,
} from '../../../../src/domain/analysis/stats/beta.ts';
import { mannWhitney, rankSum, twoProportions, welch, type Summary } from '../../../../src/domain/analysis/stats/classical.ts';
import { chiSquareUpperTail } from '../../../../src/domain/analysis/stats/gamma.ts';
import { lnNormalCdf, normalQuantile, normalUpperTail } from '../../../../src/domain/analysis/stats/normal.ts';

/** What R printed; infinite values are text, missing ones null. */
type Case = { readonly kind: string; readonly gen?: string } & Readonly<Record<string, never>>;

const file = process.env['R_CASES'] ?? join(import.meta.dirname, '../../../fixtures/r-cases.jsonl');
const cases = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

function ofKind(kind: string): readonly Readonly<Record<string, number>>[] {
  const found = cases.filter((one) => one.kind === kind);
  assert.ok(found.length > 0, `no cases of ${kind}`);
  return found;
}

/** Relative, except at 0. */
function assertClose(actual: number | undefined, expected: number | undefined | null, label: string): void {
  if (expected === undefined || expected === null || !Number.isFinite(expected)) return;
  assert.ok(actual !== undefined, `${label}: nothing against R's ${expected}`);
  const apart = expected === 0 ? Math.abs(actual) : Math.abs(actual - expected) / Math.abs(expected);
  assert.ok(apart < 1e-9, `${label}: ${actual} against R's ${expected}`);
}

function summaryOf(values: readonly number[]): Summary {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { n: values.length, mean, squares: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
}

/** Classes of equal values in rising order, with the counts of both samples. */
function classesOf(x: readonly number[], y: readonly number[]): readonly [number[], number[]] {
  const values = [...new Set([...x, ...y])].sort((a, b) => a - b);
  const count = (list: readonly number[]): number[] => values.map((value) => list.filter((one) => one === value).length);
  return [count(x), count(y)];
}

describe('against R', () => {
  it('tails and quantiles of the normal distribution', () => {
    for (const { q, lower, upper } of ofKind('pnorm')) {
      assertClose(normalUpperTail(q!), upper, `pnorm ${q}`);
      assertClose(Math.exp(lnNormalCdf(-q!)), lower, `ln pnorm ${-q!}`);
    }
    for (const { prob, val } of ofKind('qnorm')) assertClose(normalQuantile(prob!), val, `qnorm ${prob}`);
  });

  it("tails and quantiles of Student's t", () => {
    for (const { q, df, lower, upper } of ofKind('pt')) {
      assertClose(studentUpperTail(q!, df!), upper, `pt ${q} ${df}`);
      assertClose(studentUpperTail(-q!, df!), lower, `pt ${-q!} ${df}`);
    }
    for (const { prob, df, val } of ofKind('qt')) assertClose(studentQuantile(prob!, df!), val, `qt ${prob} ${df}`);
  });

  it('binomial tails and the exact bounds of Clopper and Pearson', () => {
    for (const { k, n, w, upper, lower } of ofKind('binom')) {
      assertClose(binomialUpperTail(k!, n!, w!), upper, `upper ${k}/${n}`);
      assertClose(binomialLowerTail(k!, n!, w!), lower, `lower ${k}/${n}`);
    }
    for (const { k, n, alpha, lo, hi } of ofKind('cp')) {
      assertClose(clopperPearsonLower(k!, n!, alpha!), lo, `lower ${k}/${n} at ${alpha}`);
      assertClose(clopperPearsonUpper(k!, n!, alpha!), hi, `upper ${k}/${n} at ${alpha}`);
    }
  });

  it('the upper tail of chi-square', () => {
    for (const { q, df, upper } of ofKind('chisq')) assertClose(chiSquareUpperTail(q!, df!), upper, `chisq ${q} ${df}`);
  });

  it('two proportions', () => {
    for (const { x1, n1, x2, n2, p, lo, hi } of ofKind('prop')) {
      const test = twoProportions({ hits: x1!, n: n1! }, { hits: x2!, n: n2! });
      assertClose(test?.pValue, p, `prop.test ${x1}/${n1} ${x2}/${n2}`);
      assertClose(test?.low, lo, 'its lower bound');
      assertClose(test?.high, hi, 'its upper bound');
    }
  });

  it('corrections for many tests', () => {
    for (const one of cases.filter(({ kind }) => kind === 'padj')) {
      const { p, holm, bonf } = one as unknown as { p: number[]; holm: number[]; bonf: number[] };
      adjustPValues(p, 'holm').forEach((value, i) => assertClose(value, holm[i], 'holm'));
      adjustPValues(p, 'bonferroni').forEach((value, i) => assertClose(value, bonf[i], 'bonferroni'));
    }
  });

  it("Welch's t test, with its interval; no answer where R refuses", () => {
    for (const one of cases.filter(({ kind, gen }) => kind === 'two' && gen !== 'huge')) {
      const { x, y, t, df, p, pg, lo, hi } = one as unknown as { x: number[]; y: number[] } & Record<string, number | null>;
      const test = welch(summaryOf(x), summaryOf(y));
      if (t === null) assert.equal(test, null);
      assertClose(test?.statistic, t, 't');
      assertClose(test?.df, df, 'df');
      assertClose(test?.pValue, p, 'p');
      assertClose(test?.pGreater, pg, 'one-sided p');
      assertClose(test?.low, lo, 'low');
      assertClose(test?.high, hi, 'high');
    }
  });

  it("Mann and Whitney's test on classes, with ties; no answer where all values are equal", () => {
    for (const one of cases.filter(({ kind }) => kind === 'two')) {
      const { x, y, W, wp, wpg } = one as unknown as { x: number[]; y: number[] } & Record<string, number>;
      const test = mannWhitney(rankSum(...classesOf(x, y)));
      if (test === null) {
        assert.equal(new Set([...x, ...y]).size, 1);
        continue;
      }
      assertClose(test.statistic, W, 'W');
      assertClose(test.pValue, wp, 'p');
      assertClose(test.pGreater, wpg, 'one-sided p');
    }
  });
});

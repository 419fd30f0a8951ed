/** Whether the split does what it says (sample ratio mismatch): if not, what is compared is not what was drawn. */
import { chiSquareUpperTail } from './stats/gamma.ts';

/** Beyond this relative distance between share and weight, if chance can't explain it, the split is called uneven (guide 9.4). */
const tolerance = 0.05;
/** Error of one look. */
const alpha = 0.001;
const fewestExpected = 30;

export interface TrafficCheck {
  readonly verdict: 'even' | 'uneven' | 'too-few' | 'not-applicable';
  /** What was counted: the unit that was drawn. */
  readonly unit: 'requests' | 'users';
  readonly canary: number;
  readonly stable: number;
  /** Of the chi-square test with one degree of freedom; null where it was not made. */
  readonly p_value: number | null;
}

export function checkTraffic(
  counts: { readonly canary: number; readonly stable: number },
  weight: number | null,
  unit: TrafficCheck['unit'],
): TrafficCheck {
  const { canary, stable } = counts;
  const all = canary + stable;
  const facts = { unit, canary, stable, p_value: null };
  if (weight === null || weight <= 0 || weight >= 100 || all === 0) return { verdict: 'not-applicable', ...facts };
  const share = weight / 100;
  const expected = all * share;
  if (expected < fewestExpected || all - expected < fewestExpected) return { verdict: 'too-few', ...facts };
  const chiSquare = (canary - expected) ** 2 / expected + (stable - (all - expected)) ** 2 / (all - expected);
  const pValue = chiSquareUpperTail(chiSquare, 1);
  const isFar = Math.abs(canary / expected - 1) > tolerance;
  return { ...facts, verdict: isFar && pValue < alpha ? 'uneven' : 'even', p_value: pValue };
}

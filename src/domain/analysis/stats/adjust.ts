/** Corrections for judging several metrics at once. */

export type Correction = 'bonferroni' | 'holm' | 'none';

/** Adjusted p-values in the order given. `family`: how many are tested, also those that have no p-value yet. Holm (1979). */
export function adjustPValues(pValues: readonly number[], correction: Correction, family: number = pValues.length): number[] {
  const count = Math.max(family, pValues.length);
  if (correction === 'none') return [...pValues];
  if (correction === 'bonferroni') return pValues.map((p) => Math.min(1, p * count));
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = [...pValues];
  let largest = 0;
  for (const [rank, { p, index }] of order.entries()) {
    largest = Math.max(largest, Math.min(1, p * (count - rank)));
    adjusted[index] = largest;
  }
  return adjusted;
}

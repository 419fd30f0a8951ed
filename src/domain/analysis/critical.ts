/** The critical bound: so bad, so surely, that nothing is waited for. */
import type { Instant } from '../../base/time.ts';
import { addArms, noArmCounts, rateOf, type ArmCounts, type Counts } from './counts.ts';
import { addBlock, noEvidence, scoreZ } from './evidence.ts';
import type { Judgement } from './judge.ts';
import { clopperPearsonLower } from './stats/beta.ts';

/** One-sided error of the exact bound. Small, since it is looked at about once a second. */
const alpha = 1e-5;
const leastZ = 3.7;
/** At low traffic a second holds requests of one arm only; a quarter of a minute is still the same traffic. */
const binMs = 15_000;

type Slice = ArmCounts & { readonly at: Instant };

type Finding = Pick<Judgement, 'verdict' | 'detected_by' | 'reason'>;

/**
 * `fail` when the canary's rate over the window is above `threshold`, its exact lower bound as well, the difference from
 * concurrent stable traffic is beyond chance, and it is at least half the threshold. `incident` when the canary is above and
 * stable is too, without such a difference: then the change is not to blame. Null otherwise.
 */
export function criticalFinding(window: readonly Slice[], total: ArmCounts, threshold: number, weight: number): Finding | null {
  const recent = window.reduce(addArms, noArmCounts);
  const rate = rateOf(recent.canary);
  if (rate === null || !surelyAbove(recent.canary, threshold)) return null;
  const reference = rateOf(recent.stable) ?? rateOf(total.stable) ?? 0;
  const inPercent = (value: number): string => `${(value * 100).toFixed(1)} %`;
  const numbers = `error rate ${inPercent(rate)} against ${inPercent(reference)} on stable`;
  if (rate - reference >= threshold / 2 && beyondChance(window, recent, weight)) {
    return { verdict: 'fail', detected_by: 'critical', reason: `${numbers}, above the critical ${inPercent(threshold)}` };
  }
  if (surelyAbove(recent.stable, threshold)) {
    return {
      verdict: 'incident',
      detected_by: 'critical',
      reason: `${numbers}: both are above the critical ${inPercent(threshold)}, so the change is not the cause`,
    };
  }
  return null;
}

/** Whether the rate, and its exact lower bound, lie above the threshold. */
export function surelyAbove(counts: Counts, threshold: number): boolean {
  const rate = rateOf(counts);
  return rate !== null && rate > threshold && clopperPearsonLower(counts.errors, counts.requests, alpha) > threshold;
}

/** Slice by slice, so that a burst which met the two arms in unequal shares is no difference. Where no stable traffic is left to compare with, the excess decides. */
function beyondChance(window: readonly Slice[], recent: ArmCounts, weight: number): boolean {
  if (weight >= 100 || recent.stable.requests === 0) return true;
  const binned = [...Map.groupBy(window, ({ at }) => Math.floor(at / binMs)).values()].map((slices) =>
    slices.reduce<ArmCounts>(addArms, noArmCounts),
  );
  const paired = binned.filter((slice) => slice.canary.requests > 0 && slice.stable.requests > 0);
  return scoreZ(paired.reduce(addBlock, noEvidence)) > leastZ;
}

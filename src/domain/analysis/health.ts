/**
 * Health of a canary as its own traffic shows it: a check fails when requests came and every one of them failed. It finds a dead
 * configuration at a few requests a minute, where no rate has a bound yet.
 */
import type { Instant } from '../../base/time.ts';
import { addCounts, noCounts, type Counts } from './counts.ts';
import type { ArmPair } from './sample.ts';
import { clopperPearsonUpper } from './stats/beta.ts';

export interface HealthState {
  /** Of the running check. */
  readonly from: Instant;
  readonly canary: Counts;
  readonly stable: Counts;
  /** Failed checks in a row, and what both variants had in them. */
  readonly failures: number;
  readonly failed: { readonly canary: Counts; readonly stable: Counts };
}

export function newHealth(now: Instant): HealthState {
  return { from: now, canary: noCounts, stable: noCounts, failures: 0, failed: { canary: noCounts, stable: noCounts } };
}

export function checkHealth(state: HealthState, arms: ArmPair, settings: { readonly intervalMs: number }, now: Instant): HealthState {
  const [canary, stable] = [addCounts(state.canary, arms.canary), addCounts(state.stable, arms.stable)];
  const isRunning = now >= state.from && now - state.from < settings.intervalMs;
  if (isRunning) return { ...state, canary, stable };
  // Without a request there was no check.
  if (canary.requests === 0) return { ...state, from: now, canary: noCounts, stable: noCounts };
  if (canary.errors < canary.requests) return newHealth(now);
  const failed = { canary: addCounts(state.failed.canary, canary), stable: addCounts(state.failed.stable, stable) };
  return { ...newHealth(now), failures: state.failures + 1, failed };
}

/** Error of the claim that so many failures in a row are more than stable's share of errors. */
const alpha = 1e-5;
/** What is taken for stable's error rate where it had no request to compare with. */
const cautiousRate = 0.3;

export type Health = 'well' | 'dead' | 'both-dead';

/** `dead`: failed `least` checks in a row, and by stable's error rate of the same time (its upper bound) that is no chance. */
export function healthOf({ failures, failed: { canary, stable } }: HealthState, least: number): Health {
  if (failures < least) return 'well';
  if (stable.requests > 0 && stable.errors === stable.requests) return 'both-dead';
  const rate = stable.requests === 0 ? cautiousRate : clopperPearsonUpper(stable.errors, stable.requests, 0.01);
  return rate ** canary.requests < alpha ? 'dead' : 'well';
}

/** Whether stable is well after a rollback: each check by what was measured since, and all of them together. */
import { formatDuration, type Instant } from '../../base/time.ts';
import type { RecoveryCheck, RecoveryPolicy } from '../settings/recovery.ts';
import { rateOf, type Counts } from './counts.ts';
import { inPercent } from './metric.ts';
import { surelyAbove } from './triggers.ts';

/** What is known of stable since the rollback. */
export interface Recovering {
  readonly counts: (windowMs: number) => Counts;
  readonly latencyMs: (percentile: 50 | 95 | 99, windowMs: number) => number | null;
  /** HTTP statuses by URL: null, no answer; absent: not asked yet. */
  readonly statuses: ReadonlyMap<string, number | null>;
  readonly gatewaysAway: readonly string[];
  /** Error rate of stable before the deployment; null: not known. */
  readonly rateBefore: number | null;
}

export interface CheckFinding {
  readonly verdict: 'holds' | 'surely-not' | 'not-now' | 'no-data';
  readonly reason: string;
}

export interface RecoveryVerdict {
  readonly outcome: 'recovered' | 'unverified' | 'failed';
  readonly reason: string;
}

/** Times the duration that is waited for data before a rollback ends unverified. */
const patience = 4;

/** Null: time must tell. What is surely bad fails at once; what is merely bad now fails when the time is over. */
export function judgeRecovery(policy: RecoveryPolicy, known: Recovering, since: Instant, now: Instant): RecoveryVerdict | null {
  const findings = findRecovery(policy, known);
  const surely = findings.find(({ verdict }) => verdict === 'surely-not');
  if (surely !== undefined) return { outcome: 'failed', reason: surely.reason };
  if (now < since + policy.durationMs) return null;
  const bad = findings.find(({ verdict }) => verdict === 'not-now');
  if (bad !== undefined) return { outcome: 'failed', reason: bad.reason };
  const silent = findings.find(({ verdict }) => verdict === 'no-data');
  if (silent === undefined) return { outcome: 'recovered', reason: `stable was well for ${formatDuration(policy.durationMs)}` };
  return now < since + patience * policy.durationMs ? null : { outcome: 'unverified', reason: silent.reason };
}

/** Of the checks that decide. */
export function findRecovery({ checks, decides, noNewErrors }: RecoveryPolicy, known: Recovering): readonly CheckFinding[] {
  const deciding = checks.filter(({ kind }) => (kind === 'http' || kind === 'gateways' ? decides.http : decides.metrics));
  const findings = deciding.map((check) => find(check, known));
  return noNewErrors ? [...findings, newErrors(known)] : findings;
}

function find(check: RecoveryCheck, known: Recovering): CheckFinding {
  switch (check.kind) {
    case 'error_rate':
      return errorRate(known.counts(check.windowMs), check.max);
    case 'latency': {
      const ms = known.latencyMs(check.percentile, check.windowMs);
      if (ms === null) return { verdict: 'no-data', reason: `no request has shown the p${check.percentile} latency` };
      const reason = `p${check.percentile} latency ${Math.round(ms)} ms, at most ${check.maxMs} ms allowed`;
      return { verdict: ms <= check.maxMs ? 'holds' : 'not-now', reason };
    }
    case 'http': {
      const status = known.statuses.get(check.url);
      if (status === undefined) return { verdict: 'no-data', reason: `${check.url} has not been asked yet` };
      return {
        verdict: status === check.status ? 'holds' : 'not-now',
        reason: `${check.url} answers ${status ?? 'nothing'}, ${check.status} is expected`,
      };
    }
    case 'gateways': {
      const { gatewaysAway: away } = known;
      return {
        verdict: away.length === 0 ? 'holds' : 'not-now',
        reason: away.length === 0 ? 'all gateways are connected' : `gateways are away: ${away.join(', ')}`,
      };
    }
  }
}

function errorRate(counts: Counts, max: number): CheckFinding {
  const rate = rateOf(counts);
  if (rate === null) return { verdict: 'no-data', reason: 'no request came to stable' };
  const reason = `error rate ${inPercent(rate)} on stable, at most ${inPercent(max)} allowed`;
  if (surelyAbove(counts.errors, counts.requests, max)) return { verdict: 'surely-not', reason };
  return { verdict: rate <= max ? 'holds' : 'not-now', reason };
}

/** Compared with what stable did before: surely more, by the exact bound. */
function newErrors({ counts, rateBefore }: Recovering): CheckFinding {
  const now = counts(Infinity);
  if (rateBefore === null || now.requests === 0)
    return { verdict: 'no-data', reason: 'the error rate before is not known, or no request came' };
  const isMore = surelyAbove(now.errors, now.requests, rateBefore);
  return {
    verdict: isMore ? 'surely-not' : 'holds',
    reason: `error rate ${inPercent(rateOf(now))} on stable, ${inPercent(rateBefore)} before`,
  };
}

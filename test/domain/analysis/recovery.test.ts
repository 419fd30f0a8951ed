import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeRecovery, type Recovering, type RecoveryVerdict } from '../../../src/domain/analysis/recovery.ts';
import type { RecoveryCheck, RecoveryPolicy } from '../../../src/domain/settings/recovery.ts';
import { aRecovery } from '../../builders/service.ts';

const errors: RecoveryCheck = { kind: 'error_rate', max: 0.02, windowMs: 300_000 };
const latency: RecoveryCheck = { kind: 'latency', percentile: 95, maxMs: 3000, windowMs: 300_000 };
const http: Extract<RecoveryCheck, { kind: 'http' }> = { kind: 'http', url: 'https://x.example.com/health', status: 200, timeoutMs: 1000 };

function known(change: Partial<Recovering> & { readonly requests?: number; readonly failed?: number } = {}): Recovering {
  const { requests = 1000, failed = 5, ...rest } = change;
  return {
    counts: () => ({ requests, errors: failed }),
    latencyMs: () => 500,
    statuses: new Map([[http.url, 200]]),
    gatewaysAway: [],
    rateBefore: 0.005,
    ...rest,
  };
}

/** Minutes since the rollback. */
function after(minutes: number, change: Parameters<typeof known>[0] = {}, policy: Partial<RecoveryPolicy> = {}): RecoveryVerdict | null {
  return judgeRecovery(
    aRecovery({ durationMs: 600_000, checks: [errors, latency, http, { kind: 'gateways' }], ...policy }),
    known(change),
    0,
    minutes * 60_000,
  );
}

describe('recovery', () => {
  it('is there when every check has held for the whole time', () => {
    assert.equal(after(9.9), null);
    assert.equal(after(10)?.outcome, 'recovered');
  });

  it('fails at once on what is surely bad, and at the end on what is only bad then', () => {
    assert.match(after(1, { failed: 200 })?.reason ?? '', /error rate 20.0 % on stable, at most 2.0 %/);
    assert.equal(after(1, { latencyMs: () => 9000 }), null);
    assert.equal(after(10, { latencyMs: () => 9000 })?.outcome, 'failed');
    assert.equal(after(10, { requests: 50, failed: 2 })?.outcome, 'failed');
    assert.match(after(10, { statuses: new Map([[http.url, null]]) })?.reason ?? '', /answers nothing, 200 is expected/);
    assert.match(after(10, { gatewaysAway: ['g2'] })?.reason ?? '', /gateways are away: g2/);
  });

  it('is never taken for granted without data: it is waited for, and then said to be unverified', () => {
    assert.equal(after(10, { requests: 0, failed: 0 }), null);
    assert.equal(after(39, { requests: 0, failed: 0 }), null);
    assert.deepEqual(after(40, { requests: 0, failed: 0 }), { outcome: 'unverified', reason: 'no request came to stable' });
  });

  it('asks for no more errors than before, where settings want that', () => {
    assert.equal(after(1, { failed: 30 }, { noNewErrors: true, checks: [] })?.outcome, 'failed');
    assert.equal(after(10, { failed: 6 }, { noNewErrors: true, checks: [] })?.outcome, 'recovered');
    assert.equal(after(10, { rateBefore: null }, { noNewErrors: true, checks: [] }), null);
  });

  it('leaves out checks that settings only want reported', () => {
    assert.equal(after(10, { failed: 200 }, { decides: { http: true, metrics: false } })?.outcome, 'recovered');
    assert.equal(after(10, { gatewaysAway: ['g'] }, { decides: { http: false, metrics: true } })?.outcome, 'recovered');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seededRng } from '../../../src/base/random.ts';
import type { AnalysisPolicy } from '../../../src/domain/settings/policy.ts';
import { agrees, momentOf, recordEvidence, replay, type EvidenceRecord } from '../../../src/domain/analysis/record.ts';
import { reportOf } from '../../../src/domain/analysis/report.ts';
import type { LookContext } from '../../../src/domain/analysis/look.ts';
import { ratesOf } from '../../../src/domain/analysis/baseline.ts';
import { aPolicy, aSample, type Court } from '../../builders/judge.ts';
import { requests, trial, type Effect } from '../../builders/traffic.ts';

const policy = aPolicy({ success_criteria: { min_sample_size: 50 } });

/** As it comes back from the file that it is written to. */
function recordOf(court: Court, using: AnalysisPolicy): EvidenceRecord {
  const rates = ratesOf(court.baseline, court.now, using.watchedMs);
  const context: LookContext = { weight: court.weight, now: court.now, rates, drawn: { unit: 'requests' } };
  const judgement = court.look();
  const head = { code_version: '0.1.0', service: 'chat', deployment_id: 'deploy-1', settings_digest: 'sha256:x' };
  const record = recordEvidence({ ...head, judgement, policy: using, moment: momentOf(court.state, context), blocks: court.rows });
  return JSON.parse(JSON.stringify(record)) as EvidenceRecord;
}

describe('a record of evidence', () => {
  it('gives the same verdict again, to the last digit: after a pass, a failure, a critical breach, and in mid-block', () => {
    const cases: readonly [Effect, number][] = [
      [{}, 120],
      [{ latency: 1.6 }, 120],
      [{ error: 0.4 }, 120],
      [{ cost: 1.3 }, 33],
    ];
    for (const [effect, seconds] of cases) {
      const { court, judgement } = trial({ ...policy, blockMs: 4000 }, effect, { seconds });
      assert.ok(agrees(recordOf(court, { ...policy, blockMs: 4000 })), judgement.reason);
    }
  });

  it('agrees over several steps, whatever came in them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 }),
        (seed, lengths) => {
          const rng = seededRng(seed);
          const { court } = trial(policy, { error: rng() / 20, cost: 0.9 + rng() / 3 }, { seconds: 10, weight: 5, seed });
          for (const [index, length] of lengths.entries()) {
            court.begin(10 + index * 20);
            for (let i = 0; i < length; i++)
              court.arrive(requests(1 + Math.floor(rng() * 20), rng), requests(1 + Math.floor(rng() * 40), rng));
          }
          assert.ok(agrees(recordOf(court, policy)));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not agree when a block of it, or the verdict, was changed', () => {
    const record = recordOf(trial(policy, {}, { seconds: 60 }).court, policy);
    const [first, ...rest] = record.blocks;

    assert.ok(!agrees({ ...record, blocks: [{ ...first!, xc: first!.xc + 3 }, ...rest] }));
    assert.ok(!agrees({ ...record, blocks: rest }));
    assert.ok(!agrees({ ...record, judgement: { ...record.judgement, verdict: 'fail' } }));
  });

  it('says what a stricter policy would have done, and when', () => {
    const lax = aPolicy({ success_criteria: { min_sample_size: 50, max_cost_increase: 1 } });
    const record = recordOf(trial(lax, { cost: 1.5 }, { seconds: 200 }).court, lax);
    assert.equal(record.judgement.verdict, 'pass');

    const { first } = replay(record, aPolicy({ success_criteria: { min_sample_size: 50, max_cost_increase: 0.1 } }));

    assert.equal(first?.judgement.verdict, 'fail');
    assert.equal(first.judgement.metric, 'cost_per_request');
    assert.ok(first.at < record.moment.context.now);
  });

  it('says what a laxer policy would have done, also with another margin of latency', () => {
    const record = recordOf(trial({ ...policy, triggers: [] }, { latency: 1.35 }, { seconds: 200 }).court, { ...policy, triggers: [] });
    assert.equal(record.judgement.verdict, 'fail');

    const laxer = aPolicy({ success_criteria: { min_sample_size: 10, max_latency_increase: 1 } });

    assert.notEqual(replay(record, { ...laxer, triggers: [] }).judgement.verdict, 'fail');
  });
});

describe('the classical report', () => {
  const rng = seededRng(21);
  const step = { canary: aSample(requests(400, rng, { cost: 1.2 })), stable: aSample(requests(1600, rng)) };
  const criteria = trial(policy, {}, { seconds: 2 }).judgement.criteria;
  const of = (metric: string, using: AnalysisPolicy): ReturnType<typeof reportOf>['findings'][number] => {
    const finding = reportOf(step, using, criteria).findings.find((one) => one.metric === metric);
    assert.ok(finding !== undefined);
    return finding;
  };

  it('stands beside the evidence under names that nobody mistakes, and says so', () => {
    const report = reportOf(step, policy, criteria);

    assert.match(report.note, /for one look/);
    assert.deepEqual(
      report.findings.map(({ metric, test }) => `${metric} ${test}`),
      [
        'error_rate two_proportions',
        'latency_p50 mann_whitney',
        'latency_p95 mann_whitney',
        'latency_p99 mann_whitney',
        'cost_per_request welch_t_test',
        'quality_score welch_t_test',
        'judged_quality none',
      ],
    );
    assert.ok((of('cost_per_request', policy).fixed_horizon_p_value ?? 1) < 0.05);
    assert.ok((of('cost_per_request', policy).effect_size ?? 0) > 0.1);
  });

  it('uses the method that was asked for', () => {
    const ranks = aPolicy({ statistical_validation: { test_method: 'mann_whitney' } });

    assert.equal(of('cost_per_request', ranks).test, 'mann_whitney');
    assert.notEqual(of('cost_per_request', ranks).fixed_horizon_p_value, of('cost_per_request', policy).fixed_horizon_p_value);
  });

  it('bootstraps means and quantiles at the level and with the resamples that were asked for, and repeatably', () => {
    const settings = (bootstrap_iterations: number, bootstrap_confidence_level: number): AnalysisPolicy =>
      aPolicy({ statistical_validation: { test_method: 'bootstrap', bootstrap_iterations, bootstrap_confidence_level } });
    const width = (using: AnalysisPolicy): number => {
      const [low = 0, high = 0] = of('latency_p95', using).fixed_horizon_interval ?? [];
      return high - low;
    };

    assert.equal(of('latency_p95', settings(400, 0.95)).test, 'bootstrap');
    assert.ok(width(settings(400, 0.99)) > width(settings(400, 0.8)));
    assert.deepEqual(of('latency_p95', settings(400, 0.95)), of('latency_p95', settings(400, 0.95)));
    assert.notDeepEqual(of('cost_per_request', settings(400, 0.95)), of('cost_per_request', settings(401, 0.95)));
    const [low = 0, high = 0] = of('latency_p95', settings(400, 0.95)).fixed_horizon_interval ?? [];
    assert.ok(low < 1.05 && high > 0.95, `${low} to ${high}`);
  });

  it('refuses to bootstrap a tail of fewer than ten values', () => {
    assert.equal(
      of('latency_p99', aPolicy({ statistical_validation: { test_method: 'bootstrap', bootstrap_iterations: 100 } })).test,
      'mann_whitney',
    );
  });

  it('says nothing of constant data, instead of something that is no number', () => {
    const constant = {
      canary: aSample({ requests: 50, costs: Array<number>(50).fill(0.01) }),
      stable: aSample({ requests: 50, costs: Array<number>(50).fill(0.01) }),
    };
    const finding = reportOf(constant, policy, criteria).findings.find(({ metric }) => metric === 'cost_per_request');

    assert.equal(finding?.fixed_horizon_p_value, null);
    assert.equal(finding.effect_size, null);
  });
});

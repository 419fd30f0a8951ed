import { analyse } from '../../../src/domain/planning/step.ts';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addToBaseline, noBaseline, summarise, type TrafficSummary } from '../../../src/domain/analysis/baseline.ts';
import { predict, unwatched, type Prediction } from '../../../src/domain/planning/prediction.ts';
import { seededRng } from '../../../src/base/random.ts';
import { aPolicy, aSample } from '../../builders/judge.ts';
import { aPlan } from '../../builders/service.ts';
import { requests, trial } from '../../builders/traffic.ts';
import type { WrittenSettingsCanary } from '../../../src/generated/types.ts';

/** What an hour of ordinary traffic looks like in the status branch. */
function measured(perSecond: number): TrafficSummary {
  const rng = seededRng(1);
  let baseline = noBaseline;
  for (let minute = 1; minute <= 60; minute++) baseline = addToBaseline(baseline, aSample(requests(perSecond * 10, rng)), minute * 10_000);
  return summarise(baseline, 600_000);
}

function predicted(
  requestsPerSecond: number | null,
  written: WrittenSettingsCanary = {},
  summary: TrafficSummary | null = null,
): Prediction {
  const steps = [5, 25, 50, 75, 100].map((weight, index) => analyse(weight, [15, 30, 30, 30, 15][index]! * 60_000));
  const plan = aPlan({ steps, maxTotalMs: 180 * 60_000, policy: aPolicy(written) });
  return predict(plan, { requestsPerSecond, summary });
}

describe('the prediction', () => {
  it('waits for the samples of each step', () => {
    const { steps } = predicted(20);

    assert.deepEqual(
      steps.map((step) => step.samples_ms),
      [1_000_000, 200_000, 100_000, 66_667, 50_000],
    );
    assert.equal(steps[0]?.expected_ms, 1_000_000);
    assert.equal(steps[1]?.expected_ms, 30 * 60_000);
  });

  it('says that the guide’s 1,000 samples can not be had in time at one request per second, why, and what to do', () => {
    const { warnings, expected_ms: expected } = predicted(1);

    assert.ok((expected ?? 0) > 180 * 60_000);
    assert.match(
      warnings[0] ?? '',
      /at 1 requests\/s this needs .*, and is paused for a person after 3h 0m: 1000 samples at 5 % take 5h 33m; lower min_sample_size/,
    );
    assert.match(predicted(1, { deadline_action: 'rollback' }).warnings[0] ?? '', /is rolled back after/);
    assert.deepEqual(predicted(1, { success_criteria: { min_sample_size: 50 } }).warnings, []);
  });

  it('says nothing of what is not known', () => {
    const { steps, expected_ms: expected, warnings } = predicted(null);

    assert.ok(steps.every((step) => step.expected_ms === null && step.gate_ms === null && step.detect.length === 0));
    assert.equal(expected, null);
    assert.deepEqual(warnings, []);
  });

  it('reckons from the spread how long a gate takes, longer for a narrower margin', () => {
    const summary = measured(5);
    const wide = predicted(5, { success_criteria: { min_sample_size: 50 } }, summary);
    const narrow = predicted(5, { success_criteria: { min_sample_size: 50, max_cost_increase: 0.02 } }, summary);

    assert.equal(narrow.steps[0]?.gate_metric, 'cost_per_request');
    assert.ok((narrow.expected_ms ?? 0) > (wide.expected_ms ?? Infinity));
    assert.match(narrow.warnings[0] ?? '', /to see that cost per request stays within its margin; allow a larger margin/);
  });

  it('is near to what happens: a gate opens and a regression is seen about when it says', () => {
    const summary = measured(60);
    const written = { success_criteria: { min_sample_size: 50, max_cost_increase: 0.2 }, monitoring: { metrics: ['cost_per_request'] } };
    const policy = { ...aPolicy(written), triggers: [] };
    const plan = aPlan({
      steps: [analyse(25, 1000), analyse(100, 1000)],
      maxTotalMs: 1e9,
      policy,
    });
    const [step] = predict(plan, { requestsPerSecond: 60, summary }).steps;
    const detectS = (step?.detect.find(({ metric }) => metric === 'cost_per_request')?.ms ?? 0) / 1000;
    // At twice the margin the evidence of "beyond it" comes with the evidence of "worse".
    const seen = Array.from({ length: 15 }, (_, seed) => trial(policy, { cost: 1.2 }, { seconds: 400, seed: seed + 1 }).court)
      .map((court) => court.state.evidence['cost_per_request']?.maxLnE ?? 0)
      .filter((lnE) => lnE > Math.log(140)).length;

    assert.ok(detectS > 20 && detectS < 200, `${detectS} s`);
    assert.ok(seen >= 12, `${seen} of 15 after ${detectS} s were predicted`);
  });

  it('names the criteria that nobody measures', () => {
    assert.deepEqual(unwatched(aPolicy(), { requestsPerSecond: 5, summary: measured(5) }), ['judged_quality']);
    assert.equal(unwatched(aPolicy(), { requestsPerSecond: 5, summary: null }), null);
  });

  it('warns of a canary that nothing rolls back', () => {
    const plan = aPlan({ autoRollback: false });

    assert.match(predict(plan, { requestsPerSecond: 50, summary: null }).warnings.join(), /automatic rollback is disabled/);
  });
});

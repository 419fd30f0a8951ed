/** What is missing, what can't be, and what peers make of it: docs of Flagger, Argo Rollouts and Kayenta tell of promotions without data. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { seededRng } from '../../../src/base/random.ts';
import { markUnusable } from '../../../src/domain/analysis/judge.ts';
import type { Judgement } from '../../../src/domain/analysis/look.ts';
import { sampleOf } from '../../../src/domain/analysis/sample.ts';
import type { Bucket } from '../../../src/generated/types.ts';
import { aBucket } from '../../builders/bucket.ts';
import { aCourt, aPolicy, type Court } from '../../builders/judge.ts';
import { requests, trial } from '../../builders/traffic.ts';

const policy = aPolicy({ success_criteria: { min_sample_size: 50 } });

function finding(judgement: Judgement, metric: string): string {
  return judgement.criteria.find((one) => one.metric === metric)?.verdict ?? 'none';
}

function warmed(change: Parameters<typeof requests>[2] = {}, using = policy): Court {
  const rng = seededRng(11);
  const court = aCourt(using, 25);
  for (let i = 0; i < 60; i++) court.warm(requests(60, rng, change));
  return court;
}

describe('a criterion that nobody measures', () => {
  it('is not applicable, said so, and holds nothing up', () => {
    const { judgement } = trial(policy, { scored: null }, { seconds: 120 });

    assert.equal(finding(judgement, 'quality_score'), 'not-applicable');
    assert.equal(judgement.verdict, 'pass');
  });

  it('must have data all the same when settings require it', () => {
    const strict = aPolicy({ success_criteria: { min_sample_size: 50, required_metrics: ['quality_score', 'grounding'] } });
    const { judgement } = trial(strict, { scored: null }, { seconds: 120 });

    assert.equal(finding(judgement, 'quality_score'), 'no-data');
    assert.equal(finding(judgement, 'grounding'), 'no-data');
    assert.equal(judgement.verdict, 'no-data');
  });
});

describe('a watched criterion', () => {
  it('without data of the canary is no-data, and passes nothing', () => {
    const rng = seededRng(2);
    const court = warmed();
    let judgement = court.look();
    for (let i = 0; i < 60; i++) judgement = court.arrive(requests(15, rng, { scored: null }), requests(45, rng));

    assert.equal(finding(judgement, 'quality_score'), 'no-data');
    assert.equal(judgement.verdict, 'no-data');
  });

  it('that stops midway on both, as when a scorer dies, is no-data too', () => {
    const rng = seededRng(2);
    const court = warmed();
    for (let i = 0; i < 60; i++) court.arrive(requests(15, rng), requests(45, rng));
    court.begin(50);
    let judgement = court.look();
    for (let i = 0; i < 60; i++) judgement = court.arrive(requests(30, rng, { scored: null }), requests(30, rng, { scored: null }));

    assert.equal(judgement.verdict, 'no-data');
    assert.equal(judgement.metric, 'quality_score');
  });

  it('is forgotten an hour after its last value', () => {
    const court = warmed();
    court.arrive(null, null, 3 * 3_600_000);
    const rng = seededRng(3);
    let judgement = court.look();
    for (let i = 0; i < 60; i++) judgement = court.arrive(requests(15, rng, { scored: null }), requests(45, rng, { scored: null }));

    assert.equal(finding(judgement, 'quality_score'), 'not-applicable');
  });

  it('of which hardly any value could be expected yet is underpowered, not missing', () => {
    const rng = seededRng(3);
    const court = warmed({ scored: null });
    court.warm({ requests: 1, scores: { quality_score: [0.8] } });
    let judgement = court.look();
    for (let i = 0; i < 20; i++) judgement = court.arrive(requests(15, rng, { scored: null }), requests(45, rng, { scored: null }));

    assert.equal(finding(judgement, 'quality_score'), 'underpowered');
    assert.equal(judgement.verdict, 'pass');
  });

  it('on a tail with too few exceedances is reported and does not gate, but may fail', () => {
    const { judgement } = trial(policy, {}, { seconds: 30, perSecond: 20 });
    assert.equal(finding(judgement, 'latency_p99'), 'underpowered');
    assert.equal(judgement.verdict, 'pass');

    const slow = trial({ ...policy, triggers: [] }, { latency: 4 }, { seconds: 60, perSecond: 20 });
    assert.equal(slow.judgement.verdict, 'fail');
  });
});

describe('what can not be', () => {
  const broken: readonly [string, Partial<Bucket>][] = [
    ['NaN', { requests: Number.NaN }],
    ['infinity', { cost_usd: { n: 1, pivot: Infinity, sum: 0, sum_squares: 0 } }],
    ['a negative count', { requests: -1 }],
    ['more errors than requests, as of a counter that went backwards', { requests: 3, errors: { upstream_5xx: 5 } }],
    ['a histogram out of order', { latency_ms: { zero: 0, bins: [10, 1, 9, 1] } }],
    ['half a pair in a histogram', { latency_ms: { zero: 0, bins: [10] } }],
    ['negative counts in a histogram', { latency_ms: { zero: 0, bins: [10, -1] } }],
    ['a negative sum of squares', { scores: { quality_score: { n: 1, pivot: 0, sum: 0, sum_squares: -1 } } }],
  ];
  for (const [name, change] of broken) {
    it(`${name} is refused with a sentence, not counted and not corrected`, () => {
      assert.equal(typeof sampleOf(aBucket({ requests: 10, ...change })), 'string');
    });
  }

  it('makes the verdict error for a while: never a pass, never a rollback by itself', () => {
    const { court } = trial(policy, {}, { seconds: 120 });
    court.state = markUnusable(court.state, 'it holds a number that is none', court.now);

    assert.equal(court.look().verdict, 'error');
    court.now += 61_000;
    assert.equal(court.look().verdict, 'pass');
  });

  it('a metric named like what every object has is not counted', () => {
    const moments = { n: 1, pivot: 1, sum: 0, sum_squares: 0 };
    const sample = sampleOf(aBucket({ requests: 1, scores: { constructor: moments } }));

    assert.ok(typeof sample !== 'string' && Object.keys(sample.means).length === 0);
  });

  it('latencies of 0 and below are counted as the shortest', () => {
    const court = aCourt(policy);

    assert.equal(court.arrive({ requests: 2, latencies: [0, -5] }, { requests: 1, latencies: [1] }).verdict, 'inconclusive');
  });

  it('no sequence of clocks, silences and odd values throws, or passes without the samples', () => {
    const arrival = fc.record({
      ms: fc.integer({ min: -100_000, max: 200_000 }),
      canary: fc.integer({ min: 0, max: 12 }),
      stable: fc.integer({ min: 0, max: 40 }),
      latency: fc.constantFrom(0, 1e-9, 1, 900, 1e7),
      cost: fc.constantFrom(0, 1e-12, 0.01, 1e6),
    });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 40 }), (arrivals) => {
        const court = aCourt(policy);
        for (const { ms, canary, stable, latency, cost } of arrivals) {
          const measured = (n: number): Parameters<Court['arrive']>[0] => ({
            requests: n,
            latencies: Array<number>(n).fill(latency),
            costs: Array<number>(n).fill(cost),
          });
          const judgement = court.arrive(measured(canary), measured(stable), ms);
          if (judgement.verdict === 'pass') assert.ok(judgement.step_requests >= 50);
          assert.ok(JSON.stringify(judgement).includes('verdict') && !JSON.stringify(court.state).includes('null,null'));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('a variant that vanishes passes nothing, and rolls nothing back', () => {
    const rng = seededRng(8);
    const { court } = trial(policy, {}, { seconds: 120 });
    court.begin(50);
    let judgement = court.look();
    for (let i = 0; i < 120; i++) judgement = court.arrive(null, requests(60, rng));

    assert.equal(judgement.verdict, 'no-data');
  });
});

describe('where peers pass or roll back wrongly', () => {
  it('errors in 30 % of the windows at half of all requests fail, with a control that has none (Kayenta passes: its median is 0)', () => {
    const court = aCourt(policy, 50);
    let judgement = court.look();
    for (let window = 0; window < 50 && judgement.verdict !== 'fail'; window++)
      judgement = court.arrive({ requests: 20, errors: window % 10 < 3 ? 10 : 0 }, { requests: 20 }, 60_000);

    assert.equal(judgement.verdict, 'fail');
  });

  it('seven of ten windows a hundred times slower fail (Kayenta passes)', () => {
    const rng = seededRng(6);
    const court = warmed({ scored: null });
    let judgement = court.look();
    for (let window = 0; window < 10 && judgement.verdict !== 'fail'; window++)
      judgement = court.arrive(
        requests(30, rng, { latency: window % 10 < 7 ? 100 : 1, scored: null }),
        requests(90, rng, { scored: null }),
        60_000,
      );

    assert.equal(judgement.verdict, 'fail');
  });

  it('a wider spread with the same median is seen in the tail (Kayenta compares ranks only)', () => {
    const rng = seededRng(6);
    const court = warmed({ scored: null });
    let judgement = court.look();
    for (let i = 0; i < 200 && judgement.verdict !== 'fail'; i++) {
      const canary = requests(15, rng, { scored: null });
      const wider = canary.latencies?.map((value) => 900 * (value / 900) ** 2) ?? [];
      judgement = court.arrive({ ...canary, latencies: wider }, requests(45, rng, { scored: null }));
    }

    assert.equal(judgement.verdict, 'fail');
    assert.match(judgement.metric ?? '', /latency_p9/);
  });

  it('when every metric fails to be measured nothing passes (Kayenta: all errors = 100 points; Argo: no measurement = successful)', () => {
    const court = aCourt(policy);
    for (let i = 0; i < 100; i++) court.state = markUnusable(court.state, 'the metric source is down', (court.now += 1000));

    assert.equal(court.look().verdict, 'error');
    assert.equal(aCourt(policy).look().verdict, 'no-data');
  });

  it('a silence is no failed check: it never rolls back (Flagger counts it, LaunchDarkly rolls back)', () => {
    const court = warmed();
    let judgement = court.look();
    for (let i = 0; i < 500; i++) judgement = court.arrive(null, null, 10_000);

    assert.equal(judgement.verdict, 'no-data');
  });

  it('99.5 % success against a wish for 99 % is not aborted at 50 requests a look (failureLimit 0 aborts 92 % of such versions in ten looks)', () => {
    let aborted = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const rng = seededRng(seed);
      const court = aCourt(policy, 50);
      for (let look = 0; look < 10; look++) {
        const errors = Array.from({ length: 50 }, () => rng()).filter((u) => u < 0.005).length;
        if (court.arrive({ requests: 50, errors }, { requests: 50 }, 60_000).verdict === 'fail') aborted++;
      }
    }

    assert.ok(aborted <= 1, `${aborted} of 100`);
  });

  it('three windows are no evidence (Kayenta: 5.9 % false alarms at three)', () => {
    let failed = 0;
    for (let seed = 1; seed <= 100; seed++) if (trial(policy, {}, { seconds: 3, seed }).judgement.verdict === 'fail') failed++;

    assert.equal(failed, 0);
  });
});

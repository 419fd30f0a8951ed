import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRng } from '../../../src/base/random.ts';
import { detect, newDetector } from '../../../src/domain/analysis/anomaly.ts';
import type { Judgement } from '../../../src/domain/analysis/look.ts';
import { aCourt, aPolicy } from '../../builders/judge.ts';
import { requests } from '../../builders/traffic.ts';

function scores(values: readonly number[]): readonly number[] {
  let state = newDetector;
  return values.map((value) => {
    const found = detect(state, value);
    state = found.state;
    return found.score;
  });
}

describe('the detector', () => {
  const rng = seededRng(7);
  const calm = Array.from({ length: 300 }, () => 10 + rng());

  it('finds a value that is unlike all before it, and not those that are like them', () => {
    const found = scores([...calm, 30, 10.5]);

    assert.ok((found[300] ?? 0) > 12, `${found[300] ?? 0}`);
    assert.ok(Math.max(...found.slice(60, 300)) < 12);
    assert.ok((found[301] ?? 9) < 1);
  });

  it('knows what it has seen: the second visit to a height is no anomaly', () => {
    const day = Array.from({ length: 600 }, (_, i) => Math.sin(i / 10) + 0.01 * rng());
    const found = scores(day);

    assert.ok(Math.max(...found.slice(100)) < 6);
  });

  it('says an outage once: what lasts is weaker than its beginning', () => {
    const found = scores([...calm, 30, 31, 32, 31]);

    assert.ok(Math.max(...found.slice(301)) < (found[300] ?? 0) / 2);
  });

  it('takes no number that is none, and no more memory than it may', () => {
    let state = newDetector;
    for (let i = 0; i < 3000; i++) state = detect(state, i * i).state;

    assert.equal(state.values.length, 500);
    assert.deepEqual(detect(state, Number.NaN), { state, score: 0 });
    assert.equal(detect(state, Infinity).score, 0);
  });
});

describe('anomaly detection in a rollout', () => {
  /** Ordinary traffic, then a minute in which both variants fail half of their requests. */
  function outage(sensitivity: 'low' | 'medium' | 'high' | null): { readonly during: Judgement; readonly after: Judgement } {
    const monitoring = sensitivity === null ? {} : { enable_anomaly_detection: true, anomaly_sensitivity: sensitivity };
    const policy = { ...aPolicy({ success_criteria: { min_sample_size: 50 }, monitoring }), triggers: [] };
    const rng = seededRng(3);
    const court = aCourt(policy, 50);
    for (let i = 0; i < 120; i++) court.arrive(requests(40, rng), requests(40, rng));
    const during = court.arrive({ ...requests(40, rng), errors: 20 }, { ...requests(40, rng), errors: 20 });
    for (let i = 0; i < 20; i++) court.arrive(requests(40, rng), requests(40, rng));
    return { during, after: court.look() };
  }

  it('warns and holds the step, for each variant by its own series, and rolls nothing back', () => {
    const { during, after } = outage('medium');

    assert.equal(during.verdict, 'inconclusive');
    assert.deepEqual(
      during.warnings.map(({ key }) => key),
      ['anomaly/canary/error_rate', 'anomaly/stable/error_rate'],
    );
    assert.equal(after.verdict, 'pass');
  });

  it('is off where nobody has turned it on', () => {
    assert.equal(outage(null).during.verdict, 'pass');
  });

  it('sees more when it is more sensitive', () => {
    const holds = (sensitivity: 'low' | 'medium' | 'high'): number => {
      const policy = aPolicy({
        success_criteria: { min_sample_size: 50 },
        monitoring: { enable_anomaly_detection: true, anomaly_sensitivity: sensitivity },
      });
      let held = 0;
      for (let seed = 1; seed <= 6; seed++) {
        const rng = seededRng(seed);
        const court = aCourt({ ...policy, triggers: [] }, 50);
        for (let i = 0; i < 200; i++)
          if (court.arrive(requests(40, rng), requests(40, rng)).warnings.some(({ level }) => level === 'anomaly')) held++;
      }
      return held;
    };

    assert.ok(holds('high') > holds('low'), `${holds('high')} against ${holds('low')}`);
  });
});

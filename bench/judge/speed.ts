/**
 * A tick of the judge over 1,000 services with a running canary each, seven metrics and 20 requests/s, beside a reference that any control
 * plane must pay: parsing the JSON of the same buckets. `node bench/judge/speed.ts`; prints medians of interleaved rounds and their ratio.
 */
import { deflateSync } from 'node:zlib';
import { addToBaseline, noBaseline, ratesOf, thresholdsOf } from '../../src/domain/analysis/baseline.ts';
import { newHistogram, newMoments, packHistogram, recordMoment, recordScore, recordValue } from '../../src/domain/analysis/histogram.ts';
import { benchOf, newJudge, observe, type JudgeState } from '../../src/domain/analysis/judge.ts';
import { look } from '../../src/domain/analysis/look.ts';
import { sampleOf, type ArmSample } from '../../src/domain/analysis/sample.ts';
import { seededRng } from '../../src/base/random.ts';
import type { Bucket } from '../../src/generated/types.ts';
import { resolvePolicy } from '../../src/domain/settings/resolve-policy.ts';

const services = 1000;
const rounds = 15;
const tickMs = 10_000;
const rng = seededRng(1);
const bench = benchOf(resolvePolicy({ success_criteria: { max_tokens_increase: 0.2 } }, false, tickMs));

/** `requests` of one variant. */
function measured(requests: number): Bucket {
  const [latency, cost, tokens, scores] = [newHistogram(), newHistogram(), newHistogram(), newHistogram()];
  const [costs, tokenSums, scoreSums] = [newMoments(), newMoments(), newMoments()];
  for (let i = 0; i < requests; i++) {
    recordValue(latency, 900 * Math.exp(0.6 * (rng() + rng() + rng() - 1.5) * 2));
    const price = 0.01 * Math.exp((rng() - 0.5) * 3);
    recordValue(cost, price * 1e6);
    recordMoment(costs, price);
    recordValue(tokens, price * 1e5);
    recordMoment(tokenSums, price * 1e5);
    recordScore(scores, rng());
    recordMoment(scoreSums, rng());
  }
  return {
    requests,
    errors: { upstream_5xx: Math.round(requests / 100) },
    latency_ms: packHistogram(latency),
    first_token_ms: { zero: 0, bins: [] },
    cost_usd: costs,
    cost_micro_usd: packHistogram(cost),
    tokens: tokenSums,
    tokens_histogram: packHistogram(tokens),
    scores: { quality_score: scoreSums },
    score_histograms: { quality_score: packHistogram(scores) },
    shards: [],
  } as unknown as Bucket;
}

/** A few different ones, dealt out in turn: what counts is the work, not the numbers. */
const pairs = Array.from({ length: 20 }, () => ({ canary: measured(10), stable: measured(190) }));
const texts = pairs.map((pair) => JSON.stringify(pair));
const used = (bucket: Bucket): ArmSample => {
  const sample = sampleOf(bucket);
  if (typeof sample === 'string') throw new Error(sample);
  return sample;
};
const states: JudgeState[] = Array.from({ length: services }, () => newJudge(0, 5));
const baselines = Array.from({ length: services }, () => addToBaseline(noBaseline, used(measured(190)), 1));

function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

const times: { readonly judging: number[]; readonly parsing: number[] } = { judging: [], parsing: [] };
for (let round = 1; round <= rounds; round++) {
  const now = round * tickMs;
  const parsed: (typeof pairs)[number][] = [];
  times.parsing.push(
    timed(() => {
      for (let i = 0; i < services; i++) parsed.push(JSON.parse(texts[i % texts.length] ?? '') as (typeof pairs)[number]);
    }),
  );
  times.judging.push(
    timed(() => {
      for (let i = 0; i < services; i++) {
        const baseline = baselines[i] ?? noBaseline;
        const arms = { canary: used(parsed[i]!.canary), stable: used(parsed[i]!.stable) };
        const { state } = observe(states[i]!, { arms, thresholds: thresholdsOf(baseline) }, bench, now);
        const rates = ratesOf(baseline, now, 3_600_000);
        states[i] = look(state, bench, { weight: 5, now, rates, drawn: { unit: 'requests' } }).state;
        baselines[i] = addToBaseline(baseline, arms.stable, now);
      }
    }),
  );
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
const [judging, parsing] = [median(times.judging), median(times.parsing)];
console.log(
  `${services} services x ${bench.policy.criteria.length} criteria, one tick: judge ${judging.toFixed(0)} ms, reference (parsing their buckets) ${parsing.toFixed(0)} ms, ratio ${(judging / parsing).toFixed(1)}`,
);
const state = JSON.stringify(states[0]);
const row = JSON.stringify(states[0]?.recent.at(-1));
const minute = JSON.stringify(measured(11_400));
console.log(
  `state of a judge ${(state.length / 1024).toFixed(0)} KiB; a block as kept ${row.length} B, deflated ${deflateSync(row).length} B; a variant's minute at 200 requests/s ${minute.length} B as JSON, ${deflateSync(minute).length} B deflated`,
);

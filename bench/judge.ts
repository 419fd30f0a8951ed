/**
 * A tick of the judge over 1,000 services with a running canary each, beside a reference that any control plane must pay: parsing
 * the JSON of the same buckets. `node bench/judge.ts`; prints medians of interleaved rounds and their ratio.
 */
import { newHistogram, packHistogram, recordValue } from '../src/domain/analysis/histogram.ts';
import { judge, newJudge, observe } from '../src/domain/analysis/judge.ts';
import { seededRng } from '../src/base/random.ts';
import type { Bucket } from '../src/generated/types.ts';
import { aBucket } from '../test/builders/bucket.ts';

const services = 1000;
const rounds = 15;
const criteria = { maxErrorRateIncrease: 0.02, confidenceLevel: 0.95, minSampleSize: 1000, criticalErrorRate: 0.1 };
const rng = seededRng(1);

function measured(service: number): Bucket {
  const latency = newHistogram();
  for (let i = 0; i < 200; i++) recordValue(latency, 100 + 900 * rng());
  return aBucket({ service: `service-${service}`, requests: 200, errors: { upstream_5xx: 2 }, latency_ms: packHistogram(latency) });
}

const texts = Array.from({ length: services }, (_, index) => JSON.stringify(measured(index)));
const arrived = { canary: { requests: 200, errors: 2 }, stable: { requests: 3800, errors: 38 } };
const states = Array.from({ length: services }, () => newJudge(0));

function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

const times: { readonly judging: number[]; readonly parsing: number[] } = { judging: [], parsing: [] };
for (let round = 1; round <= rounds; round++) {
  times.parsing.push(timed(() => texts.forEach((text) => JSON.parse(text) as Bucket)));
  times.judging.push(
    timed(() => {
      for (let i = 0; i < services; i++) {
        states[i] = observe(states[i]!, arrived, 10_000, round * 10_000);
        judge(states[i]!, criteria, 5);
      }
    }),
  );
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
const [judging, parsing] = [median(times.judging), median(times.parsing)];
console.log(
  `${services} services: judge ${judging.toFixed(1)} ms, reference (parsing their buckets) ${parsing.toFixed(1)} ms, ratio ${(judging / parsing).toFixed(2)}`,
);

/**
 * How others would judge the same blocks, at their documented defaults or the nearest mapping of the guide's thresholds. Ours to map, and
 * theirs to correct: none of their code runs here.
 */
import { mannWhitney, rankSum, twoProportions, welch, type Summary } from '../../src/domain/analysis/stats/classical.ts';
import type { Action, Margins, SimulatedBlock } from './contender.ts';

export interface Judge {
  warm(block: SimulatedBlock): void;
  observe(block: SimulatedBlock): Action | null;
}

interface Arm {
  n: number;
  errors: number;
  latencies: Map<number, number>;
  costs: Map<number, number>;
  scores: Map<number, number>;
}

type Series = 'latencies' | 'costs' | 'scores';

function newArm(): Arm {
  return { n: 0, errors: 0, latencies: new Map(), costs: new Map(), scores: new Map() };
}

function addTo(arm: Arm, block: SimulatedBlock, side: 'c' | 's'): void {
  arm.n += side === 'c' ? block.nC : block.nS;
  arm.errors += side === 'c' ? block.eC : block.eS;
  for (const [name, binned] of [
    ['latencies', block.lat],
    ['costs', block.cost],
    ['scores', block.qual],
  ] as const) {
    const counts = binned[side];
    for (let i = 0; i < counts.length; i++) {
      const count = counts[i] ?? 0;
      if (count > 0) arm[name].set(binned.mid[i] ?? 0, (arm[name].get(binned.mid[i] ?? 0) ?? 0) + count);
    }
  }
}

function join(arms: readonly Arm[]): Arm {
  const sum = newArm();
  for (const arm of arms) {
    sum.n += arm.n;
    sum.errors += arm.errors;
    for (const name of ['latencies', 'costs', 'scores'] as const)
      for (const [value, count] of arm[name]) sum[name].set(value, (sum[name].get(value) ?? 0) + count);
  }
  return sum;
}

function quantile(counts: ReadonlyMap<number, number>, q: number): number | null {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let rank = Math.ceil(q * total);
  for (const [value, count] of [...counts].sort((a, b) => a[0] - b[0])) if ((rank -= count) <= 0) return value;
  return null;
}

function summary(counts: ReadonlyMap<number, number>): Summary {
  let [n, sum] = [0, 0];
  for (const [value, count] of counts) [n, sum] = [n + count, sum + value * count];
  const mean = n === 0 ? 0 : sum / n;
  let squares = 0;
  for (const [value, count] of counts) squares += count * (value - mean) ** 2;
  return { n, mean, squares };
}

interface Values {
  readonly error: number | null;
  readonly p95: number | null;
  readonly cost: number | null;
  readonly quality: number | null;
}

function valuesOf(arm: Arm): Values {
  const mean = (series: Series): number | null => (arm[series].size === 0 ? null : summary(arm[series]).mean);
  return {
    error: arm.n === 0 ? null : arm.errors / arm.n,
    p95: quantile(arm.latencies, 0.95),
    cost: mean('costs'),
    quality: mean('scores'),
  };
}

/** The first metric on which the canary's value lies beyond the margin over stable's. */
function beyond(c: Values, s: Values, margins: Margins): string | null {
  if (c.error !== null && s.error !== null && c.error > s.error + margins.error_rate_increase) return 'error_rate';
  if (c.p95 !== null && s.p95 !== null && c.p95 > s.p95 * (1 + margins.latency_p95_increase)) return 'latency_p95';
  if (c.cost !== null && s.cost !== null && c.cost > s.cost * (1 + margins.cost_increase)) return 'cost_per_request';
  return c.quality !== null && s.quality !== null && c.quality < s.quality * (1 - margins.quality_degradation) ? 'quality_score' : null;
}

/** Collects blocks into windows of `ticks`, and asks at the end of each. */
function windowed(ticks: number, check: (canary: Arm, stable: Arm) => string | null): Judge {
  let [canary, stable, count] = [newArm(), newArm(), 0];
  return {
    warm: () => undefined,
    observe(block) {
      addTo(canary, block, 'c');
      addTo(stable, block, 's');
      if (++count % ticks !== 0) return null;
      const metric = check(canary, stable);
      [canary, stable] = [newArm(), newArm()];
      return metric === null ? null : { action: 'rollback', metric };
    },
  };
}

/** Flagger: a check a minute of the last value against a threshold (here relative to stable); five failed checks in all end it, and none is forgiven. */
export function flaggerLike(margins: Margins): Judge {
  let failed = 0;
  return windowed(6, (c, s) => {
    // No value counts as a failed check.
    const metric = c.n === 0 ? 'no-data' : beyond(valuesOf(c), valuesOf(s), margins);
    return metric !== null && ++failed >= 5 ? metric : null;
  });
}

/** Argo Rollouts: a measurement each five minutes, failureLimit 2: the third failed one aborts. */
export function argoLike(margins: Margins): Judge {
  let failed = 0;
  return windowed(30, (c, s) => {
    const metric = beyond(valuesOf(c), valuesOf(s), margins);
    return metric !== null && ++failed > 2 ? metric : null;
  });
}

/** Kayenta: each ten minutes Mann and Whitney's test (98 %) on one value a minute since the start, and the allowed increase; any metric beyond both ends it. */
export function kayentaLike(margins: Margins): Judge {
  const minutes: { readonly c: Values; readonly s: Values }[] = [];
  let looks = 0;
  return windowed(6, (c, s) => {
    minutes.push({ c: valuesOf(c), s: valuesOf(s) });
    if (++looks % 10 !== 0) return null;
    const metrics = [
      ['error', 'error_rate', 1],
      ['p95', 'latency_p95', 1],
      ['cost', 'cost_per_request', 1],
      ['quality', 'quality_score', -1],
    ] as const;
    for (const [key, name, sign] of metrics) {
      const values = (arm: 'c' | 's'): number[] => minutes.flatMap((minute) => minute[arm][key] ?? []);
      const [a, b] = [values('c'), values('s')];
      const test = mannWhitney(
        rankSum(
          ...classes(
            a.map((value) => sign * value),
            b.map((value) => sign * value),
          ),
        ),
      );
      if (test === null || test.pGreater > 0.01) continue;
      const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
      const one = { error: null, p95: null, cost: null, quality: null };
      if (beyond({ ...one, [key]: mean(a) }, { ...one, [key]: mean(b) }, margins) !== null) return name;
    }
    return null;
  });
}

function classes(a: readonly number[], b: readonly number[]): readonly [number[], number[]] {
  const values = [...new Set([...a, ...b])].sort((x, y) => x - y);
  const count = (list: readonly number[]): number[] => values.map((value) => list.filter((one) => one === value).length);
  return [count(a), count(b)];
}

/** The guide to the letter (3.6): each minute, the canary's last 15 minutes against stable's last 60, p < 0.05 and beyond the margin; 4.1: 10 % errors or 10 s in five minutes. */
export function guideLiteral(margins: Margins): Judge {
  const minutes: { readonly c: Arm; readonly s: Arm }[] = [];
  const judge = windowed(6, (c, s) => {
    minutes.push({ c, s });
    const [canary, stable] = [join(minutes.slice(-15).map((minute) => minute.c)), join(minutes.slice(-60).map((minute) => minute.s))];
    const recent = valuesOf(join(minutes.slice(-5).map((minute) => minute.c)));
    if ((recent.error ?? 0) > 0.1) return 'error_rate';
    if ((recent.p95 ?? 0) > 10_000) return 'latency_p95';
    const metric = beyond(valuesOf(canary), valuesOf(stable), margins);
    return metric !== null && isSignificant(metric, canary, stable) ? metric : null;
  });
  return {
    warm(block) {
      const [c, s] = [newArm(), newArm()];
      addTo(s, block, 's');
      const last = minutes.at(-1);
      if (last === undefined || minutes.length === 0) minutes.push({ c, s });
      else if (Math.floor(block.t / 60) === minutes.length) minutes.push({ c, s });
      else addTo(last.s, block, 's');
    },
    observe: (block) => judge.observe(block),
  };
}

function isSignificant(metric: string, canary: Arm, stable: Arm): boolean {
  if (metric === 'error_rate') {
    const test = twoProportions({ hits: canary.errors, n: canary.n }, { hits: stable.errors, n: stable.n });
    return test !== null && test.pValue < 0.05;
  }
  const series: Series = metric === 'latency_p95' ? 'latencies' : metric === 'cost_per_request' ? 'costs' : 'scores';
  const test = welch(summary(canary[series]), summary(stable[series]));
  return test !== null && test.pValue < 0.05;
}

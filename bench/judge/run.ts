/**
 * `npm run bench:judge -- [--quick | --runs N] [--rps 1,20,500] [--only ours] [--part aa|regressions|loop|open]`
 *
 * Judges on the same seeded traffic: how often each rolls back equal variants, how many regressions it catches before all traffic, how
 * soon, and how many requests met them; and a rollout that our verdicts drive through its gates. With 95 % intervals (Clopper and Pearson).
 */
import { parseArgs } from 'node:util';
import { clopperPearsonLower, clopperPearsonUpper } from '../../src/domain/analysis/stats/beta.ts';
import create, { type Margins } from './contender.ts';
import { argoLike, flaggerLike, guideLiteral, kayentaLike, type Judge } from './peers.ts';
import { createWorld, type Change } from './world.ts';

const margins: Margins = {
  error_rate_increase: 0.02,
  latency_p95_increase: 0.15,
  latency_p99_increase: 0.2,
  latency_p50_increase: 0.1,
  cost_increase: 0.1,
  quality_degradation: 0.05,
};
const ticksAMinute = 6;
const plan = [
  { weight: 0.05, minutes: 15 },
  { weight: 0.25, minutes: 30 },
  { weight: 0.5, minutes: 30 },
  { weight: 0.75, minutes: 30 },
];
const warmUpTicks = 60 * ticksAMinute;
const budgetMinutes = 180;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    rps: { type: 'string', default: '1,20,500' },
    only: { type: 'string' },
    part: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

const judges: Readonly<Record<string, (rps: number) => Judge>> = {
  ours: (rps) => create({ rps, margins, confidence: 0.95 }),
  flagger: () => flaggerLike(margins),
  argo: () => argoLike(margins),
  kayenta: () => kayentaLike(margins),
  guide: () => guideLiteral(margins),
};

interface Ending {
  readonly minutes: number | null;
  readonly served: number;
}

const worlds = [0.001, 0.01, 0.05];

function rollOut(name: string, rps: number, change: Change, run: number, scoreDelayMinutes: number): Ending {
  const world = createWorld({
    seed: Number(flags.seed) * 1_000_003 + run,
    rps,
    baseError: worlds[run % worlds.length] ?? 0.01,
    change,
    scoreDelayMinutes,
  });
  const judge = judges[name]?.(rps);
  if (judge === undefined) throw new Error(`there is no judge ${name}`);
  for (let i = 0; i < warmUpTicks; i++) judge.warm(world.next(0));
  let [ticks, served] = [0, 0];
  for (const { weight, minutes } of plan) {
    for (let i = 0; i < minutes * ticksAMinute; i++) {
      const block = world.next(weight);
      ticks++;
      served += block.nC;
      if (judge.observe(block)?.action === 'rollback') return { minutes: ticks / ticksAMinute, served };
    }
  }
  return { minutes: null, served };
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
}

function rate(hits: number, n: number): string {
  const percent = (value: number): string => (100 * value).toFixed(2);
  return `${hits}/${n} = ${percent(hits / n)} % [${percent(clopperPearsonLower(hits, n, 0.025))}, ${percent(clopperPearsonUpper(hits, n, 0.025))}]`;
}

function table(title: string, name: string, rps: number, change: Change, runs: number, scoreDelayMinutes = 0): void {
  const endings = Array.from({ length: runs }, (_, run) => rollOut(name, rps, change, run, scoreDelayMinutes));
  const caught = endings.filter(({ minutes }) => minutes !== null);
  const times = caught.map(({ minutes }) => minutes ?? 0);
  const served = caught.map((ending) => ending.served);
  const when = caught.length === 0 ? '' : `, median ${median(times).toFixed(1)} min, ${median(served)} requests`;
  console.log(`${title.padEnd(28)} ${String(rps).padStart(4)}/s ${name.padEnd(8)} ${rate(caught.length, runs)}${when}`);
}

/** Our verdicts drive: a step is left when its hold is over and the verdict is pass; the budget is three hours. */
function drive(rps: number, change: Change, run: number): 'completed' | 'rolled-back' | 'held' {
  const world = createWorld({ seed: Number(flags.seed) * 2_000_003 + run, rps, baseError: worlds[run % worlds.length] ?? 0.01, change });
  const judge = create({ rps, margins, confidence: 0.95 });
  for (let i = 0; i < warmUpTicks; i++) judge.warm(world.next(0));
  let ticks = 0;
  for (const { weight, minutes } of plan) {
    for (let held = 1; ; held++) {
      if (ticks++ >= budgetMinutes * ticksAMinute) return 'held';
      if (judge.observe(world.next(weight))?.action === 'rollback') return 'rolled-back';
      if (held >= minutes * ticksAMinute && judge.judgement()?.verdict === 'pass') break;
    }
  }
  return 'completed';
}

function loop(title: string, rps: number, change: Change, runs: number): void {
  const ends = Array.from({ length: runs }, (_, run) => drive(rps, change, run));
  const count = (end: string): number => ends.filter((each) => each === end).length;
  console.log(
    `${title.padEnd(28)} ${String(rps).padStart(4)}/s ours     reaches 100 %: ${rate(count('completed'), runs)}; rolled back ${count('rolled-back')}, held ${count('held')}`,
  );
}

const regressions: readonly (readonly [string, Change])[] = [
  ['error +5 points', { error: 0.05 }],
  ['latency x1.25', { latency: 1.25 }],
  ['latency x2', { latency: 2 }],
  ['cost +50 %', { cost: 1.5 }],
  ['quality -20 %', { quality: 0.8 }],
];
const allowed: readonly (readonly [string, Change])[] = [
  ['allowed: error +1 point', { error: 0.01 }],
  ['allowed: latency x1.07', { latency: 1.07 }],
  ['allowed: cost +5 %', { cost: 1.05 }],
  ['allowed: quality -2.5 %', { quality: 0.975 }],
];
const atMargin: readonly (readonly [string, Change])[] = [
  ['at the limit: error +2', { error: 0.02 }],
  ['at the limit: latency x1.15', { latency: 1.15 }],
  ['at the limit: cost +10 %', { cost: 1.1 }],
  ['at the limit: quality -5 %', { quality: 0.95 }],
];
/** Where the field is open: what section 9 of our notes calls not simulated before. */
const open: readonly (readonly [string, Change, number])[] = [
  ['tail: 6 % x3 slower', { slowShare: 0.06 }, 0],
  ['leak: latency x1.5 in 90 min', { latency: 1.5, leakMinutes: 90 }, 0],
  ['leak: error +5 in 90 min', { error: 0.05, leakMinutes: 90 }, 0],
  ['cold cache, else equal', { coldMinutes: 2 }, 0],
  ['equal, scores 10 min late', {}, 10],
  ['quality -20 %, 10 min late', { quality: 0.8 }, 10],
];

const rates = flags.rps.split(',').map(Number);
const names = flags.only?.split(',') ?? Object.keys(judges);
const wants = (part: string): boolean => flags.part === undefined || flags.part === part;
/** Fewer where a run is longer: at 500 requests/s it takes about a second. */
function runsFor(rps: number, many: number): number {
  if (flags.runs !== undefined) return Number(flags.runs);
  const share = flags.quick ? 0.05 : 1;
  return Math.max(6, Math.round(many * share * (rps >= 500 ? 0.2 : rps >= 20 ? 0.5 : 1)));
}

for (const rps of rates) {
  for (const name of names) {
    const peers = name === 'ours' ? 1 : 0.1;
    if (wants('aa')) table('equal variants', name, rps, {}, runsFor(rps, 3000 * peers));
    if (wants('regressions')) for (const [title, change] of regressions) table(title, name, rps, change, runsFor(rps, 200));
    if (wants('allowed')) for (const [title, change] of allowed) table(title, name, rps, change, runsFor(rps, 200));
    if (wants('open')) for (const [title, change, delay] of open) table(title, name, rps, change, runsFor(rps, 200), delay);
  }
  if (wants('loop') && names.includes('ours'))
    for (const [title, change] of [['equal variants', {}] as const, ...atMargin, ...regressions])
      loop(title, rps, change, runsFor(rps, 200));
}

/**
 * The anomaly detector on the Numenta Anomaly Benchmark: `node bench/judge/nab.ts DIR`, where DIR is a checkout of github.com/numenta/NAB
 * (MIT; its data are not in this repository). Scores by the rules of its own scorer (nab/sweeper.py, scorer.py, runner.py: sigmoid over
 * windows, 15 % probation, one threshold for all files, optimised for each profile, normalised by the null detector), and beside ours the
 * windowed Gaussian, which NAB publishes as 39.6 / 20.9 / 47.4: if the scorer is right, that comes out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { detect, newDetector } from '../../src/domain/analysis/anomaly.ts';
import { normalUpperTail } from '../../src/domain/analysis/stats/normal.ts';

type Detector = () => (value: number) => number;
type Windows = Readonly<Record<string, readonly (readonly [string, string])[]>>;

interface Profile {
  readonly name: string;
  readonly fp: number;
  readonly fn: number;
}

interface Point {
  readonly score: number;
  /** What raising an alarm here counts, for a unit weight of true and of false positives. */
  readonly worth: number;
  /** Null outside of all windows. */
  readonly window: string | null;
}

const profiles: readonly Profile[] = [
  { name: 'standard', fp: 0.11, fn: 1 },
  { name: 'reward low FP', fp: 0.22, fn: 1 },
  { name: 'reward low FN', fp: 0.11, fn: 2 },
];

const detectors: Readonly<Record<string, Detector>> = {
  ours: () => {
    let state = newDetector;
    return (value) => {
      const found = detect(state, value);
      state = found.state;
      return found.score;
    };
  },
  'windowed Gaussian': windowedGaussian,
};

function windowedGaussian(): (value: number) => number {
  const [size, step] = [6400, 100];
  let [window, buffer, mean, sd]: [number[], number[], number, number] = [[], [], 0, 1];
  const update = (): void => {
    mean = window.reduce((sum, value) => sum + value, 0) / window.length;
    sd = Math.sqrt(window.reduce((sum, value) => sum + (value - mean) ** 2, 0) / window.length) || 0.000001;
  };
  return (value) => {
    const z = Math.abs(value - mean) / sd;
    const score = window.length === 0 ? 0 : 1 - normalUpperTail(z);
    if (window.length < size) {
      window.push(value);
      update();
    } else if (buffer.push(value) === step) {
      window = [...window.slice(step), ...buffer];
      buffer = [];
      update();
    }
    return score;
  };
}

function scaledSigmoid(position: number): number {
  return position > 3 ? -1 : 2 / (1 + Math.exp(5 * position)) - 1;
}

/** The points of one file that count, in the order of time. */
function pointsOf(
  file: string,
  timestamps: readonly string[],
  scores: readonly number[],
  windows: readonly (readonly [string, string])[] | undefined,
): Point[] {
  const probation = Math.min(Math.floor(0.15 * timestamps.length), 750);
  const best = scaledSigmoid(-1);
  const points: Point[] = [];
  const left = [...(windows ?? [])].map(([from, to]) => [from.slice(0, 19), to.slice(0, 19)] as const);
  let [open, previous]: [{ name: string; end: number; width: number } | null, { end: number; width: number } | null] = [null, null];
  for (const [i, time] of timestamps.entries()) {
    const next = left[0];
    if (next !== undefined && time === next[0]) {
      const end = timestamps.indexOf(next[1]);
      open = { name: `${file}|${next[0]}`, end, width: end - i + 1 };
      left.shift();
    }
    const worth =
      open !== null
        ? scaledSigmoid(-(open.end - i + 1) / open.width) / best
        : previous === null
          ? -1
          : scaledSigmoid(Math.abs(previous.end - i) / (previous.width - 1));
    if (i >= probation) points.push({ score: scores[i] ?? 0, worth, window: open?.name ?? null });
    if (open !== null && i === open.end) {
      previous = open;
      open = null;
    }
  }
  return points;
}

/** The best score over all thresholds, and that threshold. */
function sweep(points: readonly Point[], { fp, fn }: Profile): { readonly score: number; readonly threshold: number } {
  const sorted = points.toSorted((a, b) => b.score - a.score);
  const parts = new Map<string, number>();
  for (const { window } of points) if (window !== null) parts.set(window, -fn);
  let [sum, threshold] = [[...parts.values()].reduce((total, part) => total + part, 0), 1.1];
  let best = { score: sum, threshold };
  for (const { score, worth, window } of sorted) {
    if (score !== threshold) {
      if (sum > best.score) best = { score: sum, threshold };
      threshold = score;
    }
    if (window === null) sum += worth * fp;
    else {
      const before = parts.get(window) ?? -fn;
      parts.set(window, Math.max(before, worth));
      sum += Math.max(before, worth) - before;
    }
  }
  return sum > best.score ? { score: sum, threshold } : best;
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node bench/judge/nab.ts DIR   (a checkout of github.com/numenta/NAB)');
const windows = JSON.parse(readFileSync(join(folder, 'labels/combined_windows.json'), 'utf8')) as Windows;
const all = Object.values(windows).reduce((sum, list) => sum + list.length, 0);
const files = readdirSync(join(folder, 'data'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.csv'))
  .sort();
const series = files.map((file) => {
  const rows = readFileSync(join(folder, 'data', file), 'utf8')
    .trim()
    .split('\n')
    .slice(1);
  return { file, timestamps: rows.map((row) => row.slice(0, 19)), values: rows.map((row) => Number(row.slice(row.indexOf(',') + 1))) };
});

console.log(`${files.length} series, ${all} windows`);
for (const [name, create] of Object.entries(detectors)) {
  const startedAt = performance.now();
  const points = series.flatMap(({ file, timestamps, values }) => {
    const detector = create();
    return pointsOf(file, timestamps, values.map(detector), windows[file]);
  });
  const found = profiles.map((profile) => {
    const { score, threshold } = sweep(points, profile);
    const nothing = -profile.fn * new Set(points.flatMap(({ window }) => window ?? [])).size;
    return `${profile.name} ${((100 * (score - nothing)) / (all - nothing)).toFixed(1)} (threshold ${threshold.toPrecision(8)})`;
  });
  console.log(`${name}: ${found.join(', ')}; ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

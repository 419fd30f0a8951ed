/** What one variant measured in a stretch of time: buckets added up, in the shape that the judge compares. */
import { isObject } from '../../base/json.ts';
import type { Bucket, BucketHistogram, BucketMoments } from '../../generated/types.ts';
import { shardCount } from '../traffic/split.ts';
import type { Counts } from './counts.ts';
import { isUsableName } from './metric.ts';
import { addMoments, addPacked, emptyHistogram, newMoments } from './histogram.ts';

/** Values of a mean metric; the histogram is null where only moments were reported. */
export interface Sample {
  readonly moments: BucketMoments;
  readonly histogram: BucketHistogram | null;
}

/** Sums of one shard of keys, in the order of `shardSeries` behind the requests. */
export type ShardRow = readonly number[];

/** What shards are summed for; each is counted on the shard's requests. */
export const shardSeries = ['error_rate', 'latency', 'cost_per_request', 'tokens_per_request'] as const;
export type ShardSeries = (typeof shardSeries)[number];

export interface ArmSample extends Counts {
  readonly latency: BucketHistogram;
  readonly firstToken: BucketHistogram;
  /** By metric: cost_per_request (histogram in millionths of a dollar), tokens_per_request, and the scores. */
  readonly means: Readonly<Record<string, Sample>>;
  /** By shard: requests and four sums; empty where requests have no keys. */
  readonly shards: Readonly<Record<string, ShardRow>>;
}

export interface ArmPair {
  readonly canary: ArmSample;
  readonly stable: ArmSample;
}

export const noSample: ArmSample = {
  requests: 0,
  errors: 0,
  latency: emptyHistogram,
  firstToken: emptyHistogram,
  means: {},
  shards: {},
};

export const noPair: ArmPair = { canary: noSample, stable: noSample };

export function addSamples(a: ArmSample, b: ArmSample): ArmSample {
  if (a === noSample) return b;
  if (b === noSample) return a;
  const means: Record<string, Sample> = { ...a.means };
  for (const [metric, sample] of Object.entries(b.means)) {
    const known = means[metric];
    means[metric] = known === undefined ? sample : addSample(known, sample);
  }
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    latency: addPacked(a.latency, b.latency),
    firstToken: addPacked(a.firstToken, b.firstToken),
    means,
    shards: addShards(a.shards, b.shards),
  };
}

export function addPairs(a: ArmPair, b: ArmPair): ArmPair {
  return { canary: addSamples(a.canary, b.canary), stable: addSamples(a.stable, b.stable) };
}

function addSample(a: Sample, b: Sample): Sample {
  const histogram = a.histogram === null || b.histogram === null ? null : addPacked(a.histogram, b.histogram);
  return { moments: addMoments(a.moments, b.moments), histogram };
}

function addShards(a: ArmSample['shards'], b: ArmSample['shards']): ArmSample['shards'] {
  const added = Object.entries(b);
  if (added.length === 0) return a;
  const sum: Record<string, ShardRow> = { ...a };
  for (const [shard, row] of added) {
    const known = sum[shard];
    sum[shard] = known === undefined ? row : row.map((value, index) => value + (known[index] ?? 0));
  }
  return sum;
}

/**
 * A bucket as a sample, or in one sentence what is wrong with it: what can't be is not counted, and not corrected either. `wanted`: the scores
 * that anybody asks for, since applications may report any name; left out: all.
 */
export function sampleOf(bucket: Bucket, wanted?: ReadonlySet<string>): ArmSample | string {
  const problem = problemOf(bucket);
  if (problem !== null) return problem;
  const errors = Object.values(bucket.errors).reduce((sum, count) => sum + count, 0);
  return {
    requests: bucket.requests,
    errors,
    latency: bucket.latency_ms,
    firstToken: bucket.first_token_ms,
    means: meansOf(bucket, wanted),
    shards: shardsOf(bucket.shards),
  };
}

function meansOf(bucket: Bucket, wanted: ReadonlySet<string> | undefined): ArmSample['means'] {
  const means: Record<string, Sample> = {};
  if (bucket.cost_usd.n > 0) means['cost_per_request'] = { moments: bucket.cost_usd, histogram: bucket.cost_micro_usd ?? null };
  if (bucket.tokens !== undefined && bucket.tokens.n > 0)
    means['tokens_per_request'] = { moments: bucket.tokens, histogram: bucket.tokens_histogram ?? null };
  const isMeant = (metric: string): boolean => isUsableName(metric) && wanted?.has(metric) !== false;
  const histograms = bucket.score_histograms ?? {};
  for (const [metric, moments] of Object.entries(bucket.scores))
    if (moments.n > 0 && isMeant(metric)) means[metric] = { moments, histogram: histograms[metric] ?? null };
  return means;
}

/** Rows of seven: shard, requests, errors, latency, cost, priced, tokens. */
function shardsOf(rows: readonly number[]): ArmSample['shards'] {
  const shards: Record<string, ShardRow> = {};
  for (let i = 0; i + 6 < rows.length; i += 7) {
    const [shard = -1, requests = 0, errors = 0, latency = 0, cost = 0, , tokens = 0] = rows.slice(i, i + 7);
    if (shard >= 0 && shard < shardCount) shards[shard] = [requests, errors, latency, cost, tokens];
  }
  return shards;
}

function problemOf(bucket: Bucket): string | null {
  if (!isFinite(bucket)) return 'it holds a number that is none';
  const counts = [bucket.requests, ...Object.values(bucket.errors)];
  if (counts.some((count) => count < 0)) return 'it counts less than nothing';
  const errors = counts.slice(1).reduce((sum, count) => sum + count, 0);
  if (errors > bucket.requests) return `it counts ${errors} errors in ${bucket.requests} requests`;
  const histograms = [
    bucket.latency_ms,
    bucket.first_token_ms,
    bucket.cost_micro_usd,
    bucket.tokens_histogram,
    ...Object.values(bucket.score_histograms ?? {}),
  ];
  if (histograms.some((histogram) => histogram !== undefined && !isHistogram(histogram))) return 'one of its histograms is out of order';
  const moments = [bucket.cost_usd, bucket.tokens ?? newMoments(), ...Object.values(bucket.scores)];
  return moments.some(({ n, sum_squares: squares }) => n < 0 || squares < 0) ? 'one of its sums is below 0' : null;
}

/** No NaN and no infinity anywhere: JSON has neither, but a decoder may. Nor what squared would be. */
function isFinite(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) < 1e100;
  if (Array.isArray(value)) return value.every(isFinite);
  return !isObject(value) || Object.values(value).every(isFinite);
}

function isHistogram({ zero, bins }: BucketHistogram): boolean {
  if (zero < 0 || bins.length % 2 !== 0) return false;
  for (let i = 0; i < bins.length; i += 2) {
    if ((bins[i + 1] ?? 0) < 0 || (i > 0 && (bins[i] ?? 0) <= (bins[i - 2] ?? 0))) return false;
  }
  return true;
}

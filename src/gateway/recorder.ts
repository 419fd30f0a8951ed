/** What the requests of the running second measured, one bucket a series. */
import {
  newHistogram,
  newMoments,
  packHistogram,
  recordMoment,
  recordScore,
  recordValue,
  type Histogram,
  type Moments,
} from '../domain/analysis/histogram.ts';
import { scoreMetrics } from '../domain/analysis/metric.ts';
import type { DistinctKeys } from '../domain/traffic/distinct.ts';
import type { Bucket } from '../generated/types.ts';

export interface BucketKey {
  readonly service: string;
  readonly variant: 'stable' | 'canary';
  /** Of an A/B test, for metrics: the digest names it too. */
  readonly arm?: string;
  readonly digest: string;
  readonly deploymentId: string | null;
  /** Of the assignment; null for what comes later, such as feedback. */
  readonly generation: number | null;
  readonly model: string;
  readonly route: string;
  /** Copies of stable's requests, whose answers nobody gets. */
  readonly isMirrored?: boolean;
}

/** How a request ended. */
export interface Outcome {
  /** Class of the first attempt's failure; null when it succeeded. */
  readonly failure: string | null;
  /** A retry made good what the first attempt failed at. */
  readonly recovered: boolean;
  readonly retries: number;
  /** Null: nobody knows, as with requests that were refused before they began. */
  readonly latencyMs: number | null;
  readonly firstTokenMs: number | null;
  readonly usage: Usage | null;
  /** Null: unknown price or usage. Never 0 for what is not known. */
  readonly costUsd: number | null;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Who asked, as far as the split knows. */
export interface RequestIdentity {
  /** Of the 64 shards of keys; null without a key. */
  readonly shard: number | null;
  /** The key's hash for the sample of distinct keys, and that sample; null without a key. */
  readonly key: number | null;
  readonly seen: DistinctKeys | null;
  /** The split asks for a key and the request had none. */
  readonly isUnkeyed: boolean;
}

/** Of a request that nobody divides by a key. */
export const anonymous: RequestIdentity = { shard: null, key: null, seen: null, isUnkeyed: false };

export interface Recorder {
  /** A series is named by its key's contents; the same object each time is the fast way. */
  record(key: BucketKey, outcome: Outcome, identity: RequestIdentity): void;
  /** Outside both the requests and the errors: refused by us, or abandoned by the client, which may have cost something all the same. */
  exclude(key: BucketKey, reason: string, costUsd?: number | null): void;
  /** Feedback about an answer. False when the series has too many metrics already. */
  score(key: BucketKey, metric: string, value: number): boolean;
  /** What it cost to have an answer scored; `failed`: in vain. */
  scored(key: BucketKey, costUsd: number | null, failed: boolean): void;
  /** The buckets since the last call. */
  take(): Bucket[];
}

/** requests, errors, latency_ms, cost_usd, priced, tokens. */
type ShardSums = [number, number, number, number, number, number];

interface OpenBucket {
  requests: number;
  readonly errors: Record<string, number>;
  recovered: number;
  retries: number;
  readonly excluded: Record<string, number>;
  excludedCost: number;
  readonly latency: Histogram;
  readonly firstToken: Histogram;
  readonly cost: Moments;
  readonly microCost: Histogram;
  unpriced: number;
  readonly input: Moments;
  readonly output: Moments;
  readonly tokens: Moments;
  readonly tokenCounts: Histogram;
  unkeyed: number;
  readonly newKeys: number[];
  readonly shards: Map<number, ShardSums>;
  readonly scores: Map<string, Moments>;
  readonly scoreCounts: Map<string, Histogram>;
  readonly scoringCost: Moments;
  scoringFailures: number;
}

/** Metrics of one series in one second: more would be a mistake, or an attack. */
const mostMetrics = 20;

export function createRecorder(): Recorder {
  let open = new Map<BucketKey, OpenBucket>();
  /** Keys that come as new objects each time, as those of feedback do, by their contents. */
  let interned = new Map<string, BucketKey>();

  function intern(key: BucketKey): BucketKey {
    const name = JSON.stringify(key);
    const known = interned.get(name);
    if (known === undefined) interned.set(name, key);
    return known ?? key;
  }

  function bucketOf(key: BucketKey): OpenBucket {
    const own = key.generation === null ? intern(key) : key;
    const known = open.get(own);
    if (known !== undefined) return known;
    const bucket = newBucket();
    open.set(own, bucket);
    return bucket;
  }

  return {
    record: (key, outcome, identity) => add(bucketOf(key), outcome, identity),
    exclude(key, reason, costUsd = null) {
      const bucket = bucketOf(key);
      bucket.excluded[reason] = (bucket.excluded[reason] ?? 0) + 1;
      bucket.excludedCost += costUsd ?? 0;
    },
    score(key, metric, value) {
      const { scores, scoreCounts } = bucketOf(key);
      const known = scores.get(metric) ?? newMoments();
      if (!scores.has(metric) && scores.size >= mostMetrics) return false;
      scores.set(metric, known);
      recordMoment(known, value);
      if (scoreMetrics.some((name) => name === metric)) {
        const counts = scoreCounts.get(metric) ?? newHistogram();
        scoreCounts.set(metric, counts);
        recordScore(counts, value);
      }
      return true;
    },
    scored(key, costUsd, failed) {
      const bucket = bucketOf(key);
      if (costUsd !== null) recordMoment(bucket.scoringCost, costUsd);
      if (failed) bucket.scoringFailures++;
    },
    take() {
      const taken = [...open].map(([key, bucket]) => pack(key, bucket));
      open = new Map();
      interned = new Map();
      return taken;
    },
  };
}

function newBucket(): OpenBucket {
  return {
    requests: 0,
    errors: {},
    recovered: 0,
    retries: 0,
    excluded: {},
    excludedCost: 0,
    latency: newHistogram(),
    firstToken: newHistogram(),
    cost: newMoments(),
    microCost: newHistogram(),
    unpriced: 0,
    input: newMoments(),
    output: newMoments(),
    tokens: newMoments(),
    tokenCounts: newHistogram(),
    unkeyed: 0,
    newKeys: [],
    shards: new Map(),
    scores: new Map(),
    scoreCounts: new Map(),
    scoringCost: newMoments(),
    scoringFailures: 0,
  };
}

function add(bucket: OpenBucket, outcome: Outcome, identity: RequestIdentity): void {
  const { failure, usage, costUsd } = outcome;
  bucket.requests++;
  bucket.retries += outcome.retries;
  if (outcome.latencyMs !== null) recordValue(bucket.latency, outcome.latencyMs);
  if (outcome.firstTokenMs !== null) recordValue(bucket.firstToken, outcome.firstTokenMs);
  if (usage !== null) {
    recordMoment(bucket.input, usage.inputTokens);
    recordMoment(bucket.output, usage.outputTokens);
    recordMoment(bucket.tokens, usage.inputTokens + usage.outputTokens);
    recordValue(bucket.tokenCounts, usage.inputTokens + usage.outputTokens);
  }
  if (failure !== null) bucket.errors[failure] = (bucket.errors[failure] ?? 0) + 1;
  if (outcome.recovered) bucket.recovered++;
  if (costUsd !== null) {
    recordMoment(bucket.cost, costUsd);
    recordValue(bucket.microCost, costUsd * 1e6);
  } else if (failure === null || outcome.recovered) bucket.unpriced++;
  addIdentity(bucket, outcome, identity);
}

function addIdentity(bucket: OpenBucket, outcome: Outcome, identity: RequestIdentity): void {
  if (identity.isUnkeyed) bucket.unkeyed++;
  if (identity.key !== null && identity.seen?.add(identity.key) === true) bucket.newKeys.push(identity.key);
  if (identity.shard !== null) addToShard(bucket.shards, identity.shard, outcome);
}

function addToShard(shards: OpenBucket['shards'], shard: number, { failure, latencyMs, costUsd, usage }: Outcome): void {
  let sums = shards.get(shard);
  if (sums === undefined) shards.set(shard, (sums = [0, 0, 0, 0, 0, 0]));
  sums[0]++;
  if (failure !== null) sums[1]++;
  sums[2] += latencyMs ?? 0;
  if (costUsd !== null) {
    sums[3] += costUsd;
    sums[4]++;
  }
  sums[5] += usage === null ? 0 : usage.inputTokens + usage.outputTokens;
}

function pack(key: BucketKey, bucket: OpenBucket): Bucket {
  return {
    service: key.service,
    variant: key.variant,
    digest: key.digest,
    deployment_id: key.deploymentId,
    generation: key.generation,
    model: key.model,
    route: key.route,
    ...(key.isMirrored === true ? { mirrored: true } : {}),
    requests: bucket.requests,
    errors: bucket.errors,
    recovered: bucket.recovered,
    retries: bucket.retries,
    excluded: bucket.excluded,
    excluded_cost_usd: bucket.excludedCost,
    latency_ms: packHistogram(bucket.latency),
    first_token_ms: packHistogram(bucket.firstToken),
    cost_usd: bucket.cost,
    cost_micro_usd: packHistogram(bucket.microCost),
    unpriced: bucket.unpriced,
    input_tokens: bucket.input,
    output_tokens: bucket.output,
    tokens: bucket.tokens,
    tokens_histogram: packHistogram(bucket.tokenCounts),
    unkeyed: bucket.unkeyed,
    new_keys: bucket.newKeys,
    shards: [...bucket.shards].flatMap(([shard, sums]) => [shard, ...sums]),
    scores: Object.fromEntries(bucket.scores),
    score_histograms: Object.fromEntries([...bucket.scoreCounts].map(([metric, counts]) => [metric, packHistogram(counts)])),
    scoring_cost_usd: bucket.scoringCost,
    scoring_failures: bucket.scoringFailures,
  };
}

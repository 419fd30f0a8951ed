/** What the requests of the running second measured, one bucket a key. */
import {
  newHistogram,
  newMoments,
  packHistogram,
  recordMoment,
  recordValue,
  type Histogram,
  type Moments,
} from '../domain/analysis/histogram.ts';
import type { Bucket } from '../generated/types.ts';

export interface BucketKey {
  readonly service: string;
  readonly variant: 'stable' | 'canary';
  readonly digest: string;
  readonly deploymentId: string | null;
  readonly model: string;
  readonly route: string;
}

/** How a request ended. `failure` null: a complete answer. */
export interface Outcome {
  readonly failure: string | null;
  readonly latencyMs: number;
  readonly firstTokenMs: number | null;
  readonly usage: Usage | null;
  /** Null: unknown price or usage. Never 0 for what is not known. */
  readonly costUsd: number | null;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface Recorder {
  record(key: BucketKey, outcome: Outcome): void;
  /** Outside both the requests and the errors: refused by us, or abandoned by the client. */
  exclude(key: BucketKey, reason: string): void;
  /** The buckets since the last call. */
  take(): Bucket[];
}

interface OpenBucket {
  readonly key: BucketKey;
  requests: number;
  readonly errors: Record<string, number>;
  readonly excluded: Record<string, number>;
  readonly latency: Histogram;
  readonly firstToken: Histogram;
  readonly cost: Moments;
  unpriced: number;
  readonly input: Moments;
  readonly output: Moments;
}

export function createRecorder(): Recorder {
  let open = new Map<string, OpenBucket>();

  function bucketOf(key: BucketKey): OpenBucket {
    const name = `${key.service}\n${key.variant}\n${key.digest}\n${key.deploymentId}\n${key.model}\n${key.route}`;
    const known = open.get(name);
    if (known !== undefined) return known;
    const bucket = newBucket(key);
    open.set(name, bucket);
    return bucket;
  }

  return {
    record: (key, outcome) => add(bucketOf(key), outcome),
    exclude(key, reason) {
      const { excluded } = bucketOf(key);
      excluded[reason] = (excluded[reason] ?? 0) + 1;
    },
    take() {
      const taken = [...open.values()].map(pack);
      open = new Map();
      return taken;
    },
  };
}

function newBucket(key: BucketKey): OpenBucket {
  return {
    key,
    requests: 0,
    errors: {},
    excluded: {},
    latency: newHistogram(),
    firstToken: newHistogram(),
    cost: newMoments(),
    unpriced: 0,
    input: newMoments(),
    output: newMoments(),
  };
}

function add(bucket: OpenBucket, outcome: Outcome): void {
  bucket.requests++;
  recordValue(bucket.latency, outcome.latencyMs);
  if (outcome.firstTokenMs !== null) recordValue(bucket.firstToken, outcome.firstTokenMs);
  if (outcome.usage !== null) {
    recordMoment(bucket.input, outcome.usage.inputTokens);
    recordMoment(bucket.output, outcome.usage.outputTokens);
  }
  if (outcome.failure !== null) bucket.errors[outcome.failure] = (bucket.errors[outcome.failure] ?? 0) + 1;
  else if (outcome.costUsd === null) bucket.unpriced++;
  if (outcome.costUsd !== null) recordMoment(bucket.cost, outcome.costUsd);
}

function pack(bucket: OpenBucket): Bucket {
  return {
    service: bucket.key.service,
    variant: bucket.key.variant,
    digest: bucket.key.digest,
    deployment_id: bucket.key.deploymentId,
    model: bucket.key.model,
    route: bucket.key.route,
    requests: bucket.requests,
    errors: bucket.errors,
    excluded: bucket.excluded,
    latency_ms: packHistogram(bucket.latency),
    first_token_ms: packHistogram(bucket.firstToken),
    cost_usd: bucket.cost,
    unpriced: bucket.unpriced,
    input_tokens: bucket.input,
    output_tokens: bucket.output,
  };
}

/** Measurements of the gateways come in here, each batch once, and go to everybody who counts. */
import type { Instant } from '../../base/time.ts';
import { totalOf } from '../../domain/analysis/histogram.ts';
import type { Bucket, BucketBatch, BucketBatchComment } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';
import type { Judging } from '../judging/judging.ts';
import type { QualityWatch } from './quality-watch.ts';
import type { Spending } from './spending.ts';
import { createTrialTraffic, type TrialTraffic } from './trial-traffic.ts';

export interface Comment extends BucketBatchComment {
  readonly at: Instant;
}

export interface Intake {
  load(): Promise<void>;
  /** False for a batch that was taken in before. Resolves when every verdict it led to has been acted on. */
  take(batch: BucketBatch): Promise<boolean>;
  traffic(service: string): TrialTraffic;
  /** US dollars that copies for a deployment have cost; outlives a restart. */
  mirroredCostUsd(deploymentId: string): number;
  /** The newest first. */
  comments(service: string): readonly Comment[];
}

export interface IntakeDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly judging: Judging;
  readonly spending: Spending;
  readonly quality: QualityWatch;
}

type Taken = readonly [gateway: string, epoch: string, seq: number];

const storeKey = 'intake';
const mirrorKey = 'mirror-costs';
const mostMirrored = 1000;
const checkpointMs = 5000;
const mostGateways = 10_000;
const mostComments = 100;

export function createIntake({ store, clock, judging, spending, quality }: IntakeDeps): Intake {
  const taken = new Map<string, Taken>();
  const traffic = new Map<string, TrialTraffic>();
  const mirrored = new Map<string, number>();
  const comments = new Map<string, readonly Comment[]>();
  let checkpointedAt = 0;

  function isNew({ gateway, epoch, seq }: BucketBatch): boolean {
    const last = taken.get(gateway);
    if (last?.[1] === epoch && seq <= last[2]) return false;
    taken.delete(gateway);
    taken.set(gateway, [gateway, epoch, seq]);
    for (const oldest of taken.keys()) {
      if (taken.size <= mostGateways) break;
      taken.delete(oldest);
    }
    return true;
  }

  /** What was taken goes first: a crash in between loses counts, and never counts anything twice. */
  async function checkpoint(): Promise<void> {
    if (clock.now() - checkpointedAt < checkpointMs) return;
    checkpointedAt = clock.now();
    await store.put(storeKey, JSON.stringify([...taken.values()]));
    await store.put(mirrorKey, JSON.stringify([...mirrored].slice(-mostMirrored)));
    await judging.checkpoint();
  }

  function trafficOf(service: string): TrialTraffic {
    const known = traffic.get(service) ?? createTrialTraffic();
    traffic.set(service, known);
    return known;
  }

  async function takeBuckets(service: string, buckets: readonly Bucket[], at: Instant): Promise<void> {
    for (const bucket of buckets) {
      trafficOf(service).add(bucket, at);
      addCopies(mirrored, bucket);
    }
    await judging.take(service, buckets, at);
    await spending.take(service, buckets, at);
    await quality.look(service, buckets, at);
  }

  return {
    async load() {
      for (const entry of JSON.parse((await store.get(storeKey)) ?? '[]') as Taken[]) taken.set(entry[0], entry);
      for (const [id, usd] of JSON.parse((await store.get(mirrorKey)) ?? '[]') as [string, number][]) mirrored.set(id, usd);
    },
    async take(batch) {
      if (!isNew(batch)) return false;
      const at = clock.now();
      for (const [service, buckets] of Map.groupBy(batch.buckets, (bucket) => bucket.service)) {
        // A service that nobody knows is a gateway's mistake, and must not fill the memory.
        if (judging.knows(service)) await takeBuckets(service, buckets, at);
      }
      for (const comment of batch.comments)
        if (judging.knows(comment.service))
          comments.set(comment.service, [{ ...comment, at }, ...(comments.get(comment.service) ?? [])].slice(0, mostComments));
      await checkpoint();
      return true;
    },
    traffic: trafficOf,
    mirroredCostUsd: (id) => mirrored.get(id) ?? 0,
    comments: (service) => comments.get(service) ?? [],
  };
}

function addCopies(sums: Map<string, number>, { deployment_id: id, mirrored: isCopy, cost_usd: cost }: Bucket): void {
  if (isCopy === true && id !== null) sums.set(id, (sums.get(id) ?? 0) + totalOf(cost));
}

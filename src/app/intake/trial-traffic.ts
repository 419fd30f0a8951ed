/** Where the requests of a service went: by variant, key and route. For people who ask whether the split does what it says. */
import type { Instant } from '../../base/time.ts';
import type { LookContext } from '../../domain/analysis/look.ts';
import { currentStep, type ServiceState } from '../../domain/rollout/state.ts';
import { addMoments, addPacked, newMoments } from '../../domain/analysis/histogram.ts';
import { distinctKeys, type DistinctKeys } from '../../domain/traffic/distinct.ts';
import { shardCount } from '../../domain/traffic/split.ts';
import type { Bucket, BucketHistogram, BucketMoments } from '../../generated/types.ts';

export type VariantName = 'canary' | 'stable';

/** Since the present weight came into force, as each gateway took it up. */
export interface StepTotals {
  readonly generation: number;
  readonly since: Instant;
  readonly requests: Record<VariantName, number>;
  readonly unkeyed: number;
  readonly users: Readonly<Record<VariantName, DistinctKeys>>;
}

export interface RouteTotals {
  readonly route: string;
  readonly model: string;
  readonly variant: VariantName;
  readonly requests: number;
  readonly errors: number;
  readonly cost: BucketMoments;
  readonly latency: BucketHistogram;
}

export interface TrafficTotals {
  /** Null: no deployment was on trial. */
  readonly deploymentId: string | null;
  readonly since: Instant;
  readonly requests: Readonly<Record<VariantName, number>>;
  readonly excluded: Readonly<Record<string, number>>;
  readonly unkeyed: number;
  /** Requests of each of the 64 shards of keys. */
  readonly shards: Readonly<Record<VariantName, readonly number[]>>;
  readonly routes: readonly RouteTotals[];
  readonly step: StepTotals;
}

export interface TrialTraffic {
  add(bucket: Bucket, at: Instant): void;
  /** The newest record of the deployment, or of traffic outside any trial; undefined when nothing was measured. */
  of(deploymentId: string | null): TrafficTotals | undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The deployment on trial, the one before it, and traffic without a trial. */
const kept = 3;

export function createTrialTraffic(): TrialTraffic {
  const totals = new Map<string | null, Mutable<TrafficTotals>>();

  function totalsOf(bucket: Bucket, at: Instant): Mutable<TrafficTotals> {
    const known = totals.get(bucket.deployment_id);
    if (known !== undefined) {
      // The longest unheard of goes first.
      totals.delete(bucket.deployment_id);
      totals.set(bucket.deployment_id, known);
      return known;
    }
    const created = newTotals(bucket, at);
    totals.set(bucket.deployment_id, created);
    for (const oldest of totals.keys()) {
      if (totals.size <= kept) break;
      if (oldest !== null) totals.delete(oldest);
    }
    return created;
  }

  return {
    add(bucket, at) {
      // Late feedback begins no record, and so can't displace one.
      const total = bucket.generation === null ? totals.get(bucket.deployment_id) : totalsOf(bucket, at);
      if (total === undefined) return;
      total.requests = plus(total.requests, bucket);
      total.unkeyed += bucket.unkeyed;
      for (const [reason, count] of Object.entries(bucket.excluded))
        total.excluded = { ...total.excluded, [reason]: (total.excluded[reason] ?? 0) + count };
      total.routes = addRoute(total.routes, bucket);
      addShards(total.shards[bucket.variant] as number[], bucket.shards);
      if (bucket.generation === null) return;
      if (bucket.generation > total.step.generation) total.step = newStep(bucket.generation, at);
      if (bucket.generation === total.step.generation) total.step = addToStep(total.step, bucket);
    },
    of: (deploymentId) => totals.get(deploymentId),
  };
}

/** What is to be compared with the weight: users where a user always goes the same way; nothing where sessions keep the variant they had. */
export function drawnIn({ active, generation }: ServiceState, traffic: TrialTraffic | undefined): LookContext['drawn'] {
  // Copies are no draw, and batches of gateways have whatever traffic comes to them.
  const step = currentStep(active);
  if (active === null || active.plan.split.stickyMs !== null || step?.kind === 'mirror' || step?.fleet != null) return null;
  if (active.plan.split.method !== 'consistent_hash') return { unit: 'requests' };
  const totals = traffic?.of(active.id)?.step;
  if (totals?.generation !== generation) return null;
  return { unit: 'users', canary: totals.users.canary.estimate(), stable: totals.users.stable.estimate() };
}

function newTotals(bucket: Bucket, at: Instant): Mutable<TrafficTotals> {
  const zeros = (): number[] => Array.from({ length: shardCount }, () => 0);
  return {
    deploymentId: bucket.deployment_id,
    since: at,
    requests: { canary: 0, stable: 0 },
    excluded: {},
    unkeyed: 0,
    shards: { canary: zeros(), stable: zeros() },
    routes: [],
    step: newStep(bucket.generation ?? 0, at),
  };
}

function newStep(generation: number, since: Instant): StepTotals {
  const users = { canary: distinctKeys(), stable: distinctKeys() };
  return { generation, since, requests: { canary: 0, stable: 0 }, unkeyed: 0, users };
}

function plus(requests: Readonly<Record<VariantName, number>>, bucket: Bucket): Record<VariantName, number> {
  return { ...requests, [bucket.variant]: requests[bucket.variant] + bucket.requests };
}

function addToStep(step: StepTotals, bucket: Bucket): StepTotals {
  for (const hash of bucket.new_keys) step.users[bucket.variant].add(hash);
  return { ...step, requests: plus(step.requests, bucket), unkeyed: step.unkeyed + bucket.unkeyed };
}

/** Rows of seven: shard, requests, and five sums that only the judge needs. */
function addShards(sums: number[], rows: readonly number[]): void {
  for (let i = 0; i + 1 < rows.length; i += 7) {
    const shard = rows[i] ?? -1;
    if (shard in sums) sums[shard] = (sums[shard] ?? 0) + (rows[i + 1] ?? 0);
  }
}

function addRoute(routes: readonly RouteTotals[], bucket: Bucket): readonly RouteTotals[] {
  const { route, model, variant } = bucket;
  const index = routes.findIndex((row) => row.route === route && row.model === model && row.variant === variant);
  const row = routes[index] ?? { route, model, variant, requests: 0, errors: 0, cost: newMoments(), latency: { zero: 0, bins: [] } };
  const sum = {
    ...row,
    requests: row.requests + bucket.requests,
    errors: row.errors + Object.values(bucket.errors).reduce((total, count) => total + count, 0),
    cost: addMoments(row.cost, bucket.cost_usd),
    latency: addPacked(row.latency, bucket.latency_ms),
  };
  return index < 0 ? [...routes, sum] : routes.with(index, sum);
}

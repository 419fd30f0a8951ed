/** What a service's traffic looked like lately: for status, plans and the watch. Measurements, not evidence. */
import type { Instant } from '../../base/time.ts';
import { addCounts, noCounts, type Counts } from '../../domain/analysis/counts.ts';
import { addMoments, addPacked, meanOf, newMoments, quantileOf } from '../../domain/analysis/histogram.ts';
import type { Bucket, BucketHistogram, BucketMoments } from '../../generated/types.ts';

const recentMs = 5 * 60_000;
const rateMs = 30_000;

interface Slice {
  readonly at: Instant;
  readonly variant: 'stable' | 'canary';
  /** Of copies: no user sent them. */
  readonly isCopied: boolean;
  readonly digest: string;
  readonly counts: Counts;
  readonly latency: BucketHistogram;
  readonly firstToken: BucketHistogram;
  readonly cost: BucketMoments;
  readonly unpriced: number;
  readonly recovered: number;
  readonly scores: Bucket['scores'];
}

export interface VariantTraffic {
  readonly requests: number;
  /** Also those that a retry saved. */
  readonly errors: number;
  readonly recovered: number;
  readonly latency_p50_ms: number | null;
  readonly latency_p95_ms: number | null;
  readonly first_token_p50_ms: number | null;
  readonly cost_per_request_usd: number | null;
  readonly unpriced_requests: number;
  /** Mean of the feedback; null without any. */
  readonly quality_score: number | null;
  /** Mean of what the judge model says. */
  readonly judged_quality: number | null;
}

export interface RecentTraffic {
  add(bucket: Bucket, at: Instant): void;
  /** Requests per second of the whole service over the last half minute. */
  requestsPerSecond(now: Instant): number;
  /** Requests and errors of one digest as stable since `from` (at most five minutes back). */
  stableCounts(digest: string, from: Instant, now: Instant): Counts;
  /** A quantile of stable's latency in milliseconds over the same; null without any. */
  stableLatency(digest: string, from: Instant, now: Instant, q: number): number | null;
  /** Of these revisions only (several in an A/B test): what another one did before says nothing about them. */
  variant(name: 'stable' | 'canary', digests: readonly string[], now: Instant): VariantTraffic;
  score(name: 'stable' | 'canary', digest: string, metric: string, now: Instant): { readonly n: number; readonly mean: number | null };
}

export function countsOf(bucket: Bucket): Counts {
  return { requests: bucket.requests, errors: Object.values(bucket.errors).reduce((sum, count) => sum + count, 0) };
}

export function createRecentTraffic(): RecentTraffic {
  let slices: Slice[] = [];
  function ownSlices(name: Slice['variant'], digests: readonly string[], now: Instant): readonly Slice[] {
    return slices.filter((slice) => slice.variant === name && digests.includes(slice.digest) && slice.at > now - recentMs);
  }

  function stableSlices(digest: string, from: Instant, now: Instant): readonly Slice[] {
    return ownSlices('stable', [digest], now).filter((slice) => slice.at >= from);
  }

  return {
    add(bucket, at) {
      slices = slices.filter((slice) => slice.at > at - recentMs);
      slices.push({
        at,
        variant: bucket.variant,
        isCopied: bucket.mirrored === true,
        digest: bucket.digest,
        counts: countsOf(bucket),
        latency: bucket.latency_ms,
        firstToken: bucket.first_token_ms,
        cost: bucket.cost_usd,
        unpriced: bucket.unpriced,
        recovered: bucket.recovered,
        scores: bucket.scores,
      });
    },
    requestsPerSecond(now) {
      const recent = slices.filter((slice) => slice.at > now - rateMs && !slice.isCopied);
      const oldest = recent[0];
      if (oldest === undefined) return 0;
      const span = Math.max(1000, now - oldest.at);
      return recent.reduce((sum, slice) => sum + slice.counts.requests, 0) / (span / 1000);
    },
    stableCounts: (digest, from, now) => stableSlices(digest, from, now).reduce((sum, slice) => addCounts(sum, slice.counts), noCounts),
    stableLatency: (digest, from, now, q) =>
      quantileOf(
        stableSlices(digest, from, now).reduce((sum, slice) => addPacked(sum, slice.latency), emptyHistogram),
        q,
      ),
    variant: (name, digests, now) => viewOf(ownSlices(name, digests, now)),
    score(name, digest, metric, now) {
      const moments = scoreOf(ownSlices(name, [digest], now), metric);
      return { n: moments.n, mean: meanOf(moments) };
    },
  };
}

const emptyHistogram: BucketHistogram = { zero: 0, bins: [] };

function scoreOf(own: readonly Slice[], metric: string): BucketMoments {
  return own.reduce<BucketMoments>((sum, { scores }) => addMoments(sum, scores[metric] ?? newMoments()), newMoments());
}

function viewOf(own: readonly Slice[]): VariantTraffic {
  const counts = own.reduce((sum, slice) => addCounts(sum, slice.counts), noCounts);
  const latency = own.reduce((sum, slice) => addPacked(sum, slice.latency), emptyHistogram);
  const firstToken = own.reduce((sum, slice) => addPacked(sum, slice.firstToken), emptyHistogram);
  return {
    ...counts,
    latency_p50_ms: quantileOf(latency, 0.5),
    latency_p95_ms: quantileOf(latency, 0.95),
    first_token_p50_ms: quantileOf(firstToken, 0.5),
    cost_per_request_usd: meanOf(own.reduce<BucketMoments>((sum, slice) => addMoments(sum, slice.cost), newMoments())),
    unpriced_requests: own.reduce((sum, slice) => sum + slice.unpriced, 0),
    recovered: own.reduce((sum, slice) => sum + slice.recovered, 0),
    quality_score: meanOf(scoreOf(own, 'quality_score')),
    judged_quality: meanOf(scoreOf(own, 'judged_quality')),
  };
}

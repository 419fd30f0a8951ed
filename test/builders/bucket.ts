import type { Bucket } from '../../src/generated/types.ts';

const noMoments = { n: 0, pivot: 0, sum: 0, sum_squares: 0 };

export function aBucket(change: Partial<Bucket> = {}): Bucket {
  return {
    service: 'chat',
    variant: 'canary',
    digest: 'sha256:x',
    deployment_id: 'deploy-20260101-001',
    generation: 1,
    model: 'm',
    route: 'default',
    requests: 0,
    errors: {},
    recovered: 0,
    retries: 0,
    excluded: {},
    excluded_cost_usd: 0,
    latency_ms: { zero: 0, bins: [] },
    first_token_ms: { zero: 0, bins: [] },
    cost_usd: noMoments,
    unpriced: 0,
    input_tokens: noMoments,
    output_tokens: noMoments,
    unkeyed: 0,
    new_keys: [],
    shards: [],
    scores: {},
    scoring_cost_usd: noMoments,
    scoring_failures: 0,
    ...change,
  };
}

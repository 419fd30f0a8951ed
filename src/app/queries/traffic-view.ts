/** What traffic-stats, hash-analysis and routing-stats show of a deployment, or of a service outside one. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { toIso } from '../../base/time.ts';
import { meanOf, quantileOf } from '../../domain/analysis/histogram.ts';
import { checkTraffic } from '../../domain/analysis/traffic-check.ts';
import type { Split } from '../../domain/settings/resolve.ts';
import { canaryWeight } from '../../domain/rollout/shares.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Comment } from '../intake/intake.ts';
import type { TrafficTotals, VariantName } from '../intake/trial-traffic.ts';

export interface Share {
  readonly canary: number;
  readonly stable: number;
  /** Percent of the canary; null without any. */
  readonly canary_percent: number | null;
}

export interface TrafficView {
  readonly service: string;
  readonly deployment_id: string | null;
  readonly since: string;
  readonly split: { readonly method: string; readonly hash_key: string | null; readonly sticky_minutes: number | null };
  readonly total: Share;
  readonly excluded: Readonly<Record<string, number>>;
  /** At the present weight. */
  readonly step: {
    readonly since: string;
    /** Percent; null when the deployment is over. */
    readonly weight: number | null;
    readonly requests: Share;
    /** Different keys; null where the split has none. */
    readonly users: Share | null;
    readonly unkeyed: number;
  };
  readonly imbalance: { readonly verdict: 'even' | 'uneven' | 'too-few' | 'not-applicable'; readonly message: string };
}

export interface HashView {
  readonly service: string;
  readonly deployment_id: string | null;
  readonly method: string;
  readonly hash_key: string | null;
  readonly keyed_requests: number;
  readonly unkeyed_requests: number;
  /** Share of the keyed requests in the busiest of the 64 shards; 1/64 = 0.0156 when keys are many and alike. */
  readonly busiest_shard_share: number | null;
  readonly users: number | null;
  readonly shards: readonly { readonly shard: number; readonly canary: number; readonly stable: number }[];
  readonly message: string;
}

export interface RoutingView {
  readonly service: string;
  readonly deployment_id: string | null;
  readonly since: string;
  readonly routes: readonly {
    readonly route: string;
    readonly model: string;
    readonly variant: VariantName;
    readonly requests: number;
    readonly percent: number | null;
    readonly errors: number;
    readonly latency_p50_ms: number | null;
    readonly latency_p95_ms: number | null;
    readonly cost_per_request_usd: number | null;
  }[];
}

export interface FeedbackView {
  readonly service: string;
  readonly comments: readonly (Omit<Comment, 'at' | 'service'> & { readonly at: string })[];
}

export interface TrafficQuestion {
  readonly deployment_id?: string;
  readonly service?: string;
}

interface Found {
  readonly state: ServiceState;
  readonly totals: TrafficTotals;
}

/** By deployment, or by service: then its deployment under way, or its ordinary traffic. */
function find(controlPlane: ControlPlane, question: TrafficQuestion): Result<Found, readonly Problem[]> {
  const states = controlPlane.engine.states();
  const { deployment_id: id, service } = question;
  const state =
    id === undefined
      ? states.find((candidate) => candidate.service === service)
      : states.find((candidate) => candidate.active?.id === id || controlPlane.intake.traffic(candidate.service).of(id) !== undefined);
  if (state === undefined)
    return refuse([{ code: 'not-found', message: `There is no ${id === undefined ? `service "${service}"` : `traffic of ${id}`}.` }]);
  const totals = controlPlane.intake.traffic(state.service).of(id ?? state.active?.id ?? null);
  if (totals !== undefined) return ok({ state, totals });
  const message = `Nothing was measured of ${id ?? state.service} since this control plane began; records of the past are on the branch actuator/status.`;
  return refuse([{ code: 'not-found', message }]);
}

function splitOf({ active, watch }: ServiceState, totals: TrafficTotals): Split | null {
  const { deploymentId } = totals;
  if (deploymentId === null) return null;
  const plan = active?.id === deploymentId ? active.plan : watch?.deploymentId === deploymentId ? watch.plan : null;
  return plan?.split ?? null;
}

export function viewTraffic(controlPlane: ControlPlane, question: TrafficQuestion): Result<TrafficView, readonly Problem[]> {
  const found = find(controlPlane, question);
  if (!found.ok) return found;
  const { state, totals } = found.value;
  const { step } = totals;
  const split = splitOf(state, totals);
  const keyed = keyedBy(split);
  const isOnTrial = state.active !== null && state.active.id === totals.deploymentId;
  const weight = isOnTrial ? canaryWeight(state) : null;
  const requests = shareOf(step.requests);
  const users = keyed === null ? null : shareOf({ canary: step.users.canary.estimate(), stable: step.users.stable.estimate() });
  const isSameStep = step.generation === state.generation;
  return ok({
    service: state.service,
    deployment_id: totals.deploymentId,
    since: toIso(totals.since),
    split: viewSplit(split),
    total: shareOf(totals.requests),
    excluded: totals.excluded,
    step: { since: toIso(step.since), weight, requests, users, unkeyed: step.unkeyed },
    imbalance: imbalanceOf(isSameStep ? weight : null, users ?? requests, users === null ? 'requests' : 'users', split),
  });
}

/** The key that requests are divided by; null where each is divided by itself. */
function keyedBy(split: Split | null): string | null {
  return split !== null && (split.method === 'consistent_hash' || split.stickyMs !== null) ? split.hashKey : null;
}

function viewSplit(split: Split | null): TrafficView['split'] {
  const stickyMs = split?.stickyMs ?? null;
  return { method: split?.method ?? 'none', hash_key: keyedBy(split), sticky_minutes: stickyMs === null ? null : stickyMs / 60_000 };
}

function shareOf({ canary, stable }: Readonly<Record<VariantName, number>>): Share {
  return { canary, stable, canary_percent: percentOf(canary, canary + stable) };
}

function percentOf(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((100_000 * part) / whole) / 1000;
}

/** On what was drawn: users where the same user always goes the same way, requests otherwise. */
function imbalanceOf(weight: number | null, share: Share, unit: 'users' | 'requests', split: Split | null): TrafficView['imbalance'] {
  const { verdict } = checkTraffic(share, weight, unit);
  if (verdict === 'not-applicable') return { verdict, message: 'Nothing is divided at this moment.' };
  const facts = `The canary has ${share.canary_percent ?? 0} % of ${share.canary + share.stable} ${unit}, and its weight is ${weight ?? 0} %.`;
  if (verdict === 'too-few') return { verdict, message: `${facts} Too few to tell.` };
  if (verdict === 'even') return { verdict, message: facts };
  const why =
    split?.stickyMs !== null
      ? 'Sticky sessions keep those on stable who came before the weight rose; it evens out as they end.'
      : 'Compare the gateways (their /api/v1/routing/stats): one may lack a lease, or serve an older assignment.';
  return { verdict, message: `${facts} ${why}` };
}

export function viewHash(controlPlane: ControlPlane, question: TrafficQuestion): Result<HashView, readonly Problem[]> {
  const found = find(controlPlane, question);
  if (!found.ok) return found;
  const { state, totals } = found.value;
  const split = splitOf(state, totals);
  const { canary, stable } = totals.shards;
  const shards = canary.map((count, shard) => ({ shard, canary: count, stable: stable[shard] ?? 0 }));
  const keyed = shards.reduce((sum, row) => sum + row.canary + row.stable, 0);
  const busiest = Math.max(...shards.map((row) => row.canary + row.stable));
  const { users } = totals.step;
  return ok({
    service: state.service,
    deployment_id: totals.deploymentId,
    method: split?.method ?? 'none',
    hash_key: keyedBy(split),
    keyed_requests: keyed,
    unkeyed_requests: totals.unkeyed,
    busiest_shard_share: keyed === 0 ? null : busiest / keyed,
    users: keyedBy(split) === null ? null : users.canary.estimate() + users.stable.estimate(),
    shards,
    message: hashMessage(split, keyed, totals.unkeyed, busiest),
  });
}

function hashMessage(split: Split | null, keyed: number, unkeyed: number, busiest: number): string {
  if (keyedBy(split) === null) return 'The split of this deployment looks at no key: requests are divided one by one.';
  const all = keyed + unkeyed;
  if (all === 0) return 'No request has come yet.';
  if (unkeyed > 0.05 * all)
    return `${percentOf(unkeyed, all)} % of the requests have no ${split?.hashKey}; they are drawn at random, and their users may see both variants.`;
  if (keyed >= 1000 && busiest > keyed / 8)
    return `One of 64 shards has ${percentOf(busiest, keyed)} % of the requests: a few keys make most of the traffic, so shares by request can be far from the weight.`;
  return 'Keys are spread well.';
}

export function viewRouting(controlPlane: ControlPlane, question: TrafficQuestion): Result<RoutingView, readonly Problem[]> {
  const found = find(controlPlane, question);
  if (!found.ok) return found;
  const { state, totals } = found.value;
  const ofVariant = (variant: VariantName): number => totals.requests[variant];
  const routes = totals.routes.map(({ route, model, variant, requests, errors, cost, latency }) => ({
    route,
    model,
    variant,
    requests,
    percent: percentOf(requests, ofVariant(variant)),
    errors,
    latency_p50_ms: quantileOf(latency, 0.5),
    latency_p95_ms: quantileOf(latency, 0.95),
    cost_per_request_usd: meanOf(cost),
  }));
  const inOrder = routes.sort(
    (a, b) => a.variant.localeCompare(b.variant) || a.route.localeCompare(b.route) || a.model.localeCompare(b.model),
  );
  return ok({ service: state.service, deployment_id: totals.deploymentId, since: toIso(totals.since), routes: inOrder });
}

export function viewFeedback(controlPlane: ControlPlane, service: string): Result<FeedbackView, readonly Problem[]> {
  if (controlPlane.engine.state(service) === undefined)
    return refuse([{ code: 'not-found', message: `There is no service "${service}".` }]);
  const comments = controlPlane.intake.comments(service).map(({ at, service: _service, ...comment }) => ({ ...comment, at: toIso(at) }));
  return ok({ service, comments });
}

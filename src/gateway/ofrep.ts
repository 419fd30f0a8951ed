/**
 * OpenFeature Remote Evaluation Protocol 0.3: an application that calls its provider itself takes its variant and configuration from
 * here, by the same split as requests through the gateway, and reports what came of it by POST /v1/feedback.
 */
import { sha256Hex } from '../base/hash.ts';
import { isObject } from '../base/json.ts';
import { shortDigest } from '../domain/config/digest.ts';
import type { KeySource } from '../domain/traffic/request-key.ts';
import type { AssignmentTable, Choice } from './assignment-table.ts';
import type { Client } from './client-keys.ts';
import { endpoints, type Endpoint } from './endpoints.ts';
import type { RequestIds } from './request-id.ts';
import { chooseRoute, conditionInput } from './request-input.ts';
import type { ServedRoute } from './served.ts';

export interface OfrepDeps {
  readonly table: AssignmentTable;
  readonly ids: RequestIds;
  readonly wallClock: () => number;
}

export interface OfrepReply {
  readonly status: number;
  /** Undefined: no body, as with 304. */
  readonly body?: object;
  readonly etag?: string;
}

interface Evaluation {
  readonly key: string;
  readonly value: object;
  readonly reason: 'STATIC' | 'SPLIT' | 'TARGETING_MATCH';
  readonly variant: string;
  readonly metadata: Readonly<Record<string, string>>;
}

interface EvaluationError {
  readonly key: string;
  readonly errorCode: 'FLAG_NOT_FOUND' | 'TARGETING_KEY_MISSING' | 'INVALID_CONTEXT';
  readonly errorDetails: string;
}

const chat = endpoints.get('/v1/chat/completions') as Endpoint;

/** A flag is a service; its value is the configuration to use. */
export function evaluateFlag(deps: OfrepDeps, flag: string, body: unknown, client: Client | null): OfrepReply {
  const context = contextOf(body);
  if (context === null) return { status: 400, body: { key: flag, ...badContext } };
  const choice = client?.services?.has(flag) === false ? null : deps.table.choose(flag, sourceOf(context, client));
  if (choice === null) {
    const error: EvaluationError = { key: flag, errorCode: 'FLAG_NOT_FOUND', errorDetails: `There is no service "${flag.slice(0, 100)}".` };
    return { status: 404, body: error };
  }
  const evaluation = evaluate(deps, flag, choice, sourceOf(context, client));
  return { status: 'errorCode' in evaluation ? 400 : 200, body: evaluation };
}

/** All services, with an ETag over everything but the request ids, which are new each time. */
export function evaluateAllFlags(deps: OfrepDeps, body: unknown, client: Client | null, ifNoneMatch: string | undefined): OfrepReply {
  const context = contextOf(body);
  if (context === null) return { status: 400, body: badContext };
  const source = sourceOf(context, client);
  const names = deps.table.assignments().map(({ service }) => service);
  const flags = names
    .filter((name) => client?.services?.has(name) !== false)
    .sort()
    .flatMap((name) => {
      const choice = deps.table.choose(name, source);
      return choice === null ? [] : [evaluate(deps, name, choice, source)];
    });
  const etag = `"${sha256Hex(JSON.stringify(flags, (key, value: unknown) => (key === 'request_id' ? undefined : value))).slice(0, 32)}"`;
  return ifNoneMatch === etag ? { status: 304, etag } : { status: 200, body: { flags }, etag };
}

const badContext = { errorCode: 'INVALID_CONTEXT', errorDetails: 'The body must be a JSON object with an object "context".' } as const;

function contextOf(body: unknown): Readonly<Record<string, unknown>> | null {
  if (!isObject(body)) return null;
  const { context = {} } = body;
  return isObject(context) ? context : null;
}

/** The targeting key is the user; every other field is found where a request would have it: as a header or in the metadata. */
function sourceOf(context: Readonly<Record<string, unknown>>, client: Client | null): KeySource {
  const text = (value: unknown): string | undefined => {
    if (typeof value === 'number') return String(value);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const renamed: Readonly<Record<string, string>> = {
    'x-user-id': 'targetingKey',
    'x-session-id': 'session_id',
    'x-request-id': 'request_id',
    'x-actuator-cost-budget': 'cost_budget',
  };
  const task = isObject(context['task']) ? context['task'] : {};
  return {
    header: (name) => text(context[renamed[name] ?? name]),
    body: { metadata: { ...context, ...task } },
    clientKey: client?.name ?? null,
  };
}

function evaluate(deps: OfrepDeps, key: string, { variant, service, identity }: Choice, source: KeySource): Evaluation | EvaluationError {
  if (identity.isUnkeyed) {
    const errorDetails = 'This service is divided by a key that the context does not have; for users it is targetingKey.';
    return { key, errorCode: 'TARGETING_KEY_MISSING', errorDetails };
  }
  // Routing conditions about the request itself find an empty one here, whatever its endpoint.
  const { route } = chooseRoute(variant, () => conditionInput(chat, source));
  const deployment = route.series.deploymentId;
  return {
    key,
    value: valueOf(route, variant.promptTemplate),
    reason: route.condition !== null ? 'TARGETING_MATCH' : deployment === null ? 'STATIC' : 'SPLIT',
    variant: variant.arm ?? variant.name,
    metadata: {
      service,
      revision: `${variant.commit.slice(0, 12)}+${shortDigest(variant.digest)}`,
      digest: variant.digest,
      route: route.name,
      ...(deployment === null ? {} : { deployment_id: deployment }),
      request_id: deps.ids.issue(route.revisionCode, 'o', deps.wallClock()),
    },
  };
}

function valueOf({ model, parameters }: ServedRoute, promptTemplate: string | null): object {
  return { model: model.upstream_model, provider: model.provider, parameters, prompt_template: promptTemplate };
}

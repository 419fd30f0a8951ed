/** A request for a model: service, variant, route, limits, provider, measurement. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isObject } from '../base/json.ts';
import type { Rng } from '../base/random.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { suggestion } from '../base/text.ts';
import type { KeySource } from '../domain/traffic/request-key.ts';
import type { AssignmentTable, Choice } from './assignment-table.ts';
import { callProvider, type AttemptsResult } from './attempts.ts';
import { maxBodyBytes, type BodyRead, type BodyReader } from './body-reader.ts';
import type { Client } from './client-keys.ts';
import { fitCost } from './cost-limit.ts';
import type { Body, Endpoint } from './endpoints.ts';
import { sendRefusal, type Refusal } from './failure.ts';
import type { ProviderClient } from './http/client.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Mirror } from './mirror.ts';
import { applyTemplate, outgoing } from './outgoing.ts';
import type { Outcome, Recorder } from './recorder.ts';
import type { RequestIds } from './request-id.ts';
import { chooseRoute, conditionInput, templateValues } from './request-input.ts';
import { capturedBytes, type Scoring } from './scoring.ts';
import type { Scorer, ServedRoute } from './served.ts';
import type { SpendingLedger } from './spending.ts';
import { costOf } from './usage.ts';

export interface ModelRequestDeps {
  readonly table: AssignmentTable;
  readonly recorder: Recorder;
  readonly metrics: GatewayMetrics;
  readonly providers: ProviderClient;
  readonly ids: RequestIds;
  readonly ledger: SpendingLedger;
  readonly scoring: Scoring;
  readonly mirror: Mirror;
  readonly bodies: BodyReader;
  readonly rng: Rng;
  /** Processes that share the limits of this gateway. */
  readonly workers: number;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
}

interface Job {
  readonly endpoint: Endpoint;
  readonly choice: Choice;
  readonly route: ServedRoute;
  readonly source: KeySource;
  readonly startedAt: number;
}

/** `client` null: clients need no keys here. */
export async function serveModelRequest(
  deps: ModelRequestDeps,
  endpoint: Endpoint,
  client: Client | null,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const startedAt = performance.now();
  const parsed = parseBody(await deps.bodies.read(request, response), request);
  if (!parsed.ok) {
    if (parsed.error !== null) refuseRequest(deps, response, parsed.error);
    return;
  }
  const source = keySource(request, parsed.value, client);
  const choice = chooseService(deps.table, source, client);
  if (!choice.ok) {
    refuseRequest(deps, response, choice.error);
    return;
  }
  const { service, variant, load } = choice.value;
  const { route, skipped } = chooseRoute(variant, () => conditionInput(endpoint, source));
  if (skipped > 0) deps.metrics.rulesSkipped(service, skipped);
  const job = { endpoint, choice: choice.value, route, source, startedAt };
  deps.mirror.copy(job, request);
  load.inFlight++;
  try {
    await forward(deps, job, request, response);
  } finally {
    load.inFlight--;
  }
}

export function keySource(request: IncomingMessage, body: Body, client: Client | null): KeySource {
  const header = (name: string): string | undefined => {
    const value = request.headers[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return { header, body, clientKey: client?.name ?? null };
}

async function forward(deps: ModelRequestDeps, job: Job, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { endpoint, choice, route, source } = job;
  const { variant, service } = choice;
  const now = deps.wallClock();
  const replyHeaders = ['x-actuator-request-id', deps.ids.issue(route.revisionCode, 'g', now), ...route.replyHeaders];
  const { body, tokenLimit } = outgoing(endpoint, source.body, variant, route);
  if (variant.template !== null) applyTemplate(endpoint, body, variant.template, templateValues(variant.template, endpoint, source, now));
  const refusal = overloaded(deps, job) ?? overBudget(deps, job, now) ?? fitCost(endpoint, body, route, variant.costControls, tokenLimit);
  if (refusal !== null) {
    refuseCounted(deps, job, refusal, response, replyHeaders);
    return;
  }
  const stream = body['stream'] === true;
  const scorer = deps.scoring.wants(service, variant, choice.scorer, now) ? choice.scorer : null;
  const order = {
    model: route.model,
    path: endpoint.path,
    body: JSON.stringify(body),
    timeoutMs: variant.timeoutMs,
    stream,
    hidesUsage: stream && endpoint.asksForUsage && !asksForUsage(source.body),
    replyHeaders,
    capture: scorer === null ? 0 : capturedBytes,
  };
  const result = await callProvider(deps, order, variant.retry, request, response);
  measure(deps, job, result, stream);
  score(deps, job, scorer, result, stream);
}

function asksForUsage(body: Readonly<Body>): boolean {
  const options = body['stream_options'];
  return isObject(options) && options['include_usage'] === true;
}

function overloaded({ workers }: ModelRequestDeps, { choice: { variant, load, service } }: Job): Refusal | null {
  const most = variant.maxConcurrentRequests;
  if (most === null || load.inFlight <= Math.ceil(most / workers)) return null;
  return {
    status: 429,
    code: 'concurrency_limit',
    message: `${service} has ${most} requests in flight here, and its configuration allows no more.`,
    source: 'gateway',
    headers: { 'retry-after': '1' },
  };
}

function overBudget({ ledger }: ModelRequestDeps, { choice }: Job, now: number): Refusal | null {
  const budget = choice.dailyBudgetUsd;
  const { service } = choice;
  if (budget === null || ledger.spentToday(service, now) < budget) return null;
  const secondsLeft = Math.ceil((86_400_000 - (now % 86_400_000)) / 1000);
  return {
    status: 429,
    code: 'budget_exhausted',
    message: `${service} has spent its budget of ${budget} US dollars for today (UTC).`,
    source: 'gateway',
    // Trying again at once, as SDKs do with a 429, can't help.
    headers: { 'retry-after': String(secondsLeft), 'x-should-retry': 'false' },
  };
}

/**
 * The day's budget is the service's, whatever variant asks: it lies outside both error rates. The other limits are the variant's own
 * doing, and count against it: a canary that refuses everybody must not look healthy.
 */
function refuseCounted(
  deps: ModelRequestDeps,
  { route, choice }: Job,
  refusal: Refusal,
  response: ServerResponse,
  replyHeaders: readonly string[],
): void {
  deps.metrics.refused(refusal.code);
  if (refusal.code === 'budget_exhausted') {
    deps.recorder.exclude(route.series, refusal.code);
    deps.metrics.excluded(route.series, refusal.code);
  } else {
    const outcome = { ...nothing, failure: refusal.code };
    deps.recorder.record(route.series, outcome, choice.identity);
    deps.metrics.finished(route.series, outcome);
  }
  sendRefusal(response, refusal, replyHeaders);
}

const nothing: Outcome = {
  failure: null,
  recovered: false,
  retries: 0,
  latencyMs: null,
  firstTokenMs: null,
  usage: null,
  costUsd: null,
};

function measure(deps: ModelRequestDeps, job: Job, result: AttemptsResult, stream: boolean): void {
  const { route, choice, startedAt } = job;
  const costUsd = costOf(route.model, result.usage);
  const spentUsd = costUsd ?? paidAllTheSame(job, result);
  if (spentUsd !== null && spentUsd > 0) deps.ledger.spent(choice.service, spentUsd, deps.wallClock());
  const failure = result.firstFailure ?? (result.abandoned === null ? null : lostPatience(result, startedAt));
  if (result.abandoned !== null && failure === null) {
    deps.recorder.exclude(route.series, result.abandoned, spentUsd);
    deps.metrics.excluded(route.series, result.abandoned);
    return;
  }
  const outcome: Outcome = {
    failure,
    recovered: result.firstFailure !== null && result.failure === null && result.abandoned === null,
    retries: result.retries,
    latencyMs: performance.now() - startedAt,
    firstTokenMs: stream && result.firstByteAt !== null ? result.firstByteAt - startedAt : null,
    usage: result.usage,
    costUsd,
  };
  deps.recorder.record(route.series, outcome, choice.identity);
  deps.metrics.finished(route.series, outcome);
}

/** Who leaves within a second has changed their mind; who leaves later, with nothing to see, was kept waiting. */
const patienceMs = 1000;

function lostPatience({ firstByteAt }: AttemptsResult, startedAt: number): string | null {
  return firstByteAt === null && performance.now() - startedAt > patienceMs ? 'no_answer' : null;
}

/** A client that leaves just before the end has had its answer, and the provider is paid. */
function paidAllTheSame(job: Job, { bytes, abandoned }: AttemptsResult): number | null {
  return bytes > 0 && abandoned !== null ? estimatedCost(job, bytes) : null;
}

/** Of an answer that did not come to its usage: three characters a token, in and out. An event of a stream is mostly frame. */
function estimatedCost({ endpoint, source, route }: Job, bytes: number): number | null {
  const characters = endpoint.texts(source.body).reduce((sum, text) => sum + text.length, 0);
  return costOf(route.model, { inputTokens: Math.ceil(characters / 3), outputTokens: Math.ceil(bytes / 12) });
}

function score(
  deps: ModelRequestDeps,
  { endpoint, route, source }: Job,
  scorer: Scorer | null,
  result: AttemptsResult,
  isStream: boolean,
): void {
  if (scorer === null || result.captured === null) return;
  void deps.scoring.score({ key: route.series, scorer, question: endpoint.question(source.body), answer: result.captured, isStream });
}

function parseBody(read: BodyRead, request: IncomingMessage): Result<Body, Refusal | null> {
  if (read === 'aborted') return refuse(null);
  if (read === 'too-large') return refuse(ofClient(413, 'request_too_large', `The request body is larger than ${maxBodyBytes} bytes.`));
  if (read === 'busy') {
    const message = 'Too many large requests are on their way; try again in a moment.';
    return refuse({ status: 503, code: 'busy', message, source: 'gateway', headers: { 'retry-after': '1' } });
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return refuse(ofClient(415, 'content_encoding', 'Send the request body as it is, without content-encoding.'));
  try {
    const body: unknown = JSON.parse(read.toString('utf8'));
    if (isObject(body)) return ok(body as Body);
  } catch {
    // Said below, like any other body that is no JSON object.
  }
  return refuse(ofClient(400, 'invalid_json', 'The request body must be a JSON object.'));
}

function ofClient(status: number, code: string, message: string): Refusal {
  return { status, code, message, source: 'client' };
}

function chooseService(table: AssignmentTable, source: KeySource, client: Client | null): Result<Choice, Refusal> {
  const name = source.header('x-actuator-service') ?? source.body['model'];
  if (typeof name !== 'string' || name === '')
    return refuse(ofClient(400, 'missing_service', 'Name the service in "model" or in the header x-actuator-service.'));
  const choice = table.choose(name, source);
  const mayUse = (service: string): boolean => client?.services?.has(service) !== false;
  if (choice !== null && mayUse(choice.service)) return ok(choice);
  if (choice !== null) return refuse(ofClient(403, 'service_forbidden', `This key may not use the service ${JSON.stringify(name)}.`));
  const names = table.names();
  if (names.length === 0) {
    const message = 'This gateway has no assignment yet; try again in a moment.';
    return refuse({ status: 503, code: 'not_ready', message, source: 'gateway', headers: { 'retry-after': '1' } });
  }
  const hint = suggestion(name.slice(0, 100), names.filter(mayUse));
  return refuse(ofClient(404, 'model_not_found', `There is no service ${JSON.stringify(name.slice(0, 100))}.${hint}`));
}

function refuseRequest(deps: ModelRequestDeps, response: ServerResponse, refusal: Refusal): void {
  deps.metrics.refused(refusal.code);
  sendRefusal(response, refusal);
}

/** POST /v1/chat/completions: service, variant, route, provider, measurement. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import { isObject } from '../base/json.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { suggestion } from '../base/text.ts';
import { shortDigest } from '../domain/config/digest.ts';
import type { AssignmentTable, Choice, ServedRoute } from './assignment-table.ts';
import { maxBodyBytes, readBody } from './body-reader.ts';
import { sendRefusal, type Refusal } from './failure.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { BucketKey, Outcome, Recorder } from './recorder.ts';
import { chooseRoute, conditionInput, upstreamBody, type ChatBody } from './request-body.ts';
import { callUpstream, type UpstreamResult } from './upstream.ts';
import { costOf } from './usage.ts';

export interface ChatDeps {
  readonly table: AssignmentTable;
  readonly recorder: Recorder;
  readonly metrics: GatewayMetrics;
  readonly agent: Dispatcher;
}

export async function serveChat(deps: ChatDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const startedAt = performance.now();
  const parsed = parseBody(await readBody(request));
  if (!parsed.ok) {
    if (parsed.error !== null) refuseClient(deps, response, parsed.error);
    return;
  }
  const body = parsed.value;
  const choice = chooseService(deps, request, body);
  if (!choice.ok) {
    refuseClient(deps, response, choice.error);
    return;
  }
  await forward(deps, { choice: choice.value, body, startedAt }, request, response);
}

interface Job {
  readonly choice: Choice;
  readonly body: ChatBody;
  readonly startedAt: number;
}

async function forward(deps: ChatDeps, job: Job, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { variant, service, deploymentId } = job.choice;
  const { route, skipped } = chooseRoute(variant, () => conditionInput(job.body, request.headers));
  if (skipped > 0) deps.metrics.rulesSkipped(service, skipped);
  const key: BucketKey = {
    service,
    variant: variant.name,
    digest: variant.digest,
    deploymentId,
    model: route.model.name,
    route: route.name,
  };
  const replyHeaders = {
    'x-actuator-request-id': `req-${randomUUID()}`,
    'x-actuator-service': service,
    'x-actuator-variant': variant.name,
    'x-actuator-revision': `${variant.commit.slice(0, 12)}+${shortDigest(variant.digest)}`,
  };
  const stream = job.body['stream'] === true;
  const order = {
    model: route.model,
    path: '/chat/completions',
    body: JSON.stringify(upstreamBody(job.body, variant, route)),
    timeoutMs: variant.timeoutMs,
    stream,
    replyHeaders,
  };
  const result = await callUpstream(deps.agent, order, request, response);
  measure(deps, key, route, result, { startedAt: job.startedAt, stream });
}

function measure(
  deps: ChatDeps,
  key: BucketKey,
  route: ServedRoute,
  result: UpstreamResult,
  { startedAt, stream }: { readonly startedAt: number; readonly stream: boolean },
): void {
  if (result.abandoned) {
    deps.recorder.exclude(key, 'client_left');
    deps.metrics.excluded(key, 'client_left');
    return;
  }
  const outcome: Outcome = {
    failure: result.failure,
    latencyMs: performance.now() - startedAt,
    firstTokenMs: stream && result.firstByteAt !== null ? result.firstByteAt - startedAt : null,
    usage: result.usage,
    costUsd: costOf(route.model, result.usage),
  };
  deps.recorder.record(key, outcome);
  deps.metrics.finished(key, outcome);
}

function parseBody(read: Buffer | 'too-large' | 'aborted'): Result<ChatBody, Refusal | null> {
  if (read === 'aborted') return refuse(null);
  if (read === 'too-large') {
    return refuse({
      status: 413,
      code: 'request_too_large',
      message: `The request body is larger than ${maxBodyBytes} bytes.`,
      source: 'client',
    });
  }
  try {
    const body: unknown = JSON.parse(read.toString('utf8'));
    if (isObject(body)) return ok(body);
  } catch {
    // Said below, like any other body that is no JSON object.
  }
  return refuse({ status: 400, code: 'invalid_json', message: 'The request body must be a JSON object.', source: 'client' });
}

function chooseService(deps: ChatDeps, request: IncomingMessage, body: ChatBody): Result<Choice, Refusal> {
  const header = request.headers['x-actuator-service'];
  const name = typeof header === 'string' ? header : body['model'];
  if (typeof name !== 'string' || name === '') {
    return refuse({
      status: 400,
      code: 'missing_service',
      message: 'Name the service in "model" or in the header x-actuator-service.',
      source: 'client',
    });
  }
  const choice = deps.table.choose(name);
  if (choice !== null) return ok(choice);
  const names = deps.table.names();
  if (names.length === 0) {
    return refuse({
      status: 503,
      code: 'not_ready',
      message: 'This gateway has no assignment yet; try again in a moment.',
      source: 'gateway',
    });
  }
  const message = `There is no service ${JSON.stringify(name.slice(0, 100))}.${suggestion(name, names)}`;
  return refuse({ status: 404, code: 'model_not_found', message, source: 'client' });
}

function refuseClient(deps: ChatDeps, response: ServerResponse, refusal: Refusal): void {
  deps.metrics.refused(refusal.code);
  sendRefusal(response, refusal);
}

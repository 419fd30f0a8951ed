/** The control plane as gateways see it: an assignment stream, and a place for acknowledgements and buckets. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Acknowledgement, Assignment, AssignmentServedModel, AssignmentServing, BucketBatch } from '../../src/generated/types.ts';

export interface FakeControlPlane {
  readonly url: string;
  readonly acknowledgements: Acknowledgement[];
  readonly batches: BucketBatch[];
  /** Sent to whoever is connected, and first thing to whoever connects. */
  assign(assignment: Assignment): void;
  lease(seconds: number): void;
  /** Any other event of the stream. */
  send(event: string, data: object): void;
  /** Ends all streams and answers 503 until `up`. */
  down(): void;
  up(): void;
  /** Takes batches but loses the answer, this many times. */
  loseAnswers(times: number): void;
  close(): Promise<void>;
}

export async function startFakeControlPlane(): Promise<FakeControlPlane> {
  const streams = new Set<ServerResponse>();
  const assignments = new Map<string, Assignment>();
  const acknowledgements: Acknowledgement[] = [];
  const batches: BucketBatch[] = [];
  let isUp = true;
  let leaseSeconds: number | null = null;
  let answersToLose = 0;
  const write = (stream: ServerResponse, event: string, data: object): void =>
    void stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const server = createServer((request, response) => {
    if (!isUp) return void response.writeHead(503).end();
    const path = (request.url ?? '').split('?')[0];
    if (path === '/api/v1/gateway/assignments') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      streams.add(response);
      response.on('close', () => streams.delete(response));
      for (const assignment of assignments.values()) write(response, 'assignment', assignment);
      if (leaseSeconds !== null) write(response, 'lease', { seconds: leaseSeconds });
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      if (path === '/api/v1/gateway/acknowledgements') acknowledgements.push(body as Acknowledgement);
      else batches.push(body as BucketBatch);
      if (answersToLose > 0 && path?.endsWith('/buckets') === true) {
        answersToLose--;
        response.destroy();
      } else response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acknowledgements,
    batches,
    assign(assignment) {
      assignments.set(assignment.service, assignment);
      for (const stream of streams) write(stream, 'assignment', assignment);
    },
    lease(seconds) {
      leaseSeconds = seconds;
      for (const stream of streams) write(stream, 'lease', { seconds });
    },
    send(event, data) {
      for (const stream of streams) write(stream, event, data);
    },
    down() {
      isUp = false;
      for (const stream of streams) stream.destroy();
    },
    up: () => {
      isUp = true;
    },
    loseAnswers: (times) => {
      answersToLose = times;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function aModel(baseUrl: string, change: Partial<AssignmentServedModel> = {}): AssignmentServedModel {
  return {
    provider: 'mock',
    base_url: baseUrl,
    api_key_env: null,
    upstream_model: 'gpt-4',
    limits: {},
    prices: { input_per_million_usd: 1_000_000, output_per_million_usd: 2_000_000 },
    auth_header: null,
    headers: {},
    query: {},
    token_limit_parameter: 'max_tokens',
    ...change,
  };
}

export function aServing(baseUrl: string, change: Partial<AssignmentServing> = {}): AssignmentServing {
  return {
    default_model: 'gpt-4',
    prompt_template: null,
    parameters: {},
    timeout_ms: 5000,
    rules: [],
    models: {
      'gpt-4': aModel(baseUrl),
    },
    aliases: [],
    client_overrides: [],
    retry: { max_retries: 0, delay_ms: 1 },
    max_concurrent_requests: null,
    cost_controls: { daily_budget_usd: null, per_request_limit_usd: null, alert_threshold_usd: null },
    quality_sample_rate: 0,
    quality_judge: null,
    min_quality_score: null,
    ...change,
  };
}

/** Canary of weight `weight` over a stable of the same provider; both name their digest. */
export function anAssignment(
  generation: number,
  weight: number,
  stable: AssignmentServing,
  canary: AssignmentServing = stable,
): Assignment {
  const variant = (name: 'canary' | 'stable', share: number, serving: AssignmentServing): Assignment['variants'][number] => ({
    name,
    weight: share,
    commit: `${name}-commit-${generation}`,
    digest: `sha256:${name}${generation}`,
    serving,
  });
  const variants =
    weight > 0 ? [variant('canary', weight, canary), variant('stable', 100 - weight, stable)] : [variant('stable', 100, stable)];
  return {
    service: 'chat',
    term: 1,
    generation,
    deployment_id: weight > 0 ? 'deploy-20260101-001' : null,
    split: { method: 'weighted_random', hash_key: 'user_id', salt: weight > 0 ? 'deploy-20260101-001' : '', sticky_ms: null },
    variants,
  };
}

/** Waits until `check` gives something; throws after five seconds. */
export async function until<T>(
  what: string,
  check: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  limitMs = 5000,
): Promise<T> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > giveUpAt) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Copies of requests for a canary that no user is on yet: the answers are measured, scored if that is asked for, and thrown away. */
import type { IncomingMessage } from 'node:http';
import type { KeySource } from '../domain/traffic/request-key.ts';
import type { Choice } from './assignment-table.ts';
import { fitCost } from './cost-limit.ts';
import type { Endpoint } from './endpoints.ts';
import type { ExchangeHandler, ProviderClient } from './http/client.ts';
import type { ResponseHead } from './http/response-parser.ts';
import type { GatewayMetrics } from './metrics.ts';
import { applyTemplate, outgoing } from './outgoing.ts';
import { anonymous, type Outcome, type Recorder, type Usage } from './recorder.ts';
import { chooseRoute, conditionInput, templateValues } from './request-input.ts';
import { capturedBytes, type Scoring } from './scoring.ts';
import type { ServedRoute, ServedVariant } from './served.ts';
import type { SpendingLedger } from './spending.ts';
import { failureOfStatus } from './upstream-answer.ts';
import { providerRequest } from './upstream.ts';
import { costOf, createTail, isWhole, usageOf } from './usage.ts';

export interface MirrorDeps {
  readonly providers: ProviderClient;
  readonly recorder: Recorder;
  readonly metrics: GatewayMetrics;
  readonly ledger: SpendingLedger;
  readonly scoring: Scoring;
  readonly wallClock: () => number;
}

/** What is copied: the request as it came, whatever became of it on stable. */
export interface Copied {
  readonly endpoint: Endpoint;
  readonly choice: Choice;
  readonly source: KeySource;
}

export interface Mirror {
  /** Sends a copy where the choice asks for one. Nobody waits for it, and nothing of it reaches the client. */
  copy(copied: Copied, request: IncomingMessage): void;
}

/** Of one process: more are left out rather than kept waiting, since users' requests come first. */
const mostAtOnce = 50;
/** A copy whose answer takes this many times the time-out is given up. */
const deadlineFactor = 20;

export function createMirror(deps: MirrorDeps): Mirror {
  let running = 0;

  function send(copied: Copied, variant: ServedVariant, request: IncomingMessage): void {
    const { endpoint, choice, source } = copied;
    const now = deps.wallClock();
    const { route } = chooseRoute(variant, () => conditionInput(endpoint, source));
    const { body, tokenLimit } = outgoing(endpoint, source.body, variant, route);
    if (variant.template !== null) applyTemplate(endpoint, body, variant.template, templateValues(variant.template, endpoint, source, now));
    const refusal = fitCost(endpoint, body, route, variant.costControls, tokenLimit);
    if (refusal !== null) {
      // What it would refuse its users counts against it, as it would then.
      record(deps, choice.service, route, { ...nothing, failure: refusal.code });
      return;
    }
    const isStream = body['stream'] === true;
    const scorer = deps.scoring.wants(choice.service, variant, choice.scorer, now) ? choice.scorer : null;
    const order = { model: route.model, path: endpoint.path, body: JSON.stringify(body), timeoutMs: variant.timeoutMs };
    const startedAt = performance.now();
    running++;
    const ended = ({ failure, firstByteAt, usage, captured }: Ended): void => {
      running--;
      record(deps, choice.service, route, {
        ...nothing,
        failure,
        latencyMs: performance.now() - startedAt,
        firstTokenMs: isStream && firstByteAt !== null ? firstByteAt - startedAt : null,
        usage,
        costUsd: costOf(route.model, usage),
      });
      if (scorer !== null && failure === null)
        void deps.scoring.score({ key: route.series, scorer, question: endpoint.question(source.body), answer: captured, isStream });
    };
    const handler = new CopyHandler(isStream, scorer === null ? 0 : capturedBytes, ended);
    const exchange = deps.providers.send(
      { ...providerRequest(order, request), deadline: startedAt + variant.timeoutMs * deadlineFactor },
      handler,
    );
    handler.onAbort = () => exchange.abort();
  }

  return {
    copy(copied, request) {
      const { mirrorTo, dailyBudgetUsd, service } = copied.choice;
      if (mirrorTo === null || running >= mostAtOnce) return;
      if (dailyBudgetUsd !== null && deps.ledger.spentToday(service, deps.wallClock()) >= dailyBudgetUsd) return;
      send(copied, mirrorTo, request);
    },
  };
}

const nothing: Outcome = { failure: null, recovered: false, retries: 0, latencyMs: null, firstTokenMs: null, usage: null, costUsd: null };

function record({ recorder, metrics, ledger, wallClock }: MirrorDeps, service: string, route: ServedRoute, outcome: Outcome): void {
  if (outcome.costUsd !== null && outcome.costUsd > 0) ledger.spent(service, outcome.costUsd, wallClock());
  recorder.record(route.series, outcome, anonymous);
  metrics.finished(route.series, outcome);
}

interface Ended {
  readonly failure: string | null;
  readonly firstByteAt: number | null;
  readonly usage: Usage | null;
  readonly captured: string;
}

/** One attempt, without retries: the first one is what a variant is judged by. */
class CopyHandler implements ExchangeHandler {
  onAbort: () => void = () => undefined;
  readonly #isStream: boolean;
  readonly #capture: number;
  readonly #ended: (ended: Ended) => void;
  readonly #tail = createTail();
  readonly #captured: Buffer[] = [];
  #capturedBytes = 0;
  #status = 0;
  #isEncoded = false;
  #firstByteAt: number | null = null;
  #isOver = false;

  constructor(isStream: boolean, capture: number, ended: (ended: Ended) => void) {
    this.#isStream = isStream;
    this.#capture = capture;
    this.#ended = ended;
  }

  onHead({ status, headers }: ResponseHead): void {
    this.#status = status;
    const encoding = headers.get('content-encoding');
    this.#isEncoded = encoding !== undefined && encoding !== 'identity';
    if (status >= 300 && status < 400) {
      this.#end('upstream_3xx');
      this.onAbort();
    }
  }

  onBody(chunk: Buffer): void {
    this.#firstByteAt ??= performance.now();
    this.#tail.push(chunk);
    if (this.#capturedBytes >= this.#capture) return;
    this.#captured.push(chunk);
    this.#capturedBytes += chunk.length;
  }

  onEnd(): void {
    // The tail gives its text once.
    const text = this.#tail.text();
    const isWell = this.#isEncoded || isWhole(text, this.#isStream);
    this.#end(this.#status >= 400 ? failureOfStatus(this.#status) : isWell ? null : 'malformed', text);
  }

  onError(kind: 'timeout' | 'connect'): void {
    this.#end(this.#firstByteAt === null ? kind : 'truncated');
  }

  #end(failure: string | null, text = this.#tail.text()): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const usage = usageOf(text);
    this.#ended({ failure, firstByteAt: this.#firstByteAt, usage, captured: Buffer.concat(this.#captured).toString('utf8') });
  }
}

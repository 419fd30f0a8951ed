/** The gateway's own counts: Prometheus text, and the routing statistics. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { BucketKey, Outcome } from './recorder.ts';

export interface RoutingRow {
  readonly service: string;
  readonly variant: string;
  readonly model: string;
  readonly route: string;
  requests: number;
  errors: number;
}

export interface GatewayMetrics {
  finished(key: BucketKey, outcome: Outcome): void;
  excluded(key: BucketKey, reason: string): void;
  refused(code: string): void;
  rulesSkipped(service: string, count: number): void;
  /** Since this process began. */
  readonly routing: () => readonly RoutingRow[];
  readonly registry: Registry;
}

interface Series {
  readonly row: RoutingRow;
  readonly ok: Counter.Internal;
  readonly failed: Counter.Internal;
  readonly duration: Histogram.Internal<string>;
  readonly cost: Histogram.Internal<string>;
  readonly firstToken: Histogram.Internal<string>;
  readonly inputTokens: Counter.Internal;
  readonly outputTokens: Counter.Internal;
  readonly unpriced: Counter.Internal;
}

const labels = ['service', 'model', 'deployment', 'route'] as const;

type Label = (typeof labels)[number];

interface Instruments {
  readonly requests: Counter<Label | 'status'>;
  readonly errors: Counter<Label | 'class'>;
  readonly duration: Histogram<Label>;
  readonly cost: Histogram<Label>;
  readonly firstToken: Histogram<Label>;
  readonly tokens: Counter<Label | 'direction'>;
  readonly retries: Counter<Label>;
  readonly recovered: Counter<Label>;
  readonly unpriced: Counter<Label>;
  readonly excluded: Counter<'service' | 'deployment' | 'reason'>;
  readonly refused: Counter<'code'>;
  readonly skipped: Counter<'service'>;
}

function createInstruments(registry: Registry): Instruments {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const histogram = (name: string, help: string, buckets: number[]): Histogram<Label> =>
    new Histogram({ name, help, labelNames: labels, buckets, registers: [registry] });
  return {
    requests: counter('requests_total', 'Requests that count, by outcome.', [...labels, 'status']),
    errors: counter('request_errors_total', 'Failed requests by class.', [...labels, 'class']),
    duration: histogram('request_duration_seconds', 'Time to the last byte.', [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]),
    firstToken: histogram(
      'request_first_token_seconds',
      'Time to the first byte of a streamed answer.',
      [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    ),
    tokens: counter('request_tokens_total', 'Tokens that providers have reported.', [...labels, 'direction']),
    retries: counter('request_retries_total', 'Attempts beyond the first.', labels),
    recovered: counter('recovered_requests_total', 'Failed requests that a retry saved.', labels),
    cost: histogram('request_cost_usd', 'Cost of priced requests.', [0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1]),
    unpriced: counter('unpriced_requests_total', 'Answered requests whose cost is unknown.', labels),
    excluded: counter('excluded_requests_total', 'Requests outside the error rate, by reason.', ['service', 'deployment', 'reason']),
    refused: counter('refused_requests_total', 'Requests refused by the gateway, by code.', ['code']),
    skipped: counter('rule_errors_total', 'Routing rules skipped because a field was missing.', ['service']),
  };
}

function labelsOf({ service, model, variant, route }: BucketKey): Record<Label, string> {
  return { service, model, deployment: variant, route };
}

/** Labels are resolved once for each series: that is most of what an increment costs. */
function createSeries(instruments: Instruments, key: BucketKey): Series {
  const values = labelsOf(key);
  return {
    row: { service: key.service, variant: key.variant, model: key.model, route: key.route, requests: 0, errors: 0 },
    ok: instruments.requests.labels({ ...values, status: 'ok' }),
    failed: instruments.requests.labels({ ...values, status: 'error' }),
    duration: instruments.duration.labels(values),
    cost: instruments.cost.labels(values),
    firstToken: instruments.firstToken.labels(values),
    inputTokens: instruments.tokens.labels({ ...values, direction: 'input' }),
    outputTokens: instruments.tokens.labels({ ...values, direction: 'output' }),
    unpriced: instruments.unpriced.labels(values),
  };
}

/** Names and the label `deployment` (canary or stable) are those of the guide's dashboards and alerts. */
export function createGatewayMetrics(gauges: { readonly connected: () => boolean; readonly leased: () => boolean }): GatewayMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const instruments = createInstruments(registry);
  gauge('actuator_gateway_connected', 'Whether the assignment stream is open.', gauges.connected, registry);
  gauge('actuator_gateway_lease_valid', 'Whether canary weights are in force.', gauges.leased, registry);

  const known = new Map<string, Series>();
  // The same object comes with each request of a route; its contents are joined to a name only once.
  const byObject = new WeakMap<BucketKey, Series>();
  function seriesOf(key: BucketKey): Series {
    const direct = byObject.get(key);
    if (direct !== undefined) return direct;
    const name = `${key.service}\n${key.variant}\n${key.model}\n${key.route}`;
    const series = known.get(name) ?? createSeries(instruments, key);
    known.set(name, series);
    byObject.set(key, series);
    return series;
  }

  return {
    finished(key, outcome) {
      const series = seriesOf(key);
      series.row.requests++;
      if (outcome.latencyMs !== null) series.duration.observe(outcome.latencyMs / 1000);
      if (outcome.firstTokenMs !== null) series.firstToken.observe(outcome.firstTokenMs / 1000);
      if (outcome.failure === null) series.ok.inc();
      else {
        series.row.errors++;
        series.failed.inc();
        instruments.errors.inc({ ...labelsOf(key), class: outcome.failure });
      }
      if (outcome.usage !== null) {
        series.inputTokens.inc(outcome.usage.inputTokens);
        series.outputTokens.inc(outcome.usage.outputTokens);
      }
      if (outcome.retries > 0) instruments.retries.inc(labelsOf(key), outcome.retries);
      if (outcome.recovered) instruments.recovered.inc(labelsOf(key));
      if (outcome.costUsd !== null) series.cost.observe(outcome.costUsd);
      else if (outcome.failure === null) series.unpriced.inc();
    },
    excluded: (key, reason) => instruments.excluded.inc({ service: key.service, deployment: key.variant, reason }),
    refused: (code) => instruments.refused.inc({ code }),
    rulesSkipped: (service, count) => instruments.skipped.inc({ service }, count),
    routing: () => [...known.values()].map(({ row }) => row),
    registry,
  };
}

function gauge(name: string, help: string, read: () => boolean, registry: Registry): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    // Of several workers the worst off speaks.
    aggregator: 'min',
    collect() {
      this.set(read() ? 1 : 0);
    },
  });
}

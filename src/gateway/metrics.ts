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
  readonly labels: Record<Label, string>;
  readonly duration: Histogram.Internal<string>;
  readonly cost: Histogram.Internal<string>;
  readonly firstToken: Histogram.Internal<string>;
  inputTokens: number;
  outputTokens: number;
  retries: number;
  recovered: number;
  unpriced: number;
  readonly errors: Record<string, number>;
}

const labels = ['service', 'model', 'deployment', 'route'] as const;

type Label = (typeof labels)[number];

interface Instruments {
  readonly duration: Histogram<Label>;
  readonly cost: Histogram<Label>;
  readonly firstToken: Histogram<Label>;
  readonly excluded: Counter<'service' | 'deployment' | 'reason'>;
  readonly refused: Counter<'code'>;
  readonly skipped: Counter<'service'>;
}

function createInstruments(registry: Registry): Instruments {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames, registers: [registry] });
  const histogram = (name: string, help: string, buckets: number[]): Histogram<Label> =>
    new Histogram({ name, help, labelNames: labels, buckets, registers: [registry] });
  const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
  return {
    duration: histogram('request_duration_seconds', 'Time to the last byte.', seconds),
    firstToken: histogram('request_first_token_seconds', 'Time to the first byte of a streamed answer.', seconds.slice(0, 8)),
    cost: histogram('request_cost_usd', 'Cost of priced requests.', [0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1]),
    excluded: counter('excluded_requests_total', 'Requests outside the error rate, by reason.', ['service', 'deployment', 'reason']),
    refused: counter('refused_requests_total', 'Requests refused by the gateway, by code.', ['code']),
    skipped: counter('rule_errors_total', 'Routing rules skipped because a field was missing.', ['service']),
  };
}

type Tell = (extra: Readonly<Record<string, string>>, value: number) => void;

/** Counted as plain numbers at each request, and given to the registry when somebody scrapes. */
function addCounters(registry: Registry, all: () => Iterable<Series>): void {
  const counter = (name: string, help: string, extra: readonly string[], read: (series: Series, tell: Tell) => void): void => {
    new Counter({
      name,
      help,
      labelNames: [...labels, ...extra],
      registers: [registry],
      collect() {
        this.reset();
        for (const series of all()) read(series, (more, value) => this.inc({ ...series.labels, ...more }, value));
      },
    });
  };
  counter('requests_total', 'Requests that count, by outcome.', ['status'], ({ row }, tell) => {
    tell({ status: 'ok' }, row.requests - row.errors);
    tell({ status: 'error' }, row.errors);
  });
  counter('request_errors_total', 'Requests whose first attempt failed, by class.', ['class'], ({ errors }, tell) => {
    for (const [name, count] of Object.entries(errors)) tell({ class: name }, count);
  });
  counter('request_tokens_total', 'Tokens that providers have reported.', ['direction'], ({ inputTokens, outputTokens }, tell) => {
    tell({ direction: 'input' }, inputTokens);
    tell({ direction: 'output' }, outputTokens);
  });
  counter('request_retries_total', 'Attempts beyond the first.', [], ({ retries }, tell) => tell({}, retries));
  counter('recovered_requests_total', 'Failed requests that a retry saved.', [], ({ recovered }, tell) => tell({}, recovered));
  counter('unpriced_requests_total', 'Answered requests whose cost is unknown.', [], ({ unpriced }, tell) => tell({}, unpriced));
}

function createSeries(instruments: Instruments, key: BucketKey): Series {
  const values = { service: key.service, model: key.model, deployment: key.arm ?? key.variant, route: key.route };
  return {
    row: { service: key.service, variant: key.arm ?? key.variant, model: key.model, route: key.route, requests: 0, errors: 0 },
    labels: values,
    duration: instruments.duration.labels(values),
    cost: instruments.cost.labels(values),
    firstToken: instruments.firstToken.labels(values),
    inputTokens: 0,
    outputTokens: 0,
    retries: 0,
    recovered: 0,
    unpriced: 0,
    errors: {},
  };
}

/** Names and the label `deployment` (canary or stable; in an A/B test the arm's name) are those of the guide's dashboards and alerts. */
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
    const name = `${key.service}\n${key.arm ?? key.variant}\n${key.model}\n${key.route}`;
    const series = known.get(name) ?? createSeries(instruments, key);
    known.set(name, series);
    byObject.set(key, series);
    return series;
  }

  addCounters(registry, () => known.values());
  return {
    finished: (key, outcome) => count(seriesOf(key), outcome),
    excluded: (key, reason) => instruments.excluded.inc({ service: key.service, deployment: key.arm ?? key.variant, reason }),
    refused: (code) => instruments.refused.inc({ code }),
    rulesSkipped: (service, count) => instruments.skipped.inc({ service }, count),
    routing: () => [...known.values()].map(({ row }) => row),
    registry,
  };
}

function count(series: Series, outcome: Outcome): void {
  const { failure, usage, costUsd, recovered } = outcome;
  series.row.requests++;
  if (outcome.latencyMs !== null) series.duration.observe(outcome.latencyMs / 1000);
  if (outcome.firstTokenMs !== null) series.firstToken.observe(outcome.firstTokenMs / 1000);
  if (failure !== null) {
    series.row.errors++;
    series.errors[failure] = (series.errors[failure] ?? 0) + 1;
  }
  if (usage !== null) {
    series.inputTokens += usage.inputTokens;
    series.outputTokens += usage.outputTokens;
  }
  series.retries += outcome.retries;
  if (recovered) series.recovered++;
  if (costUsd !== null) series.cost.observe(costUsd);
  else if (failure === null || recovered) series.unpriced++;
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

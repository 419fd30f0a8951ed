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
  readonly unpriced: Counter.Internal;
}

const labels = ['service', 'model', 'deployment', 'route'] as const;

/** Names and the label `deployment` (canary or stable) are those of the guide's dashboards and alerts. */
export function createGatewayMetrics(gauges: { readonly connected: () => boolean; readonly leased: () => boolean }): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'requests_total',
    help: 'Requests that count, by outcome.',
    labelNames: [...labels, 'status'],
    registers,
  });
  const errors = new Counter({
    name: 'request_errors_total',
    help: 'Failed requests by class.',
    labelNames: [...labels, 'class'],
    registers,
  });
  const duration = new Histogram({
    name: 'request_duration_seconds',
    help: 'Time to the last byte.',
    labelNames: labels,
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const cost = new Histogram({
    name: 'request_cost_usd',
    help: 'Cost of priced requests.',
    labelNames: labels,
    buckets: [0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1],
    registers,
  });
  const unpriced = new Counter({
    name: 'unpriced_requests_total',
    help: 'Answered requests whose cost is unknown.',
    labelNames: labels,
    registers,
  });
  const excluded = new Counter({
    name: 'excluded_requests_total',
    help: 'Requests outside the error rate, by reason.',
    labelNames: ['service', 'deployment', 'reason'],
    registers,
  });
  const refused = new Counter({
    name: 'refused_requests_total',
    help: 'Requests refused by the gateway, by code.',
    labelNames: ['code'],
    registers,
  });
  const skipped = new Counter({
    name: 'rule_errors_total',
    help: 'Routing rules skipped because a field was missing.',
    labelNames: ['service'],
    registers,
  });
  gauge('actuator_gateway_connected', 'Whether the assignment stream is open.', gauges.connected, registry);
  gauge('actuator_gateway_lease_valid', 'Whether canary weights are in force.', gauges.leased, registry);

  const known = new Map<string, Series>();
  function seriesOf(key: BucketKey): Series {
    const name = `${key.service}\n${key.variant}\n${key.model}\n${key.route}`;
    const present = known.get(name);
    if (present !== undefined) return present;
    const values = { service: key.service, model: key.model, deployment: key.variant, route: key.route };
    const created: Series = {
      row: { service: key.service, variant: key.variant, model: key.model, route: key.route, requests: 0, errors: 0 },
      ok: requests.labels({ ...values, status: 'ok' }),
      failed: requests.labels({ ...values, status: 'error' }),
      duration: duration.labels(values),
      cost: cost.labels(values),
      unpriced: unpriced.labels(values),
    };
    known.set(name, created);
    return created;
  }

  return {
    finished(key, outcome) {
      const series = seriesOf(key);
      series.row.requests++;
      series.duration.observe(outcome.latencyMs / 1000);
      if (outcome.failure === null) series.ok.inc();
      else {
        series.row.errors++;
        series.failed.inc();
        errors.inc({ service: key.service, model: key.model, deployment: key.variant, route: key.route, class: outcome.failure });
      }
      if (outcome.costUsd !== null) series.cost.observe(outcome.costUsd);
      else if (outcome.failure === null) series.unpriced.inc();
    },
    excluded: (key, reason) => excluded.inc({ service: key.service, deployment: key.variant, reason }),
    refused: (code) => refused.inc({ code }),
    rulesSkipped: (service, count) => skipped.inc({ service }, count),
    routing: () => [...known.values()].map(({ row }) => row),
    registry,
  };
}

function gauge(name: string, help: string, read: () => boolean, registry: Registry): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read() ? 1 : 0);
    },
  });
}

/** traffic-stats, hash-analysis, routing-stats: whether the split does what it says. */
import type { Command } from 'commander';
import { accepted, connect, deploymentQuestion, withApi, type ApiOptions } from '../api-options.ts';
import type { CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';

interface Flags extends ApiOptions {
  readonly deploymentId?: string;
  readonly service?: string;
  readonly outputFormat: OutputFormat;
}

interface Share {
  readonly canary: number;
  readonly stable: number;
  readonly canary_percent: number | null;
}

interface TrafficReply {
  readonly service: string;
  readonly deployment_id: string | null;
  readonly split: { readonly method: string; readonly hash_key: string | null; readonly sticky_minutes: number | null };
  readonly total: Share;
  readonly step: {
    readonly since: string;
    readonly weight: number | null;
    readonly requests: Share;
    readonly users: Share | null;
    readonly unkeyed: number;
  };
  readonly imbalance: { readonly verdict: string; readonly message: string };
}

interface HashReply {
  readonly service: string;
  readonly method: string;
  readonly hash_key: string | null;
  readonly keyed_requests: number;
  readonly unkeyed_requests: number;
  readonly busiest_shard_share: number | null;
  readonly users: number | null;
  readonly shards: readonly { readonly shard: number; readonly canary: number; readonly stable: number }[];
  readonly message: string;
}

interface RoutingReply {
  readonly routes: readonly {
    readonly route: string;
    readonly model: string;
    readonly variant: string;
    readonly requests: number;
    readonly percent: number | null;
    readonly errors: number;
    readonly latency_p50_ms: number | null;
    readonly latency_p95_ms: number | null;
    readonly cost_per_request_usd: number | null;
  }[];
}

export function addTrafficVerbs(program: Command, context: CliContext): void {
  add<TrafficReply>(
    program,
    context,
    'traffic-stats',
    'how requests and users are divided, beside what the weight asks for',
    renderTraffic,
  );
  add<HashReply>(program, context, 'hash-analysis', 'how the keys of a deployment are spread', renderHash);
  add<RoutingReply>(program, context, 'routing-stats', 'which routes and models answered', renderRouting);
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller says what the route answers
function add<T>(program: Command, context: CliContext, verb: string, description: string, render: (reply: T) => string): void {
  const command = program
    .command(verb)
    .description(description)
    .option('--deployment-id <id>', 'this deployment')
    .option('--service <name>', 'the deployment under way of this service, or else its ordinary traffic');
  withApi(withOutput(command)).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    const reply = accepted<T>(await client.get(`/api/v1/actuator/${verb}?${await deploymentQuestion(client, flags)}`));
    print(context, flags.outputFormat, reply, () => render(reply));
  });
}

function percent(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(2)} %`;
}

function renderTraffic({ service, deployment_id: id, split, total, step, imbalance }: TrafficReply): string {
  const sticky = split.sticky_minutes === null ? '' : `, sticky for ${split.sticky_minutes} min`;
  const row = (name: string, share: Share | null): string[] =>
    share === null ? [name, '-', '-', '-'] : [name, String(share.canary), String(share.stable), percent(share.canary_percent)];
  return [
    `${service}  ${id ?? 'no deployment'}  ${split.method}${split.hash_key === null ? '' : ` by ${split.hash_key}`}${sticky}\n`,
    renderTable([
      ['', 'CANARY', 'STABLE', 'CANARY SHARE'],
      row('requests, whole deployment', total),
      row(`requests, since ${step.since}`, step.requests),
      row('users, same time', step.users),
    ]),
    `weight ${percent(step.weight)}, ${step.unkeyed} requests without a key\n`,
    `${imbalance.verdict}: ${imbalance.message}\n`,
  ].join('');
}

function renderHash(reply: HashReply): string {
  const busiest = [...reply.shards].sort((a, b) => b.canary + b.stable - a.canary - a.stable).slice(0, 5);
  return [
    `${reply.service}  ${reply.method}${reply.hash_key === null ? '' : ` by ${reply.hash_key}`}\n`,
    `requests with a key ${reply.keyed_requests}, without ${reply.unkeyed_requests}; different keys at this weight ${reply.users ?? '-'}\n`,
    `busiest of 64 shards ${percent(reply.busiest_shard_share === null ? null : 100 * reply.busiest_shard_share)}\n`,
    renderTable([['SHARD', 'CANARY', 'STABLE'], ...busiest.map((row) => [String(row.shard), String(row.canary), String(row.stable)])]),
    `${reply.message}\n`,
  ].join('');
}

function renderRouting({ routes }: RoutingReply): string {
  const ms = (value: number | null): string => (value === null ? '-' : `${value.toFixed(0)} ms`);
  const usd = (value: number | null): string => (value === null ? '-' : value.toFixed(6));
  return renderTable([
    ['VARIANT', 'ROUTE', 'MODEL', 'REQUESTS', 'SHARE', 'ERRORS', 'P50', 'P95', 'USD/REQUEST'],
    ...routes.map((row) => [
      row.variant,
      row.route,
      row.model,
      String(row.requests),
      percent(row.percent),
      String(row.errors),
      ms(row.latency_p50_ms),
      ms(row.latency_p95_ms),
      usd(row.cost_per_request_usd),
    ]),
  ]);
}

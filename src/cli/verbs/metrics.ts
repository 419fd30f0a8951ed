/** What is measured of a deployment: metrics, validate-green, monitor. */
import type { Command } from 'commander';
import { formatDuration } from '../../base/time.ts';
import type { BlockRow } from '../../domain/analysis/block.ts';
import { formatMetric, inPercent, metricName } from '../../domain/analysis/metric.ts';
import type { EvidenceRecord } from '../../domain/analysis/record.ts';
import type { ApiClient } from '../../ports/api-client.ts';
import { accepted, connect, deploymentQuestion, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';
import { renderCriteria, type ServiceStatus } from '../status-text.ts';

interface Flags extends ApiOptions {
  readonly deploymentId?: string;
  readonly service?: string;
  readonly metric?: string;
  readonly compareBaseline?: true;
  readonly detailed?: true;
  readonly last?: string;
  readonly timeRange?: string;
  readonly autoRollbackToBlue?: true;
  readonly wait?: true;
  readonly timeoutSeconds?: string;
  readonly outputFormat: OutputFormat;
}

const base = '/api/v1/actuator';

export function addMetrics(program: Command, context: CliContext): void {
  withDeployment(program, 'metrics', 'what is measured of a running deployment, canary against stable')
    .option('--metric <name>', 'this metric only')
    .option('--compare-baseline', 'with stable beside it (always so)')
    .option('--detailed', 'also each block of the comparison')
    .option('--last <time>', 'requests and errors of the last 15m, 1h ...')
    .option('--time-range <from/to>', 'the same between two moments, as 2026-11-24T10:00:00Z/2026-11-24T10:30:00Z')
    .action(async (flags: Flags) => {
      const client = await connect(context, flags);
      const record = await recordOf(client, flags);
      const criteria = record.judgement.criteria.filter(({ metric }) => flags.metric === undefined || metric === flags.metric);
      if (criteria.length === 0) {
        const names = record.judgement.criteria.map(({ metric }) => metric).join(', ');
        throw refused([{ code: 'not-found', message: `"${flags.metric ?? ''}" is not judged here; there is ${names}.` }]);
      }
      const range = rangeOf(flags, context.now());
      const blocks = record.blocks.filter(({ from, at }) => at > range.from && from < range.to);
      const report = {
        deployment_id: record.deployment_id,
        verdict: record.judgement.verdict,
        reason: record.judgement.reason,
        criteria,
        totals: totalsOf(blocks),
        ...(flags.detailed === true ? { blocks } : {}),
      };
      print(context, flags.outputFormat, report, () =>
        [
          `${record.service}  ${record.deployment_id}  ${record.judgement.verdict}: ${record.judgement.reason}\n`,
          renderCriteria(criteria),
          renderTotals(blocks, flags),
          flags.detailed === true ? renderBlocks(blocks, flags.metric) : '',
        ].join(''),
      );
    });
  addValidateGreen(program, context);
  addMonitor(program, context);
}

function withDeployment(program: Command, name: string, description: string): Command {
  const command = program.command(name).description(description);
  command.option('--deployment-id <id>', 'this deployment').option('--service <name>', 'the deployment of this service');
  return withApi(withOutput(command));
}

async function recordOf(client: ApiClient, flags: Flags): Promise<EvidenceRecord> {
  const id =
    flags.deploymentId ??
    accepted<{ readonly deployment_id: string }>(await client.get(`${base}/sample-size?${await deploymentQuestion(client, flags)}`))
      .deployment_id;
  return accepted<EvidenceRecord>(await client.get(`${base}/deployments/${encodeURIComponent(id)}/evidence`));
}

function rangeOf({ last, timeRange }: Flags, now: number): { readonly from: number; readonly to: number } {
  if (last !== undefined && timeRange !== undefined) throw new ExitError(2, 'Give either --last or --time-range.');
  if (last !== undefined) {
    const match = /^([0-9.]+)(s|m|h|d)$/.exec(last);
    if (match === null) throw new ExitError(2, `--last takes a time such as 15m, not "${last}".`);
    return { from: now - Number(match[1]) * ({ s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? ''] ?? 0), to: Infinity };
  }
  if (timeRange === undefined) return { from: -Infinity, to: Infinity };
  const [from = Number.NaN, to = Number.NaN] = timeRange.split('/').map((moment) => Date.parse(moment));
  if (Number.isNaN(from) || Number.isNaN(to))
    throw new ExitError(2, `--time-range takes two moments with a slash between, not "${timeRange}".`);
  return { from, to };
}

interface Totals {
  readonly canary: { readonly requests: number; readonly errors: number };
  readonly stable: { readonly requests: number; readonly errors: number };
}

function totalsOf(blocks: readonly BlockRow[]): Totals {
  const sum = (key: 'nc' | 'xc' | 'ns' | 'xs'): number => blocks.reduce((total, block) => total + block[key], 0);
  return { canary: { requests: sum('nc'), errors: sum('xc') }, stable: { requests: sum('ns'), errors: sum('xs') } };
}

function renderTotals(blocks: readonly BlockRow[], flags: Flags): string {
  if (flags.last === undefined && flags.timeRange === undefined) return '';
  const { canary, stable } = totalsOf(blocks);
  const row = (name: string, { requests, errors }: Totals['canary']): readonly string[] => [
    name,
    String(requests),
    String(errors),
    requests === 0 ? '-' : inPercent(errors / requests),
  ];
  return renderTable([[`${blocks.length} BLOCKS`, 'REQUESTS', 'ERRORS', 'RATE'], row('canary', canary), row('stable', stable)]);
}

function renderBlocks(blocks: readonly BlockRow[], metric: string | undefined): string {
  const names = metric === undefined ? [] : [metric].filter((name) => blocks.some(({ means }) => means[name] !== undefined));
  const rows = blocks.map((block) => [
    new Date(block.from).toISOString(),
    formatDuration(block.at - block.from),
    `${block.weight} %`,
    `${block.xc}/${block.nc}`,
    `${block.xs}/${block.ns}`,
    ...names.flatMap((name) => [formatMetric(name, block.means[name]?.mc ?? null), formatMetric(name, block.means[name]?.ms ?? null)]),
  ]);
  return renderTable([
    ['FROM', 'LENGTH', 'WEIGHT', 'CANARY ERRORS', 'STABLE ERRORS', ...names.flatMap((name) => [`${metricName(name)} CANARY`, 'STABLE'])],
    ...rows,
  ]);
}

interface DeploymentReply extends Omit<ServiceStatus, 'deployment'> {
  readonly deployment:
    | (NonNullable<ServiceStatus['deployment']> & {
        readonly paused_reason: string | null;
        readonly strategy: string;
        readonly step_kind: string | null;
      })
    | null;
}

async function statusOf(client: ApiClient, flags: Flags): Promise<DeploymentReply> {
  if (flags.deploymentId !== undefined)
    return accepted<DeploymentReply>(await client.get(`${base}/deployments/${encodeURIComponent(flags.deploymentId)}`));
  const { services } = accepted<{ readonly services: readonly DeploymentReply[] }>(await client.get(`${base}/status`));
  const meant = services.filter(({ service, deployment }) =>
    flags.service === undefined ? deployment !== null : service === flags.service,
  );
  const [only, ...others] = meant;
  if (only !== undefined && others.length === 0) return only;
  throw new ExitError(2, `Name --deployment-id or --service, one of: ${services.map(({ service }) => service).join(', ')}.`);
}

function addValidateGreen(program: Command, context: CliContext): void {
  withDeployment(program, 'validate-green', 'whether green has been validated on copies of live requests; exit code 1 while it has not')
    .option('--wait', 'until it is validated, or fails')
    .option('--timeout-seconds <n>', 'with --wait: give up after this long', '3600')
    .action(async (flags: Flags) => {
      const client = await connect(context, flags);
      const startedAt = context.now();
      for (;;) {
        const status = await statusOf(client, flags);
        const found = greenOf(status);
        const isOver = found.state !== 'validating' || flags.wait !== true || context.now() - startedAt > secondsOf(flags) * 1000;
        if (isOver) {
          print(
            context,
            flags.outputFormat,
            found,
            () => `${found.state}: ${found.reason}\n${renderCriteria(status.deployment?.judgement?.criteria ?? [])}`,
          );
          if (found.state !== 'validated') throw new ExitError(1, '');
          return;
        }
        await context.sleep(1000);
      }
    });
}

function secondsOf({ timeoutSeconds }: Flags): number {
  const seconds = Number(timeoutSeconds);
  if (Number.isFinite(seconds)) return seconds;
  throw new ExitError(2, `--timeout-seconds takes a number, not "${timeoutSeconds ?? ''}".`);
}

function greenOf({ service, deployment, last_deployment: last, message }: DeploymentReply): {
  readonly state: string;
  readonly reason: string;
} {
  if (deployment === null) {
    if (last?.phase === 'completed') return { state: 'validated', reason: `${last.id} was promoted` };
    return { state: 'not-validated', reason: last === null ? `${service} has no deployment` : `${last.id} ${last.phase}: ${last.reason}` };
  }
  if (deployment.paused_reason === 'planned') return { state: 'validated', reason: message ?? 'it waits for its cutover' };
  if (deployment.step_kind === 'mirror')
    return { state: 'validating', reason: deployment.judgement?.reason ?? 'no copy has been answered yet' };
  if (deployment.current_percentage > 0) return { state: 'validated', reason: 'it has users already' };
  return { state: 'not-validated', reason: message ?? 'it has not started' };
}

function addMonitor(program: Command, context: CliContext): void {
  withDeployment(program, 'monitor', 'follow a deployment to the end of its watch; exit code 1 when it was rolled back')
    .option('--auto-rollback-to-blue', 'verdicts roll back by themselves, also after the cutover')
    .option('--timeout-seconds <n>', 'end after this long, exit code 0 when all is well so far')
    .action(async (flags: Flags) => {
      const client = await connect(context, flags);
      if (flags.autoRollbackToBlue === true) await arm(client, flags);
      const limit = flags.timeoutSeconds === undefined ? Infinity : context.now() + secondsOf(flags) * 1000;
      let shown = '';
      for (;;) {
        const status = await statusOf(client, flags);
        const text = monitorLine(status);
        if (text !== shown && flags.outputFormat === 'table') context.stdout(text);
        shown = text;
        failWhenTakenBack(status);
        const isOver = status.deployment === null && status.watch_until === null;
        if (isOver || context.now() > limit) return print(context, flags.outputFormat, status, () => '');
        await context.sleep(1000);
      }
    });
}

async function arm(client: ApiClient, flags: Flags): Promise<void> {
  const named = flags.deploymentId === undefined ? { service: flags.service } : { deployment_id: flags.deploymentId };
  const armed = await client.post(`${base}/arm-auto-rollback`, { ...named, reason: 'monitor --auto-rollback-to-blue' });
  // Armed already, or nothing left to arm: what was asked for holds.
  if (!armed.ok && armed.error[0]?.code !== 'not-applicable') throw refused(armed.error);
}

function failWhenTakenBack({ deployment, last_deployment: last }: DeploymentReply): void {
  if (deployment !== null || last === null || (last.phase !== 'rolled-back' && last.phase !== 'held')) return;
  throw new ExitError(1, `${last.id} ${last.phase}: ${last.reason}`);
}

function monitorLine({ service, phase, deployment, watch_until: watch, last_deployment: last, message }: DeploymentReply): string {
  if (deployment !== null)
    return `${service}  ${deployment.deployment_id}  ${phase}  ${deployment.current_percentage} %  ${message ?? deployment.judgement?.reason ?? ''}\n`;
  return `${service}  ${last?.id ?? ''}  ${last?.phase ?? 'idle'}${watch === null ? '' : `, watched until ${watch}`}\n`;
}

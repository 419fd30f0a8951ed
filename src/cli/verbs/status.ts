import type { Command } from 'commander';
import { formatProblem, type Problem } from '../../base/problem.ts';
import { accepted, connect, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';
import { renderService, type ServiceStatus } from '../status-text.ts';

interface Flags extends ApiOptions {
  readonly service?: string;
  readonly deploymentId?: string;
  readonly follow?: true;
  readonly timeoutSeconds?: string;
  readonly outputFormat: OutputFormat;
}

interface StatusReply {
  readonly problems: {
    /** Absent in replies of older daemons. */
    readonly code_host?: string | null;
    readonly repository: string | null;
    readonly publication: string | null;
    readonly effects: string | null;
    readonly settings: readonly Problem[];
  };
  readonly services: readonly ServiceStatus[];
}

export function addStatus(program: Command, context: CliContext): void {
  withApi(
    withOutput(
      program
        .command('status')
        .description('what is in force and what is going on')
        .option('--service <name>', 'this service')
        .option('--deployment-id <id>', 'the service of this deployment')
        .option('-f, --follow', 'go on until nothing is under way; exit code 1 when it did not end well')
        .option('--timeout-seconds <n>', 'with --follow: give up after this long, exit code 1'),
    ),
  ).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    if (flags.timeoutSeconds !== undefined && flags.follow !== true) throw new ExitError(2, '--timeout-seconds goes with --follow.');
    const load = async (): Promise<StatusReply> => accepted<StatusReply>(await client.get(pathOf(flags)));
    if (flags.follow === true) return follow(context, flags, load);
    const reply = await load();
    print(context, flags.outputFormat, { ...reply, services: chosen(reply, flags) }, () => render(context, reply, flags));
  });
}

export function addListActive(program: Command, context: CliContext): void {
  withApi(withOutput(program.command('list-active').description('deployments that are under way'))).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    const reply = accepted<StatusReply>(await client.get('/api/v1/actuator/list-active'));
    print(context, flags.outputFormat, reply, () =>
      reply.services.length === 0 ? 'no deployment is under way\n' : overview(reply.services),
    );
  });
}

function pathOf(flags: Flags): string {
  return flags.service === undefined ? '/api/v1/actuator/status' : `/api/v1/actuator/status?service=${encodeURIComponent(flags.service)}`;
}

function chosen(reply: StatusReply, flags: Flags): readonly ServiceStatus[] {
  const id = flags.deploymentId;
  if (id === undefined) return reply.services;
  const found = reply.services.filter((service) => service.deployment?.deployment_id === id || service.last_deployment?.id === id);
  if (found.length === 0)
    throw new ExitError(
      3,
      `Deployment ${id} is neither under way nor the last of its service; its record is on the branch actuator/status.`,
    );
  return found;
}

function render(context: CliContext, reply: StatusReply, flags: Flags): string {
  const services = chosen(reply, flags);
  const head = worldProblems(reply);
  if (services.length !== 1) return head + overview(services);
  return head + services.map((service) => renderService(service, { now: context.now(), colour: context.hasColour })).join('\n');
}

function worldProblems({ problems }: StatusReply): string {
  const lines = [
    problems.repository === null ? '' : `Repository: ${problems.repository}\n`,
    problems.publication === null ? '' : `Publication: ${problems.publication}\n`,
    problems.effects === null ? '' : `Waiting to be done: ${problems.effects}\n`,
    problems.code_host == null ? '' : `Code host: ${problems.code_host}\n`,
    ...problems.settings.map((problem) => `Settings: ${formatProblem(problem)}\n`),
  ].join('');
  return lines === '' ? '' : `${lines}\n`;
}

function overview(services: readonly ServiceStatus[]): string {
  return renderTable([['SERVICE', 'PHASE', 'DEPLOYMENT', 'STEP', 'WEIGHT', 'STABLE', 'MESSAGE'], ...services.map(overviewRow)]);
}

function overviewRow(service: ServiceStatus): readonly string[] {
  const { deployment } = service;
  const stalled = service.conditions.find((condition) => condition.type === 'Stalled')?.reason;
  const message = service.message ?? stalled ?? deployment?.judgement?.reason ?? '';
  const stable = service.stable?.commit.slice(0, 12) ?? 'none';
  if (deployment === null) return [service.service, service.phase, '-', '-', '-', stable, message];
  const step = deployment.step === null ? '-' : `${deployment.step.number}/${deployment.step.of}`;
  return [service.service, service.phase, deployment.deployment_id, step, `${deployment.current_percentage} %`, stable, message];
}

/** Until nothing is under way. */
async function follow(context: CliContext, flags: Flags, load: () => Promise<StatusReply>): Promise<void> {
  const limit = flags.timeoutSeconds === undefined ? Infinity : Number(flags.timeoutSeconds) * 1000;
  if (Number.isNaN(limit)) throw new ExitError(2, `--timeout-seconds takes a number, not "${flags.timeoutSeconds ?? ''}".`);
  const startedAt = context.now();
  const followed = new Set<string>();
  const show = createFrames(context, flags);
  for (;;) {
    const reply = await load();
    const services = chosen(reply, flags);
    for (const { deployment } of services) if (deployment !== null) followed.add(deployment.deployment_id);
    show(reply, services);
    if (services.every((service) => service.deployment === null)) {
      if (flags.outputFormat !== 'table') print(context, flags.outputFormat, { ...reply, services }, () => '');
      settle(services, followed, flags);
      return;
    }
    if (context.now() - startedAt > limit) throw new ExitError(1, `Still under way after ${flags.timeoutSeconds ?? ''} seconds.`);
    await context.sleep(1000);
  }
}

/** On a terminal the picture is redrawn; otherwise a line is printed when something has changed. JSON and YAML come once, at the end. */
function createFrames(context: CliContext, flags: Flags): (reply: StatusReply, services: readonly ServiceStatus[]) => void {
  let last = '';
  return (reply, services) => {
    if (flags.outputFormat !== 'table') return;
    if (context.isTerminal) {
      context.redraw(render(context, reply, flags));
      return;
    }
    const text = overview(services).split('\n').slice(1).join('\n');
    if (text !== last) context.stdout(text);
    last = text;
  };
}

function settle(services: readonly ServiceStatus[], followed: ReadonlySet<string>, flags: Flags): void {
  const bad = services.filter((service) => isBad(service, followed, flags));
  if (bad.length === 0) return;
  throw new ExitError(
    1,
    bad
      .map(
        (service) =>
          `${service.service}: ${service.last_deployment?.phase ?? 'stalled'}: ${service.last_deployment?.reason ?? service.message ?? ''}`,
      )
      .join('\n'),
  );
}

/** Stalled, or one of those that were followed ended badly; what had ended before is no news. */
function isBad({ conditions, last_deployment: last }: ServiceStatus, followed: ReadonlySet<string>, flags: Flags): boolean {
  if (conditions.some((condition) => condition.type === 'Stalled')) return true;
  const meant = last !== null && (followed.has(last.id) || flags.deploymentId === last.id);
  return meant && last.phase !== 'completed' && last.phase !== 'superseded';
}

/** What was: logs, rollback-history, rollback-details, rollback-count, summary; and what is wrong now: find-issues. */
import type { Command } from 'commander';
import { oneLine } from '../../base/text.ts';
import { accepted, connect, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';

interface Flags extends ApiOptions {
  readonly deploymentId?: string;
  readonly rollbackId?: string;
  readonly tail?: string;
  readonly level?: string;
  readonly since?: string;
  readonly days?: string;
  readonly follow?: true;
  readonly outputFormat: OutputFormat;
}

interface Line {
  readonly position: number;
  readonly at: string;
  readonly level: string;
  readonly actor: string;
  readonly phase: string;
  readonly message: string;
}

interface Ended {
  readonly service: string;
  readonly deployment_id: string;
  readonly phase: string;
  readonly reason: string;
  readonly finished_at: string;
  readonly revert_commit: string | null;
}

interface Rollback extends Ended {
  readonly rollback_id: string;
  readonly detected_by: string;
  readonly ordered_by: string;
  readonly traffic_returned_ms: number | null;
  readonly evidence: string | null;
}

interface Issue {
  readonly severity: string;
  readonly service: string | null;
  readonly deployment_id: string | null;
  readonly issue: string;
  readonly remedy: string;
}

const base = '/api/v1/actuator';

export function addHistory(program: Command, context: CliContext): void {
  addLogs(program, context);
  addRollbacks(program, context);
  verb(program, 'summary', 'deployments that have ended, by how')
    .option('--since <time>', 'such as 24h, or a moment', '24h')
    .action(async (flags: Flags) => {
      const ended = await list<Ended>(context, flags, 'deployments', flags.since);
      const counts = Object.entries(Object.groupBy(ended, ({ phase }) => phase)).map(([phase, those = []]) => ({
        phase,
        count: those.length,
      }));
      print(
        context,
        flags.outputFormat,
        { counts, deployments: ended },
        () => `${counts.map(({ phase, count }) => `${phase}: ${count}\n`).join('')}${renderEnded(ended)}`,
      );
    });
  verb(program, 'find-issues', 'what is not as it should be, and what to do about it; exit code 1 when something is critical').action(
    async (flags: Flags) => {
      const { issues } = accepted<{ readonly issues: readonly Issue[] }>(await (await connect(context, flags)).get(`${base}/issues`));
      print(context, flags.outputFormat, issues, () => (issues.length === 0 ? 'no issues\n' : renderIssues(issues)));
      if (issues.some(({ severity }) => severity === 'critical')) throw new ExitError(1, '');
    },
  );
}

function verb(program: Command, name: string, description: string): Command {
  return withApi(withOutput(program.command(name).description(description)));
}

async function list<T>(
  context: CliContext,
  flags: Flags,
  what: 'deployments' | 'rollbacks',
  since: string | undefined,
): Promise<readonly T[]> {
  const query = since === undefined ? '' : `?since=${encodeURIComponent(since)}`;
  return accepted<Record<string, readonly T[]>>(await (await connect(context, flags)).get(`${base}/${what}${query}`))[what] ?? [];
}

function addLogs(program: Command, context: CliContext): void {
  verb(program, 'logs', 'what happened to a deployment')
    .requiredOption('--deployment-id <id>', 'the deployment')
    .option('--tail <n>', 'the last n lines')
    .option('--level <level>', 'info, warn or error, and worse')
    .option('--since <time>', 'such as 30m')
    .option('-f, --follow', 'go on until the deployment has ended')
    .action(async (flags: Flags) => {
      const client = await connect(context, flags);
      const path = `${base}/deployments/${encodeURIComponent(flags.deploymentId ?? '')}/log`;
      let shown = 0;
      for (;;) {
        const { lines } = accepted<{ readonly lines: readonly Line[] }>(await client.get(path));
        const fresh = chosen(
          lines.filter(({ position }) => position > shown),
          flags,
          context.now(),
          shown === 0,
        );
        shown = lines.at(-1)?.position ?? shown;
        print(context, flags.outputFormat, fresh, () => fresh.map(renderLine).join(''));
        const phase = lines.at(-1)?.phase ?? '';
        if (flags.follow !== true || ['completed', 'rolled-back', 'superseded', 'rejected', 'held', 'failed'].includes(phase)) return;
        await context.sleep(1000);
      }
    });
}

const levels = ['info', 'warn', 'error'];

function chosen(lines: readonly Line[], flags: Flags, now: number, isFirst: boolean): readonly Line[] {
  const least = levels.indexOf(flags.level ?? 'info');
  if (least < 0) throw new ExitError(2, `--level takes info, warn or error, not "${flags.level ?? ''}".`);
  const from = flags.since === undefined ? 0 : now - spanOf(flags.since);
  const kept = lines.filter(({ level, at }) => levels.indexOf(level) >= least && Date.parse(at) >= from);
  const tail = flags.tail === undefined ? kept.length : Number(flags.tail);
  if (!(tail >= 0)) throw new ExitError(2, `--tail takes a number, not "${flags.tail ?? ''}".`);
  return isFirst ? kept.slice(Math.max(0, kept.length - tail)) : kept;
}

function spanOf(text: string): number {
  const match = /^([0-9.]+)(s|m|h|d)$/.exec(text);
  if (match === null) throw new ExitError(2, `"${text}" is no time such as 30m.`);
  return Number(match[1]) * ({ s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] ?? ''] ?? 0);
}

function renderLine({ at, level, actor, message }: Line): string {
  return `${at}  ${level.padEnd(5)}  ${actor.padEnd(10)}  ${message}\n`;
}

function addRollbacks(program: Command, context: CliContext): void {
  verb(program, 'rollback-history', 'rollbacks, the newest first')
    .option('--days <n>', 'of the last n days')
    .action(async (flags: Flags) => {
      const rollbacks = await list<Rollback>(context, flags, 'rollbacks', flags.days === undefined ? undefined : `${flags.days}d`);
      print(context, flags.outputFormat, rollbacks, () => (rollbacks.length === 0 ? 'no rollbacks\n' : renderRollbacks(rollbacks)));
    });
  verb(program, 'rollback-count', 'how many rollbacks there were')
    .option('--since <time>', 'such as 24h, or a moment', '24h')
    .action(async (flags: Flags) => {
      const count = (await list<Rollback>(context, flags, 'rollbacks', flags.since)).length;
      print(context, flags.outputFormat, { count }, () => `${count}\n`);
    });
  verb(program, 'rollback-details', 'why one rollback happened, and what it rests on')
    .requiredOption('--rollback-id <id>', 'the rollback, or its deployment')
    .action(async (flags: Flags) => {
      const client = await connect(context, flags);
      const found = accepted<Rollback & { readonly timeline: readonly Line[] }>(
        await client.get(`${base}/rollbacks/${encodeURIComponent(flags.rollbackId ?? '')}`),
      );
      print(context, flags.outputFormat, found, () => renderDetails(found));
    });
}

function renderDetails(found: Rollback & { readonly timeline: readonly Line[] }): string {
  const traffic = found.traffic_returned_ms === null ? 'it had no traffic' : `${found.traffic_returned_ms} ms after the decision`;
  return [
    `${found.rollback_id}  ${found.service}\n`,
    `why: ${found.reason}\n`,
    `detected by: ${found.detected_by}, ordered by: ${found.ordered_by}\n`,
    `traffic back on stable: ${traffic}\n`,
    `revert commit: ${found.revert_commit ?? 'none'}\n`,
    `evidence: ${found.evidence ?? 'none'}\n\n`,
    ...found.timeline.map(renderLine),
  ].join('');
}

function renderRollbacks(rollbacks: readonly Rollback[]): string {
  const rows = rollbacks.map((each) => [
    each.finished_at,
    each.service,
    each.rollback_id,
    each.detected_by,
    each.revert_commit?.slice(0, 12) ?? '-',
    each.reason,
  ]);
  return renderTable([['FINISHED', 'SERVICE', 'ROLLBACK', 'DETECTED BY', 'REVERT', 'REASON'], ...rows]);
}

function renderEnded(ended: readonly Ended[]): string {
  if (ended.length === 0) return 'no deployment has ended in this time\n';
  const rows = ended.map((each) => [each.finished_at, each.service, each.deployment_id, each.phase, each.reason]);
  return renderTable([['FINISHED', 'SERVICE', 'DEPLOYMENT', 'PHASE', 'REASON'], ...rows]);
}

/** In full: half a sentence helps nobody at three in the morning. */
function renderIssues(issues: readonly Issue[]): string {
  return issues
    .map(({ severity, service, deployment_id: id, issue, remedy }) => {
      const about = [service, id].filter((name) => name !== null).join('  ');
      return `${severity.toUpperCase().padEnd(9)} ${about === '' ? '' : `${about}: `}${oneLine(issue, 1000)}\n${' '.repeat(10)}-> ${remedy}\n`;
    })
    .join('');
}

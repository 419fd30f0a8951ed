/** What we write on pull requests. Text of others is escaped. */
import { cell, code } from '../../base/markdown.ts';
import { formatMetric, metricName } from '../../domain/analysis/metric.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { deploymentFolder, evidenceDigest } from '../publication/render.ts';
import type { ServiceReport } from './reports.ts';

/** By which the comment is found again. */
export const rolloutMarker = '<!-- actuator:rollout -->';

/** GitHub takes 65,536 characters. */
const longest = 60_000;
const mostServices = 100;

export type RecordUrl = (path: string) => string;

export function rolloutComment(reports: readonly ServiceReport[], recordUrl: RecordUrl): string {
  const shown = reports.slice(0, mostServices).map((report) => sectionOf(report, recordUrl));
  const rest = reports.length > shown.length ? [`... and ${reports.length - shown.length} more service(s)\n`] : [];
  const text = ['## Rollout\n', ...shown, ...rest].join('\n');
  return text.length <= longest ? text : `${text.slice(0, longest)}\n\n...\n`;
}

const marks: Readonly<Record<ServiceReport['state'], string>> = { pending: '⏳', success: '✅', failure: '❌', error: '⚪' };

function sectionOf(report: ServiceReport, recordUrl: RecordUrl): string {
  const { service, state, deployment, judgement, revertCommit, revertPullRequest } = report;
  const lines = [`### ${marks[state]} ${code(service)}: ${cell(report.text)}\n`];
  if (deployment !== null)
    lines.push(
      `${code(deployment.id)}${deployment.plan === '' ? '' : `: ${cell(deployment.plan)}`} ([record](${recordUrl(deploymentFolder(deployment.id))}))\n`,
    );
  if (judgement !== null) lines.push(...verdictOf(judgement));
  if (judgement !== null && deployment !== null)
    lines.push(
      `Evidence: [evidence.json](${recordUrl(`${deploymentFolder(deployment.id)}/evidence.json`)}), ${code(evidenceDigest(judgement))}\n`,
    );
  if (revertCommit !== null) lines.push(`Taken back on the branch by ${revertCommit}.\n`);
  if (revertPullRequest !== null) lines.push(`**The branch still holds it**: merge ${revertPullRequest}, which takes it back.\n`);
  return lines.join('\n');
}

function verdictOf({ verdict, reason, criteria }: Judgement): readonly string[] {
  const rows = criteria.map(({ metric, canary, stable, verdict: own, p_value: p }) =>
    [
      metricName(metric),
      valueOf(metric, canary),
      valueOf(metric, stable),
      own,
      p < 0.001 ? '< 0.001' : String(Math.round(p * 1000) / 1000),
    ].map(cell),
  );
  const head = ['metric', 'canary', 'stable', 'verdict', 'p'];
  const table = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
  return [`Verdict **${verdict}**: ${cell(reason)}\n`, ...(rows.length === 0 ? [] : [`${table}\n`])];
}

function valueOf(metric: string, value: number | null): string {
  return value === null ? '-' : formatMetric(metric, value);
}

export interface RevertText {
  readonly service: string;
  readonly deploymentId: string;
  readonly reason: string;
  readonly commit: string;
  readonly judgement: Judgement | null;
}

export function revertBody({ service, deploymentId, reason, commit, judgement }: RevertText, recordUrl: RecordUrl): string {
  const evidence =
    judgement === null
      ? []
      : [
          ...verdictOf(judgement),
          `Evidence: [evidence.json](${recordUrl(`${deploymentFolder(deploymentId)}/evidence.json`)}), ${code(evidenceDigest(judgement))}\n`,
        ];
  return [
    `Takes back what ${code(deploymentId)} tried of ${code(service)} (${commit}): ${cell(reason)}\n`,
    'Its traffic is back on the stable revision already. Until this is merged the branch says otherwise than what is served; quarantine keeps the content from being tried again.\n',
    ...evidence,
    `[Record](${recordUrl(deploymentFolder(deploymentId))}) of the deployment.\n`,
  ].join('\n');
}

/** The picture of a service on a terminal, after `kubectl argo rollouts get`. */
import { styleText } from 'node:util';
import { oneLine } from '../base/text.ts';
import { formatDuration } from '../base/time.ts';
import type { CriterionFinding } from '../domain/analysis/criteria.ts';
import { formatMetric, inPercent, metricName } from '../domain/analysis/metric.ts';
import { renderTable } from './output.ts';

/** The fields of the API's service view that are shown. */
export interface ServiceStatus {
  readonly service: string;
  readonly phase: string;
  readonly message: string | null;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  readonly desired: { readonly commit: string; readonly digest: string | null } | null;
  readonly stable: { readonly commit: string; readonly digest: string } | null;
  readonly applied: boolean | null;
  readonly requests_per_second: number;
  readonly deployment: DeploymentStatus | null;
  readonly last_deployment: {
    readonly id: string;
    readonly phase: string;
    readonly reason: string;
    readonly finished_at: string;
    readonly revert_commit: string | null;
  } | null;
  readonly waiting: string | null;
  readonly watch_until: string | null;
  readonly traffic: { readonly canary: VariantStatus; readonly stable: VariantStatus };
}

interface VariantStatus {
  readonly requests: number;
  readonly errors: number;
  readonly latency_p95_ms: number | null;
  readonly cost_per_request_usd: number | null;
}

interface DeploymentStatus {
  readonly deployment_id: string;
  readonly current_percentage: number;
  readonly commit: string;
  readonly digest: string;
  readonly step: { readonly number: number; readonly of: number } | null;
  readonly strategy: string;
  readonly chosen_because: { readonly change: string; readonly paths: readonly string[] } | null;
  readonly steps: readonly { readonly percentage: number; readonly name: string }[];
  readonly hold_ends_at: string | null;
  readonly judgement: {
    readonly verdict: string;
    readonly reason: string;
    readonly step_requests: number;
    readonly step_requests_needed: number;
    readonly p_value: number;
    readonly criteria: readonly CriterionFinding[];
    readonly warnings: readonly { readonly reason: string }[];
  } | null;
}

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;
type Line = (label: string, value: string) => string;

export function renderService(status: ServiceStatus, { now, colour }: { readonly now: number; readonly colour: boolean }): string {
  const paint: Paint = (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text);
  const line: Line = (label, value) => `${`${label}:`.padEnd(17)}${value}\n`;
  const [icon, style] = iconOf(status);
  const stalled = status.conditions.find((condition) => condition.type === 'Stalled');
  let text = line('Service', status.service);
  text += line('Status', paint(style, `${icon} ${stalled === undefined ? titleOf(status.phase) : 'Stalled'}`));
  const message = stalled?.reason ?? status.message;
  if (message !== null) text += line('Message', oneLine(message, 300));
  text += line('Desired', revisionText(status.desired));
  text += line('Applied', appliedText(status.applied, paint));
  text += line('Stable', paint('green', revisionText(status.stable)));
  if (status.deployment !== null) text += renderDeployment(status.deployment, line, paint, now);
  text += line('Traffic', `${status.requests_per_second} requests/s`);
  text += renderTraffic(status);
  if (status.waiting !== null) text += line('Waiting', status.waiting);
  if (status.watch_until !== null) text += line('Watched', `for another ${formatDuration(Date.parse(status.watch_until) - now)}`);
  return text + renderLast(status.last_deployment, line, paint);
}

function renderLast(last: ServiceStatus['last_deployment'], line: Line, paint: Paint): string {
  if (last === null) return '';
  const good = last.phase === 'completed' || last.phase === 'superseded';
  const mark = paint(good ? 'green' : 'red', `${good ? '✔' : '✖'} ${last.phase}`);
  const revert = last.revert_commit === null ? '' : line('  Revert', last.revert_commit.slice(0, 12));
  return line('Last', `${mark} ${last.id}: ${oneLine(last.reason, 200)}`) + revert;
}

function renderDeployment(deployment: DeploymentStatus, line: Line, paint: Paint, now: number): string {
  let text = line('Canary', paint('yellow', revisionText(deployment)));
  text += line('Deployment', deployment.deployment_id);
  if (deployment.step !== null) {
    text += line(
      '  Step',
      `${deployment.step.number}/${deployment.step.of} (${deployment.current_percentage} %)${holdText(deployment.hold_ends_at, now)}`,
    );
    const bar = deployment.steps.map((step, index) =>
      index + 1 === deployment.step?.number ? paint('cyan', `[${step.name}]`) : step.name,
    );
    text += line('  Plan', `${deployment.strategy}: ${bar.join(' -> ')}`);
    const { chosen_because: chosen } = deployment;
    if (chosen !== null) text += line('  Chosen', `for ${chosen.change}: ${oneLine(chosen.paths.join(', '), 150)}`);
  }
  const { judgement } = deployment;
  if (judgement === null) return text;
  text += line('  Verdict', `${verdictIcon(judgement.verdict)} ${judgement.verdict}: ${oneLine(judgement.reason, 200)}`);
  for (const { reason } of judgement.warnings) text += line('  Warning', paint('yellow', oneLine(reason, 200)));
  text += line(
    '  Evidence',
    `n ${judgement.step_requests}/${judgement.step_requests_needed} in this step, anytime-valid p ${judgement.p_value.toPrecision(2)}`,
  );
  return text + indent(renderCriteria(judgement.criteria));
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

/** Each criterion with its numbers: what the dashboard of the guide (9.4) asks for. */
export function renderCriteria(criteria: readonly CriterionFinding[]): string {
  const shown = criteria.filter(({ verdict }) => verdict !== 'not-applicable');
  if (shown.length === 0) return '';
  const rows = shown.map((one) => [
    metricName(one.metric),
    formatMetric(one.metric, one.canary),
    formatMetric(one.metric, one.stable),
    one.difference === null ? '-' : signed(one.difference),
    one.interval === null ? '-' : `${signed(one.interval[0])} to ${signed(one.interval[1])}`,
    one.allowed === null ? '-' : inPercent(one.allowed),
    one.margin_z === null ? '-' : one.margin_z.toFixed(1),
    one.gate_z === null ? 'none' : `< ${one.gate_z.toFixed(1)}`,
    one.p_value.toPrecision(2),
    String(one.canary_samples),
    one.verdict,
  ]);
  return renderTable([['METRIC', 'CANARY', 'STABLE', 'CHANGE', 'INTERVAL', 'ALLOWED', 'Z', 'GATE', 'P', 'N', 'VERDICT'], ...rows]);
}

function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${(value * 100).toFixed(1)} %`;
}

function appliedText(applied: boolean | null, paint: Paint): string {
  if (applied === null) return paint('yellow', 'no gateway is connected');
  return applied ? 'yes, by every gateway' : paint('yellow', 'not yet by every gateway');
}

function holdText(endsAt: string | null, now: number): string {
  if (endsAt === null) return '';
  const left = Date.parse(endsAt) - now;
  return left > 0 ? `, ${formatDuration(left)} left` : ', hold is over';
}

function renderTraffic(status: ServiceStatus): string {
  const row = (name: string, variant: VariantStatus): string => {
    const rate = variant.requests === 0 ? '-' : `${((100 * variant.errors) / variant.requests).toFixed(1)} %`;
    const p95 = variant.latency_p95_ms === null ? '-' : `${Math.round(variant.latency_p95_ms)} ms`;
    const cost = variant.cost_per_request_usd === null ? 'unknown' : `$${variant.cost_per_request_usd.toFixed(5)}`;
    return `  ${name.padEnd(9)}${String(variant.requests).padStart(9)}${rate.padStart(9)}${p95.padStart(10)}${cost.padStart(11)}\n`;
  };
  const head = `  ${'5 MIN'.padEnd(9)}${'REQUESTS'.padStart(9)}${'ERRORS'.padStart(9)}${'P95'.padStart(10)}${'COST'.padStart(11)}\n`;
  const canary = status.traffic.canary.requests > 0 ? row('canary', status.traffic.canary) : '';
  return head + canary + row('stable', status.traffic.stable);
}

function revisionText(revision: { readonly commit: string; readonly digest: string | null } | null): string {
  if (revision === null) return 'none';
  const digest = revision.digest === null ? 'can not be served' : revision.digest.replace('sha256:', '').slice(0, 12);
  return `${revision.commit.slice(0, 12)} (${digest})`;
}

function iconOf(status: ServiceStatus): readonly [string, Style] {
  if (status.conditions.some((condition) => condition.type === 'Stalled')) return ['✖', 'red'];
  if (status.phase === 'paused') return ['‖', 'yellow'];
  if (status.phase === 'rolling-back') return ['⚠', 'red'];
  return status.phase === 'idle' ? ['✔', 'green'] : ['◌', 'cyan'];
}

function titleOf(phase: string): string {
  return phase === 'idle' ? 'Healthy' : `${phase.charAt(0).toUpperCase()}${phase.slice(1)}`;
}

function verdictIcon(verdict: string): string {
  if (verdict === 'pass') return '✔';
  return verdict === 'fail' || verdict === 'incident' ? '✖' : '?';
}

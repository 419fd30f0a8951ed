/** A plan as a comment of a pull request, or as the summary of a workflow: what reviewers need to know before they approve. */
import { cell, code } from '../base/markdown.ts';
import { formatDuration } from '../base/time.ts';
import { formatMetric, inPercent, isQuantile, metricName } from '../domain/analysis/metric.ts';
import type { PatchOperation } from '../domain/config/patch.ts';
import type { Choice } from '../domain/planning/classify.ts';
import type { Plan } from '../domain/planning/plan.ts';
import type { Criterion } from '../domain/settings/policy.ts';
import type { ServicePlan } from './verbs/plan.ts';

/** First line, by which the comment is found again. */
export const planMarker = '<!-- actuator:plan -->';

/** GitHub takes 65,536 characters. */
const longest = 60_000;
const mostOperations = 40;
const longestValue = 500;

export function renderPlanMarkdown(plans: readonly ServicePlan[]): string {
  const head = `${planMarker}\n## What merging this would do\n\n`;
  if (plans.length === 0) return `${head}Nothing: every service would serve what it serves now.\n`;
  const sections = plans.map(renderService);
  let text = head;
  for (const [index, section] of sections.entries()) {
    if (text.length + section.length > longest)
      return `${text}\n... and ${sections.length - index} more service(s): ${plans
        .slice(index)
        .map(({ service }) => service)
        .join(', ')
        .slice(0, 2000)}\n`;
    text += `${section}\n`;
  }
  return text;
}

function renderService(plan: ServicePlan): string {
  const { to } = plan.change;
  const lines = [`### \`${plan.service}\`: ${actionOf(plan)}\n`, renderPatch(plan.change.patch)];
  if (plan.action === 'roll out' && to !== null) lines.push(...renderRollout(plan, to.plan));
  for (const warning of plan.warnings) lines.push(`> **Warning**: ${cell(warning)}\n`);
  return lines.join('\n');
}

function actionOf({ action, strategy }: ServicePlan): string {
  switch (action) {
    case 'roll out':
      return `rollout by ${strategy ?? ''}`;
    case 'first deployment':
      return 'first configuration, served at once';
    case 'orphan':
      return 'removed from the branch; what is in force goes on being served';
    case 'none':
      return 'no deployment, it serves the same';
  }
}

function renderPatch(patch: readonly PatchOperation[]): string {
  const shown = patch.slice(0, mostOperations).map((operation) => shorten(visible(JSON.stringify(operation))));
  const rest = patch.length > shown.length ? [`... ${patch.length - shown.length} more`] : [];
  const text = [...shown, ...rest].join('\n');
  // Longer than any fence in what somebody wrote.
  const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([run]) => run.length + 1)));
  return `${fence}json\n${text}\n${fence}\n`;
}

/** As JSON may have it as well. */
function visible(json: string): string {
  return json.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function shorten(text: string): string {
  return text.length <= longestValue ? text : `${text.slice(0, longestValue)} ...`;
}

function renderRollout(plan: ServicePlan, of: Plan): readonly string[] {
  return [
    `- **Risk**: ${riskText(plan.risk)}`,
    `- **Approvals**: ${approvalText(of)}`,
    `- **Watched**: ${watchText(of, plan.not_measured ?? [])}`,
    `- **Traffic**: ${plan.requests_per_second === null ? 'unknown, so no times can be foretold' : `${plan.requests_per_second} requests/s`}`,
    `- **Duration**: at least ${formatDuration(plan.shortest_ms)}${plan.expected_ms === null ? '' : `, expected ${formatDuration(plan.expected_ms)}`}\n`,
    renderSteps(plan),
  ];
}

function riskText(risk: Choice | null): string {
  if (risk === null) return 'unknown, there is nothing to compare with';
  return `${risk.change}, whose pace would be ${risk.pace}: ${risk.paths.slice(0, 10).map(code).join(', ')}`;
}

function approvalText({ gates, abTest }: Plan): string {
  const needed =
    gates.approvals === 0
      ? 'none are needed'
      : `${gates.approvals}${gates.roles.length === 0 ? '' : ` of ${gates.roles.map(cell).join(', ')}`}, not by an author`;
  const byHand = abTest?.isAutomatic === false ? '; a person promotes the winner' : '';
  return `${needed}${gates.needsReason ? '; the commit must give a reason' : ''}${byHand}`;
}

function watchText({ policy, watchMs, autoRollback }: Plan, notMeasured: readonly string[]): string {
  const limits = policy.criteria.filter(({ metric }) => !notMeasured.includes(metric)).map(criterionText);
  const missing =
    notMeasured.length === 0
      ? ''
      : `; not measured at present, so not judged: ${notMeasured.map((metric) => cell(metricName(metric))).join(', ')}`;
  const after = `after the promotion for ${formatDuration(watchMs)}`;
  return `${limits.join('; ')}${missing}; ${after}. ${autoRollback ? 'A failing canary is rolled back and reverted.' : '**Automatic rollback is disabled**: a failing canary is paused.'}`;
}

function criterionText({ metric, margin, max, min }: Criterion): string {
  const limits = [
    ...(margin === null ? [] : [`${isWorseHigher(metric) ? '+' : '-'}${inPercent(margin)}`]),
    ...(max === null ? [] : [`at most ${formatMetric(metric, max)}`]),
    ...(min === null ? [] : [`at least ${formatMetric(metric, min)}`]),
  ];
  return `${cell(metricName(metric))} ${limits.join(', ') || 'must be there'}`;
}

function isWorseHigher(metric: string): boolean {
  return isQuantile(metric) || ['error_rate', 'cost_per_request', 'tokens_per_request'].includes(metric);
}

function renderSteps({ steps, stages }: ServicePlan): string {
  const rows = steps.map((step, index) => [
    String(index + 1),
    stages[index] ?? '',
    formatDuration(step.hold_ms),
    step.samples_ms === null ? 'unknown' : formatDuration(step.samples_ms),
    step.gate_ms === null ? '-' : `${formatDuration(step.gate_ms)} (${metricName(step.gate_metric ?? '')})`,
    step.expected_ms === null ? 'unknown' : formatDuration(step.expected_ms),
  ]);
  const head = ['step', '', 'hold', 'samples', 'gate', 'expected'];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n') + '\n';
}

import type { Command } from 'commander';
import { formatDuration } from '../../base/time.ts';
import { metricName } from '../../domain/analysis/metric.ts';
import { describeStep } from '../../domain/planning/step.ts';
import { shortestDurationMs } from '../../domain/planning/plan.ts';
import { predict, unwatched, type Prediction, type StepPrediction, type Traffic } from '../../domain/planning/prediction.ts';
import { choose } from '../../domain/config/service-definition.ts';
import type { Choice } from '../../domain/planning/classify.ts';
import { renderPlanMarkdown } from '../plan-markdown.ts';
import { compareWithBase, type ServiceChange } from '../changes.ts';
import { ExitError, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';
import { renderChange } from './diff.ts';

interface Flags {
  readonly dir: string;
  readonly base: string;
  readonly service?: string;
  readonly requestsPerSecond?: string;
  readonly outputFormat: OutputFormat | 'markdown';
}

export interface ServicePlan extends Prediction {
  readonly service: string;
  readonly action: 'roll out' | 'first deployment' | 'orphan' | 'none';
  readonly strategy: string | null;
  /** What kind of change it is, whoever chose the strategy; null: there is nothing to compare with. */
  readonly risk: Choice | null;
  /** Why the strategy "auto" became this; null: a person chose it. */
  readonly chosen_because: { readonly change: string; readonly pace: string; readonly paths: readonly string[] } | null;
  /** The steps in words. */
  readonly stages: readonly string[];
  readonly requests_per_second: number | null;
  readonly shortest_ms: number;
  /** Metrics with a criterion that nobody measures at present; null: not known. */
  readonly not_measured: readonly string[] | null;
  readonly change: ServiceChange;
}

export function addPlan(program: Command, context: CliContext): void {
  withOutput(
    program
      .command('plan')
      .description("what merging the files on disk would do: patch, steps, and how long each step needs at today's traffic")
      .option('--dir <dir>', 'checkout of the repository', '.')
      .option('--base <ref>', 'commit, branch or tag that is in force', 'HEAD')
      .option('--service <name>', 'this service only')
      .option('--requests-per-second <n>', 'traffic to reckon with (default: what the status branch says)'),
    ['markdown'],
  ).action(async (flags: Flags) => {
    const given = flags.requestsPerSecond === undefined ? null : Number(flags.requestsPerSecond);
    if (given !== null && !(given > 0))
      throw new ExitError(2, `"${flags.requestsPerSecond ?? ''}" is not a number of requests per second.`);
    const plans: ServicePlan[] = [];
    for (const change of await compareWithBase(context, flags)) {
      const known = await context.checkout(flags.dir).traffic(change.service);
      plans.push(planChange(change, given === null ? known : scaled(known, given)));
    }
    const report = plans.map(({ change, ...plan }) => ({ ...plan, patch: change.patch }));
    if (flags.outputFormat === 'markdown') {
      context.stdout(renderPlanMarkdown(plans));
      return;
    }
    print(context, flags.outputFormat, report, () => (plans.length === 0 ? 'no change\n' : plans.map(renderPlan).join('\n')));
  });
}

/** The same service with more or fewer requests. */
function scaled({ summary, requestsPerSecond: before }: Traffic, requestsPerSecond: number): Traffic {
  const requests = summary?.metrics['error_rate']?.per_second ?? before ?? 0;
  if (summary === null || requests === 0) return { requestsPerSecond, summary: null };
  const metrics = Object.entries(summary.metrics).map(
    ([metric, one]) => [metric, { ...one, per_second: (one.per_second * requestsPerSecond) / requests }] as const,
  );
  return { requestsPerSecond, summary: { ...summary, metrics: Object.fromEntries(metrics) } };
}

function planChange(change: ServiceChange, traffic: Traffic): ServicePlan {
  const { from, to, service } = change;
  const nothing = {
    service,
    strategy: null,
    risk: from === null || to === null ? null : choose(from.config, to.config),
    chosen_because: null,
    stages: [],
    requests_per_second: traffic.requestsPerSecond,
    steps: [],
    shortest_ms: 0,
    expected_ms: 0,
    warnings: [],
    not_measured: null,
    change,
  };
  if (to === null) return { ...nothing, action: 'orphan' };
  if (from === null) return { ...nothing, action: 'first deployment', strategy: 'immediate' };
  if (from.digest === to.digest) return { ...nothing, action: 'none' };
  const { plan } = to;
  return {
    ...nothing,
    action: 'roll out',
    strategy: plan.kind,
    chosen_because: plan.choice,
    stages: plan.steps.map(describeStep),
    ...predict(plan, traffic),
    shortest_ms: shortestDurationMs(plan),
    not_measured: unwatched(plan.policy, traffic),
  };
}

function renderPlan(plan: ServicePlan): string {
  const lines = [renderChange(plan.change), `  action: ${plan.action}${plan.strategy === null ? '' : `, strategy ${plan.strategy}`}\n`];
  const { chosen_because: chosen } = plan;
  if (chosen !== null) lines.push(`  chosen: ${chosen.pace}, for ${chosen.change} (${chosen.paths.join(', ')})\n`);
  if (plan.steps.length > 0) {
    // The table says all there is to say of weights.
    if (plan.stages.some((stage) => !/^[0-9.]+ %$/.test(stage))) lines.push(`  steps: ${plan.stages.join(' -> ')}\n`);
    lines.push(indented(renderPrediction(plan.steps)), '\n');
    lines.push(
      `  at least ${formatDuration(plan.shortest_ms)}${plan.expected_ms === null ? '' : `, expected ${formatDuration(plan.expected_ms)}`}\n`,
    );
  }
  const missing = plan.not_measured ?? [];
  if (missing.length > 0) lines.push(`  not measured at present, so not judged: ${missing.map(metricName).join(', ')}\n`);
  for (const warning of plan.warnings) lines.push(`  warning: ${warning}\n`);
  return lines.join('');
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ').trimEnd();
}

/** The steps of a plan with what each waits for. */
export function renderPrediction(steps: readonly StepPrediction[]): string {
  const rows = steps.map((step) => [
    `${step.percentage} %`,
    formatDuration(step.hold_ms),
    step.samples_ms === null ? 'unknown traffic' : formatDuration(step.samples_ms),
    step.gate_ms === null ? '-' : `${formatDuration(step.gate_ms)} (${metricName(step.gate_metric ?? '')})`,
    detectionText(step),
    step.expected_ms === null ? '-' : formatDuration(step.expected_ms),
  ]);
  return renderTable([['WEIGHT', 'HOLD', 'SAMPLES', 'GATE', 'REGRESSION SEEN', 'EXPECTED'], ...rows]);
}

/** From the quickest metric to the slowest. */
function detectionText({ detect }: StepPrediction): string {
  const times = detect.flatMap(({ metric, ms }) => (ms === null ? [] : [{ metric, ms }])).sort((a, b) => a.ms - b.ms);
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return '-';
  return first === last ? formatDuration(first.ms) : `${formatDuration(first.ms)} to ${formatDuration(last.ms)}`;
}

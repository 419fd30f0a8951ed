import type { Command } from 'commander';
import { formatDuration } from '../../base/time.ts';
import { shortestDurationMs, stepDurationMs } from '../../domain/planning/plan.ts';
import { compareWithBase, type ServiceChange } from '../changes.ts';
import { ExitError, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';
import { renderChange } from './diff.ts';

interface Flags {
  readonly dir: string;
  readonly base: string;
  readonly service?: string;
  readonly requestsPerSecond?: string;
  readonly outputFormat: OutputFormat;
}

interface ServicePlan {
  readonly service: string;
  readonly action: 'roll out' | 'first deployment' | 'orphan' | 'none';
  readonly strategy: string | null;
  readonly requests_per_second: number | null;
  readonly steps: readonly { readonly percentage: number; readonly hold_ms: number; readonly expected_ms: number | null }[];
  readonly shortest_ms: number;
  readonly expected_ms: number | null;
  readonly warnings: readonly string[];
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
  ).action(async (flags: Flags) => {
    const given = flags.requestsPerSecond === undefined ? null : Number(flags.requestsPerSecond);
    if (given !== null && !(given > 0))
      throw new ExitError(2, `"${flags.requestsPerSecond ?? ''}" is not a number of requests per second.`);
    const plans: ServicePlan[] = [];
    for (const change of await compareWithBase(context, flags)) {
      plans.push(planChange(change, given ?? (await context.checkout(flags.dir).requestsPerSecond(change.service))));
    }
    const report = plans.map(({ change, ...plan }) => ({ ...plan, patch: change.patch }));
    print(context, flags.outputFormat, report, () => (plans.length === 0 ? 'no change\n' : plans.map(renderPlan).join('\n')));
  });
}

function planChange(change: ServiceChange, requestsPerSecond: number | null): ServicePlan {
  const { from, to, service } = change;
  const nothing = {
    service,
    strategy: null,
    requests_per_second: requestsPerSecond,
    steps: [],
    shortest_ms: 0,
    expected_ms: 0,
    warnings: [],
    change,
  };
  if (to === null) return { ...nothing, action: 'orphan' };
  if (from === null) return { ...nothing, action: 'first deployment', strategy: 'immediate' };
  if (from.digest === to.digest) return { ...nothing, action: 'none' };
  const { plan } = to;
  const steps = plan.steps.map((step) => ({
    percentage: step.weight,
    hold_ms: step.holdMs,
    expected_ms: stepDurationMs(step, plan.criteria.minSampleSize, requestsPerSecond),
  }));
  const expected = steps.some((step) => step.expected_ms === null) ? null : steps.reduce((sum, step) => sum + (step.expected_ms ?? 0), 0);
  const warnings: string[] = [];
  if (expected !== null && expected > plan.maxTotalMs) {
    warnings.push(
      `at ${requestsPerSecond ?? 0} requests/s this needs ${formatDuration(expected)}, and is paused for a person after ${formatDuration(plan.maxTotalMs)}: lower min_sample_size or raise max_total_duration_minutes`,
    );
  }
  if (!plan.autoRollback) warnings.push('automatic rollback is disabled: a failing canary is paused, and a person must act');
  return {
    ...nothing,
    action: 'roll out',
    strategy: plan.kind,
    steps,
    shortest_ms: shortestDurationMs(plan),
    expected_ms: expected,
    warnings,
  };
}

function renderPlan(plan: ServicePlan): string {
  const lines = [renderChange(plan.change), `  action: ${plan.action}${plan.strategy === null ? '' : `, strategy ${plan.strategy}`}\n`];
  if (plan.steps.length > 0) {
    const rows = plan.steps.map((step) => [
      `${step.percentage} %`,
      formatDuration(step.hold_ms),
      step.expected_ms === null ? 'unknown traffic' : formatDuration(step.expected_ms),
    ]);
    lines.push(
      renderTable([['WEIGHT', 'HOLD', 'EXPECTED'], ...rows])
        .replace(/^/gm, '  ')
        .trimEnd(),
      '\n',
    );
    lines.push(
      `  at least ${formatDuration(plan.shortest_ms)}${plan.expected_ms === null ? '' : `, expected ${formatDuration(plan.expected_ms)}`}\n`,
    );
  }
  for (const warning of plan.warnings) lines.push(`  warning: ${warning}\n`);
  return lines.join('');
}

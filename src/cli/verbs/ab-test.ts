/** A/B tests: ab-test (begin one, or compare canary and stable on one metric), ab-test-status, ab-test-promote. */
import { Option, type Command } from 'commander';
import { formatDuration } from '../../base/time.ts';
import type { CriterionFinding } from '../../domain/analysis/criteria.ts';
import { formatMetric, isQuantile, metricName, inPercent } from '../../domain/analysis/metric.ts';
import type { EvidenceRecord } from '../../domain/analysis/record.ts';
import { accepted, connect, deploymentQuestion, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';
import { renderCriteria } from '../status-text.ts';

interface Flags extends ApiOptions {
  readonly deploymentId?: string;
  readonly service?: string;
  readonly metric?: string;
  readonly minEffectSize?: string;
  readonly config?: string;
  readonly strategy?: string;
  readonly reason?: string;
  readonly testId: string;
  readonly winner: string;
  readonly watch?: true;
  readonly timeoutSeconds?: string;
  readonly outputFormat: OutputFormat;
}

const base = '/api/v1/actuator/ab-tests';

export function addAbTests(program: Command, context: CliContext): void {
  addAbTest(program, context);
  addStatus(program, context);
  addPromote(program, context);
}

function addAbTest(program: Command, context: CliContext): void {
  const command = program
    .command('ab-test')
    .description('begin a test of the variants in a file; or, without a file, compare the running canary with stable on one metric')
    .option('--config <file>', "YAML with variants and ab_test, merged onto the service's configuration and committed")
    .option(
      '--service <name>',
      'service (default: metadata.service of the file, or the only one; without a file, its deployment under way)',
    )
    .addOption(
      new Option('--strategy <name>', 'with --config: how traffic is divided between the variants').choices(['fixed', 'thompson-sampling']),
    )
    .option('--reason <text>', 'with --config: subject of the commit')
    .option('--deployment-id <id>', 'compare in this deployment')
    .option('--metric <name>', 'compare by this metric (default: quality_score); that of a test stands in its file')
    .option('--min-effect-size <d>', 'compare: difference in standard deviations (Cohen’s d) that matters; means only');
  withApi(withOutput(command)).action((flags: Flags) =>
    flags.config === undefined ? compareRunning(context, flags) : begin(context, flags, flags.config),
  );
}

interface Deployed {
  readonly service: string;
  readonly commit: string;
  readonly deployment_id: string | null;
  readonly pull_request: { readonly number: number; readonly url: string } | null;
}

async function begin(context: CliContext, flags: Flags, file: string): Promise<void> {
  const stray = (['deploymentId', 'metric', 'minEffectSize'] as const).filter((key) => flags[key] !== undefined);
  if (stray.length > 0)
    throw new ExitError(2, '--deployment-id, --metric and --min-effect-size do not go with --config: the file says what is compared.');
  const config = await context.readFile(file);
  if (config === null) throw new ExitError(2, `There is no file ${file}.`);
  const { service, strategy, reason } = flags;
  const client = await connect(context, flags);
  const request = {
    config,
    ...(service === undefined ? {} : { service }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(reason === undefined ? {} : { reason }),
  };
  const begun = accepted<Deployed>(await client.post(base, request));
  print(context, flags.outputFormat, { ...begun, test_id: begun.deployment_id }, () => {
    const { commit, deployment_id: id, pull_request: pull } = begun;
    if (pull !== null) return `opened pull request #${pull.number}: ${pull.url}\n`;
    const next = id === null ? `actuator status --service ${begun.service}` : `actuator ab-test-status --test-id ${id} --watch`;
    return `committed ${commit.slice(0, 12)} for ${begun.service}${id === null ? '' : `, test ${id}`}; follow it with: ${next}\n`;
  });
}

async function compareRunning(context: CliContext, flags: Flags): Promise<void> {
  if (flags.strategy !== undefined || flags.reason !== undefined)
    throw new ExitError(2, '--strategy and --reason need --config, the file with the variants.');
  const least = flags.minEffectSize === undefined ? null : Number(flags.minEffectSize);
  if (least !== null && !(least >= 0))
    throw new ExitError(2, `"${flags.minEffectSize ?? ''}" is no effect size; write a number such as 0.05.`);
  const client = await connect(context, flags);
  const id = await deploymentOf(client, flags);
  const record = accepted<EvidenceRecord>(await client.get(`/api/v1/actuator/deployments/${encodeURIComponent(id)}/evidence`));
  const comparison = compareOn(record, flags.metric ?? 'quality_score', least);
  print(context, flags.outputFormat, comparison, () => renderComparison(comparison));
}

interface TestStatus {
  readonly test_id: string;
  readonly service: string;
  readonly phase: string;
  readonly verdict: string;
  readonly reason: string;
  readonly winner: string | null;
  readonly promoted: string | null;
  readonly metric: string;
  readonly rules: {
    readonly strategy: string;
    readonly min_sample_size: number;
    readonly significance_level: number;
    readonly ends_at: string | null;
  } | null;
  readonly arms: readonly {
    readonly name: string;
    readonly percentage: number | null;
    readonly samples: number;
    readonly mean: number | null;
    readonly p_value: number | null;
    readonly traffic: Traffic | null;
  }[];
  readonly control: (Traffic & { readonly percentage: number }) | null;
}

interface Traffic {
  readonly requests: number;
  readonly errors: number;
}

function addStatus(program: Command, context: CliContext): void {
  const command = program
    .command('ab-test-status')
    .description('what a test of variants has found so far')
    .requiredOption('--test-id <id>', 'the test: its deployment')
    .option('-w, --watch', 'go on until the test has ended or waits for a person; exit code 1 when it ended badly')
    .option('--timeout-seconds <n>', 'with --watch: give up after this long, exit code 1');
  withApi(withOutput(command)).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    if (flags.timeoutSeconds !== undefined && flags.watch !== true) throw new ExitError(2, '--timeout-seconds goes with --watch.');
    const load = async (): Promise<TestStatus> => accepted<TestStatus>(await client.get(`${base}/${encodeURIComponent(flags.testId)}`));
    const status = flags.watch === true ? await watch(context, flags, load) : await load();
    print(context, flags.outputFormat, status, () => renderTest(status, context.now()));
    if (flags.watch === true && endedBadly.has(status.phase)) throw new ExitError(1, '');
  });
}

const endedBadly: ReadonlySet<string> = new Set(['rolled-back', 'held', 'failed', 'rejected']);
const underWay: ReadonlySet<string> = new Set(['pending', 'progressing', 'promoting', 'rolling-back', 'recovering']);

/** On a terminal the picture is redrawn; otherwise the last one is printed. */
async function watch(context: CliContext, flags: Flags, load: () => Promise<TestStatus>): Promise<TestStatus> {
  const seconds = flags.timeoutSeconds === undefined ? Infinity : Number(flags.timeoutSeconds);
  if (Number.isNaN(seconds)) throw new ExitError(2, `--timeout-seconds takes a number, not "${flags.timeoutSeconds ?? ''}".`);
  const giveUpAt = context.now() + seconds * 1000;
  for (;;) {
    const status = await load();
    if (!underWay.has(status.phase)) return status;
    if (context.isTerminal && flags.outputFormat === 'table') context.redraw(renderTest(status, context.now()));
    if (context.now() > giveUpAt)
      throw new ExitError(1, `Still ${status.phase} after ${flags.timeoutSeconds ?? ''} seconds: ${status.reason}`);
    await context.sleep(1000);
  }
}

function renderTest(status: TestStatus, now: number): string {
  const { rules, metric } = status;
  const lines = [`${status.service}  ${status.test_id}  ${status.phase}: ${status.reason}\n`];
  if (rules !== null) {
    const left = rules.ends_at === null ? '' : `, ${formatDuration(Math.max(0, Date.parse(rules.ends_at) - now))} left`;
    lines.push(
      `by ${metricName(metric)}, ${rules.strategy}, ${rules.min_sample_size} values an arm, significance ${rules.significance_level}${left}\n`,
    );
  }
  const head = [
    'ARM',
    'TRAFFIC',
    'N',
    isQuantile(metric) ? 'SLOWER THAN STABLE' : metricName(metric).toUpperCase(),
    'P',
    'REQUESTS (5 MIN)',
    'ERRORS',
  ];
  const rows = status.arms.map((arm) => [
    `${arm.name}${arm.name === status.promoted ? ' (promoted)' : arm.name === status.winner ? ' (winner)' : ''}`,
    arm.percentage === null ? '-' : `${arm.percentage.toFixed(1)} %`,
    String(arm.samples),
    isQuantile(metric) ? inPercent(arm.mean) : formatMetric(metric, arm.mean),
    arm.p_value === null ? '-' : arm.p_value.toPrecision(2),
    ...trafficCells(arm.traffic),
  ]);
  const { control } = status;
  if (control !== null) rows.push(['(stable)', `${control.percentage.toFixed(1)} %`, '-', '-', '-', ...trafficCells(control)]);
  lines.push(renderTable([head, ...rows]));
  return lines.join('');
}

function trafficCells(traffic: Traffic | null): readonly string[] {
  if (traffic === null) return ['-', '-'];
  const { requests, errors } = traffic;
  return [String(requests), requests === 0 ? '-' : `${((100 * errors) / requests).toFixed(1)} %`];
}

function addPromote(program: Command, context: CliContext): void {
  const command = program
    .command('ab-test-promote')
    .description('end a test of variants by promoting one of them')
    .requiredOption('--test-id <id>', 'the test: its deployment')
    .option('--winner <arm>', 'name of the arm, or auto: the one that is proven to be the best', 'auto')
    .option('--reason <text>', 'why');
  withApi(withOutput(command)).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    const { winner, reason, testId } = flags;
    const request = { winner, ...(reason === undefined ? {} : { reason }) };
    const done = accepted<{ readonly service: string }>(await client.post(`${base}/${encodeURIComponent(testId)}/promote`, request));
    print(context, flags.outputFormat, done, () => `${done.service}: the arm of ${testId} is being promoted\n`);
  });
}

async function deploymentOf(client: Awaited<ReturnType<typeof connect>>, flags: Flags): Promise<string> {
  if (flags.deploymentId !== undefined) return flags.deploymentId;
  const reply = accepted<{ readonly deployment_id: string }>(
    await client.get(`/api/v1/actuator/sample-size?${await deploymentQuestion(client, flags)}`),
  );
  return reply.deployment_id;
}

interface Comparison {
  readonly deployment_id: string;
  readonly finding: CriterionFinding;
  readonly classical: EvidenceRecord['classical']['findings'][number] | null;
  readonly note: string;
  readonly conclusion: string;
}

function compareOn(
  { deployment_id: id, judgement, classical, policy }: EvidenceRecord,
  metric: string,
  leastEffect: number | null,
): Comparison {
  const finding = judgement.criteria.find((one) => one.metric === metric);
  if (finding === undefined) {
    const names = judgement.criteria.map((one) => one.metric).join(', ');
    throw refused([{ code: 'not-found', message: `"${metric}" is not judged in ${id}; there is ${names}.` }]);
  }
  const report = classical.findings.find((one) => one.metric === metric) ?? null;
  return {
    deployment_id: id,
    finding,
    classical: report,
    note: classical.note,
    conclusion: conclusionOf(finding, policy.alpha, leastEffect),
  };
}

function conclusionOf(
  { interval, effect_size: effect, metric, canary_samples: n }: CriterionFinding,
  alpha: number,
  leastEffect: number | null,
): string {
  const name = metricName(metric);
  if (n === 0) return `nothing is known of ${name} on the canary yet`;
  if (leastEffect !== null && effect !== null && Math.abs(effect) < leastEffect)
    return `the difference is ${Math.abs(effect).toFixed(3)} standard deviations, smaller than the ${leastEffect} that matter`;
  if (interval === null)
    return isQuantile(metric)
      ? `no interval for ${name}: quantiles are judged by counts`
      : `no interval for ${name}: its values do not spread`;
  const confidence = `${((1 - alpha) * 100).toFixed(0)} %`;
  if (interval[0] > 0) return `the canary is higher, at ${confidence} confidence, however often one looks`;
  return interval[1] < 0 ? `the canary is lower, at ${confidence} confidence, however often one looks` : 'no difference is established yet';
}

function renderComparison({ deployment_id: id, finding, classical, note, conclusion }: Comparison): string {
  const lines = [`${id}\n`, renderCriteria([finding]), `${conclusion}\n`];
  if (classical !== null && classical.test !== 'none') {
    const interval = classical.fixed_horizon_interval;
    const range =
      interval === null
        ? ''
        : `, ${(classical.interval_confidence * 100).toFixed(0)} % interval ${interval.map((end) => end.toPrecision(3)).join(' to ')}`;
    const effect = classical.effect_size === null ? '' : `, Cohen’s d ${classical.effect_size.toFixed(3)}`;
    lines.push(
      `fixed horizon (${classical.test}): p ${classical.fixed_horizon_p_value?.toPrecision(3) ?? '-'}${range}${effect}\n`,
      `${note}\n`,
    );
  }
  return lines.join('');
}

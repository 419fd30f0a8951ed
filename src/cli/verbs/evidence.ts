/** sample-size and ab-test: how much more a running deployment needs, and how its variants compare on one metric. */
import type { Command } from 'commander';
import { formatDuration } from '../../base/time.ts';
import type { CriterionFinding } from '../../domain/analysis/criteria.ts';
import { isQuantile, metricName } from '../../domain/analysis/metric.ts';
import type { EvidenceRecord } from '../../domain/analysis/record.ts';
import type { StepPrediction } from '../../domain/planning/prediction.ts';
import { accepted, connect, deploymentQuestion, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';
import { renderCriteria } from '../status-text.ts';
import { renderPrediction } from './plan.ts';

interface Flags extends ApiOptions {
  readonly deploymentId?: string;
  readonly service?: string;
  readonly outputFormat: OutputFormat;
}

interface SampleSizeReply {
  readonly service: string;
  readonly deployment_id: string;
  readonly percentage: number;
  readonly step: number;
  readonly step_requests: number;
  readonly step_requests_needed: number;
  readonly requests_per_second: number;
  readonly remaining_ms: number | null;
  readonly metrics: readonly {
    readonly metric: string;
    readonly canary_samples: number;
    readonly stable_samples: number;
    readonly step_samples: number;
    readonly verdict: string;
    readonly design_effect: number;
  }[];
  readonly steps: readonly StepPrediction[];
  readonly warnings: readonly string[];
}

export function addSampleSize(program: Command, context: CliContext): void {
  const command = program
    .command('sample-size')
    .description('samples that the running deployment has and needs, and how long each step will take at this traffic')
    .option('--deployment-id <id>', 'this deployment')
    .option('--service <name>', 'the deployment under way of this service');
  withApi(withOutput(command)).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    const reply = accepted<SampleSizeReply>(await client.get(`/api/v1/actuator/sample-size?${await deploymentQuestion(client, flags)}`));
    print(context, flags.outputFormat, reply, () => renderSampleSize(reply));
  });
}

function renderSampleSize(reply: SampleSizeReply): string {
  const remaining =
    reply.remaining_ms === null
      ? 'no traffic comes'
      : reply.remaining_ms === 0
        ? 'enough'
        : `${formatDuration(reply.remaining_ms)} more at this traffic`;
  return [
    `${reply.service}  ${reply.deployment_id}  step ${reply.step} (${reply.percentage} %), ${reply.requests_per_second} requests/s\n`,
    `canary requests in this step: ${reply.step_requests} of ${reply.step_requests_needed}, ${remaining}\n`,
    renderTable([
      ['METRIC', 'CANARY', 'STABLE', 'THIS STEP', 'COUNT AS', 'VERDICT'],
      ...reply.metrics.map((row) => [
        metricName(row.metric),
        String(row.canary_samples),
        String(row.stable_samples),
        String(row.step_samples),
        // Requests of the same keys repeat each other.
        row.design_effect === 1 ? String(row.canary_samples) : Math.round(row.canary_samples / row.design_effect).toString(),
        row.verdict,
      ]),
    ]),
    renderPrediction(reply.steps),
    ...reply.warnings.map((warning) => `warning: ${warning}\n`),
  ].join('');
}

interface AbTestFlags extends Flags {
  readonly metric: string;
  readonly minEffectSize?: string;
  readonly config?: string;
}

export function addAbTest(program: Command, context: CliContext): void {
  const command = program
    .command('ab-test')
    .description('compare the variants of the running deployment on one metric')
    .option('--deployment-id <id>', 'this deployment')
    .option('--service <name>', 'the deployment under way of this service')
    .option('--metric <name>', 'metric to compare by', 'quality_score')
    .option('--min-effect-size <d>', 'difference in standard deviations (Cohen’s d) that matters; means only')
    .option('--config <file>', 'refused: tests of several variants are not offered yet');
  withApi(withOutput(command)).action(async (flags: AbTestFlags) => {
    if (flags.config !== undefined)
      throw refused([
        { code: 'not-in-effect', message: '--config is not offered in this version: a deployment has two variants, canary and stable.' },
      ]);
    const least = flags.minEffectSize === undefined ? null : Number(flags.minEffectSize);
    if (least !== null && !(least >= 0))
      throw new ExitError(2, `"${flags.minEffectSize ?? ''}" is no effect size; write a number such as 0.05.`);
    const client = await connect(context, flags);
    const id = await deploymentOf(client, flags);
    const record = accepted<EvidenceRecord>(await client.get(`/api/v1/actuator/deployments/${encodeURIComponent(id)}/evidence`));
    const comparison = compareOn(record, flags.metric, least);
    print(context, flags.outputFormat, comparison, () => renderComparison(comparison));
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

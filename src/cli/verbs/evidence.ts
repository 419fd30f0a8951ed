/** sample-size: how much more a running deployment needs. */
import type { Command } from 'commander';
import { formatDuration } from '../../base/time.ts';
import { metricName } from '../../domain/analysis/metric.ts';
import type { StepPrediction } from '../../domain/planning/prediction.ts';
import { accepted, connect, deploymentQuestion, withApi, type ApiOptions } from '../api-options.ts';
import type { CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';
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

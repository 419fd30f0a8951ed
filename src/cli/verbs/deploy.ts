import type { Command } from 'commander';
import type { DeployRequest, LlmConfigDeploymentStrategy } from '../../generated/types.ts';
import { accepted, connect, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';

interface Flags extends ApiOptions {
  readonly config?: string;
  readonly template?: string;
  readonly dir: string;
  readonly service?: string;
  readonly strategy?: string;
  readonly initialPercentage?: string;
  readonly rolloutDuration?: string;
  readonly steps?: string;
  readonly keepBlueDuration?: string;
  readonly autoRollback?: boolean;
  readonly minSampleSize?: string;
  readonly confidenceLevel?: string;
  readonly incidentReference?: string;
  readonly reason?: string;
  readonly skipValidation?: true;
  readonly outputFormat: OutputFormat;
}

interface Deployed {
  readonly service: string;
  readonly commit: string;
  readonly deployment_id: string | null;
  readonly pull_request: { readonly number: number; readonly url: string } | null;
}

export function addDeploy(program: Command, context: CliContext): void {
  withApi(
    withOutput(
      program
        .command('deploy')
        .description("merge a file onto a service's configuration and commit it; the rollout follows from the commit")
        .option('--config <file>', 'YAML to merge (RFC 7396: null removes a key)')
        .option('--template <name>', 'templates/<name>.yaml of the checkout instead of a file')
        .option('--dir <dir>', 'checkout with the templates', '.')
        .option('--service <name>', 'service (default: metadata.service of the file, or the only one)')
        .option('--strategy <name>', 'canary, blue-green, rolling, shadow, immediate or auto')
        .option('--keep-blue-duration <time>', 'blue-green: how long blue is kept ready, such as 24h')
        .option('--initial-percentage <n>', 'weight of the first step')
        .option('--rollout-duration <minutes>', 'scale the holds so that they add up to this')
        .option('--steps <list>', 'weights, such as "10,50,100"; each is held equally long')
        .option('--auto-rollback', 'roll back by itself (the default)')
        .option('--no-auto-rollback', 'pause instead of rolling back')
        .option('--min-sample-size <n>', 'canary requests that each step needs')
        .option('--confidence-level <p>', 'confidence that it keeps its margins, before it gets all traffic')
        .option('--incident-reference <id>', 'incident that this answers')
        .option('--reason <text>', 'subject of the commit')
        .option('--skip-validation', 'refused: nothing is served unchecked'),
    ),
  ).action(async (flags: Flags) => {
    if (flags.skipValidation === true) {
      throw refused([
        {
          code: 'not-in-effect',
          message: '--skip-validation is refused: no gateway could serve a configuration that does not pass validation.',
        },
      ]);
    }
    const request = await requestOf(context, flags);
    const client = await connect(context, flags);
    const deployed = accepted<Deployed>(await client.post('/api/v1/actuator/deploy', request));
    print(context, flags.outputFormat, deployed, () => describe(deployed));
  });
}

function describe({ commit, service, deployment_id: id, pull_request: pull }: Deployed): string {
  if (pull !== null) return `opened pull request #${pull.number} for ${service}: ${pull.url}\n`;
  const target = id === null ? `--service ${service}` : `--deployment-id ${id}`;
  return `committed ${commit.slice(0, 12)} for ${service}${id === null ? '' : `, ${id}`}; follow it with: actuator status ${target} --follow\n`;
}

async function requestOf(context: CliContext, flags: Flags): Promise<DeployRequest> {
  const strategy = strategyOf(flags);
  return {
    config: await configOf(context, flags),
    ...(flags.service === undefined ? {} : { service: flags.service }),
    ...(Object.keys(strategy).length === 0 ? {} : { strategy }),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    ...(flags.incidentReference === undefined ? {} : { incident_reference: flags.incidentReference }),
  };
}

async function configOf(context: CliContext, flags: Flags): Promise<string> {
  if ((flags.config === undefined) === (flags.template === undefined))
    throw new ExitError(2, 'Give either --config FILE or --template NAME.');
  const path = flags.config ?? `${flags.dir}/templates/${flags.template ?? ''}.yaml`;
  const text = await context.readFile(path);
  if (text === null) throw new ExitError(2, `There is no file ${path}.`);
  return text;
}

function strategyOf(flags: Flags): LlmConfigDeploymentStrategy {
  const criteria = {
    ...numberIf('min_sample_size', flags.minSampleSize, '--min-sample-size'),
    ...numberIf('confidence_level', flags.confidenceLevel, '--confidence-level'),
  };
  return {
    ...(flags.strategy === undefined ? {} : { type: flags.strategy }),
    ...numberIf('initial_percentage', flags.initialPercentage, '--initial-percentage'),
    ...(flags.rolloutDuration === undefined ? {} : { rollout_duration_minutes: durationOf(flags.rolloutDuration) }),
    ...(flags.steps === undefined ? {} : { steps: stepsOf(flags.steps) }),
    ...(flags.keepBlueDuration === undefined ? {} : { keep_blue_duration: durationOf(flags.keepBlueDuration) }),
    ...(flags.autoRollback === undefined ? {} : { auto_rollback: flags.autoRollback }),
    ...(Object.keys(criteria).length === 0 ? {} : { success_criteria: criteria }),
  };
}

function numberIf<K extends string>(key: K, text: string | undefined, flag: string): { [key in K]?: number } {
  return text === undefined ? {} : ({ [key]: numberOf(text, flag) } as { [key in K]?: number });
}

/** Each step is held for 15 minutes, the guide's shortest; --rollout-duration scales them. */
function stepsOf(list: string): { percentage: number; duration_minutes: number }[] {
  return list.split(',').map((weight) => ({ percentage: numberOf(weight.trim(), '--steps'), duration_minutes: 15 }));
}

function durationOf(text: string): number | string {
  return /^[0-9.]+$/.test(text) ? numberOf(text, '--rollout-duration') : text;
}

function numberOf(text: string, flag: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value)) return value;
  throw new ExitError(2, `${flag} takes a number, not "${text}".`);
}

/** Orders to a deployment, a service, or all of them: one verb for each route. */
import { Option, type Command } from 'commander';
import type { OperatorCommand } from '../../generated/types.ts';
import { accepted, connect, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, type CliContext } from '../context.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';

export interface TargetFlags extends ApiOptions {
  readonly service?: string;
  readonly deploymentId?: string;
  readonly reason?: string;
  readonly outputFormat: OutputFormat;
}

interface Flags extends TargetFlags {
  readonly percentage?: string;
  readonly additionalMinutes?: string;
  readonly durationMinutes?: string;
  readonly full?: true;
  readonly digest?: string;
  readonly timeout?: string;
}

export interface Ordered {
  readonly service: string;
  readonly deployment_id: string | null;
}

interface Verb {
  readonly name: string;
  readonly done: string;
  readonly description: string;
  readonly options?: readonly Option[];
}

const percentage = new Option('--percentage <n>', 'percent of traffic').makeOptionMandatory();
const verbs: readonly Verb[] = [
  { name: 'pause', done: 'paused', description: 'hold a deployment at its present weight' },
  { name: 'resume', done: 'resumed', description: 'go on with a paused deployment; alone, after a drain: end that' },
  { name: 'abort', done: 'aborting', description: 'stop a deployment that is not promoted yet, and return to stable' },
  {
    name: 'promote',
    done: 'promoted',
    description: 'go on to the next step without waiting for the judge',
    options: [new Option('--full', 'to the end, at once')],
  },
  { name: 'cutover', done: 'cutting over', description: 'move the traffic from blue to green' },
  { name: 'adjust-traffic', done: 'adjusted', description: "set the canary's weight and go on from there", options: [percentage] },
  { name: 'reduce-traffic', done: 'reduced and paused', description: "lower the canary's weight and wait", options: [percentage] },
  {
    name: 'extend-phase',
    done: 'extended',
    description: 'hold the present step, and the deadline, for longer',
    options: [new Option('--additional-minutes <n>', 'minutes, or a time such as 90s').makeOptionMandatory()],
  },
  {
    name: 'pause-auto-rollback',
    done: 'automatic rollback is paused for',
    description: 'let verdicts roll nothing back for a while, four hours at the most',
    options: [new Option('--duration-minutes <n>', 'minutes, or a time such as 90s').makeOptionMandatory()],
  },
  { name: 'arm-auto-rollback', done: 'automatic rollback is armed for', description: 'let verdicts roll back again, also what is watched' },
  { name: 'rebalance', done: 'drawn anew', description: 'draw anew which requests or users go to the canary' },
  { name: 'restart-monitoring', done: 'judged anew from now on', description: 'let the judge begin anew with what comes from now on' },
  {
    name: 'retry',
    done: 'lifted the quarantine for',
    description: 'try a content again that was rolled back',
    options: [new Option('--digest <digest>', 'which (default: what the branch holds)')],
  },
  { name: 'freeze', done: 'frozen', description: 'let nothing start, and hold up what is under way; without --service: everywhere' },
  { name: 'unfreeze', done: 'no longer frozen', description: 'end a freeze or a drain' },
];

export function addOperate(program: Command, context: CliContext): void {
  for (const { name, done, description, options = [] } of verbs) {
    const command = withTarget(program.command(name).description(description));
    for (const option of options) command.addOption(option);
    command.action(async (flags: Flags) => {
      const client = await connect(context, flags);
      const ordered = accepted<Ordered>(await client.post(`/api/v1/actuator/${name}`, requestOf(flags)));
      print(context, flags.outputFormat, ordered, () => `${done} ${nameOf(ordered)}\n`);
    });
  }
  addDrain(program, context);
}

export function nameOf({ service, deployment_id: id }: Ordered): string {
  return id === null ? service : `${id} (${service})`;
}

export function withTarget(command: Command): Command {
  command
    .option('--deployment-id <id>', 'the deployment')
    .option('--service <name>', 'the service, where there are several')
    .option('--reason <text>', 'why, for the record');
  return withApi(withOutput(command));
}

export function targetOf(flags: TargetFlags): Pick<OperatorCommand, 'service' | 'deployment_id' | 'reason'> {
  return {
    ...(flags.service === undefined ? {} : { service: flags.service }),
    ...(flags.deploymentId === undefined ? {} : { deployment_id: flags.deploymentId }),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
  };
}

function requestOf(flags: Flags): OperatorCommand {
  return {
    ...targetOf(flags),
    ...(flags.percentage === undefined ? {} : { percentage: numberOf(flags.percentage, '--percentage') }),
    ...(flags.additionalMinutes === undefined ? {} : { additional_minutes: minutesOf(flags.additionalMinutes, '--additional-minutes') }),
    ...(flags.durationMinutes === undefined ? {} : { duration_minutes: minutesOf(flags.durationMinutes, '--duration-minutes') }),
    ...(flags.full === undefined ? {} : { full: flags.full }),
    ...(flags.digest === undefined ? {} : { digest: flags.digest }),
  };
}

/** A number of minutes, or text with its unit. */
export function minutesOf(text: string, flag: string): number | string {
  return /^[0-9.]+(ms|s|m|h|d)$/.test(text) ? text : numberOf(text, flag);
}

function numberOf(text: string, flag: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value)) return value;
  throw new ExitError(2, `${flag} takes a number, not "${text}".`);
}

/** Before an upgrade (guide 11.5): nothing starts any more, and what is under way is waited for. */
function addDrain(program: Command, context: CliContext): void {
  withTarget(program.command('drain').description('let nothing start, and wait until what is under way has ended; `resume` ends it'))
    .option('--timeout <seconds>', 'give up waiting after this long, exit code 1', '3600')
    .action(async (flags: Flags) => {
      const client = await connect(context, flags);
      const limit = numberOf(flags.timeout ?? '', '--timeout') * 1000;
      accepted<Ordered>(await client.post('/api/v1/actuator/drain', { ...targetOf(flags), reason: flags.reason ?? 'drain' }));
      const startedAt = context.now();
      for (;;) {
        const { services } = accepted<{ readonly services: readonly { readonly service: string; readonly phase: string }[] }>(
          await client.get('/api/v1/actuator/list-active'),
        );
        const own = services.filter(
          ({ service, phase }) => phase !== 'pending' && (flags.service === undefined || flags.service === service),
        );
        if (own.length === 0) break;
        const left = own.map(({ service, phase }) => `${service} (${phase})`).join(', ');
        if (context.now() - startedAt > limit)
          throw new ExitError(
            1,
            `Still under way after ${flags.timeout ?? ''} seconds: ${left}. Nothing new starts; \`actuator resume\` ends the drain.`,
          );
        await context.sleep(1000);
      }
      print(
        context,
        flags.outputFormat,
        { drained: true },
        () => 'drained: nothing is under way, and nothing starts until `actuator resume`\n',
      );
    });
}

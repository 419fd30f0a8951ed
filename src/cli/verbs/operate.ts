/** pause, resume, rollback. */
import type { Command } from 'commander';
import type { RollbackRequest } from '../../generated/types.ts';
import { accepted, connect, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';

interface Flags extends ApiOptions {
  readonly service?: string;
  readonly deploymentId?: string;
  readonly reason?: string;
  readonly outputFormat: OutputFormat;
}

interface RollbackFlags extends Flags {
  readonly scope: string;
  readonly gradual?: true;
  readonly durationMinutes?: string;
  readonly toVersion?: string;
  readonly config?: string;
}

interface Ordered {
  readonly service: string;
  readonly deployment_id: string;
}

export function addOperate(program: Command, context: CliContext): void {
  const verbs = [
    ['pause', 'paused', 'hold a deployment at its present weight'],
    ['resume', 'resumed', 'go on with a paused deployment'],
  ] as const;
  for (const [verb, done, description] of verbs) {
    withTarget(program.command(verb).description(description)).action(async (flags: Flags) => {
      const client = await connect(context, flags);
      const ordered = accepted<Ordered>(await client.post(`/api/v1/actuator/${verb}`, targetOf(flags)));
      print(context, flags.outputFormat, ordered, () => `${done} ${ordered.deployment_id} (${ordered.service})\n`);
    });
  }
  addRollback(program, context);
}

function withTarget(command: Command): Command {
  command
    .option('--deployment-id <id>', 'the deployment')
    .option('--service <name>', 'the service, where there are several')
    .option('--reason <text>', 'why, for the record');
  return withApi(withOutput(command));
}

function targetOf(flags: Flags): Record<string, string> {
  return {
    ...(flags.service === undefined ? {} : { service: flags.service }),
    ...(flags.deploymentId === undefined ? {} : { deployment_id: flags.deploymentId }),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
  };
}

function addRollback(program: Command, context: CliContext): void {
  withTarget(
    program
      .command('rollback')
      .description('back to stable, or to the revision before the promoted one: traffic first, then a revert commit'),
  )
    .option('--immediate', 'all traffic at once (the default)')
    .option('--scope <scope>', 'all, or canary: refuse to undo what was promoted already', 'all')
    .option('--gradual', 'not offered yet')
    .option('--duration-minutes <n>', 'not offered yet')
    .option('--to-version <id>', 'not offered yet')
    .option('--config <file>', 'not offered yet')
    .action(async (flags: RollbackFlags) => {
      refuseWhatIsMissing(flags);
      if (flags.reason === undefined) throw new ExitError(2, 'A rollback needs --reason "...": it goes into the revert commit.');
      if (flags.scope !== 'all' && flags.scope !== 'canary') throw new ExitError(2, `--scope takes all or canary, not "${flags.scope}".`);
      const client = await connect(context, flags);
      const request: RollbackRequest = { ...targetOf(flags), reason: flags.reason, immediate: true, scope: flags.scope };
      const ordered = accepted<Ordered>(await client.post('/api/v1/actuator/rollback', request));
      print(
        context,
        flags.outputFormat,
        ordered,
        () =>
          `rolling back ${ordered.deployment_id} (${ordered.service}); follow it with: actuator status --service ${ordered.service} --follow\n`,
      );
    });
}

function refuseWhatIsMissing(flags: RollbackFlags): void {
  const asked = [
    flags.gradual === true ? '--gradual' : null,
    flags.durationMinutes === undefined ? null : '--duration-minutes',
    flags.toVersion === undefined ? null : '--to-version',
    flags.config === undefined ? null : '--config',
  ].filter((flag) => flag !== null);
  if (asked.length === 0) return;
  throw refused([
    {
      code: 'not-in-effect',
      message: `${asked.join(', ')} is not offered in this version. Without it the rollback is immediate; for an older revision, revert the commit in Git.`,
    },
  ]);
}

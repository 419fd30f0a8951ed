import type { Command } from 'commander';
import type { RollbackFile, RollbackRequest } from '../../generated/types.ts';
import { accepted, connect } from '../api-options.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print } from '../output.ts';
import { minutesOf, nameOf, targetOf, withTarget, type Ordered, type TargetFlags } from './operate.ts';

interface Flags extends TargetFlags {
  readonly immediate?: true;
  readonly gradual?: true;
  readonly durationMinutes?: string;
  readonly scope?: string;
  readonly toVersion?: string;
  readonly config?: string;
}

export function addRollback(program: Command, context: CliContext): void {
  withTarget(
    program
      .command('rollback')
      .description('back to stable, to the revision before the promoted one, or to a version: traffic first, then a revert commit'),
  )
    .option('--immediate', 'all traffic at once (the default)')
    .option('--gradual', 'in ten parts over --duration-minutes, and at once if the judge finds it bad')
    .option('--duration-minutes <n>', 'of a gradual rollback (default: 30)')
    .option('--scope <scope>', 'all (the default), or canary: refuse to undo what was promoted already')
    .option('--to-version <id>', 'commit, digest or deployment that was in force')
    .option('--config <file>', 'a request file; flags win over what it says')
    .action(async (flags: Flags) => {
      const request = { ...(await fileRequest(context, flags.config)), ...flagRequest(flags) };
      if (request.reason === undefined) throw new ExitError(2, 'A rollback needs --reason "...": it goes into the revert commit.');
      const client = await connect(context, flags);
      const ordered = accepted<Ordered>(await client.post('/api/v1/actuator/rollback', request));
      const follow = `actuator status --service ${ordered.service} --follow`;
      print(context, flags.outputFormat, ordered, () => `rolling back ${nameOf(ordered)}; follow it with: ${follow}\n`);
    });
}

function flagRequest(flags: Flags): Partial<RollbackRequest> {
  if (flags.scope !== undefined && flags.scope !== 'all' && flags.scope !== 'canary')
    throw new ExitError(2, `--scope takes all or canary, not "${flags.scope}".`);
  return {
    ...targetOf(flags),
    ...(flags.scope === undefined ? {} : { scope: flags.scope }),
    // One of them on the command line takes the other out of the file.
    ...(flags.immediate === true ? { immediate: true, ...(flags.gradual === true ? {} : { gradual: false }) } : {}),
    ...(flags.gradual === true ? { gradual: true, ...(flags.immediate === true ? {} : { immediate: false }) } : {}),
    ...(flags.durationMinutes === undefined ? {} : { duration_minutes: minutesOf(flags.durationMinutes, '--duration-minutes') }),
    ...(flags.toVersion === undefined ? {} : { to_version: flags.toVersion }),
  };
}

async function fileRequest(context: CliContext, file: string | undefined): Promise<Partial<RollbackRequest>> {
  if (file === undefined) return {};
  const text = await context.readFile(file);
  if (text === null) throw new ExitError(2, `There is no file ${file}.`);
  const document = context.read('rollback-file', text, file);
  if (!document.ok) throw refused(document.error);
  const { options, ...rest }: RollbackFile = document.value.value;
  return { ...rest, ...options };
}

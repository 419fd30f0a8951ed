import type { Command } from 'commander';
import { shortDigest } from '../../domain/config/digest.ts';
import { ExitError, type CliContext } from '../context.ts';
import { compareWithBase, type ServiceChange } from '../changes.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';

interface Flags {
  readonly dir: string;
  readonly base: string;
  readonly service?: string;
  readonly outputFormat: OutputFormat;
}

export function addDiff(program: Command, context: CliContext): void {
  withOutput(
    program
      .command('diff')
      .description('what changes for the services, as JSON Patch (RFC 6902); exit code 1 when something does')
      .option('--dir <dir>', 'checkout of the repository', '.')
      .option('--base <ref>', 'commit, branch or tag to compare the files on disk with', 'HEAD')
      .option('--service <name>', 'this service only'),
  ).action(async (flags: Flags) => {
    const changes = await compareWithBase(context, flags);
    const report = changes.map(({ service, from, to, patch }) => ({ service, from: from?.digest ?? null, to: to?.digest ?? null, patch }));
    print(context, flags.outputFormat, report, () => (changes.length === 0 ? 'no change\n' : changes.map(renderChange).join('\n')));
    if (changes.length > 0) throw new ExitError(1, '');
  });
}

export function renderChange({ service, from, to, patch }: ServiceChange): string {
  const digests = `${from === null ? 'new' : shortDigest(from.digest)} -> ${to === null ? 'gone' : shortDigest(to.digest)}`;
  const note = from?.digest === to?.digest ? ' (serves the same: no deployment)' : '';
  return `${service}  ${digests}${note}\n${patch.map((operation) => `  ${JSON.stringify(operation)}\n`).join('')}`;
}

import type { Command } from 'commander';
import { shortDigest } from '../../domain/config/digest.ts';
import { accepted, connect, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, type CliContext } from '../context.ts';
import { compareWithBase, type ServiceChange } from '../changes.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';

interface Flags extends ApiOptions {
  readonly dir: string;
  readonly base: string;
  readonly service?: string;
  readonly deploymentId?: string;
  readonly outputFormat: OutputFormat;
}

export function addDiff(program: Command, context: CliContext): void {
  const command = withOutput(
    program
      .command('diff')
      .description('what changes for the services, as JSON Patch (RFC 6902); exit code 1 when something does')
      .option('--dir <dir>', 'checkout of the repository', '.')
      .option('--base <ref>', 'commit, branch or tag to compare the files on disk with', 'HEAD')
      .option('--service <name>', 'this service only')
      .option('--deployment-id <id>', 'what this deployment changes against its base, asked of the control plane')
      .option('--compare-baseline', 'with --deployment-id: the same, in the words of the guide'),
  );
  withApi(command).action(async (flags: Flags) => {
    if (flags.deploymentId !== undefined) return diffDeployment(context, flags, flags.deploymentId);
    const changes = await compareWithBase(context, flags);
    const report = changes.map(({ service, from, to, patch }) => ({ service, from: from?.digest ?? null, to: to?.digest ?? null, patch }));
    print(context, flags.outputFormat, report, () => (changes.length === 0 ? 'no change\n' : changes.map(renderChange).join('\n')));
    if (changes.length > 0) throw new ExitError(1, '');
  });
}

async function diffDeployment(context: CliContext, flags: Flags, id: string): Promise<void> {
  const client = await connect(context, flags);
  const found = accepted<{
    readonly service: string;
    readonly from: string | null;
    readonly to: string;
    readonly patch: readonly object[];
  }>(await client.get(`/api/v1/actuator/deployments/${encodeURIComponent(id)}/diff`));
  const digests = `${found.from === null ? 'new' : shortDigest(found.from)} -> ${shortDigest(found.to)}`;
  print(
    context,
    flags.outputFormat,
    found,
    () => `${found.service}  ${digests}\n${found.patch.map((operation) => `  ${JSON.stringify(operation)}\n`).join('')}`,
  );
}

export function renderChange({ service, from, to, patch }: ServiceChange): string {
  const digests = `${from === null ? 'new' : shortDigest(from.digest)} -> ${to === null ? 'gone' : shortDigest(to.digest)}`;
  const note = from?.digest === to?.digest ? ' (serves the same: no deployment)' : '';
  return `${service}  ${digests}${note}\n${patch.map((operation) => `  ${JSON.stringify(operation)}\n`).join('')}`;
}

/** version, health-check, init, resync. */
import type { Command } from 'commander';
import { accepted, connect, withApi, type ApiOptions } from '../api-options.ts';
import { ExitError, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';

interface Flags extends ApiOptions {
  readonly outputFormat: OutputFormat;
}

export function addVersion(program: Command, context: CliContext): void {
  withOutput(program.command('version').description('version of this program')).action((flags: Flags) => {
    print(context, flags.outputFormat, { version: context.version }, () => `actuator ${context.version}\n`);
  });
}

export function addHealthCheck(program: Command, context: CliContext): void {
  const command = program
    .command('health-check')
    .description('whether the control plane is up and reaches its repository; exit code 1 when not');
  withApi(withOutput(command)).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    const health = accepted<Record<string, unknown>>(await client.get('/health'));
    print(context, flags.outputFormat, health, () => renderTable(Object.entries(health).map(([name, value]) => [name, String(value)])));
    if (health['status'] !== 'ok') throw new ExitError(1, '');
  });
}

export function addInit(program: Command, context: CliContext): void {
  program
    .command('init [dir]')
    .description('start a configuration repository from the example')
    .option('--template <name>', 'begin the service from templates/<name>.yaml')
    .option('--service <name>', 'name of the first service', 'my-service')
    .action(async (directory: string | undefined, flags: { readonly template?: string; readonly service: string }) => {
      const target = directory ?? '.';
      const written = await context.init(target, flags.template, flags.service);
      const next = `git init -b main && git add -A && git commit -m "Start", push it, and run: actuator serve --repo <url>`;
      context.stdout(`wrote ${written.length} files to ${target}\nnext: in ${target}, ${next}\n`);
    });
}

export function addResync(program: Command, context: CliContext): void {
  withApi(program.command('resync').description('accept a rewritten history or a large removal that the control plane has stalled on'))
    .requiredOption('--accept <commit>', 'the commit to accept, in full')
    .action(async (flags: ApiOptions & { readonly accept: string }) => {
      const client = await connect(context, flags);
      accepted(await client.post(`/api/v1/actuator/resync?accept=${encodeURIComponent(flags.accept)}`, {}));
      context.stdout(`accepted ${flags.accept}\n`);
    });
}

/** For a person or a program: what it may do is its role, and the journal names it. */
export function addKey(program: Command, context: CliContext): void {
  withApi(
    withOutput(
      program
        .command('create-key')
        .description('a new API key; it is shown once')
        .requiredOption('--name <name>', 'whose it is; the journal names it')
        .requiredOption('--role <role>', 'viewer, operator, approver, admin or gateway'),
    ),
  ).action(async (flags: ApiOptions & { readonly name: string; readonly role: string; readonly outputFormat: OutputFormat }) => {
    const client = await connect(context, flags);
    const created = accepted<{ readonly name: string; readonly role: string; readonly key: string }>(
      await client.post('/api/v1/actuator/keys', { name: flags.name, role: flags.role }),
    );
    print(context, flags.outputFormat, created, () => `${created.key}\n`);
  });
}

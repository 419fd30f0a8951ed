import { Option, type Command } from 'commander';
import { ExitError, type CliContext } from '../context.ts';
import { logLevels, parsePort } from './serve.ts';

interface Flags {
  readonly name: string;
  readonly controlPlane: string;
  readonly host: string;
  readonly port: string;
  readonly keyFile?: string;
  readonly dataDir: string;
  readonly logLevel: string;
}

export function addGateway(program: Command, context: CliContext): void {
  program
    .command('gateway')
    .description('run one gateway (data plane) alone; any number of them may follow one control plane')
    .requiredOption('--name <name>', 'name of this gateway, different from all others')
    .option('--control-plane <url>', 'control plane to follow', 'http://127.0.0.1:8080')
    .option('--host <host>', 'address to listen on, loopback only', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '4000')
    .option('--key-file <file>', 'file with the gateway key (default: $ACTUATOR_GATEWAY_KEY)')
    .addOption(new Option('--data-dir <dir>', 'where the last assignments are kept').env('ACTUATOR_DATA_DIR').default('.actuator'))
    .addOption(new Option('--log-level <level>', 'least level of log lines').choices(logLevels).default('info'))
    .addHelpText('after', '\nProvider keys come from the environment, under the names that models.yaml gives.')
    .action(async (flags: Flags) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(flags.name))
        throw new ExitError(2, `"${flags.name}" can't name a gateway: use letters, digits, dots, dashes and underscores.`);
      const key =
        flags.keyFile === undefined ? context.environment['ACTUATOR_GATEWAY_KEY'] : (await context.readFile(flags.keyFile))?.trim();
      if (key === undefined) {
        throw new ExitError(
          2,
          'The gateway needs its key: --key-file FILE, or ACTUATOR_GATEWAY_KEY. The daemon keeps one in gateway.key in its data directory.',
        );
      }
      await context.gateway({
        name: flags.name,
        controlPlane: flags.controlPlane.replace(/\/$/, ''),
        key,
        host: flags.host,
        port: parsePort(flags.port),
        dataDirectory: flags.dataDir,
        logLevel: flags.logLevel,
      });
    });
}

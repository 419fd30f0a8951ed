import { Option, type Command } from 'commander';
import { sha256Hex } from '../../base/hash.ts';
import { ExitError, type CliContext } from '../context.ts';
import { logLevels, parsePort } from './serve.ts';

interface Flags {
  readonly name: string;
  readonly controlPlane: string;
  readonly host: string;
  readonly port: string;
  readonly keyFile?: string;
  readonly clientKeys?: string;
  readonly workers: string;
  readonly dataDir: string;
  readonly logLevel: string;
}

export function addGateway(program: Command, context: CliContext): void {
  program
    .command('gateway')
    .description('run one gateway (data plane) alone; any number of them may follow one control plane')
    .requiredOption('--name <name>', 'name of this gateway, different from all others')
    .option('--control-plane <url>', 'control plane to follow', 'http://127.0.0.1:8080')
    .option('--host <host>', 'address to listen on; beyond loopback clients need keys', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '4000')
    .option('--key-file <file>', 'file with the gateway key (default: $ACTUATOR_GATEWAY_KEY)')
    .addOption(new Option('--client-keys <file>', 'hashed keys of the clients that may call').env('ACTUATOR_CLIENT_KEYS'))
    .option('--workers <n>', 'processes that share the port, one a core', '1')
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
        clientKeysFile: flags.clientKeys ?? null,
        workers: parseWorkers(flags.workers),
        logLevel: flags.logLevel,
      });
    });
}

function parseWorkers(text: string): number {
  const workers = Number(text);
  if (Number.isInteger(workers) && workers >= 1 && workers <= 64) return workers;
  throw new ExitError(2, `"${text}" is not a number of workers (1 to 64).`);
}

/** Prints the key once, and the line for the gateways' file: the key itself is kept nowhere. */
export function addClientKey(program: Command, context: CliContext): void {
  program
    .command('client-key <name>')
    .description('make a key for a client of the gateways')
    .option('--services <names>', 'services that the key may use, separated by commas (default: all)')
    .action((name: string, flags: { readonly services?: string }) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name))
        throw new ExitError(2, `"${name}" can't name a client: use up to 64 letters, digits, dots, dashes and underscores.`);
      const services = flags.services?.split(',').map((service) => service.trim());
      const wrong = services?.find((service) => !/^[a-z0-9][a-z0-9._-]{0,127}$/.test(service));
      if (wrong !== undefined) throw new ExitError(2, `"${wrong}" is no name of a service.`);
      const key = `ac_${context.randomKey()}`;
      const line = ['sha256:' + sha256Hex(key), name, ...(services === undefined ? [] : [services.join(',')])].join(' ');
      context.stderr('The key, for the client (shown this once), and the line for the file under --client-keys:\n');
      context.stdout(`${key}\n${line}\n`);
    });
}

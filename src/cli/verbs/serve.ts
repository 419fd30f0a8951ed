import { Option, type Command } from 'commander';
import { writtenMinutesToMs } from '../../base/time.ts';
import type { GithubFlags } from '../../ports/programs.ts';
import { ExitError, type CliContext } from '../context.ts';

interface Flags {
  readonly repo: string;
  readonly branch: string;
  readonly dataDir: string;
  readonly listen: string;
  readonly gatewayPort: string;
  readonly gateway: boolean;
  readonly clientKeys?: string;
  readonly pollInterval: string;
  readonly webhookSecretFile?: string;
  readonly githubRepository?: string;
  readonly githubUrl?: string;
  readonly githubTokenFile?: string;
  readonly githubAppId?: string;
  readonly githubAppKeyFile?: string;
  readonly githubInstallation?: string;
  readonly githubSignedCommits?: true;
  readonly publicUrl?: string;
  readonly signingKey?: string;
  readonly allowLocalRemote?: true;
  readonly takeOver?: true;
  readonly gitName: string;
  readonly gitEmail: string;
  readonly logLevel: string;
}

export const logLevels: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent'];

export function addServe(program: Command, context: CliContext): void {
  withGithub(
    program
      .command('serve')
      .description('run the control plane, and one gateway as a child process')
      .addOption(new Option('--repo <url>', 'configuration repository (https or ssh)').env('ACTUATOR_REPO').makeOptionMandatory())
      .addOption(new Option('--branch <name>', 'branch with the desired state').env('ACTUATOR_BRANCH').default('main'))
      .addOption(new Option('--data-dir <dir>', 'store, mirror and keys').env('ACTUATOR_DATA_DIR').default('.actuator'))
      .addOption(new Option('--listen <host:port>', 'API address, loopback only').env('ACTUATOR_LISTEN').default('127.0.0.1:8080'))
      .option('--gateway-port <port>', 'port of the gateway on 127.0.0.1', '4000')
      .addOption(new Option('--client-keys <file>', 'hashed keys of the clients that may call our gateway').env('ACTUATOR_CLIENT_KEYS'))
      .option('--no-gateway', 'run no gateway; start them with `actuator gateway`')
      .option('--poll-interval <time>', 'time between two looks at the repository, such as 15s or 1m', '15s')
      .addOption(
        new Option(
          '--webhook-secret-file <file>',
          'secret of the webhook that GitHub calls on a push; further lines are older secrets',
        ).env('ACTUATOR_WEBHOOK_SECRET_FILE'),
      )
      .addOption(new Option('--public-url <url>', 'where people reach this daemon, for links at GitHub').env('ACTUATOR_PUBLIC_URL'))
      .addOption(
        new Option('--signing-key <file>', 'private SSH key that signs our commits, without a passphrase').env('ACTUATOR_SIGNING_KEY'),
      )
      .option('--allow-local-remote', 'allow http:// on loopback and file:// as repository')
      .option('--take-over', 'publish to a status branch that another control plane has written')
      .option('--git-name <name>', 'author of our commits', 'actuator')
      .option('--git-email <email>', 'e-mail of our commits', 'actuator@localhost')
      .addOption(new Option('--log-level <level>', 'least level of log lines').choices(logLevels).default('info')),
  )
    .addHelpText('after', '\nA token for an https repository comes from ACTUATOR_GIT_TOKEN.')
    .action(async (flags: Flags) => {
      const [host, port] = splitAddress(flags.listen);
      await context.serve({
        repository: flags.repo,
        branch: flags.branch,
        dataDirectory: flags.dataDir,
        host,
        port,
        gatewayPort: flags.gateway ? fixedPort(flags.gatewayPort) : null,
        clientKeysFile: flags.clientKeys ?? null,
        pollSeconds: pollSeconds(flags.pollInterval),
        webhookSecretFile: flags.webhookSecretFile ?? null,
        github: githubFlags(flags),
        publicUrl: publicUrl(flags.publicUrl),
        signingKeyFile: flags.signingKey ?? null,
        allowLocalRemote: flags.allowLocalRemote === true,
        takeOver: flags.takeOver === true,
        gitToken: context.environment['ACTUATOR_GIT_TOKEN'] ?? null,
        gitName: flags.gitName,
        gitEmail: flags.gitEmail,
        logLevel: flags.logLevel,
      });
    });
}

function withGithub(command: Command): Command {
  return command
    .addOption(
      new Option('--github-app-id <id>', 'work at GitHub as this app: reviews, statuses, pull requests').env('ACTUATOR_GITHUB_APP_ID'),
    )
    .addOption(new Option('--github-app-key-file <file>', 'private key of the app').env('ACTUATOR_GITHUB_APP_KEY_FILE'))
    .option('--github-installation <id>', 'installation of the app; looked up where left out')
    .addOption(
      new Option('--github-token-file <file>', 'work at GitHub by a token, in the place of an app').env('ACTUATOR_GITHUB_TOKEN_FILE'),
    )
    .addOption(
      new Option('--github-signed-commits', 'have GitHub make and sign our commits on the branch, as the app').env(
        'ACTUATOR_GITHUB_SIGNED_COMMITS',
      ),
    )
    .addOption(new Option('--github-url <url>', 'API of GitHub; by the address of --repo where left out').env('ACTUATOR_GITHUB_URL'))
    .addOption(
      new Option('--github-repository <owner/name>', 'name of the repository at GitHub, where --repo is a mirror or a proxy').env(
        'ACTUATOR_GITHUB_REPOSITORY',
      ),
    );
}

function githubFlags(flags: Flags): GithubFlags {
  const installation = flags.githubInstallation === undefined ? null : Number(flags.githubInstallation);
  if (installation !== null && !(Number.isSafeInteger(installation) && installation > 0))
    throw new ExitError(2, '--github-installation takes a number.');
  return {
    repository: flags.githubRepository ?? null,
    url: flags.githubUrl ?? null,
    tokenFile: flags.githubTokenFile ?? null,
    appId: flags.githubAppId ?? null,
    appKeyFile: flags.githubAppKeyFile ?? null,
    signsCommits: flags.githubSignedCommits === true,
    installation,
  };
}

function publicUrl(url: string | undefined): string | null {
  if (url === undefined) return null;
  if (URL.canParse(url) && /^https?:/.test(url)) return url;
  throw new ExitError(2, `"${url}" is not an address; write https://...`);
}

function splitAddress(address: string): readonly [string, number] {
  const match = /^(.+):(\d+)$/.exec(address);
  if (match === null) throw new ExitError(2, `"${address}" is not an address; write host:port, such as 127.0.0.1:8080.`);
  return [(match[1] ?? '').replace(/^\[(.*)\]$/, '$1'), parsePort(match[2] ?? '')];
}

/** The control plane must know where its gateway is, so a port that the system chooses is none. */
function fixedPort(text: string): number {
  const port = parsePort(text);
  if (port > 0) return port;
  throw new ExitError(2, '--gateway-port takes a fixed port, 1 to 65535.');
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (text !== '' && Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new ExitError(2, `"${text}" is not a port (0 to 65535).`);
}

function pollSeconds(text: string): number {
  const seconds = /^[0-9.]+(ms|s|m|h|d)$/.test(text) ? writtenMinutesToMs(text) / 1000 : Number.NaN;
  if (seconds >= 1 && seconds <= 3600) return seconds;
  throw new ExitError(2, `"${text}" is not a poll interval; write a time from 1s to 1h.`);
}

/** Where the control plane is, and the key for it. */
import type { Command } from 'commander';
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';
import type { ApiClient } from '../ports/api-client.ts';
import { ExitError, refused, type CliContext } from './context.ts';

export interface ApiOptions {
  readonly url?: string;
  readonly keyFile?: string;
  readonly dataDir?: string;
}

export function withApi(command: Command): Command {
  return command
    .option('--url <url>', 'control plane (default: $ACTUATOR_URL or http://127.0.0.1:8080)')
    .option('--key-file <file>', 'file with the API key (default: $ACTUATOR_KEY, or admin.key in the data directory)')
    .option('--data-dir <dir>', 'data directory of a daemon on this machine (default: $ACTUATOR_DATA_DIR or .actuator)');
}

export async function connect(context: CliContext, options: ApiOptions): Promise<ApiClient> {
  const url = (options.url ?? context.environment['ACTUATOR_URL'] ?? 'http://127.0.0.1:8080').replace(/\/$/, '');
  if (!/^https?:\/\//.test(url)) throw new ExitError(2, `"${url}" is not a URL; write it as http://127.0.0.1:8080.`);
  return context.client(url, await keyFor(context, options));
}

async function keyFor({ environment, readFile }: CliContext, options: ApiOptions): Promise<string | null> {
  const file = options.keyFile ?? `${options.dataDir ?? environment['ACTUATOR_DATA_DIR'] ?? '.actuator'}/admin.key`;
  const fromEnvironment = options.keyFile === undefined ? environment['ACTUATOR_KEY'] : undefined;
  const key = fromEnvironment ?? (await readFile(file))?.trim() ?? null;
  if (key === null && options.keyFile !== undefined) throw new ExitError(2, `The key file ${options.keyFile} can't be read.`);
  return key;
}

/** The value, or the refusal as exit code 3. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller says what the route answers
export function accepted<T>(result: Result<unknown, readonly Problem[]>): T {
  if (!result.ok) throw refused(result.error);
  return result.value as T;
}

/** The query that names a deployment, or a service; nothing named means the only service. */
export async function deploymentQuestion(
  client: ApiClient,
  { deploymentId, service }: { readonly deploymentId?: string; readonly service?: string },
): Promise<string> {
  if (deploymentId !== undefined && service !== undefined) throw new ExitError(2, 'Name either --deployment-id or --service.');
  if (deploymentId !== undefined) return `deployment_id=${encodeURIComponent(deploymentId)}`;
  if (service !== undefined) return `service=${encodeURIComponent(service)}`;
  const { services } = accepted<{ readonly services: readonly { readonly service: string }[] }>(
    await client.get('/api/v1/actuator/status'),
  );
  const [only] = services;
  if (only !== undefined && services.length === 1) return `service=${encodeURIComponent(only.service)}`;
  throw new ExitError(2, `Name --deployment-id or --service, one of: ${services.map((each) => each.service).join(', ')}.`);
}

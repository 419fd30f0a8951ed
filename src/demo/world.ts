/** A whole small world on loopback: a forge, a provider, and a control plane with its gateway as real processes. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { startGitServer, type GitServer } from './git-server.ts';
import { openGithubForge, type GithubForge } from './github/forge.ts';
import { startMockProvider, type MockProvider } from './mock-provider.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

export interface World {
  readonly directory: string;
  readonly provider: MockProvider;
  readonly forge: GitServer;
  /** Null: plain Git, without pull requests. */
  readonly github: GithubForge | null;
  readonly repositoryUrl: string;
  readonly apiUrl: string;
  readonly gatewayUrl: string;
  readonly dataDirectory: string;
  /** git in the person's clone. */
  git(...args: readonly string[]): Promise<string>;
  /** Changes files as a person would: edits, commits, pushes. The commit's id. */
  commit(message: string, edits: Edits, branch?: string): Promise<string>;
  startControlPlane(environment?: Readonly<Record<string, string>>): Promise<void>;
  /** Exit code; null after a signal. */
  stopControlPlane(signal: NodeJS.Signals): Promise<number | null>;
  api(path: string, body?: object): Promise<unknown>;
  /** Resolves when the control plane has ended, however that came. */
  ended(): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly directory: string;
  readonly seed: number;
  /** actuator.yaml of the repository. */
  readonly settings: string;
  readonly pollInterval: string;
  /** Approvals that GitHub asks for before it merges; left out: no GitHub. */
  readonly github?: { readonly approvals: number; readonly environment?: Readonly<Record<string, string>> };
}

export type Edits = Readonly<Record<string, (text: string) => string | null>>;

export async function createWorld(options: WorldOptions): Promise<World> {
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  const [provider, forge] = await Promise.all([startMockProvider(options.seed), startGitServer(directory)]);
  const repositoryUrl = `${forge.url}/remote.git`;
  const clone = join(directory, 'clone');
  const [apiPort, gatewayPort] = await Promise.all([freePort(), freePort()]);
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const dataDirectory = join(directory, 'data');
  let child: ChildProcess | null = null;

  const git = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
      cwd: clone,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0' },
    });
    return stdout;
  };
  await seedRemote(directory, clone, repositoryUrl, options.settings, provider.url, git);

  const github =
    options.github === undefined ? null : await openGithubForge(directory, options.github.approvals, `${apiUrl}/api/v1/webhooks/github`);

  async function startControlPlane(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const args = [
      'serve',
      '--repo',
      repositoryUrl,
      '--allow-local-remote',
      '--data-dir',
      dataDirectory,
      '--listen',
      `127.0.0.1:${apiPort}`,
      '--gateway-port',
      String(gatewayPort),
      '--poll-interval',
      options.pollInterval,
      '--log-level',
      'info',
    ];
    const started = spawn(process.execPath, [join(root, 'src', 'main', 'cli.ts'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, OPENAI_API_KEY: 'sk-mock', ...github?.environment, ...options.github?.environment, ...environment },
    });
    child = started;
    let log = '';
    started.stderr.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString('utf8')).slice(-20_000);
    });
    for (let attempt = 0; attempt < 400; attempt++) {
      if (started.exitCode !== null) throw new Error(`the control plane ended with code ${started.exitCode}:\n${log}`);
      if (await isUp(`${apiUrl}/health`, `http://127.0.0.1:${gatewayPort}/health`)) return;
      await pause(50);
    }
    throw new Error(`the control plane did not come up:\n${log}`);
  }

  async function stopControlPlane(signal: NodeJS.Signals): Promise<number | null> {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return running?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => running.once('exit', (code) => resolve(code)));
    running.kill(signal);
    return ended;
  }

  return {
    directory,
    provider,
    forge,
    github,
    repositoryUrl,
    apiUrl,
    gatewayUrl: `http://127.0.0.1:${gatewayPort}`,
    dataDirectory,
    git,
    commit: (message, edits, branch = 'main') => commitAs(clone, git, message, edits, branch),
    startControlPlane,
    stopControlPlane,
    async api(path, body) {
      const key = (await readFile(join(dataDirectory, 'admin.key'), 'utf8')).trim();
      const response = await request(`${apiUrl}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.body.text();
      if (response.statusCode >= 300) throw new Error(`${path} answered ${response.statusCode}: ${text}`);
      return text === '' ? null : (JSON.parse(text) as unknown);
    },
    async ended() {
      const running = child;
      if (running === null || running.exitCode !== null || running.signalCode !== null) return;
      await new Promise((resolve) => running.once('exit', resolve));
    },
    async close() {
      await stopControlPlane('SIGTERM');
      await endGateway(dataDirectory);
      await Promise.all([provider.close(), forge.close(), github?.close()]);
    },
  };
}

/** After a kill -9 of the control plane its gateway goes on by design; a test world must end it. */
async function endGateway(dataDirectory: string): Promise<void> {
  try {
    const { pid } = JSON.parse(await readFile(join(dataDirectory, 'gateway.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

async function seedRemote(
  directory: string,
  clone: string,
  url: string,
  settings: string,
  providerUrl: string,
  git: World['git'],
): Promise<void> {
  const remote = join(directory, 'remote.git');
  await rm(remote, { recursive: true, force: true });
  await rm(clone, { recursive: true, force: true });
  await run('git', ['init', '-q', '--bare', '-b', 'main', remote]);
  await run('git', ['-C', remote, 'config', 'http.receivepack', 'true']);
  await cp(join(root, 'example-config-repo'), clone, { recursive: true });
  const models = await readFile(join(clone, 'models.yaml'), 'utf8');
  await writeFile(
    join(clone, 'models.yaml'),
    models.replace(/base_url: .*/, `base_url: ${providerUrl}`).replace(/^models:\n/m, `models:\n${trialModel}`),
  );
  await writeFile(join(clone, 'actuator.yaml'), settings);
  // Its long holds would outlast any demonstration.
  await rm(join(clone, 'services', 'document-search', 'rollout.yaml'));
  await git('init', '-q', '-b', 'main');
  await git('add', '-A');
  await git('commit', '-q', '-m', 'Start from the example');
  await git('remote', 'add', 'origin', url);
  await git('push', '-q', 'origin', 'main');
}

/** A model that the story can make fail. */
const trialModel = `  gpt-next:
    provider: openai
    max_output_tokens: 4096
    prices: { input_per_million_usd: 2, output_per_million_usd: 8 }
`;

async function commitAs(clone: string, git: World['git'], message: string, edits: Edits, branch: string): Promise<string> {
  await git('fetch', '-q', 'origin');
  await git('reset', '-q', '--hard', 'origin/main');
  for (const [path, edit] of Object.entries(edits)) {
    const file = join(clone, path);
    const text = edit(await readFile(file, 'utf8').catch(() => ''));
    if (text === null) await rm(file);
    else {
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, text);
    }
  }
  await git('add', '-A');
  await git('commit', '-q', '-m', message);
  await git('push', '-q', '-f', 'origin', `HEAD:${branch}`);
  return (await git('rev-parse', 'HEAD')).trim();
}

async function isUp(...urls: readonly string[]): Promise<boolean> {
  try {
    for (const url of urls) {
      const { statusCode, body } = await request(url);
      await body.dump();
      if (statusCode !== 200) return false;
    }
    return true;
  } catch {
    return false;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The gateway that `serve` brings along: a process of its own, so that the death of the control plane drops no request. */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { messageOf } from '../base/failures.ts';
import { canonicalJson } from '../base/json.ts';
import type { Log } from '../ports/log.ts';
import { directoryId, withoutOwnSecrets } from './gateway.ts';
import { version } from './version.ts';

export interface GatewayChild {
  readonly url: string;
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly dataDirectory: string;
  readonly clientKeysFile: string | null;
  readonly port: number;
  readonly controlPlane: string;
  readonly key: string;
  readonly log: Log;
  readonly logLevel: string;
}

const name = 'local';

/** How a gateway was started. One that was started otherwise, by an older version or without the clients' keys, is replaced. */
interface GatewayRecord {
  readonly pid: number;
  readonly controlPlane: string;
  readonly port: number;
  readonly clientKeysFile: string | null;
  readonly version: string;
}

function recordOf(pid: number, { controlPlane, port, clientKeysFile }: ChildOptions): GatewayRecord {
  return { pid, controlPlane, port, clientKeysFile, version };
}

interface GatewayHealth {
  readonly pid?: number;
  readonly data_directory?: string;
}

/** Takes over a gateway that a killed predecessor left running, or starts one; starts it again should it die. */
export async function keepGateway(options: ChildOptions): Promise<GatewayChild> {
  const url = `http://127.0.0.1:${options.port}`;
  const record = join(options.dataDirectory, 'gateway.json');
  let stopped = false;
  let pid = await adopt(record, options);
  if (pid === null) {
    await endOrphan(url, options);
    pid = start(options, record);
  } else options.log.info({ pid, url }, 'took over the running gateway');
  await untilHealthy(url, pid);
  // Looks twice a second, and waits longer after each death, so that a gateway that can't start is no busy loop.
  let delayMs = 500;
  let startedAt = performance.now();
  function watch(): void {
    if (stopped) return;
    const age = performance.now() - startedAt;
    if ((pid === null || !isAlive(pid)) && age >= delayMs) {
      options.log.error({ pid }, 'the gateway died, starting it again');
      delayMs = age > 60_000 ? 500 : Math.min(delayMs * 2, 30_000);
      startedAt = performance.now();
      pid = start(options, record);
    }
    timer = setTimeout(watch, 500);
  }
  let timer = setTimeout(watch, 500);
  return {
    url,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      if (pid !== null) await end(pid);
    },
  };
}

/** Of a gateway whose start was not recorded, because we were killed in that moment: it holds the port, and nobody else would end it. */
async function endOrphan(url: string, { dataDirectory }: ChildOptions): Promise<void> {
  const health = await gatewayHealth(url);
  if (health?.pid !== undefined && health.data_directory === directoryId(dataDirectory)) await end(health.pid);
}

/** The process id, when the recorded gateway is alive, answers, and follows the control plane's address that we have. */
async function adopt(record: string, options: ChildOptions): Promise<number | null> {
  try {
    const known = JSON.parse(readFileSync(record, 'utf8')) as GatewayRecord;
    if (!isAlive(known.pid)) return null;
    const health = await gatewayHealth(`http://127.0.0.1:${known.port}`);
    const isOurs = health?.pid === known.pid && health.data_directory === directoryId(options.dataDirectory);
    if (isOurs && canonicalJson(known) === canonicalJson(recordOf(known.pid, options))) return known.pid;
    if (isOurs) await end(known.pid);
    return null;
  } catch {
    return null;
  }
}

async function gatewayHealth(url: string): Promise<GatewayHealth | null> {
  try {
    const { body } = await request(`${url}/health`, { headersTimeout: 2000, bodyTimeout: 2000 });
    return (await body.json()) as GatewayHealth;
  } catch {
    return null;
  }
}

/** Null when the system could not start it. */
function start(options: ChildOptions, record: string): number | null {
  try {
    return spawnGateway(options, record);
  } catch (thrown) {
    // A full disk, too many open files: the control plane must outlive that.
    options.log.error({ error: messageOf(thrown) }, 'the gateway could not be started');
    return null;
  }
}

function spawnGateway(options: ChildOptions, record: string): number | null {
  mkdirSync(options.dataDirectory, { recursive: true, mode: 0o700 });
  const output = openSync(join(options.dataDirectory, 'gateway.log'), 'a', 0o600);
  const program = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'cli.ts' : 'cli.js');
  const args = [
    program,
    'gateway',
    '--name',
    name,
    '--port',
    String(options.port),
    '--control-plane',
    options.controlPlane,
    '--data-dir',
    options.dataDirectory,
    '--log-level',
    options.logLevel,
    ...(options.clientKeysFile === null ? [] : ['--client-keys', options.clientKeysFile]),
  ];
  const child = spawn(process.execPath, args, {
    // Its own process group: what kills the control plane does not reach it.
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...withoutOwnSecrets(process.env), ACTUATOR_GATEWAY_KEY: options.key },
  });
  closeSync(output);
  child.unref();
  child.on('error', (error) => options.log.error({ error: error.message }, 'the gateway could not be started'));
  const { pid } = child;
  if (pid === undefined) return null;
  try {
    writeFileSync(record, JSON.stringify(recordOf(pid, options)), { mode: 0o600 });
  } catch (thrown) {
    // It is found by its data directory all the same.
    options.log.error({ error: messageOf(thrown) }, 'gateway.json not written');
  }
  return pid;
}

async function untilHealthy(url: string, pid: number | null): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await gatewayHealth(url))?.pid === pid) return;
    if (pid === null || !isAlive(pid)) break;
    await pause(50);
  }
  throw new Error(`the gateway did not start on ${url}; gateway.log in the data directory says why`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function end(pid: number): Promise<void> {
  // From a file or over HTTP: 0 and below would mean process groups.
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (!isAlive(pid)) return;
  process.kill(pid, 'SIGTERM');
  for (let attempt = 0; attempt < 700 && isAlive(pid); attempt++) await pause(50);
  if (isAlive(pid)) process.kill(pid, 'SIGKILL');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

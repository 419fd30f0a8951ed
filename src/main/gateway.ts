/** Composition root of the data plane. */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { Agent } from 'undici';
import { schemaProblems } from '../adapters/documents/reader.ts';
import { createLog } from '../adapters/telemetry/log.ts';
import { messageOf, StalledError } from '../base/failures.ts';
import { sha256Hex } from '../base/hash.ts';
import { formatProblem } from '../base/problem.ts';
import { loadAssignments, saveAssignments } from '../gateway/assignment-file.ts';
import { createAssignmentTable } from '../gateway/assignment-table.ts';
import { openControlLink } from '../gateway/control-link.ts';
import { createGatewayMetrics } from '../gateway/metrics.ts';
import { createRecorder } from '../gateway/recorder.ts';
import { createGatewayServer } from '../gateway/server.ts';
import type { Log } from '../ports/log.ts';
import type { GatewayOptions, Running } from '../ports/programs.ts';

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The gateway needs the providers' keys, and none of ours: it talks to whatever models.yaml names. */
export function withoutOwnSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('ACTUATOR_')));
}

/** The same for a gateway and the control plane that started it. */
export function directoryId(directory: string): string {
  return sha256Hex(resolve(directory)).slice(0, 12);
}

export async function runGateway(options: GatewayOptions): Promise<Running> {
  if (!isLoopback(options.host)) {
    throw new StalledError(
      `A gateway on ${options.host} would serve anybody who reaches it: client keys are not offered in this version, so it listens on loopback only.`,
    );
  }
  const log = createLog(options.logLevel);
  const check = (value: unknown): readonly string[] => schemaProblems('assignment', value).map(formatProblem);
  const file = join(options.dataDirectory, `assignments-${options.name}.json`);
  const table = createAssignmentTable({ environment: withoutOwnSecrets(process.env), rng: Math.random, now: () => performance.now() });
  for (const assignment of loadAssignments(file, check)) table.apply(assignment);
  const persistence = createPersistence(() => saveAssignments(file, table.assignments()), log);
  const recorder = createRecorder();
  const upstream = new Agent({ connections: 256, pipelining: 1, keepAliveTimeout: 30_000 });
  const control = new Agent({ connections: 4 });
  const metrics = createGatewayMetrics({ connected: () => link.connected(), leased: table.leaseIsValid });
  const link = openControlLink({
    ...options,
    gateway: options.name,
    table,
    recorder,
    agent: control,
    log,
    checkAssignment: check,
    epoch: randomUUID(),
    persist: () => persistence.soon(),
  });
  const server = createGatewayServer({
    table,
    recorder,
    metrics,
    agent: upstream,
    gateway: options.name,
    directoryId: directoryId(options.dataDirectory),
    connected: link.connected,
    refusals: link.refusals,
    log,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
  log.info({ url, gateway: options.name }, 'gateway listens');
  return {
    url,
    async stop() {
      // Requests under way are answered to their end; idle connections go at once.
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const idle = setInterval(() => server.closeIdleConnections(), 100);
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 30_000).unref())]);
      clearInterval(idle);
      server.closeAllConnections();
      await link.close();
      persistence.flush();
      await Promise.all([upstream.close(), control.destroy()]);
    },
  };
}

/** Written at most every half second: a snapshot of thousands of assignments must not stall the requests under way. */
function createPersistence(save: () => void, log: Log): { soon(): void; flush(): void } {
  let timer: NodeJS.Timeout | null = null;
  function flush(): void {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    try {
      save();
    } catch (thrown) {
      log.error({ error: messageOf(thrown) }, 'assignments not kept on disk');
    }
  }
  return {
    soon() {
      timer ??= setTimeout(flush, 500);
    },
    flush,
  };
}

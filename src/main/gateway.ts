/** Composition root of the data plane. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import type { Registry } from 'prom-client';
import { Agent } from 'undici';
import { schemaProblems } from '../adapters/documents/reader.ts';
import { createLog } from '../adapters/telemetry/log.ts';
import { messageOf, StalledError } from '../base/failures.ts';
import { sha256Hex } from '../base/hash.ts';
import { formatProblem } from '../base/problem.ts';
import type { Assignment, AssignmentPrices } from '../generated/types.ts';
import { createAssignmentTable, type AssignmentTable } from '../gateway/assignment-table.ts';
import { createBodyReader } from '../gateway/body-reader.ts';
import { closesGracefully } from '../gateway/closing.ts';
import { openClientKeys } from '../gateway/client-keys.ts';
import { openControlLink, type ControlLink } from '../gateway/control-link.ts';
import { createFeedbackDesk } from '../gateway/feedback.ts';
import { createProviderClient, type ProviderClient } from '../gateway/http/client.ts';
import { loadMemory, saveMemory, type Memory } from '../gateway/memory-file.ts';
import { createGatewayMetrics } from '../gateway/metrics.ts';
import { createMirror } from '../gateway/mirror.ts';
import { createRecorder } from '../gateway/recorder.ts';
import { createRequestIds, type RequestIds } from '../gateway/request-id.ts';
import { createScoring } from '../gateway/scoring.ts';
import { createGatewayServer } from '../gateway/server.ts';
import { createSpendingLedger, type SpendingLedger } from '../gateway/spending.ts';
import type { Log } from '../ports/log.ts';
import type { GatewayOptions, Running } from '../ports/programs.ts';

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The gateway needs the providers' keys, and none of ours: it talks to whatever models.yaml names. */
export function withoutOwnSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('ACTUATOR_')));
}

const checkFeedback = (value: unknown): readonly string[] => schemaProblems('feedback', value).map(formatProblem);

/** The same for a gateway and the control plane that started it. */
export function directoryId(directory: string): string {
  return sha256Hex(resolve(directory)).slice(0, 12);
}

/** How one of several workers gives its metrics; alone it speaks for itself. */
export interface WorkerHooks {
  readonly metricsText: () => Promise<string>;
  readonly registerMetrics: (registry: Registry) => void;
}

function refuseOpenDoor({ host, clientKeysFile }: GatewayOptions): void {
  if (isLoopback(host) || clientKeysFile !== null) return;
  throw new StalledError(
    `A gateway on ${host} would serve anybody who reaches it. Give it the hashed keys of its clients by --client-keys <file> (actuator client-key makes them), or listen on loopback.`,
  );
}

export async function runGateway(options: GatewayOptions, worker?: WorkerHooks): Promise<Running> {
  refuseOpenDoor(options);
  const log = createLog(options.logLevel);
  const parts = compose(options, log, worker);
  const graceful = closesGracefully(parts.server);
  const url = await listen(parts.server, options);
  log.info({ url, gateway: options.name }, 'gateway listens');
  return {
    url,
    async stop() {
      await graceful.close(30_000);
      await parts.link.close();
      parts.persistence.flush();
      parts.providers.close();
      await parts.control.destroy();
    },
  };
}

async function listen(server: Server, { host, port: asked }: GatewayOptions): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(asked, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

interface Parts {
  readonly server: Server;
  readonly link: ControlLink;
  readonly persistence: Persistence;
  readonly providers: ProviderClient;
  readonly control: Agent;
}

function openTable(gateway: string): AssignmentTable {
  return createAssignmentTable({
    gateway,
    environment: withoutOwnSecrets(process.env),
    rng: Math.random,
    now: () => performance.now(),
  });
}

function compose(options: GatewayOptions, log: Log, worker: WorkerHooks | undefined): Parts {
  const clientKeys = options.clientKeysFile === null ? null : openClientKeys(options.clientKeysFile, log);
  const check = (value: unknown): readonly string[] => schemaProblems('assignment', value).map(formatProblem);
  const file = join(options.dataDirectory, `assignments-${options.name}.json`);
  const table = openTable(options.name);
  const ledger = createSpendingLedger();
  const ids = createRequestIds();
  let { requestIdKey } = recall(file, check, { table, ledger, ids });
  const persistence = createPersistence(
    () => saveMemory(file, { assignments: table.assignments(), requestIdKey, spending: ledger.reports() }),
    log,
  );
  const recorder = createRecorder();
  const providers = createProviderClient();
  const control = new Agent({ connections: 4 });
  const metrics = createGatewayMetrics({ connected: () => link.connected(), leased: table.leaseIsValid });
  worker?.registerMetrics(metrics.registry);
  const feedback = createFeedbackDesk({ ids, recorder, prices: (service, model) => pricesOf(table.assignments(), service, model) });
  const link = openControlLink({
    ...options,
    gateway: options.name,
    table,
    recorder,
    agent: control,
    log,
    ledger,
    ids,
    feedback,
    checkAssignment: check,
    onRequestIdKey(key) {
      requestIdKey = key;
      ids.setKey(Buffer.from(key, 'base64'));
    },
    epoch: randomUUID(),
    persist: () => persistence.soon(),
  });
  const scoring = createScoring({ agent: control, recorder, rng: Math.random, log });
  const measuring = { providers, recorder, metrics, ledger, scoring, wallClock: Date.now };
  const server = createGatewayServer({
    ...measuring,
    mirror: createMirror(measuring),
    table,
    ids,
    bodies: createBodyReader(),
    rng: Math.random,
    clientKeys,
    feedback,
    checkFeedback,
    metricsText: worker?.metricsText ?? (() => metrics.registry.metrics()),
    workers: options.workers,
    gateway: options.name,
    directoryId: directoryId(options.dataDirectory),
    connected: link.connected,
    refusals: link.refusals,
    log,
  });
  return { server, link, persistence, providers, control };
}

interface Learnt {
  readonly table: AssignmentTable;
  readonly ledger: SpendingLedger;
  readonly ids: RequestIds;
}

function recall(file: string, check: (value: unknown) => readonly string[], { table, ledger, ids }: Learnt): Memory {
  const memory = loadMemory(file, check);
  for (const assignment of memory.assignments) table.apply(assignment);
  for (const report of memory.spending) ledger.learn(report);
  if (memory.requestIdKey !== null) ids.setKey(Buffer.from(memory.requestIdKey, 'base64'));
  return memory;
}

function pricesOf(assignments: readonly Assignment[], service: string, model: string): AssignmentPrices | null {
  const variants = assignments.find((assignment) => assignment.service === service)?.variants ?? [];
  return variants.map(({ serving }) => serving.models[model]?.prices).find((prices) => prices !== undefined) ?? null;
}

/** Written at most every half second: a snapshot of thousands of assignments must not stall the requests under way. */
interface Persistence {
  soon(): void;
  flush(): void;
}

function createPersistence(save: () => void, log: Log): Persistence {
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

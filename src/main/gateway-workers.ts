/** One gateway as several processes on one port, for more than one core. Each is a gateway of its own to the control plane. */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { AggregatorRegistry } from 'prom-client';
import { createLog } from '../adapters/telemetry/log.ts';
import { messageOf } from '../base/failures.ts';
import type { GatewayOptions, Running } from '../ports/programs.ts';
import { runGateway } from './gateway.ts';

const indexVariable = 'ACTUATOR_WORKER';
const stopMs = 35_000;

interface MetricsQuestion {
  readonly kind: 'actuator:metrics';
  readonly id: number;
  readonly text?: string;
}

function isMetrics(message: unknown): message is MetricsQuestion {
  return typeof message === 'object' && message !== null && (message as { kind?: unknown }).kind === 'actuator:metrics';
}

/** The first process starts the others; a worker serves. Both come here by the same command line. */
export async function runGatewayProcess(options: GatewayOptions): Promise<Running> {
  if (cluster.isWorker) return runWorker(options);
  return options.workers > 1 ? runPrimary(options) : runGateway(options);
}

async function runWorker(options: GatewayOptions): Promise<Running> {
  const name = `${options.name}.${process.env[indexVariable] ?? '0'}`;
  const running = await runGateway(
    { ...options, name },
    { metricsText: createMetricsAsker(), registerMetrics: (registry) => AggregatorRegistry.setRegistries([registry]) },
  );
  // Its answers to the primary's question come from here.
  new AggregatorRegistry();
  process.on('disconnect', () => void running.stop().finally(() => process.exit(0)));
  process.send?.({ kind: 'actuator:listening', url: running.url });
  return running;
}

/** Any worker may be scraped, and answers for all. */
function createMetricsAsker(): () => Promise<string> {
  let questions = 0;
  const waiting = new Map<number, (text: string) => void>();
  process.on('message', (message: unknown) => {
    if (isMetrics(message)) waiting.get(message.id)?.(message.text ?? '');
  });
  return () =>
    new Promise((resolve, reject) => {
      const id = ++questions;
      const timer = setTimeout(() => end(() => reject(new Error('the first process did not answer'))), 6000);
      function end(then: () => void): void {
        clearTimeout(timer);
        waiting.delete(id);
        then();
      }
      waiting.set(id, (text) => end(() => resolve(text)));
      process.send?.({ kind: 'actuator:metrics', id } satisfies MetricsQuestion);
    });
}

async function runPrimary(options: GatewayOptions): Promise<Running> {
  const log = createLog(options.logLevel);
  const registry = new AggregatorRegistry();
  let stopping = false;
  const listening: Promise<string>[] = [];

  function answerMetrics(worker: Worker, { id }: MetricsQuestion): void {
    const send = (text: string): void => {
      if (worker.isConnected()) worker.send({ kind: 'actuator:metrics', id, text } satisfies MetricsQuestion);
    };
    registry.clusterMetrics().then(send, (thrown: unknown) => {
      log.error({ error: messageOf(thrown) }, 'metrics of the workers not gathered');
      send('');
    });
  }

  /** Again when it dies, a little later each time that it dies soon. */
  function start(index: number, delayMs: number): Promise<string> {
    const startedAt = performance.now();
    const worker = cluster.fork({ [indexVariable]: String(index) });
    worker.on('message', (message: unknown) => {
      if (isMetrics(message)) answerMetrics(worker, message);
    });
    // A message to one that is dying fails here; its end is dealt with below.
    worker.on('error', (error) => log.warn({ worker: index, error: error.message }, 'a gateway worker could not be reached'));
    worker.on('exit', (code) => {
      if (stopping) return;
      log.error({ worker: index, code }, 'a gateway worker died, starting it again');
      const next = performance.now() - startedAt > 60_000 ? 500 : Math.min(delayMs * 2, 30_000);
      setTimeout(() => {
        // That it did not come up is said when it ends, and it is tried again.
        if (!stopping) start(index, next).catch(() => undefined);
      }, delayMs);
    });
    return untilListening(worker);
  }

  for (let index = 1; index <= options.workers; index++) listening.push(start(index, 500));
  try {
    const [url = ''] = await Promise.all(listening);
    log.info({ url, gateway: options.name, workers: options.workers }, 'gateway listens');
    return { url, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }

  async function stop(): Promise<void> {
    stopping = true;
    const alive = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const gone = alive.filter((worker) => !worker.isDead()).map((worker) => once(worker, 'exit'));
    for (const worker of alive) worker.process.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const worker of alive) worker.process.kill('SIGKILL');
    }, stopMs);
    await Promise.all(gone);
    clearTimeout(timer);
  }
}

function untilListening(worker: Worker): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: { readonly kind?: string; readonly url?: string }) => {
      if (message.kind === 'actuator:listening') resolve(message.url ?? '');
    });
    worker.once('exit', (code) =>
      reject(new Error(`a gateway worker ended with code ${code} before it listened; its own message says why`)),
    );
  });
}

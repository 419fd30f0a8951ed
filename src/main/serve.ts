/** Composition root of the control plane. */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { mergeIntoYaml } from '../adapters/documents/edit.ts';
import { readDocument, schemaProblems } from '../adapters/documents/reader.ts';
import { parseYaml } from '../adapters/documents/yaml.ts';
import { createCommitBuilder } from '../adapters/git/commit-builder.ts';
import { createConfigurationWriter } from '../adapters/git/configuration-writer.ts';
import { openMirror } from '../adapters/git/mirror.ts';
import { createRepository } from '../adapters/git/repository.ts';
import { createStatusBranch } from '../adapters/git/status-branch.ts';
import { createLogNotifier } from '../adapters/notify/log-notifier.ts';
import { openSqliteStore } from '../adapters/store/sqlite-store.ts';
import { systemClock } from '../adapters/system/clock.ts';
import { startPolling } from '../adapters/system/poll-schedule.ts';
import { createLog } from '../adapters/telemetry/log.ts';
import { createApi } from '../api/server.ts';
import { createControlPlane, type ControlPlane, type ControlPlaneDeps } from '../app/control-plane.ts';
import { messageOf, StalledError } from '../base/failures.ts';
import type { Log } from '../ports/log.ts';
import type { Running, ServeOptions } from '../ports/programs.ts';
import type { Store } from '../ports/store.ts';
import { isLoopback } from './gateway.ts';
import { keepGateway } from './gateway-child.ts';
import { ensureKey } from './keys.ts';
import { version } from './version.ts';

const leaseTtlMs = 5000;
const leaseRenewMs = 1500;
const gatewayLeaseMs = 10_000;
const tickMs = 1000;

export async function serve(options: ServeOptions, onLost: (error: Error) => void): Promise<Running> {
  if (!isLoopback(options.host)) {
    throw new StalledError(
      `The API on ${options.host} would send its keys in the clear; it listens on loopback only. Put a TLS proxy in front of it.`,
    );
  }
  const log = createLog(options.logLevel);
  mkdirSync(options.dataDirectory, { recursive: true, mode: 0o700 });
  const store = await openSqliteStore(join(options.dataDirectory, 'actuator.db'));
  const holder = `${hostname()}/${process.pid}/${randomUUID()}`;
  const term = await lead(store, holder, log);
  const instance = await instanceOf(store);
  const { repository, writer, branch } = await openGit(options);
  const controlPlane = createControlPlane({
    store,
    repository,
    writer,
    branch,
    notifier: createLogNotifier(log),
    read: readDocument,
    clock: systemClock,
    rng: Math.random,
    log,
    term,
    instance,
    takeOver: options.takeOver,
    onLost,
  });
  const api = createApi({
    controlPlane,
    deploy: { controlPlane, writer, read: readDocument, parseYaml, mergeYaml: mergeIntoYaml },
    store,
    clock: systemClock,
    log,
    term,
    version,
    check: schemaProblems,
  });
  await ensureKey(store, options.dataDirectory, 'admin', 'admin');
  const gatewayKey = await ensureKey(store, options.dataDirectory, 'gateway', 'gateway');
  await controlPlane.start();
  const url = await api.listen({ host: options.host, port: options.port });
  const rounds = startRounds({ store, holder, term, controlPlane, options, onLost, log });
  const gateway =
    options.gatewayPort === null
      ? null
      : await keepGateway({
          dataDirectory: options.dataDirectory,
          port: options.gatewayPort,
          controlPlane: url,
          key: gatewayKey,
          log,
          logLevel: options.logLevel,
        });
  log.info({ url, gateway: gateway?.url ?? null, repository: options.repository, branch: options.branch, term }, 'control plane leads');
  return {
    url,
    async stop() {
      rounds();
      await gateway?.stop();
      await close(api, controlPlane, repository);
      await store.releaseLease(holder, term);
      await store.close();
    },
  };
}

async function openGit(options: ServeOptions): Promise<Pick<ControlPlaneDeps, 'repository' | 'writer' | 'branch'>> {
  const mirror = await openMirror({
    directory: join(options.dataDirectory, 'mirror.git'),
    branch: options.branch,
    access: { url: options.repository, token: options.gitToken, allowLocal: options.allowLocalRemote },
  });
  const builder = createCommitBuilder(mirror, { name: options.gitName, email: options.gitEmail });
  return {
    repository: createRepository(mirror),
    writer: createConfigurationWriter(mirror, builder, systemClock),
    branch: createStatusBranch(mirror, builder, systemClock),
  };
}

async function close(api: FastifyInstance, controlPlane: ControlPlane, repository: { close(): Promise<void> }): Promise<void> {
  await api.close();
  await controlPlane.stop();
  await repository.close();
}

/** Waits for the lease: a predecessor that was killed holds it for a few seconds more. */
async function lead(store: Store, holder: string, log: Log): Promise<number> {
  for (let waited = 0; ; waited++) {
    const lease = await store.acquireLease(holder, leaseTtlMs);
    if (lease !== null) return lease.term;
    if (waited === 1) log.info({}, 'another control plane holds the lease of this store, waiting for it to end');
    await sleep(250);
  }
}

async function instanceOf(store: Store): Promise<string> {
  const known = await store.get('instance');
  if (known !== null) return known;
  const created = randomUUID();
  await store.put('instance', created);
  return created;
}

interface RoundDeps {
  readonly store: Store;
  readonly holder: string;
  readonly term: number;
  readonly controlPlane: ControlPlane;
  readonly options: ServeOptions;
  readonly onLost: (error: Error) => void;
  readonly log: Log;
}

/** What happens again and again while we lead. The returned function ends it. */
function startRounds(deps: RoundDeps): () => void {
  const { store, controlPlane, log } = deps;
  let gatewayLeaseAt = 0;
  async function renew(): Promise<void> {
    // Only who can write the journal's store may let a canary weight live on.
    if (!(await store.renewLease(deps.holder, deps.term, leaseTtlMs)))
      throw new StalledError('the lease of the store was lost to another control plane');
    if (systemClock.now() - gatewayLeaseAt < gatewayLeaseMs) return;
    gatewayLeaseAt = systemClock.now();
    await controlPlane.renewLeases();
  }
  const renewal = setInterval(
    () => void renew().catch((thrown: unknown) => deps.onLost(thrown instanceof Error ? thrown : new Error(messageOf(thrown)))),
    leaseRenewMs,
  );
  const tick = setInterval(
    () => void controlPlane.tick().catch((thrown: unknown) => log.error({ error: messageOf(thrown) }, 'tick failed')),
    tickMs,
  );
  const polling = startPolling(deps.options.pollSeconds, () => controlPlane.poll());
  return () => {
    clearInterval(renewal);
    clearInterval(tick);
    polling.stop();
  };
}

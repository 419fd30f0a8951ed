/** Composition root of the control plane. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mergeIntoYaml } from '../adapters/documents/edit.ts';
import { readDocument, schemaProblems } from '../adapters/documents/reader.ts';
import { parseYaml } from '../adapters/documents/yaml.ts';
import { createCommitBuilder } from '../adapters/git/commit-builder.ts';
import { createConfigurationWriter } from '../adapters/git/configuration-writer.ts';
import { openMirror } from '../adapters/git/mirror.ts';
import { createPlacing } from '../adapters/git/placing.ts';
import { createRepository } from '../adapters/git/repository.ts';
import { createSshSigner } from '../adapters/git/ssh-signer.ts';
import { createStatusBranch } from '../adapters/git/status-branch.ts';
import { createLogNotifier } from '../adapters/notify/log-notifier.ts';
import { openSqliteStore } from '../adapters/store/sqlite-store.ts';
import { systemClock } from '../adapters/system/clock.ts';
import { httpProbe } from '../adapters/system/health-probe.ts';
import { nextTime } from '../adapters/system/next-time.ts';
import { startPolling } from '../adapters/system/poll-schedule.ts';
import { createLog } from '../adapters/telemetry/log.ts';
import { githubDeliveries, repositoryName } from '../adapters/github/delivery.ts';
import { createApi } from '../api/server.ts';
import type { WebhookDeps } from '../api/webhook-routes.ts';
import type { DeployDeps } from '../app/commands/deploy.ts';
import { createControlPlane, type ControlPlane, type ControlPlaneDeps } from '../app/control-plane.ts';
import { createWakeUp } from '../app/reconcile/wake-up.ts';
import { messageOf, StalledError } from '../base/failures.ts';
import type { Log } from '../ports/log.ts';
import type { Running, ServeOptions } from '../ports/programs.ts';
import type { ConfigurationRepository } from '../ports/repository.ts';
import type { Store } from '../ports/store.ts';
import { isLoopback } from './gateway.ts';
import { checkSecretFile, openGithub, type Github } from './github.ts';
import { keepGateway } from './gateway-child.ts';
import { ensureKey, newKey } from './keys.ts';
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
  // Before the lease: who mends a flag must not wait for what the try before it held.
  const github = await openGithub(options, log);
  const webhookSecrets = await readWebhookSecrets(options, log);
  const store = await openSqliteStore(join(options.dataDirectory, 'actuator.db'));
  const leadership = await lead(store, log, onLost);
  const controlPlane = await composeControlPlane(options, github, { store, log, term: leadership.term, onLost });
  const webhooks = openWebhooks(options, webhookSecrets, controlPlane.controlPlane);
  const api = createApi(
    { ...controlPlane, store, clock: systemClock, log, term: leadership.term, version, newKey, check: schemaProblems },
    webhooks,
  );
  await ensureKey(store, options.dataDirectory, 'admin', 'admin');
  const key = await ensureKey(store, options.dataDirectory, 'gateway', 'gateway');
  await controlPlane.controlPlane.start();
  const url = await api.listen({ host: options.host, port: options.port });
  const rounds = startRounds(controlPlane.controlPlane, options.pollSeconds, log);
  leadership.whileLeading(() => controlPlane.controlPlane.renewLeases());
  const { dataDirectory, gatewayPort, clientKeysFile, logLevel } = options;
  const gateway =
    gatewayPort === null
      ? null
      : await keepGateway({ dataDirectory, clientKeysFile, port: gatewayPort, controlPlane: url, key, log, logLevel });
  log.info({ url, gateway: gateway?.url ?? null, branch: options.branch, term: leadership.term }, 'control plane leads');
  return {
    url,
    async stop() {
      rounds();
      await gateway?.stop();
      await api.close();
      webhooks?.wakeUp.stop();
      await controlPlane.controlPlane.stop();
      await controlPlane.repository.close();
      await leadership.release();
      await store.close();
    },
  };
}

/** Null where no secret is given: then nobody could tell a delivery from a forgery. */
async function readWebhookSecrets({ webhookSecretFile: file }: ServeOptions, log: Log): Promise<WebhookDeps['secrets'] | null> {
  if (file === null) return null;
  await checkSecretFile(file, log);
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => {
    throw new StalledError(`The webhook's secret can't be read: ${messageOf(thrown)}`);
  });
  const [first, ...older] = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  if (first === undefined || [first, ...older].some(({ length }) => length < 16))
    throw new StalledError(
      `${file} must hold the webhook's secret, 16 characters or more on a line of its own; openssl rand -hex 32 makes a good one.`,
    );
  return [first, ...older];
}

function openWebhooks(
  { github, repository, branch }: ServeOptions,
  secrets: WebhookDeps['secrets'] | null,
  controlPlane: ControlPlane,
): WebhookDeps | null {
  if (secrets === null) return null;
  const watched = { repository: github.repository ?? repositoryName(repository), branch };
  const wakeUp = createWakeUp({ clock: systemClock, poll: () => controlPlane.hinted(), head: controlPlane.reconciler.head });
  return { secrets, read: githubDeliveries(watched, schemaProblems), wakeUp };
}

interface Composed {
  readonly controlPlane: ControlPlane;
  readonly deploy: DeployDeps;
  readonly repository: ConfigurationRepository;
}

async function composeControlPlane(
  options: ServeOptions,
  github: Github | null,
  given: Pick<ControlPlaneDeps, 'store' | 'log' | 'term' | 'onLost'>,
): Promise<Composed> {
  const git = await openGit(options, github);
  const controlPlane = createControlPlane({
    ...given,
    ...git,
    codeHost: github?.host ?? null,
    branchName: options.branch,
    publicUrl: options.publicUrl,
    notifier: createLogNotifier(given.log),
    probe: httpProbe,
    nextTime,
    mergeYaml: mergeIntoYaml,
    read: readDocument,
    clock: systemClock,
    rng: Math.random,
    instance: await madeOnce(given.store, 'instance', randomUUID),
    requestIdKey: await madeOnce(given.store, 'request-id-key', () => randomBytes(32).toString('base64')),
    takeOver: options.takeOver,
    version,
  });
  const deploy = {
    clock: systemClock,
    log: given.log,
    controlPlane,
    store: given.store,
    writer: git.writer,
    codeHost: github?.host ?? null,
    read: readDocument,
    parseYaml,
    mergeYaml: mergeIntoYaml,
  };
  return { controlPlane, deploy, repository: git.repository };
}

async function openGit(options: ServeOptions, github: Github | null): Promise<Pick<ControlPlaneDeps, 'repository' | 'writer' | 'branch'>> {
  const mirror = await openMirror({
    directory: join(options.dataDirectory, 'mirror.git'),
    branch: options.branch,
    access: { url: options.repository, token: options.gitToken ?? github?.gitToken ?? null, allowLocal: options.allowLocalRemote },
  });
  const sign = options.signingKeyFile === null ? null : await createSshSigner(options.signingKeyFile);
  const builder = createCommitBuilder(mirror, { name: options.gitName, email: options.gitEmail }, sign);
  return {
    repository: createRepository(mirror),
    writer: createConfigurationWriter(mirror, github?.place ?? createPlacing(mirror, builder, systemClock)),
    branch: createStatusBranch(mirror, builder, systemClock),
  };
}

interface Leadership {
  readonly term: number;
  /** Called every few seconds, each time after the lease was renewed. */
  whileLeading(work: () => Promise<void>): void;
  release(): Promise<void>;
}

/** Waits for the lease: a predecessor that was killed holds it for a few seconds more. Then renews it until released. */
async function lead(store: Store, log: Log, onLost: (error: Error) => void): Promise<Leadership> {
  const holder = `${hostname()}/${process.pid}/${randomUUID()}`;
  let lease = await store.acquireLease(holder, leaseTtlMs);
  if (lease === null) log.info({}, 'another control plane holds the lease of this store, waiting for it to end');
  while (lease === null) {
    await sleep(250);
    lease = await store.acquireLease(holder, leaseTtlMs);
  }
  const { term } = lease;
  store.fence(term);
  let work: (() => Promise<void>) | null = null;
  let workedAt = 0;
  async function renew(): Promise<void> {
    // Only who can write the journal's store may let a canary weight live on.
    if (!(await store.renewLease(holder, term, leaseTtlMs)))
      throw new StalledError('the lease of the store was lost to another control plane');
    if (work === null || systemClock.now() - workedAt < gatewayLeaseMs) return;
    workedAt = systemClock.now();
    await work();
  }
  const timer = setInterval(() => {
    renew().catch((thrown: unknown) => onLost(thrown instanceof Error ? thrown : new Error(messageOf(thrown))));
  }, leaseRenewMs);
  return {
    term,
    whileLeading: (given) => {
      work = given;
    },
    async release() {
      clearInterval(timer);
      await store.releaseLease(holder, term);
    },
  };
}

async function madeOnce(store: Store, key: string, make: () => string): Promise<string> {
  const known = await store.get(key);
  if (known !== null) return known;
  const created = make();
  await store.put(key, created);
  return created;
}

/** What happens again and again. The returned function ends it. */
function startRounds(controlPlane: ControlPlane, pollSeconds: number, log: Log): () => void {
  const tick = setInterval(() => {
    controlPlane.tick().catch((thrown: unknown) => log.error({ error: messageOf(thrown) }, 'tick failed'));
  }, tickMs);
  const polling = startPolling(pollSeconds, () => controlPlane.poll());
  return () => {
    clearInterval(tick);
    polling.stop();
  };
}

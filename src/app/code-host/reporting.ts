/** Statuses, deployments and comments: what should stand at the host is kept for each commit, and sent until it does. */
import { messageOf, RefusedError } from '../../base/failures.ts';
import type { Instant } from '../../base/time.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { CommitStatus, HostDeploymentStatus } from '../../ports/code-host.ts';
import { deploymentFolder } from '../publication/render.ts';
import { previousState } from '../publication/previous-state.ts';
import type { CodeHostDeps } from './parts.ts';
import { rolloutComment, rolloutMarker } from './report-text.ts';
import { reportsOf, type ServiceReport } from './reports.ts';

export interface Reporting {
  /** Takes in what the journal has, and sends what the host does not have yet. Throws when it is away; nothing is lost by that. */
  report(): Promise<void>;
}

interface CommitRecord {
  readonly at: Instant;
  readonly services: Readonly<Record<string, ServiceReport>>;
  /** Pull requests that brought it; null: none was found so far. */
  readonly pulls: readonly number[] | null;
}

interface Book {
  /** Of the journal, up to which everything is in records. */
  readonly position: number;
  /** When the host was connected: what was before that is not reported. */
  readonly since: Instant;
  /** Commits whose record has not been sent. */
  readonly unsent: readonly string[];
}

const bookKey = 'reports';
const recordKey = (commit: string): string => `report/${commit}`;
const pullKey = (number: number): string => `report/pull/${number}`;
const batchRows = 500;
/** A commit that the host does not know by then was taken off its branch. */
const unknownForMs = 600_000;

export function createReporting(deps: CodeHostDeps): Reporting {
  const lastStates = new Map<string, ServiceState>();

  async function readBook(): Promise<Book> {
    const saved = await deps.store.get(bookKey);
    return saved === null ? { position: 0, since: deps.clock.now(), unsent: [] } : (JSON.parse(saved) as Book);
  }

  async function takeIn(book: Book): Promise<Book> {
    let { position } = book;
    const found: ServiceReport[] = [];
    for (;;) {
      const rows = await deps.store.journal(position, batchRows);
      for (const row of rows) {
        const before = lastStates.get(row.service) ?? (await previousState(deps.store, row));
        if (row.at >= book.since) found.push(...reportsOf(row, before));
        lastStates.set(row.service, row.stateAfter);
        position = row.position;
      }
      if (rows.length < batchRows) break;
    }
    if (position === book.position) return book;
    const byCommit = Map.groupBy(found, ({ commit }) => commit);
    for (const [commit, reports] of byCommit) await merge(deps, commit, reports);
    const next = { ...book, position, unsent: [...new Set([...book.unsent, ...byCommit.keys()])] };
    await deps.store.put(bookKey, JSON.stringify(next));
    return next;
  }

  return {
    async report() {
      const book = await takeIn(await readBook());
      const left: string[] = [];
      let failure: unknown;
      for (const commit of book.unsent) {
        try {
          if (failure === undefined) await send(deps, commit);
          else left.push(commit);
        } catch (thrown) {
          if (await isGone(deps, commit, thrown)) continue;
          left.push(commit);
          // A commit that is not to be seen yet holds up no other one.
          if (!(thrown instanceof RefusedError)) failure = thrown;
        }
      }
      if (left.length !== book.unsent.length) await deps.store.put(bookKey, JSON.stringify({ ...book, unsent: left }));
      if (failure !== undefined) throw failure as Error;
    },
  };
}

async function readRecord({ store }: CodeHostDeps, commit: string): Promise<CommitRecord | null> {
  const saved = await store.get(recordKey(commit));
  return saved === null ? null : (JSON.parse(saved) as CommitRecord);
}

async function merge(deps: CodeHostDeps, commit: string, reports: readonly ServiceReport[]): Promise<void> {
  const known = await readRecord(deps, commit);
  const services = { ...known?.services, ...Object.fromEntries(reports.map((report) => [report.service, report])) };
  const record: CommitRecord = { at: deps.clock.now(), services, pulls: known?.pulls ?? null };
  await deps.store.put(recordKey(commit), JSON.stringify(record));
}

async function isGone(deps: CodeHostDeps, commit: string, thrown: unknown): Promise<boolean> {
  if (!(thrown instanceof RefusedError)) return false;
  const record = await readRecord(deps, commit);
  const isOld = record === null || deps.clock.now() - record.at > unknownForMs;
  if (isOld) deps.log.warn({ commit, error: messageOf(thrown) }, 'the code host does not take reports of this commit; it gets none');
  return isOld;
}

/** Each kind by itself: one that is refused must not keep the others from people. */
async function send(deps: CodeHostDeps, commit: string): Promise<void> {
  const record = await readRecord(deps, commit);
  if (record === null) return;
  const { statuses, deployments, comments } = deps.settings().codeHost;
  const kinds = [...(statuses ? [sendStatuses] : []), ...(deployments ? [sendDeployments] : []), ...(comments ? [sendComments] : [])];
  let failure: unknown;
  for (const kind of kinds) {
    try {
      await kind(deps, commit, record);
    } catch (thrown) {
      failure ??= thrown;
    }
  }
  if (failure !== undefined) throw failure as Error;
}

async function sendStatuses(deps: CodeHostDeps, commit: string, { services }: CommitRecord): Promise<void> {
  const most = deps.settings().codeHost.aggregateAbove;
  // In the order in which they came: what has a status of its own keeps it.
  const reports = Object.values(services);
  for (const report of reports.slice(0, most)) {
    const { deployment } = report;
    await deps.host.ensureStatus(commit, {
      context: `actuator/${report.service}`,
      state: report.state,
      description: report.text,
      url: deployment === null ? null : deps.host.recordUrl(deploymentFolder(deployment.id)),
    });
  }
  if (reports.length > most) await deps.host.ensureStatus(commit, aggregate(reports));
}

/** Of all of them: pending as long as one is, then as bad as the worst. */
export function aggregate(reports: readonly ServiceReport[]): CommitStatus {
  const worst = (['pending', 'failure', 'error', 'success'] as const).find((state) => reports.some((report) => report.state === state));
  const phases = Map.groupBy(reports, ({ phase }) => phase);
  const counts = [...phases].map(([phase, those]) => `${those.length} ${phase}`).sort();
  return {
    context: 'actuator/services',
    state: worst ?? 'success',
    description: `${reports.length} services: ${counts.join(', ')}`,
    url: null,
  };
}

async function sendDeployments({ host, publicUrl }: CodeHostDeps, commit: string, { services }: CommitRecord): Promise<void> {
  for (const { service, deployment, phase, text } of Object.values(services)) {
    if (deployment === null) continue;
    const { id, plan } = deployment;
    await host.ensureDeployment(
      { id, commit, environment: service, description: plan === '' ? id : `${id}: ${plan}` },
      {
        state: deploymentStates[phase] ?? 'in_progress',
        description: text,
        url: host.recordUrl(deploymentFolder(id)),
        environmentUrl: publicUrl,
      },
    );
  }
}

const deploymentStates: Readonly<Record<string, HostDeploymentStatus['state']>> = {
  pending: 'queued',
  completed: 'success',
  'rolled-back': 'failure',
  rejected: 'failure',
  held: 'failure',
  failed: 'failure',
  superseded: 'inactive',
};

async function sendComments(deps: CodeHostDeps, commit: string, record: CommitRecord): Promise<void> {
  const pulls = record.pulls ?? (await pullsOf(deps, commit));
  if (record.pulls === null && pulls.length > 0) await deps.store.put(recordKey(commit), JSON.stringify({ ...record, pulls }));
  for (const number of pulls) {
    const commits = await commitsOf(deps, number, commit);
    const records = await Promise.all(commits.map((one) => readRecord(deps, one)));
    const reports = records.flatMap((one) => Object.values(one?.services ?? {}));
    await deps.host.ensureComment(
      number,
      rolloutMarker,
      rolloutComment(reports, (path) => deps.host.recordUrl(path)),
    );
  }
}

async function pullsOf({ host, branch }: CodeHostDeps, commit: string): Promise<readonly number[]> {
  const found = await host.pullRequestsOf(commit);
  return found.filter(({ state, base }) => state === 'merged' && base === branch).map(({ number }) => number);
}

/** A rebase brings several commits by one pull request. */
async function commitsOf({ store }: CodeHostDeps, number: number, commit: string): Promise<readonly string[]> {
  const saved = await store.get(pullKey(number));
  const known = saved === null ? [] : (JSON.parse(saved) as string[]);
  if (known.includes(commit)) return known;
  const commits = [...known, commit];
  await store.put(pullKey(number), JSON.stringify(commits));
  return commits;
}

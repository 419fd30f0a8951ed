/** Statuses, deployments and comments: what should stand at the host is kept for each commit, and sent until it does. */
import { RefusedError, StalledError } from '../../base/failures.ts';
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
  /** In the order in which they came. */
  readonly services: readonly ServiceReport[];
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
  /** Commits with a record, by when they last changed. */
  readonly kept: Readonly<Record<string, Instant>>;
}

const bookKey = 'reports';
const recordKey = (commit: string): string => `report/${commit}`;
const pullKey = (number: number): string => `report/pull/${number}`;
const batchRows = 500;
/** A commit that the host does not know by then was taken off its branch. */
const unknownForMs = 600_000;
/** Longer than anything can happen to what a commit brought, but that somebody takes it back by hand. */
const keptForMs = 8 * 24 * 3_600_000;

export function createReporting(deps: CodeHostDeps): Reporting {
  const lastStates = new Map<string, ServiceState>();

  async function readBook(): Promise<Book> {
    const saved = await deps.store.get(bookKey);
    if (saved !== null) return JSON.parse(saved) as Book;
    const book = { position: 0, since: deps.clock.now(), unsent: [], kept: {} };
    await deps.store.put(bookKey, JSON.stringify(book));
    return book;
  }

  /** A batch at a time: after a long outage there can be very many rows. */
  async function takeIn(before: Book): Promise<Book> {
    let book = before;
    for (;;) {
      const rows = await deps.store.journal(book.position, batchRows);
      const last = rows.at(-1);
      if (last === undefined) return book;
      const found: ServiceReport[] = [];
      for (const row of rows) {
        const was = lastStates.get(row.service) ?? (await previousState(deps.store, row));
        if (row.at >= book.since) found.push(...reportsOf(row, was));
        lastStates.set(row.service, row.stateAfter);
      }
      const byCommit = Map.groupBy(found, ({ commit }) => commit);
      for (const [commit, reports] of byCommit) await merge(deps, commit, reports);
      const changed = Object.fromEntries([...byCommit.keys()].map((commit) => [commit, deps.clock.now()]));
      const unsent = [...new Set([...book.unsent, ...byCommit.keys()])];
      book = { ...book, position: last.position, unsent, kept: { ...book.kept, ...changed } };
      await deps.store.put(bookKey, JSON.stringify(book));
    }
  }

  /** Records that nothing can change any more, also those that could not be sent in all that time. */
  async function forget(book: Book): Promise<Book> {
    const before = deps.clock.now() - keptForMs;
    const old = Object.entries(book.kept).filter(([, at]) => at < before);
    if (old.length === 0) return book;
    const lost = old.map(([commit]) => commit).filter((commit) => book.unsent.includes(commit));
    if (lost.length > 0) deps.log.warn({ commits: lost }, 'the code host has not taken the reports of these commits; they get none');
    for (const [commit] of old) {
      for (const number of (await readRecord(deps, commit))?.pulls ?? []) await leaveOut(deps, number, commit);
      await deps.store.remove(recordKey(commit));
    }
    const gone = new Set(old.map(([commit]) => commit));
    const kept = Object.fromEntries(Object.entries(book.kept).filter(([commit]) => !gone.has(commit)));
    return { ...book, kept, unsent: book.unsent.filter((commit) => !gone.has(commit)) };
  }

  return {
    async report() {
      const book = await takeIn(await readBook());
      const [left, failed]: [string[], string[]] = [[], []];
      const pass: Pass = { failure: undefined, isAway: false, refused: new Set() };
      for (const commit of book.unsent) {
        if (pass.isAway) left.push(commit);
        else if (!(await send(deps, commit, pass))) failed.push(commit);
      }
      // Those that failed come last the next time: one that always does keeps none of the others away.
      left.push(...failed);
      const next = await forget(left.join() === book.unsent.join() ? book : { ...book, unsent: left });
      if (next !== book) await deps.store.put(bookKey, JSON.stringify(next));
      if (pass.failure !== undefined) throw pass.failure as Error;
    },
  };
}

/** One try to send what is unsent. */
interface Pass {
  /** The first. */
  failure: unknown;
  /** Nothing more is tried: the host does not answer. */
  isAway: boolean;
  /** Kinds that a person must do something about, mostly for want of a permission. */
  readonly refused: Set<Kind>;
}

async function readRecord({ store }: CodeHostDeps, commit: string): Promise<CommitRecord | null> {
  const saved = await store.get(recordKey(commit));
  return saved === null ? null : (JSON.parse(saved) as CommitRecord);
}

async function merge(deps: CodeHostDeps, commit: string, reports: readonly ServiceReport[]): Promise<void> {
  const known = await readRecord(deps, commit);
  const byService = new Map([...(known?.services ?? []), ...reports].map((report) => [report.service, report]));
  const record: CommitRecord = { at: deps.clock.now(), services: [...byService.values()], pulls: known?.pulls ?? null };
  await deps.store.put(recordKey(commit), JSON.stringify(record));
}

type Kind = 'statuses' | 'deployments' | 'comments';

const kinds = { statuses: sendStatuses, deployments: sendDeployments, comments: sendComments } as const;

/** Whether all of it is there. Each kind by itself: one that is refused must not keep the others, or other commits, from people. */
async function send(deps: CodeHostDeps, commit: string, pass: Pass): Promise<boolean> {
  const record = await readRecord(deps, commit);
  if (record === null) return true;
  let isSent = true;
  for (const kind of ['statuses', 'deployments', 'comments'] as const) {
    if (!deps.settings().codeHost[kind]) continue;
    const isDone = !pass.isAway && !pass.refused.has(kind) && (await sendKind(deps, commit, { record, kind, pass }));
    isSent = isSent && isDone;
  }
  return isSent;
}

async function sendKind(
  deps: CodeHostDeps,
  commit: string,
  { record, kind, pass }: { readonly record: CommitRecord; readonly kind: Kind; readonly pass: Pass },
): Promise<boolean> {
  try {
    await kinds[kind](deps, commit, record);
    return true;
  } catch (thrown) {
    // A commit that is not to be seen yet, or not any more.
    if (thrown instanceof RefusedError) return isGone(deps, commit, record, thrown);
    pass.failure ??= thrown;
    if (thrown instanceof StalledError) pass.refused.add(kind);
    else pass.isAway = true;
    return false;
  }
}

function isGone({ clock, log }: CodeHostDeps, commit: string, record: CommitRecord, thrown: RefusedError): boolean {
  if (clock.now() - record.at <= unknownForMs) return false;
  log.warn({ commit, error: thrown.message }, 'the code host does not take reports of this commit; it gets none');
  return true;
}

async function sendStatuses(deps: CodeHostDeps, commit: string, { services }: CommitRecord): Promise<void> {
  const most = deps.settings().codeHost.aggregateAbove;
  // In the order in which they came: what has a status of its own keeps it.
  for (const report of services.slice(0, most)) {
    const { deployment } = report;
    await deps.host.ensureStatus(commit, {
      context: `actuator/${report.service}`,
      state: report.state,
      description: report.text,
      url: deployment === null ? null : deps.host.recordUrl(deploymentFolder(deployment.id)),
    });
  }
  if (services.length > most) await deps.host.ensureStatus(commit, aggregate(services));
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

/** Of very many only the first: hosts take so many writes an hour, and would keep us from everything else. */
async function sendDeployments({ host, publicUrl, settings }: CodeHostDeps, commit: string, { services }: CommitRecord): Promise<void> {
  for (const { service, deployment, phase, text } of services.slice(0, settings().codeHost.aggregateAbove)) {
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
    const reports = records.flatMap((one) => one?.services ?? []);
    await deps.host.ensureComment(
      number,
      rolloutMarker,
      rolloutComment(reports, (path) => deps.host.recordUrl(path)),
    );
  }
}

async function pullsOf({ host, branch }: CodeHostDeps, commit: string): Promise<readonly number[]> {
  const found = (await host.pullRequestsOf(commit)) ?? [];
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

async function leaveOut({ store }: CodeHostDeps, number: number, commit: string): Promise<void> {
  const saved = await store.get(pullKey(number));
  const left = (saved === null ? [] : (JSON.parse(saved) as string[])).filter((one) => one !== commit);
  if (left.length === 0) await store.remove(pullKey(number));
  else await store.put(pullKey(number), JSON.stringify(left));
}

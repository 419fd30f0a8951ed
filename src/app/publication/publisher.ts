/** The outbox: every journal row becomes part of the status branch, once and in order. */
import { recordEvidence, type EvidenceRecord } from '../../domain/analysis/record.ts';
import type { Plan } from '../../domain/planning/plan.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { StatusBranch, StatusCommit } from '../../ports/repository.ts';
import type { JournalRow, Store } from '../../ports/store.ts';
import { dropEvidence, evidenceName } from '../judging/evidence-log.ts';
import type { Judging } from '../judging/judging.ts';
import { previousState } from './previous-state.ts';
import { joinCommits, renderRow, type RowContext } from './render.ts';

const batchRows = 500;
/** Above this many waiting transitions they share a commit. */
const commitsPerPush = 50;
const cursorKey = 'published';

export interface PublisherDeps {
  readonly store: Store;
  readonly branch: StatusBranch;
  readonly instance: string;
  readonly takeOver: boolean;
  readonly judging: Pick<Judging, 'traffic' | 'blocks'>;
  /** Commits beside the journal that are due at this position. */
  readonly besides: () => readonly StatusCommit[];
  readonly clock: Clock;
  readonly version: string;
}

/** One pass: publishes what waits. Throws when the remote can't be written; nothing is lost or repeated by that. */
export function createPublisher(deps: PublisherDeps): () => Promise<void> {
  const lastStates = new Map<string, ServiceState>();
  let position: number | null = null;

  /** The cursor lies in the status tree: what was pushed is known even when the bookkeeping after it was lost. */
  async function start(): Promise<number> {
    const remote = await deps.branch.cursor();
    // Never there, or deleted on the remote: it is written (anew) from the journal.
    if (remote === null) return 0;
    return remote.instance === deps.instance ? remote.position : Number((await deps.store.get(cursorKey)) ?? 0);
  }

  return async () => {
    position ??= await start();
    for (;;) {
      const rows = await deps.store.journal(position, batchRows);
      const last = rows.at(-1);
      if (last === undefined) return publishBesides(deps, position);
      const rendered = [];
      const ended = new Set<string>();
      for (const row of rows) {
        const context = await contextOf(deps, row, lastStates.get(row.service) ?? null);
        for (const name of endedBy(row, context.before)) ended.add(name);
        rendered.push({
          ...renderRow(row, context),
          cursor: { instance: deps.instance, position: row.position },
        });
        lastStates.set(row.service, row.stateAfter);
      }
      const joined =
        rendered.length > commitsPerPush
          ? [{ ...joinCommits(rendered), cursor: { instance: deps.instance, position: last.position } }]
          : rendered;
      try {
        await deps.branch.publish(joined, deps.takeOver);
      } catch (thrown) {
        position = null;
        lastStates.clear();
        throw thrown;
      }
      position = last.position;
      await deps.store.put(cursorKey, String(position));
      for (const name of ended) await dropEvidence(deps.store, name);
    }
  };
}

/** What the rows of evidence were kept under of a deployment that has ended by then: its own, and those of its arms. */
function endedBy({ stateAfter }: JournalRow, before: ServiceState | null): readonly string[] {
  const { last } = stateAfter;
  if (last === null) return [];
  const arms = before?.active?.id === last.id ? (before.active.plan.abTest?.arms ?? []) : [];
  return [last.id, ...arms.map(({ name }) => evidenceName(last.id, name))];
}

/** After the journal: it never waits for these. */
async function publishBesides(deps: PublisherDeps, position: number): Promise<void> {
  const cursor = { instance: deps.instance, position };
  const commits = deps.besides().map((commit) => ({ ...commit, besides: true as const, cursor }));
  if (commits.length > 0) await deps.branch.publish(commits, deps.takeOver);
}

async function contextOf(deps: PublisherDeps, row: JournalRow, before: ServiceState | null): Promise<RowContext> {
  const { stable } = row.stateAfter;
  const changed = stable !== null && stable.digest !== before?.stable?.digest;
  const stored = changed ? await deps.store.configuration(row.service, stable.digest) : null;
  const rate = deps.judging.traffic(row.service).requestsPerSecond(deps.clock.now());
  const known = before ?? (await previousState(deps.store, row));
  return {
    before: known,
    stableText: stored?.text ?? null,
    requestsPerSecond: Math.round(rate * 10) / 10,
    evidence: await evidenceOf(deps, row, known),
  };
}

/** Of the row's verdict. The deployment may have ended with it. */
async function evidenceOf(deps: PublisherDeps, row: JournalRow, before: ServiceState | null): Promise<EvidenceRecord | null> {
  const active = before?.active ?? row.stateAfter.active;
  if (row.event.type !== 'judged' || active === null) return null;
  const { judgement, moment, comparison } = row.event;
  const { policy, settingsDigest }: Plan = active.plan;
  const blocks = await deps.judging.blocks(active.id, judgement.arm, judgement.blocks);
  // Published and dropped before, or begun anew by a person: a record that can't be judged again is none.
  if (blocks.length < judgement.blocks) return null;
  return recordEvidence({
    code_version: deps.version,
    service: row.service,
    deployment_id: active.id,
    settings_digest: settingsDigest,
    judgement,
    ...(comparison === undefined ? {} : { comparison }),
    policy,
    moment,
    blocks,
  });
}

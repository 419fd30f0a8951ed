/** The outbox: every journal row becomes part of the status branch, once and in order. */
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { StatusBranch } from '../../ports/repository.ts';
import type { JournalRow, Store } from '../../ports/store.ts';
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
  readonly requestsPerSecond: (service: string) => number | null;
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
      if (last === undefined) return;
      const rendered = [];
      for (const row of rows) {
        rendered.push({
          ...renderRow(row, await contextOf(deps, row, lastStates.get(row.service) ?? null)),
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
    }
  };
}

async function contextOf(deps: PublisherDeps, row: JournalRow, before: ServiceState | null): Promise<RowContext> {
  const { stable } = row.stateAfter;
  const changed = stable !== null && stable.digest !== before?.stable?.digest;
  const stored = changed ? await deps.store.configuration(row.service, stable.digest) : null;
  return {
    before: before ?? (await previousState(deps.store, row)),
    stableText: stored?.text ?? null,
    requestsPerSecond: deps.requestsPerSecond(row.service),
  };
}

async function previousState(store: Store, row: JournalRow): Promise<ServiceState | null> {
  if (row.seq === 1) return null;
  return (await store.journalOf(row.service, 1000)).find((candidate) => candidate.seq === row.seq - 1)?.stateAfter ?? null;
}

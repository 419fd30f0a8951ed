/** The state before a row of the journal. */
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { JournalRow, Store } from '../../ports/store.ts';

export async function previousState(store: Store, row: JournalRow): Promise<ServiceState | null> {
  if (row.seq === 1) return null;
  return (await store.journalOf(row.service, 1000)).find((candidate) => candidate.seq === row.seq - 1)?.stateAfter ?? null;
}

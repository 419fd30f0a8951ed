/** The closed blocks of each deployment, kept in the store until its record is published. Rows are named by their number. */
import { messageOf } from '../../base/failures.ts';
import type { BlockRow } from '../../domain/analysis/block.ts';
import type { Log } from '../../ports/log.ts';
import type { Store } from '../../ports/store.ts';

const rowsPerChunk = 32;

export interface EvidenceLog {
  /** Row `index`, counted from 0. What was kept beyond it, by a process that a crash ended, is dropped. Written soon; `flush` says when. */
  keep(deploymentId: string, index: number, row: BlockRow): void;
  /** Resolves when every row so far is in the store; rejects when one could not be written, which is tried again with the next. */
  flush(): Promise<void>;
  /** The deployment has ended: no row of it comes any more. */
  forget(deploymentId: string): void;
}

/** What the rows of a deployment are kept under; each arm of an A/B test has its own. */
export function evidenceName(deploymentId: string, arm: string | null | undefined): string {
  return arm == null ? deploymentId : `${deploymentId}/${arm}`;
}

interface Waiting {
  readonly deploymentId: string;
  readonly index: number;
  readonly row: BlockRow;
}

export function createEvidenceLog(store: Store, log: Log): EvidenceLog {
  const open = new Map<string, { readonly chunk: number; rows: BlockRow[] }>();
  const waiting: Waiting[] = [];
  let writes: Promise<void> = Promise.resolve();

  async function append({ deploymentId, index, row }: Waiting): Promise<void> {
    const chunk = Math.floor(index / rowsPerChunk);
    const known = open.get(deploymentId);
    const rows = known?.chunk === chunk ? known.rows : await readChunk(store, deploymentId, chunk);
    const kept = [...rows.slice(0, index % rowsPerChunk), row];
    await store.put(keyOf(deploymentId, chunk), JSON.stringify(kept));
    if (kept.length === rowsPerChunk) open.delete(deploymentId);
    else open.set(deploymentId, { chunk, rows: kept });
  }

  /** In order; what the store refuses now stays at the head. */
  async function write(): Promise<void> {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      await append(next);
      waiting.shift();
    }
  }

  function flush(): Promise<void> {
    writes = writes.then(write, write);
    return writes;
  }

  return {
    keep(deploymentId, index, row) {
      waiting.push({ deploymentId, index, row });
      flush().catch((thrown: unknown) => log.error({ error: messageOf(thrown), deployment: deploymentId }, 'evidence could not be kept'));
    },
    flush,
    forget(deploymentId) {
      const done = (): void => void open.delete(deploymentId);
      flush().then(done, done);
    },
  };
}

/** The first `count` rows of a deployment. */
export async function readEvidence(store: Store, deploymentId: string, count: number): Promise<readonly BlockRow[]> {
  const rows: BlockRow[] = [];
  for (let chunk = 0; rows.length < count; chunk++) {
    const next = await readChunk(store, deploymentId, chunk);
    if (next.length === 0) break;
    rows.push(...next);
  }
  return rows.slice(0, count);
}

/** For a deployment that has ended and whose record is published. */
export async function dropEvidence(store: Store, deploymentId: string): Promise<void> {
  for (let chunk = 0; (await store.get(keyOf(deploymentId, chunk))) !== null; chunk++) await store.remove(keyOf(deploymentId, chunk));
}

async function readChunk(store: Store, deploymentId: string, chunk: number): Promise<BlockRow[]> {
  return JSON.parse((await store.get(keyOf(deploymentId, chunk))) ?? '[]') as BlockRow[];
}

function keyOf(deploymentId: string, chunk: number): string {
  return `evidence/${deploymentId}/${chunk}`;
}

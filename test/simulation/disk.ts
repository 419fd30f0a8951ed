/** A store in memory that outlives the processes that use it, as a disk does. */
import { StalledError } from '../../src/base/failures.ts';
import type { ServiceState } from '../../src/domain/rollout/state.ts';
import type { ApiKey, JournalRow, PendingEffect, Store, StoredConfiguration } from '../../src/ports/store.ts';
import type { Process } from './process.ts';

export interface Disk {
  readonly journal: JournalRow[];
  readonly states: Map<string, string>;
  readonly effects: Map<number, PendingEffect>;
  readonly configurations: Map<string, StoredConfiguration>;
  readonly entries: Map<string, string>;
  readonly keys: Map<string, ApiKey>;
  readonly numbers: Map<string, number>;
  readonly seqs: Map<string, number>;
  lease: { holder: string; term: number; expires: number };
  lastEffect: number;
  /** Writes fail while it is set. */
  failure: string | null;
}

export function newDisk(): Disk {
  return {
    journal: [],
    states: new Map(),
    effects: new Map(),
    configurations: new Map(),
    entries: new Map(),
    keys: new Map(),
    numbers: new Map(),
    seqs: new Map(),
    lease: { holder: '', term: 0, expires: 0 },
    lastEffect: 0,
    failure: null,
  };
}

/** Parsed files by content: the same in every run, so they are kept over all runs. */
const documents = new Map<string, string>();

export function openDisk(disk: Disk, process: Process, onAppended: (row: JournalRow) => void): Store {
  let fence: number | null = null;
  const write = <T>(port: string, effect: () => T): Promise<T> =>
    process.call(port, () => {
      if (disk.failure !== null) throw new Error(disk.failure);
      if (fence !== null && disk.lease.term !== fence)
        throw new StalledError(`another control plane leads (term ${disk.lease.term}, ours was ${fence})`);
      return effect();
    });
  const read = <T>(effect: () => T): Promise<T> => process.call('store-read', effect);
  return {
    acquireLease: (holder, ttlMs) =>
      write('store', () => {
        const now = process.loop.now();
        if (disk.lease.holder !== holder && disk.lease.expires > now) return null;
        disk.lease = { holder, term: Math.max(disk.lease.term + 1, Math.floor(now / 1000)), expires: now + ttlMs };
        return { term: disk.lease.term };
      }),
    renewLease: (holder, term, ttlMs) =>
      write('store', () => {
        if (disk.lease.holder !== holder || disk.lease.term !== term) return false;
        disk.lease = { ...disk.lease, expires: process.loop.now() + ttlMs };
        return true;
      }),
    releaseLease: () => Promise.resolve(),
    fence: (term) => {
      fence = term;
    },
    states: () => read(() => [...disk.states.entries()].sort().map(([, body]) => JSON.parse(body) as ServiceState)),
    append: (row, term) =>
      write('journal', () => {
        if (disk.lease.term !== term) throw new StalledError(`another control plane leads (term ${disk.lease.term}, ours was ${term})`);
        const seq = (disk.seqs.get(row.service) ?? 0) + 1;
        disk.seqs.set(row.service, seq);
        const complete: JournalRow = { ...row, seq, position: disk.journal.length + 1 };
        disk.journal.push(complete);
        disk.states.set(row.service, JSON.stringify(row.stateAfter));
        const pending = row.effects
          .filter(({ kind }) => kind !== 'assign')
          .map((effect): PendingEffect => ({ id: ++disk.lastEffect, service: row.service, effect }));
        for (const effect of pending) disk.effects.set(effect.id, effect);
        onAppended(complete);
        return { row: complete, pending };
      }),
    pendingEffects: () => read(() => [...disk.effects.values()]),
    settleEffect: (id) => write('settle', () => void disk.effects.delete(id)),
    journal: (after, limit) => read(() => disk.journal.slice(after, after + limit)),
    journalOf: (service, limit) =>
      read(() =>
        disk.journal
          .filter((row) => row.service === service)
          .reverse()
          .slice(0, limit),
      ),
    nextDeploymentNumber: (day) =>
      write('store', () => {
        const number = (disk.numbers.get(day) ?? 0) + 1;
        disk.numbers.set(day, number);
        return number;
      }),
    saveConfiguration: (saved) => write('store', () => void disk.configurations.set(`${saved.service} ${saved.digest}`, saved)),
    configuration: (service, digest) => read(() => disk.configurations.get(`${service} ${digest}`) ?? null),
    get: (key) => read(() => disk.entries.get(key) ?? null),
    put: (key, value) => write('store', () => void disk.entries.set(key, value)),
    remove: (key) => write('store', () => void disk.entries.delete(key)),
    cachedDocuments: (keys) =>
      Promise.resolve(new Map(keys.flatMap((key) => (documents.has(key) ? [[key, documents.get(key) ?? ''] as const] : [])))),
    cacheDocument: (key, body) => Promise.resolve(void documents.set(key, body)),
    addApiKey: (hash, key) => write('store', () => void disk.keys.set(hash, key)),
    apiKey: (hash) => read(() => disk.keys.get(hash) ?? null),
    close: () => Promise.resolve(),
  };
}

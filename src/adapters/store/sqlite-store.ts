/** The store on SQLite. */
import { Kysely, sql, type Transaction } from 'kysely';
import { Migrator } from 'kysely/migration';
import { StalledError } from '../../base/failures.ts';
import type { Effect } from '../../domain/rollout/effect.ts';
import type { ServiceEvent } from '../../domain/rollout/event.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { ApiKey, JournalRow, Lease, PendingEffect, Role, Store, StoredConfiguration } from '../../ports/store.ts';
import { nodeSqliteDialect } from './node-sqlite-dialect.ts';
import { journalVersion, migrations, type Tables } from './schema.ts';

type Database = Kysely<Tables>;

const leaseName = 'leader';
/** The database's clock, so that replicas with clocks apart agree on when a lease is over. */
const databaseNow = sql<number>`cast(unixepoch('subsec') * 1000 as integer)`;

/** At least the time, so that terms go on rising after a store was lost or put back from a backup; gateways ignore lower ones. */
const nextTerm = sql<number>`cast(unixepoch() as integer)`;

/** Opens and migrates. Throws when the file is no database of ours, or of a newer version. */
export async function openSqliteStore(file: string): Promise<Store> {
  const db: Database = new Kysely<Tables>({ dialect: nodeSqliteDialect(file) });
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve({ ...migrations }) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    await db.destroy();
    throw new StalledError(`the store ${file} could not be migrated: ${error instanceof Error ? error.message : 'unknown error'}`, {
      cause: error,
    });
  }
  let term: number | null = null;
  const write: Write = (work) =>
    term === null
      ? work(db)
      : db.transaction().execute(async (transaction) => {
          await mustLead(transaction, term ?? 0);
          return work(transaction);
        });
  return {
    ...leases(db),
    ...journal(db, write),
    ...configurations(db, write),
    ...entries(db, write),
    ...apiKeys(db, write),
    fence: (given) => {
      term = given;
    },
    close: () => db.destroy(),
  };
}

/** Runs a write, fenced once this process leads. */
type Write = <T>(work: (db: Database) => Promise<T>) => Promise<T>;

async function mustLead(transaction: Database, term: number): Promise<void> {
  const leader = await transaction.selectFrom('leases').select('term').where('name', '=', leaseName).executeTakeFirst();
  if (leader?.term !== term) throw new StalledError(`another control plane leads (term ${leader?.term ?? 'none'}, ours was ${term})`);
}

function leases(db: Database): Pick<Store, 'acquireLease' | 'renewLease' | 'releaseLease'> {
  return {
    async acquireLease(holder, ttlMs): Promise<Lease | null> {
      const row = await db
        .insertInto('leases')
        .values({ name: leaseName, holder, term: nextTerm, expires: sql`${databaseNow} + ${ttlMs}` })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet((eb) => ({
              holder,
              term: sql`max(${eb.ref('leases.term')} + 1, ${nextTerm})`,
              expires: sql`${databaseNow} + ${ttlMs}`,
            }))
            .where((eb) => eb.or([eb('leases.holder', '=', holder), eb('leases.expires', '<=', databaseNow)])),
        )
        .returning('term')
        .executeTakeFirst();
      return row === undefined ? null : { term: row.term };
    },
    async renewLease(holder, term, ttlMs): Promise<boolean> {
      const result = await db
        .updateTable('leases')
        .set({ expires: sql`${databaseNow} + ${ttlMs}` })
        .where('name', '=', leaseName)
        .where('holder', '=', holder)
        .where('term', '=', term)
        .executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },
    async releaseLease(holder, term): Promise<void> {
      await db
        .updateTable('leases')
        .set({ expires: 0 })
        .where('name', '=', leaseName)
        .where('holder', '=', holder)
        .where('term', '=', term)
        .execute();
    },
  };
}

function journal(
  db: Database,
  write: Write,
): Pick<Store, 'states' | 'append' | 'pendingEffects' | 'settleEffect' | 'journal' | 'journalOf' | 'nextDeploymentNumber'> {
  return {
    async states() {
      const rows = await db.selectFrom('services').select('state').orderBy('service').execute();
      return rows.map((row) => JSON.parse(row.state) as ServiceState);
    },
    append: (row, term) => db.transaction().execute((transaction) => appendIn(transaction, row, term)),
    async pendingEffects() {
      const rows = await db.selectFrom('effects').selectAll().orderBy('id').execute();
      return rows.map((row) => ({ id: row.id, service: row.service, effect: JSON.parse(row.effect) as Effect }));
    },
    async settleEffect(id) {
      await write((fenced) => fenced.deleteFrom('effects').where('id', '=', id).execute());
    },
    async journal(after, limit) {
      return (await db.selectFrom('journal').selectAll().where('position', '>', after).orderBy('position').limit(limit).execute()).map(
        toRow,
      );
    },
    async journalOf(service, limit) {
      return (
        await db.selectFrom('journal').selectAll().where('service', '=', service).orderBy('position', 'desc').limit(limit).execute()
      ).map(toRow);
    },
    async nextDeploymentNumber(day) {
      const row = await write((fenced) =>
        fenced
          .insertInto('deployment_numbers')
          .values({ day, number: 1 })
          .onConflict((conflict) =>
            conflict.column('day').doUpdateSet((eb) => ({ number: sql`${eb.ref('deployment_numbers.number')} + 1` })),
          )
          .returning('number')
          .executeTakeFirstOrThrow(),
      );
      return row.number;
    },
  };
}

async function appendIn(
  transaction: Transaction<Tables>,
  row: Omit<JournalRow, 'position' | 'seq'>,
  term: number,
): Promise<{ row: JournalRow; pending: readonly PendingEffect[] }> {
  await mustLead(transaction, term);
  const last = await transaction
    .selectFrom('journal')
    .select((eb) => eb.fn.max('seq').as('seq'))
    .where('service', '=', row.service)
    .executeTakeFirst();
  const seq = (last?.seq ?? 0) + 1;
  const state = JSON.stringify(row.stateAfter);
  const { position } = await transaction
    .insertInto('journal')
    .values({
      service: row.service,
      seq,
      at: row.at,
      actor: row.actor,
      event: JSON.stringify(row.event),
      message: row.message,
      state_after: state,
      effects: JSON.stringify(row.effects),
      version: journalVersion,
    })
    .returning('position')
    .executeTakeFirstOrThrow();
  await transaction
    .insertInto('services')
    .values({ service: row.service, state })
    .onConflict((conflict) => conflict.column('service').doUpdateSet({ state }))
    .execute();
  const pending: PendingEffect[] = [];
  // An assignment is asserted from the state whenever a gateway connects, so it needs no row of its own.
  for (const effect of row.effects.filter(({ kind }) => kind !== 'assign')) {
    const { id } = await transaction
      .insertInto('effects')
      .values({ service: row.service, effect: JSON.stringify(effect) })
      .returning('id')
      .executeTakeFirstOrThrow();
    pending.push({ id, service: row.service, effect });
  }
  return { row: { ...row, position, seq }, pending };
}

function toRow(row: {
  position: number;
  service: string;
  seq: number;
  at: number;
  actor: string;
  event: string;
  message: string;
  state_after: string;
  effects: string;
}): JournalRow {
  return {
    position: row.position,
    service: row.service,
    seq: row.seq,
    at: row.at,
    actor: row.actor,
    event: JSON.parse(row.event) as ServiceEvent,
    message: row.message,
    stateAfter: JSON.parse(row.state_after) as ServiceState,
    effects: JSON.parse(row.effects) as Effect[],
  };
}

function configurations(db: Database, write: Write): Pick<Store, 'saveConfiguration' | 'configuration'> {
  return {
    async saveConfiguration(saved) {
      const values = {
        service: saved.service,
        digest: saved.digest,
        commit_id: saved.commit,
        config: JSON.stringify(saved.config),
        serving: JSON.stringify(saved.serving),
        text: saved.text,
      };
      // Same digest, newer commit: prices and the written form may have changed, and the newest is what a revert must restore.
      await write((fenced) =>
        fenced
          .insertInto('configurations')
          .values(values)
          .onConflict((conflict) => conflict.columns(['service', 'digest']).doUpdateSet(values))
          .execute(),
      );
    },
    async configuration(service, digest): Promise<StoredConfiguration | null> {
      const row = await db
        .selectFrom('configurations')
        .selectAll()
        .where('service', '=', service)
        .where('digest', '=', digest)
        .executeTakeFirst();
      if (row === undefined) return null;
      return {
        service,
        digest,
        commit: row.commit_id,
        config: JSON.parse(row.config) as StoredConfiguration['config'],
        serving: JSON.parse(row.serving) as StoredConfiguration['serving'],
        text: row.text,
      };
    },
  };
}

function entries(db: Database, write: Write): Pick<Store, 'get' | 'put' | 'remove' | 'cachedDocuments' | 'cacheDocument'> {
  return {
    async get(key) {
      return (await db.selectFrom('entries').select('value').where('key', '=', key).executeTakeFirst())?.value ?? null;
    },
    async put(key, value) {
      await write((fenced) =>
        fenced
          .insertInto('entries')
          .values({ key, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
          .execute(),
      );
    },
    async remove(key) {
      await write((fenced) => fenced.deleteFrom('entries').where('key', '=', key).execute());
    },
    async cachedDocuments(keys) {
      const found = new Map<string, string>();
      for (let start = 0; start < keys.length; start += 500) {
        const rows = await db
          .selectFrom('documents')
          .selectAll()
          .where('key', 'in', keys.slice(start, start + 500))
          .execute();
        for (const row of rows) found.set(row.key, row.body);
      }
      return found;
    },
    async cacheDocument(key, body) {
      await db
        .insertInto('documents')
        .values({ key, body })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ body }))
        .execute();
    },
  };
}

function apiKeys(db: Database, write: Write): Pick<Store, 'addApiKey' | 'apiKey'> {
  return {
    async addApiKey(hash, key) {
      await write((fenced) =>
        fenced
          .insertInto('api_keys')
          .values({ hash, ...key })
          .onConflict((conflict) => conflict.column('hash').doUpdateSet({ ...key }))
          .execute(),
      );
    },
    async apiKey(hash): Promise<ApiKey | null> {
      const row = await db.selectFrom('api_keys').selectAll().where('hash', '=', hash).executeTakeFirst();
      return row === undefined ? null : { name: row.name, role: row.role as Role };
    },
  };
}

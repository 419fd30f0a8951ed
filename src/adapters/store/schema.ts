/** The tables. Times are epoch milliseconds, structured values are JSON text. */
import type { Generated, Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export interface Tables {
  journal: {
    position: Generated<number>;
    service: string;
    seq: number;
    at: number;
    actor: string;
    event: string;
    message: string;
    state_after: string;
    effects: string;
    version: number;
  };
  services: { service: string; state: string };
  effects: { id: Generated<number>; service: string; effect: string };
  configurations: { service: string; digest: string; commit_id: string; config: string; serving: string; text: string };
  entries: { key: string; value: string };
  documents: { key: string; body: string };
  leases: { name: string; holder: string; term: number; expires: number };
  deployment_numbers: { day: string; number: number };
  api_keys: { hash: string; name: string; role: string };
}

/** Form of the rows of `journal`; raised when old rows need translation. */
export const journalVersion = 1;

async function decisionTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('journal')
    .addColumn('position', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('message', 'text', (column) => column.notNull())
    .addColumn('state_after', 'text', (column) => column.notNull())
    .addColumn('effects', 'text', (column) => column.notNull())
    .addColumn('version', 'integer', (column) => column.notNull())
    .addUniqueConstraint('journal_service_seq', ['service', 'seq'])
    .execute();
  await db.schema
    .createTable('services')
    .addColumn('service', 'text', (column) => column.primaryKey())
    .addColumn('state', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('effects')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('effect', 'text', (column) => column.notNull())
    .execute();
}

async function supportingTables(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('configurations')
    .addColumn('service', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('commit_id', 'text', (column) => column.notNull())
    .addColumn('config', 'text', (column) => column.notNull())
    .addColumn('serving', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('configurations_key', ['service', 'digest'])
    .execute();
  await db.schema
    .createTable('entries')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('documents')
    .addColumn('key', 'text', (column) => column.primaryKey())
    .addColumn('body', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('leases')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('term', 'integer', (column) => column.notNull())
    .addColumn('expires', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('deployment_numbers')
    .addColumn('day', 'text', (column) => column.primaryKey())
    .addColumn('number', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('api_keys')
    .addColumn('hash', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('role', 'text', (column) => column.notNull())
    .execute();
}

async function first(db: Kysely<unknown>): Promise<void> {
  await decisionTables(db);
  await supportingTables(db);
}

export const migrations: Readonly<Record<string, Migration>> = {
  '0001-first': { up: first },
};

import type { Instant } from '../base/time.ts';
import type { AssignmentServing, LlmConfig } from '../generated/types.ts';
import type { Effect } from '../domain/rollout/effect.ts';
import type { ServiceEvent } from '../domain/rollout/event.ts';
import type { ServiceState } from '../domain/rollout/state.ts';

/** One transition of one service, as it was decided. */
export interface JournalRow {
  /** Order over all services, from 1, without gaps in what is published. */
  readonly position: number;
  readonly service: string;
  /** Order within the service, from 1. */
  readonly seq: number;
  readonly at: Instant;
  readonly actor: string;
  readonly event: ServiceEvent;
  /** The transition in one sentence. */
  readonly message: string;
  readonly stateAfter: ServiceState;
  readonly effects: readonly Effect[];
}

export interface PendingEffect {
  readonly id: number;
  readonly service: string;
  readonly effect: Effect;
}

/** What was seen valid on the branch, kept so that it can be served and restored without Git. */
export interface StoredConfiguration {
  readonly service: string;
  readonly digest: string;
  readonly commit: string;
  readonly config: LlmConfig;
  readonly serving: AssignmentServing;
  /** The file as written, for revert commits. */
  readonly text: string;
}

export interface Lease {
  readonly term: number;
}

export type Role = 'viewer' | 'operator' | 'approver' | 'admin' | 'gateway';

export interface ApiKey {
  readonly name: string;
  readonly role: Role;
}

/** Durable state of one control plane. Every write of a former leader is refused by its term. */
export interface Store {
  /** The lease, when it is free, expired or already `holder`'s; null while another holds it. A new holder gets a higher term. */
  acquireLease(holder: string, ttlMs: number): Promise<Lease | null>;
  /** False when the lease was lost: the caller must stop leading. */
  renewLease(holder: string, term: number, ttlMs: number): Promise<boolean>;
  releaseLease(holder: string, term: number): Promise<void>;
  /**
   * From now on whatever this process writes is refused with a StalledError once another leads: a leader that stood still and comes
   * back must not settle what it never saw.
   */
  fence(term: number): void;

  states(): Promise<readonly ServiceState[]>;
  /** Appends in one transaction, durable when it returns. Throws StalledError when `term` is no longer the leader's. */
  append(
    row: Omit<JournalRow, 'position' | 'seq'>,
    term: number,
  ): Promise<{ readonly row: JournalRow; readonly pending: readonly PendingEffect[] }>;
  pendingEffects(): Promise<readonly PendingEffect[]>;
  settleEffect(id: number): Promise<void>;
  /** Rows after `position`, oldest first. */
  journal(after: number, limit: number): Promise<readonly JournalRow[]>;
  journalOf(service: string, limit: number): Promise<readonly JournalRow[]>;
  /** The number of the next deployment of that UTC day, from 1. */
  nextDeploymentNumber(day: string): Promise<number>;

  saveConfiguration(configuration: StoredConfiguration): Promise<void>;
  configuration(service: string, digest: string): Promise<StoredConfiguration | null>;

  /** Whatever must survive a restart and is no event: judge checkpoints, accepted settings, cursors. */
  get(key: string): Promise<string | null>;
  put(key: string, value: string): Promise<void>;
  remove(key: string): Promise<void>;
  cachedDocuments(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  cacheDocument(key: string, body: string): Promise<void>;

  addApiKey(hash: string, key: ApiKey): Promise<void>;
  apiKey(hash: string): Promise<ApiKey | null>;
  close(): Promise<void>;
}

/** What the parts of our work at the code host share. */
import type { DocumentReader } from '../../domain/config/document.ts';
import type { DaemonSettings } from '../../domain/settings/resolve.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { Log } from '../../ports/log.ts';
import type { ConfigurationRepository, ConfigurationWriter } from '../../ports/repository.ts';
import type { Store } from '../../ports/store.ts';
import type { Engine } from '../engine/engine.ts';

export interface CodeHostDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly host: CodeHost;
  readonly repository: ConfigurationRepository;
  readonly writer: ConfigurationWriter;
  readonly read: DocumentReader;
  readonly clock: Clock;
  readonly log: Log;
  readonly branch: string;
  readonly settings: () => DaemonSettings;
  /** Owners of a file by the branch as it was accepted last: logins and organisation/team. */
  readonly ownersOf: (path: string) => readonly string[];
  /** Where people see a service; null: nowhere. */
  readonly publicUrl: string | null;
}

/** The commit that we have put on a branch of ours: whatever else is there is somebody's. */
export function proposedKey(branch: string): string {
  return `proposed/${branch}`;
}

/** Who asked for a pull request that we opened for them, by its branch: kept before it is opened. */
export function branchRequesterKey(branch: string): string {
  return `requester/branch/${branch}`;
}

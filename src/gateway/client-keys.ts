/** Who may call: the keys of clients, of which only hashes are kept, from a file that is read again when it changes. */
import { readFileSync, statSync } from 'node:fs';
import { messageOf, StalledError } from '../base/failures.ts';
import { sha256Hex } from '../base/hash.ts';
import type { Log } from '../ports/log.ts';

export interface Client {
  readonly name: string;
  /** Services it may use; null: all. */
  readonly services: ReadonlySet<string> | null;
}

export interface ClientKeys {
  /** Null: no such key. */
  find(key: string): Client | null;
}

const line = /^sha256:([0-9a-f]{64})\s+([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:\s+([a-z0-9][a-z0-9._,-]*))?$/;
const lookEveryMs = 2000;

/** Throws StalledError when the file can't be read, or has a line that is no key: then nobody is let in. */
export function parseClientKeys(text: string, file: string): ReadonlyMap<string, Client> {
  const keys = new Map<string, Client>();
  for (const [index, written] of text.split('\n').entries()) {
    const entry = written.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const [, hash, name = '', services] = line.exec(entry) ?? [];
    if (hash === undefined) {
      throw new StalledError(
        `${file}:${index + 1}: not a client key; expected "sha256:<64 hex digits> <name> [service,service]", as actuator client-key prints it.`,
      );
    }
    keys.set(hash, { name, services: services === undefined ? null : new Set(services.split(',')) });
  }
  return keys;
}

/** A file that turns bad later changes nothing: the keys that were read last stay in force, and the log says so. */
export function openClientKeys(file: string, log: Log): ClientKeys {
  let keys = load(file);
  let seen = stampOf(file);
  let lookedAt = performance.now();

  function refresh(): void {
    if (performance.now() - lookedAt < lookEveryMs) return;
    lookedAt = performance.now();
    const stamp = stampOf(file);
    if (stamp === seen) return;
    seen = stamp;
    try {
      keys = load(file);
      log.info({ file, keys: keys.size }, 'client keys read again');
    } catch (thrown) {
      log.error({ error: messageOf(thrown) }, 'client keys not read, the ones before stay in force');
    }
  }

  return {
    find(key) {
      refresh();
      return keys.get(sha256Hex(key)) ?? null;
    },
  };
}

function load(file: string): ReadonlyMap<string, Client> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new StalledError(`the client keys can't be read: ${messageOf(thrown)}`);
  }
  const keys = parseClientKeys(text, file);
  if (keys.size === 0) throw new StalledError(`${file} has no client key; make one with actuator client-key <name>.`);
  return keys;
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? 'gone' : `${stat.mtimeMs}/${stat.size}/${stat.ino}`;
}

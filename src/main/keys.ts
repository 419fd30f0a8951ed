/** The first API keys: made on first start, one for the person at this machine, one for gateways. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../base/hash.ts';
import type { Role, Store } from '../ports/store.ts';

export function newKey(): string {
  return `ak_${randomBytes(32).toString('base64url')}`;
}

/** Reads the key from its file (mode 0600), makes it when there is none, and sees to it that the store knows it. */
export async function ensureKey(store: Store, directory: string, name: string, role: Role): Promise<string> {
  const file = join(directory, `${name}.key`);
  const key = existsSync(file) ? readFileSync(file, 'utf8').trim() : newKey();
  if (!existsSync(file)) writeFileSync(file, `${key}\n`, { mode: 0o600, flag: 'wx' });
  await store.addApiKey(sha256Hex(key), { name, role });
  return key;
}

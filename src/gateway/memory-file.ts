/** What a gateway knows, on disk, so that it can start and serve stable without a control plane. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isObject } from '../base/json.ts';
import type { Assignment } from '../generated/types.ts';
import type { SpendingReport } from './spending.ts';

export interface Memory {
  readonly assignments: readonly Assignment[];
  /** Base64; null when no control plane was ever met. */
  readonly requestIdKey: string | null;
  readonly spending: readonly SpendingReport[];
}

/** Empty when there is no file, or none that can be read: the control plane will send everything anyway. */
export function loadMemory(file: string, check: (value: unknown) => readonly string[]): Memory {
  try {
    const stored: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const memory = isObject(stored) ? stored : {};
    const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
    return {
      assignments: listOf(memory['assignments']).filter((value): value is Assignment => check(value).length === 0),
      requestIdKey: typeof memory['requestIdKey'] === 'string' ? memory['requestIdKey'] : null,
      spending: listOf(memory['spending']) as readonly SpendingReport[],
    };
  } catch {
    return { assignments: [], requestIdKey: null, spending: [] };
  }
}

export function saveMemory(file: string, memory: Memory): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(memory), { mode: 0o600 });
  renameSync(temporary, file);
}

/** What a gateway knows, on disk, so that it can start and serve stable without a control plane. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isObject } from '../base/json.ts';
import { completeServing } from '../domain/config/serving.ts';
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
    // Up to version 0.1 the file held the assignments alone.
    const memory = isObject(stored) ? stored : { assignments: stored };
    const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);
    return {
      assignments: listOf(memory['assignments'])
        .map(completeAssignment)
        .filter((value): value is Assignment => check(value).length === 0),
      requestIdKey: typeof memory['requestIdKey'] === 'string' ? memory['requestIdKey'] : null,
      spending: listOf(memory['spending']) as readonly SpendingReport[],
    };
  } catch {
    return { assignments: [], requestIdKey: null, spending: [] };
  }
}

/** What an older version has stored lacks keys that came later; an assignment that is none stays what it is, and is not taken. */
function completeAssignment(value: unknown): unknown {
  if (!isObject(value) || !Array.isArray(value['variants']) || !isObject(value['split'])) return value;
  const variants = (value['variants'] as unknown[]).map((variant) =>
    isObject(variant) && isObject(variant['serving']) && isObject(variant['serving']['models'])
      ? { ...variant, serving: completeServing(variant['serving'] as unknown as Assignment['variants'][number]['serving']) }
      : variant,
  );
  return { ...value, split: { hash_key: 'user_id', salt: value['deployment_id'] ?? '', sticky_ms: null, ...value['split'] }, variants };
}

export function saveMemory(file: string, memory: Memory): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(memory), { mode: 0o600 });
  renameSync(temporary, file);
}

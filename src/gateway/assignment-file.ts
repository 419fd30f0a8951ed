/** The last assignments on disk, so that a gateway can start and serve stable without a control plane. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Assignment } from '../generated/types.ts';

/** Empty when there is no file, or none that can be read: the control plane will send everything anyway. */
export function loadAssignments(file: string, check: (value: unknown) => readonly string[]): readonly Assignment[] {
  try {
    const stored: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(stored) ? stored.filter((value): value is Assignment => check(value).length === 0) : [];
  } catch {
    return [];
  }
}

export function saveAssignments(file: string, assignments: readonly Assignment[]): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(assignments), { mode: 0o600 });
  renameSync(temporary, file);
}

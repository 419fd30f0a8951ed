/** A parsed and schema-checked file. Plain data, so that it can be cached by the blob's id. */
import type { Result } from '../../base/result.ts';
import type { Problem } from '../../base/problem.ts';
import type { SchemaTypes } from '../../generated/types.ts';

export interface ParsedDocument<T> {
  readonly file: string;
  readonly value: T;
  /** JSON pointer -> [line, column], counted from 1. */
  readonly positions: Readonly<Record<string, readonly [number, number]>>;
}

/** Given the text of a file, its checked content or every problem with its position. Must not throw on any text. */
export type DocumentReader = <K extends keyof SchemaTypes>(
  schema: K,
  text: string,
  file: string,
) => Result<ParsedDocument<SchemaTypes[K]>, readonly Problem[]>;

/** The document of an optional file that is not there. */
export function emptyDocument(file: string): ParsedDocument<object> {
  return { file, value: {}, positions: {} };
}

/** Adds file, line and column to problems that only know their pointer. */
export function locate(problems: readonly Problem[], document: ParsedDocument<unknown>): readonly Problem[] {
  return problems.map((problem) => {
    if (problem.file !== undefined) return problem;
    const position = nearestPosition(problem.path ?? '', document);
    return { ...problem, file: document.file, ...(position === undefined ? {} : { line: position[0], column: position[1] }) };
  });
}

function nearestPosition(pointer: string, document: ParsedDocument<unknown>): readonly [number, number] | undefined {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
    const position = Object.hasOwn(document.positions, at) ? document.positions[at] : undefined;
    if (position !== undefined) return position;
    if (!at.includes('/')) return undefined;
  }
}

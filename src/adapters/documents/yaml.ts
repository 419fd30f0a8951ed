/** YAML 1.2 from people and strangers: bounded, without aliases, every warning an error. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import { pointerToken } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { oneLine } from '../../base/text.ts';

export const maxBytes: number = 256 * 1024;
const maxDepth = 64;

export interface ParsedYaml {
  readonly value: unknown;
  readonly positions: Readonly<Record<string, readonly [number, number]>>;
}

/** The value and the position of each node, or every problem found. */
export function parseYaml(text: string, file: string): Result<ParsedYaml, readonly Problem[]> {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    return refuse([{ code: 'too-large', file, message: `The file has ${bytes} bytes; at most ${maxBytes} are read.` }]);
  }
  const lines = new LineCounter();
  // The library's own duplicate check is quadratic (40,000 keys: a minute), so ours below does it.
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false, version: '1.2', merge: false });
  const syntax = [...document.errors, ...document.warnings].map((found): Problem => {
    const { line, col } = lines.linePos(found.pos[0]);
    return { code: 'invalid-yaml', file, line, column: col, message: `Not valid YAML: ${oneLine(found.message)}.` };
  });
  if (syntax.length > 0) return refuse(syntax.slice(0, 20));
  return walk(document, lines, file);
}

interface Walk {
  readonly positions: Record<string, readonly [number, number]>;
  readonly problems: Problem[];
  readonly at: (node: Node) => readonly [number, number];
  readonly file: string;
}

function walk(document: Document, lines: LineCounter, file: string): Result<ParsedYaml, readonly Problem[]> {
  const state: Walk = {
    positions: Object.create(null) as Record<string, readonly [number, number]>,
    problems: [],
    file,
    at: (node) => {
      const { line, col } = lines.linePos(node.range?.[0] ?? 0);
      return [line, col];
    },
  };
  const value = document.contents === null ? {} : valueOf(document.contents, '', 0, state);
  if (state.problems.length > 0) return refuse(state.problems.slice(0, 20));
  return ok({ value, positions: { ...state.positions } });
}

function complain(state: Walk, node: Node, path: string, message: string): null {
  const [line, column] = state.at(node);
  state.problems.push({ code: 'invalid-yaml', file: state.file, path, line, column, message });
  return null;
}

function valueOf(node: Node, path: string, depth: number, state: Walk): unknown {
  state.positions[path] ??= state.at(node);
  if (depth > maxDepth) return complain(state, node, path, `Nested deeper than ${maxDepth} levels.`);
  if (isAlias(node)) return complain(state, node, path, 'Aliases (*name) are not allowed; write the value out.');
  if (isSeq(node)) return node.items.map((item, index) => valueOf(item as Node, path + pointerToken(index), depth + 1, state));
  if (isMap(node)) return mapOf(node.items, path, depth, state);
  if (isScalar(node)) return scalarOf(node, node.value, path, state);
  return complain(state, node, path, 'This kind of YAML node is not allowed.');
}

function scalarOf(node: Node, value: unknown, path: string, state: Walk): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return complain(state, node, path, 'Infinity and NaN have no meaning here.');
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return complain(state, node, path, 'This number has more digits than can be kept; write it as text in quotes.');
  }
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
  return complain(state, node, path, 'Only text, numbers, booleans, lists and maps are allowed.');
}

function mapOf(
  items: readonly { readonly key: unknown; readonly value: unknown }[],
  path: string,
  depth: number,
  state: Walk,
): Record<string, unknown> {
  const entries = new Map<string, unknown>();
  for (const { key, value } of items) {
    const keyNode = key as Node;
    const name = isScalar(key) && ['string', 'number'].includes(typeof key.value) ? String(key.value) : undefined;
    if (name === undefined) {
      complain(state, keyNode, path, 'A key must be plain text.');
      continue;
    }
    const at = path + pointerToken(name);
    state.positions[at] ??= state.at(keyNode);
    if (entries.has(name)) complain(state, keyNode, at, `The key "${oneLine(name, 100)}" is written twice.`);
    else if (name === '__proto__') complain(state, keyNode, at, 'The key "__proto__" is not allowed.');
    else entries.set(name, value === null ? null : valueOf(value as Node, at, depth + 1, state));
  }
  return Object.fromEntries(entries);
}

/** Desired against applied as a JSON Patch (RFC 6902): the one file that knows fast-json-patch. */
import fastJsonPatch, { type Operation } from 'fast-json-patch';
import { canonicalJson, isObject, pointerToken } from '../../base/json.ts';

export type PatchOperation =
  { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown } | { readonly op: 'remove'; readonly path: string };

/**
 * A patch that turns `from` into `to`, verified by applying it. List items are aligned by the longest common subsequence of
 * equal items first, so that one removed rule is one operation; fast-json-patch alone compares by index.
 */
export function diffPatch(from: unknown, to: unknown): readonly PatchOperation[] {
  const operations = diffValue(from, to, '');
  const patched = applyPatch(from, operations);
  if (canonicalJson(patched) !== canonicalJson(to)) throw new Error('the patch does not give the desired document');
  return operations;
}

/** The document after `operations`; the one given is left as it is. Throws on a patch that does not fit. */
export function applyPatch(document: unknown, operations: readonly PatchOperation[]): unknown {
  // Not structuredClone: it keeps a shared object shared, and an edit of one would be an edit of both.
  const copy: unknown = JSON.parse(JSON.stringify(document));
  return fastJsonPatch.applyPatch(copy, structuredClone(operations) as Operation[], true).newDocument;
}

function diffValue(from: unknown, to: unknown, path: string): PatchOperation[] {
  if (canonicalJson(from) === canonicalJson(to)) return [];
  if (Array.isArray(from) && Array.isArray(to)) return diffList(from, to, path);
  if (!isObject(from) || !isObject(to)) return [{ op: 'replace', path, value: to }];
  return diffObject(from, to, path);
}

function diffObject(from: Readonly<Record<string, unknown>>, to: Readonly<Record<string, unknown>>, path: string): PatchOperation[] {
  const nested = Object.keys(to)
    .filter((key) => Object.hasOwn(from, key) && isContainerPair(from[key], to[key]))
    .flatMap((key) => diffValue(from[key], to[key], path + pointerToken(key)));
  const flat = fastJsonPatch.compare(withoutPairs(from, to), withoutPairs(to, from));
  return [...(flat as PatchOperation[]).map((operation) => ({ ...operation, path: path + operation.path })), ...nested];
}

function isContainerPair(a: unknown, b: unknown): boolean {
  return (Array.isArray(a) && Array.isArray(b)) || (isObject(a) && isObject(b));
}

function withoutPairs(own: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(own).filter(([key, value]) => !isContainerPair(value, other[key])));
}

/** Runs between two equal items are replaced pairwise; what is left over is removed or added. Indexes are those of the growing result. */
function diffList(from: readonly unknown[], to: readonly unknown[], path: string): PatchOperation[] {
  const operations: PatchOperation[] = [];
  let index = 0;
  let [fromStart, toStart] = [0, 0];
  for (const [fromEnd, toEnd] of [...commonItems(from, to), [from.length, to.length] as const]) {
    const removed = fromEnd - fromStart;
    const added = toEnd - toStart;
    const paired = Math.min(removed, added);
    for (let i = 0; i < paired; i++) {
      operations.push(...diffValue(from[fromStart + i], to[toStart + i], path + pointerToken(index + i)));
    }
    for (let i = removed - 1; i >= paired; i--) operations.push({ op: 'remove', path: path + pointerToken(index + paired) });
    for (let i = paired; i < added; i++) operations.push({ op: 'add', path: path + pointerToken(index + i), value: to[toStart + i] });
    index += added + 1;
    [fromStart, toStart] = [fromEnd + 1, toEnd + 1];
  }
  return operations;
}

/** Index pairs of a longest common subsequence. Lists of a configuration have at most 100 items, so n*m is fine. */
function commonItems(from: readonly unknown[], to: readonly unknown[]): readonly (readonly [number, number])[] {
  const a = from.map(canonicalJson);
  const b = to.map(canonicalJson);
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = lengths[i];
      if (row !== undefined) row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: (readonly [number, number])[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}

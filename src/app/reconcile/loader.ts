/** Reads and checks files of a commit, each blob once: parsed documents are cached by blob id in the store. */
import { refuse, type Result } from '../../base/result.ts';
import type { Problem } from '../../base/problem.ts';
import type { DocumentReader, ParsedDocument } from '../../domain/config/document.ts';
import type { SchemaTypes } from '../../generated/types.ts';
import type { BlobRef, ConfigurationRepository } from '../../ports/repository.ts';
import type { Store } from '../../ports/store.ts';

export interface LoadedDocument<T> extends ParsedDocument<T> {
  /** As written. */
  readonly text: string;
}

export interface Loader {
  /** Of a file without a schema; empty when it is too large to be read. */
  text(blob: BlobRef): Promise<string>;
  load<K extends keyof SchemaTypes>(schema: K, blob: BlobRef): Promise<Result<LoadedDocument<SchemaTypes[K]>, readonly Problem[]>>;
}

/** Raised when the checks change, so that no cached verdict of an older version is believed. */
const cacheVersion = 3;

export function createLoader(repository: ConfigurationRepository, store: Store, read: DocumentReader): Loader {
  return {
    async text(blob) {
      const content = await repository.read(blob);
      return 'problem' in content ? '' : content.text;
    },
    async load(schema, blob) {
      const key = `${cacheVersion}/${schema}/${blob.oid}`;
      const cached = (await store.cachedDocuments([key])).get(key);
      if (cached !== undefined) return relocate(JSON.parse(cached) as CachedResult<typeof schema>, blob.path);
      const content = await repository.read(blob);
      if ('problem' in content) return refuse([content.problem]);
      const result = read(schema, content.text, blob.path);
      const entry = result.ok ? { ok: true, value: { ...result.value, text: content.text } } : result;
      await store.cacheDocument(key, JSON.stringify(entry));
      return entry as CachedResult<typeof schema>;
    },
  };
}

type CachedResult<K extends keyof SchemaTypes> = Result<LoadedDocument<SchemaTypes[K]>, readonly Problem[]>;

/** Equal files share a blob, so the path may be that of another service. */
function relocate<K extends keyof SchemaTypes>(result: CachedResult<K>, file: string): CachedResult<K> {
  if (result.ok) return { ok: true, value: { ...result.value, file } };
  return { ok: false, error: result.error.map((problem) => ({ ...problem, file })) };
}

/** Builds commits out of files, without a work tree or an index: isomorphic-git writes the objects. */
import { readTree, writeBlob, writeCommit, writeTree, type PromiseFsClient, type TreeEntry } from 'isomorphic-git';
import type { Mirror } from './mirror.ts';
import { createObjectFs } from './object-fs.ts';

export interface Identity {
  readonly name: string;
  readonly email: string;
}

export interface NewCommit {
  /** Null for the first commit of an orphan branch. */
  readonly parent: string | null;
  /** Path -> content. */
  readonly files: ReadonlyMap<string, string>;
  readonly message: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

export interface CommitBuilder {
  /** Writes the objects and returns the commit's id; moves no ref. */
  commit(order: NewCommit): Promise<string>;
}

interface Folder {
  readonly files: Map<string, string>;
  readonly folders: Map<string, Folder>;
}

export function createCommitBuilder(mirror: Mirror, identity: Identity): CommitBuilder {
  const context = { fs: createObjectFs(mirror.directory, mirror.objects), gitdir: mirror.directory };
  return {
    async commit(order) {
      const base = order.parent === null ? null : (await mirror.commit(order.parent)).tree;
      const tree = await writeFolder(context, base, folderOf(order.files));
      const person = { ...identity, timestamp: order.timestamp, timezoneOffset: 0 };
      return writeCommit({
        ...context,
        commit: { tree, parent: order.parent === null ? [] : [order.parent], author: person, committer: person, message: order.message },
      });
    },
  };
}

function folderOf(files: ReadonlyMap<string, string>): Folder {
  const root: Folder = { files: new Map(), folders: new Map() };
  for (const [path, content] of files) {
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    let at = root;
    for (const part of parts) {
      const next = at.folders.get(part) ?? { files: new Map(), folders: new Map() };
      at.folders.set(part, next);
      at = next;
    }
    at.files.set(name, content);
  }
  return root;
}

/** The tree `base` with the folder's files put in; everything else stays as it is. */
async function writeFolder(context: { fs: PromiseFsClient; gitdir: string }, base: string | null, folder: Folder): Promise<string> {
  // A cache of its own for each call: isomorphic-git's would grow for ever.
  const present = base === null ? [] : (await readTree({ ...context, oid: base, cache: {} })).tree;
  const entries = new Map<string, TreeEntry>(present.map((entry) => [entry.path, entry]));
  for (const [path, content] of folder.files) {
    const mode = entries.get(path)?.mode === '100755' ? '100755' : '100644';
    entries.set(path, { path, mode, type: 'blob', oid: await writeBlob({ ...context, blob: Buffer.from(content) }) });
  }
  for (const [path, inner] of folder.folders) {
    const known = entries.get(path);
    const oid = await writeFolder(context, known?.type === 'tree' ? known.oid : null, inner);
    entries.set(path, { path, mode: '040000', type: 'tree', oid });
  }
  return writeTree({ ...context, tree: [...entries.values()] });
}

/** Builds commits out of files, without a work tree or an index: isomorphic-git writes the objects. */
import { readTree, writeBlob, writeCommit, writeTree, type CommitObject, type PromiseFsClient, type TreeEntry } from 'isomorphic-git';
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

const longestCommit = 16 * 1024 * 1024;

interface Folder {
  readonly files: Map<string, string>;
  readonly folders: Map<string, Folder>;
}

/** The signature, in armour, of a commit's text. */
export type Sign = (payload: string) => Promise<string>;

/** `sign`: null: commits are not signed. */
export function createCommitBuilder(mirror: Mirror, identity: Identity, sign: Sign | null = null): CommitBuilder {
  const context = { fs: createObjectFs(mirror.directory, mirror.objects), gitdir: mirror.directory };
  return {
    async commit(order) {
      const base = order.parent === null ? null : (await mirror.commit(order.parent)).tree;
      const tree = await writeFolder(context, base, folderOf(order.files));
      const person = { ...identity, timestamp: order.timestamp, timezoneOffset: 0 };
      const { parent, message } = order;
      const commit: CommitObject = { tree, parent: parent === null ? [] : [parent], author: person, committer: person, message };
      const unsigned = await writeCommit({ ...context, commit });
      if (sign === null) return unsigned;
      // Its text as it was written is what is signed.
      const { content } = (await mirror.objects.read(unsigned, longestCommit)) ?? {};
      if (content == null) throw new Error(`${unsigned} was written and can't be read`);
      return writeCommit({ ...context, commit: { ...commit, gpgsig: await sign(content.toString('utf8')) } });
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

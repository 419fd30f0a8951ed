/** Git objects as values. */
export interface TreeEntry {
  readonly mode: string;
  readonly name: string;
  readonly oid: string;
}

/** Entries of a raw tree object. Names that are not UTF-8 come out with replacement characters, which no rule of ours accepts. */
export function parseTree(content: Buffer): readonly TreeEntry[] {
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(32, at);
    const nul = content.indexOf(0, space);
    if (space < 0 || nul < 0) throw new Error('a tree object is damaged');
    entries.push({
      mode: content.subarray(at, space).toString('ascii'),
      name: content.subarray(space + 1, nul).toString('utf8'),
      oid: content.subarray(nul + 1, nul + 21).toString('hex'),
    });
    at = nul + 21;
  }
  return entries;
}

export interface CommitObject {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly message: string;
}

export function parseCommit(content: Buffer): CommitObject {
  const text = content.toString('utf8');
  const headEnd = text.indexOf('\n\n');
  const head = headEnd < 0 ? text : text.slice(0, headEnd);
  const lines = head.split('\n');
  const values = (name: string): string[] => lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const author = /^(.*?)\s*<([^>]*)>/.exec(values('author')[0] ?? '');
  return {
    tree: values('tree')[0] ?? '',
    parents: values('parent'),
    author: author?.[1] || author?.[2] || 'unknown',
    message: headEnd < 0 ? '' : text.slice(headEnd + 2),
  };
}

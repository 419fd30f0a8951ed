/** Git objects as values. */
import { oneLine } from '../../base/text.ts';
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

/** `Name <address>`, each cut by itself, so that a long name hides no address. */
function nameOf(name: string, address: string): string {
  const whole = [oneLine(name, 100), address === '' ? '' : `<${oneLine(address, 200)}>`].filter((part) => part !== '').join(' ');
  return whole === '' ? 'unknown' : whole;
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
    author: nameOf(author?.[1] ?? '', author?.[2] ?? ''),
    message: headEnd < 0 ? '' : text.slice(headEnd + 2),
  };
}

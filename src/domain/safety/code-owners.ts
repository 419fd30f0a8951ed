/** CODEOWNERS: who owns a file. The last pattern that matches counts, patterns are those of gitignore without negation. */
import ignore from 'ignore';

interface Rule {
  readonly owners: readonly string[];
  readonly isAbout: (path: string) => boolean;
}

/** The newest text: it is asked about for each service in turn. */
let compiled: { readonly text: string; readonly rules: readonly Rule[] } | null = null;

/** Logins, organisation/team and addresses, without `@` before the first two. Empty: nobody does. */
export function ownersOf(codeOwners: string, path: string): readonly string[] {
  if (compiled?.text !== codeOwners) compiled = { text: codeOwners, rules: compile(codeOwners) };
  return compiled.rules.findLast(({ isAbout }) => isAbout(path))?.owners ?? [];
}

function compile(text: string): readonly Rule[] {
  return text.split('\n').flatMap((line) => {
    const [pattern, ...owners] = line
      .replace(/(^|\s)#.*$/, '')
      .trim()
      .split(/\s+/);
    if (pattern === undefined || pattern === '' || pattern.startsWith('!')) return [];
    return [{ owners: owners.map((owner) => owner.replace(/^@/, '')), isAbout: matcher(pattern) }];
  });
}

/** Unlike in .gitignore, `folder/*` is about the files of the folder, and not about what lies deeper. */
function matcher(pattern: string): (path: string) => boolean {
  const rule = ignore({ ignorecase: false }).add(pattern);
  const folder = /^\/?(.*[^/])\/\*$/.exec(pattern)?.[1];
  const depth = folder === undefined || folder.includes('**') ? null : folder.split('/').length + 1;
  return (path) => rule.ignores(path) && (depth === null || path.split('/').length === depth);
}

/** A pattern as in .gitignore. */
export function matchesPath(pattern: string, path: string): boolean {
  return ignore({ ignorecase: false }).add(pattern).ignores(path);
}

/** CODEOWNERS: who owns a file. The last pattern that matches counts, patterns are those of gitignore without negation. */
import ignore from 'ignore';

/** Logins, organisation/team and addresses, without `@` before the first two. Empty: nobody does. */
export function ownersOf(codeOwners: string, path: string): readonly string[] {
  const rules = codeOwners.split('\n').flatMap((line) => {
    const [pattern, ...owners] = line
      .replace(/(^|\s)#.*$/, '')
      .trim()
      .split(/\s+/);
    return pattern === undefined || pattern === '' || pattern.startsWith('!') ? [] : [{ pattern, owners }];
  });
  const matching = rules.findLast(({ pattern }) => isOwned(pattern, path));
  return (matching?.owners ?? []).map((owner) => owner.replace(/^@/, ''));
}

/** Unlike in .gitignore, `folder/*` is about the files of the folder, and not about what lies deeper. */
function isOwned(pattern: string, path: string): boolean {
  if (!matchesPath(pattern, path)) return false;
  const folder = /^\/?(.*[^/])\/\*$/.exec(pattern)?.[1];
  if (folder === undefined || folder.includes('**')) return true;
  return path.split('/').length === folder.split('/').length + 1;
}

/** A pattern as in .gitignore. */
export function matchesPath(pattern: string, path: string): boolean {
  return ignore({ ignorecase: false }).add(pattern).ignores(path);
}

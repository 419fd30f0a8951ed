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
  const matching = rules.findLast(({ pattern }) => matchesPath(pattern, path));
  return (matching?.owners ?? []).map((owner) => owner.replace(/^@/, ''));
}

/** A pattern as in .gitignore. */
export function matchesPath(pattern: string, path: string): boolean {
  return ignore().add(pattern).ignores(path);
}

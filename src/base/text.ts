/** Levenshtein distance; used on short names only. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The candidate that somebody most likely meant, or undefined when none is close. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const apart = distance(word.slice(0, 100).toLowerCase(), candidate.slice(0, 100).toLowerCase());
    if (apart < bestDistance) [best, bestDistance] = [candidate, apart];
  }
  return best;
}

/** ` Did you mean "x"?`, or a list of what there is, or nothing. */
export function suggestion(word: string, candidates: readonly string[]): string {
  const close = nearest(word, candidates);
  if (close !== undefined) return ` Did you mean "${close}"?`;
  if (candidates.length === 0 || candidates.length > 12) return '';
  return ` There is ${candidates.map((candidate) => `"${candidate}"`).join(', ')}.`;
}

/** Text from outside, made harmless for terminals, logs and commit messages: one line, no control characters, capped. */
export function oneLine(text: string, cap = 500): string {
  const flat = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e]+/g, ' ').trim();
  return flat.length <= cap ? flat : `${flat.slice(0, cap - 1)}…`;
}

/** Whom a commit message names by `Co-authored-by`. */
export function coAuthors(message: string): readonly string[] {
  return [...message.matchAll(/^Co-authored-by:\s*(.+)$/gim)].slice(0, 50).map(([, name]) => oneLine(name ?? '', 300));
}

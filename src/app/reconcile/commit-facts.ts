/** What a commit says of itself: who made it, and why. */
import type { Problem } from '../../base/problem.ts';
import type { ConfigurationRepository } from '../../ports/repository.ts';
import type { Store } from '../../ports/store.ts';

/** Who asked for a commit that we wrote for them. */
export function requesterKey(commit: string): string {
  return `requester/${commit}`;
}

/** Everybody who had a hand in it, or in what came with it. */
export async function authorOf(
  { store, repository }: { readonly store: Pick<Store, 'get'>; readonly repository: ConfigurationRepository },
  commit: string,
  passedOver: readonly string[],
): Promise<string> {
  const names: string[] = [];
  for (const one of [commit, ...passedOver]) {
    const requester = await store.get(requesterKey(one));
    names.push(...(requester === null ? [] : [requester]), ...(await repository.author(one)).split('; '));
  }
  return [...new Set(names)].join('; ');
}

/** `forbidden`: the same commit is not asked about again, whatever settings say by then. */
export const noReason: Problem = {
  code: 'forbidden',
  message:
    'Settings ask for the reason of a change (require_change_reason), and the commit gives none; write it below the subject, or as Change-Reason: in a trailer, in a commit that touches the file.',
};

/** A body below the subject, or a trailer; trailers of tools alone say nothing. */
export function hasReason(message: string): boolean {
  const [, ...rest] = message.split('\n');
  const lines = rest.map((line) => line.trim()).filter((line) => line !== '');
  return lines.some((line) => /^Change-Reason:\s*\S/i.test(line) || !/^[A-Za-z-]+: /.test(line));
}

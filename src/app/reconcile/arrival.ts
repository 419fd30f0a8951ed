/** How a commit came to the branch, as far as the code host shows it by now. */
import type { CodeHost, PullRequest } from '../../ports/code-host.ts';

/** Merged pull requests that brought it. `not-shown`: the host does not know the commit yet; `undecided`: a merge may still show. */
export type Arrival = readonly PullRequest[] | 'push' | 'not-shown' | 'undecided';

/** A host ties a merge to its commits a while after the push of it: mostly seconds, with no bound that it would promise. */
export const pushAfterMs = 300_000;
/** The same where something says that it is a merge. */
export const mergeAfterMs = 1_800_000;
/** The same where nothing is lost by it: whoever looks again sees the merge later. */
export const soonAfterMs = 60_000;

export interface Age {
  /** Since we saw the commit first, in milliseconds. */
  readonly ageMs: number;
  /** A push is refused for good. */
  readonly isFinal: boolean;
}

export async function arrivalOf(host: CodeHost, branch: string, commit: string, { ageMs, isFinal }: Age): Promise<Arrival> {
  const found = await host.pullRequestsOf(commit);
  // One that it does not know after that is none of its pull requests.
  if (found === null) return ageMs < mergeAfterMs ? 'not-shown' : 'push';
  const merged = found.filter(({ state, base }) => state === 'merged' && base === branch);
  if (merged.length > 0) return merged;
  if (ageMs < (isFinal ? pushAfterMs : soonAfterMs)) return 'undecided';
  if (!isFinal || ageMs >= mergeAfterMs) return 'push';
  const isOnItsWay = found.some(({ state, base }) => state === 'open' && base === branch);
  return isOnItsWay || (await isMadeByHost(host, commit)) ? 'undecided' : 'push';
}

/** And nobody else has only said so. */
export async function isMadeByHost(host: CodeHost, commit: string): Promise<boolean> {
  const verification = await host.verification(commit);
  return verification.isVerified && verification.isMadeByHost;
}

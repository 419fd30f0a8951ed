/** A change of one file as a pull request: a branch of our own, and the request for it. */
import { oneLine } from '../../base/text.ts';
import type { CodeHost, PullRequest } from '../../ports/code-host.ts';
import type { Log } from '../../ports/log.ts';
import type { ConfigurationWriter, Proposal } from '../../ports/repository.ts';
import type { Store } from '../../ports/store.ts';
import { proposedKey } from './parts.ts';

export interface ChangeRequest extends Omit<Proposal, 'known' | 'announce'> {
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly reviewers: readonly string[];
  /** Asked when it is there to be merged: by then it may not be wanted any more. */
  readonly autoMerge: () => boolean;
}

export type Requested =
  | {
      readonly kind: 'opened';
      readonly commit: string;
      readonly pullRequest: PullRequest;
      /** Why the host does not merge it by itself, though it should. */
      readonly notMerged: string | null;
    }
  /** The branch does not hold what was expected any more, or holds the change already. */
  | { readonly kind: 'not-needed' }
  /** Not even a branch of our own can be pushed. */
  | { readonly kind: 'blocked'; readonly message: string };

interface RequestDeps {
  readonly writer: ConfigurationWriter;
  readonly host: CodeHost;
  readonly log: Log;
  readonly store: Pick<Store, 'get' | 'put'>;
}

/** Done twice, it finds what it has made. */
export async function requestChange({ writer, host, log, store }: RequestDeps, order: ChangeRequest): Promise<Requested> {
  const key = proposedKey(order.branch);
  const known = await store.get(key);
  const outcome = await writer.propose({ ...order, known, announce: (commit) => store.put(key, commit) });
  if (outcome.kind !== 'committed') return outcome;
  const { branch, title, body, labels, reviewers, autoMerge } = order;
  const { pullRequest, refused } = await host.openPullRequest({ branch, title: oneLine(title, 150), body, labels, reviewers });
  const { number, url } = pullRequest;
  if (refused.length > 0) log.warn({ number, url, refused }, 'the code host has refused a part of a pull request');
  const notMerged = autoMerge() ? await host.mergeWhenAllowed(number, outcome.commit) : null;
  if (notMerged !== null) log.warn({ number, url, why: notMerged }, 'the code host does not merge a pull request by itself');
  return { kind: 'opened', commit: outcome.commit, pullRequest, notMerged };
}

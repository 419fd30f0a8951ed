/** A change of one file as a pull request: a branch of our own, and the request for it. */
import { oneLine } from '../../base/text.ts';
import type { CodeHost, PullRequest } from '../../ports/code-host.ts';
import type { ConfigurationWriter, Proposal } from '../../ports/repository.ts';

export interface ChangeRequest extends Proposal {
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly reviewers: readonly string[];
  readonly autoMerge: boolean;
}

export type Requested =
  | { readonly kind: 'opened'; readonly commit: string; readonly pullRequest: PullRequest }
  /** The branch does not hold what was expected any more, or holds the change already. */
  | { readonly kind: 'not-needed' }
  /** Not even a branch of our own can be pushed. */
  | { readonly kind: 'blocked'; readonly message: string };

/** Done twice, it finds what it has made. */
export async function requestChange(writer: ConfigurationWriter, host: CodeHost, order: ChangeRequest): Promise<Requested> {
  const outcome = await writer.propose(order);
  if (outcome.kind !== 'committed') return outcome;
  const { branch, title, body, labels, reviewers, autoMerge } = order;
  const pullRequest = await host.openPullRequest({ branch, title: oneLine(title, 150), body, labels, reviewers, autoMerge });
  return { kind: 'opened', commit: outcome.commit, pullRequest };
}

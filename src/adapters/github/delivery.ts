/** Deliveries of GitHub's webhooks. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse } from '../../base/result.ts';
import type { GithubPush, GithubReview } from '../../generated/types.ts';
import type { Hint, ReadDelivery } from '../../ports/webhook.ts';

/** What we reconcile. */
export interface Watched {
  /** owner/name; null: the remote's address does not say, so every repository's events are taken. */
  readonly repository: string | null;
  readonly branch: string;
}

type Check = (schema: 'github-push' | 'github-review', value: unknown) => readonly Problem[];

export function githubDeliveries(watched: Watched, check: Check): ReadDelivery {
  return (event, body) => {
    switch (event) {
      case 'ping':
        return ok({ kind: 'ping' });
      case 'push': {
        const problems = check('github-push', body);
        return problems.length > 0 ? refuse(problems) : ok(readPush(body as GithubPush, watched));
      }
      case 'pull_request_review': {
        const problems = check('github-review', body);
        return problems.length > 0 ? refuse(problems) : ok(readReview(body as GithubReview, watched));
      }
      default:
        return ok({ kind: 'ignored', reason: `events of the kind ${event.slice(0, 50)} say nothing here` });
    }
  };
}

function readPush({ ref, after, repository }: GithubPush, watched: Watched): Hint {
  const stray = strayOf(repository.full_name, ref.replace(/^refs\/heads\//, ''), watched);
  if (stray !== null || !ref.startsWith('refs/heads/')) return { kind: 'ignored', reason: stray ?? `${ref.slice(0, 100)} is no branch` };
  // Deleted: no commit can be waited for.
  return { kind: 'look', commit: /^0+$/.test(after) ? null : after };
}

function readReview({ pull_request: request, repository }: GithubReview, watched: Watched): Hint {
  const stray = strayOf(repository.full_name, request.base.ref, watched);
  return stray === null ? { kind: 'look', commit: null } : { kind: 'ignored', reason: stray };
}

function strayOf(fullName: string, branch: string, watched: Watched): string | null {
  if (watched.repository !== null && fullName.toLowerCase() !== watched.repository.toLowerCase())
    return `it is about ${fullName}, and ${watched.repository} is reconciled here`;
  return branch === watched.branch ? null : `it is about the branch ${branch.slice(0, 100)}, and ${watched.branch} is reconciled here`;
}

/** owner/name of a remote such as https://github.com/acme/prompts.git or git@github.com:acme/prompts.git; null when its path has another shape. */
export function repositoryName(remote: string): string | null {
  const scp = /^[^/@]+@[^/:]+:(?!\/\/)(.+)$/.exec(remote)?.[1];
  const path = scp ?? (URL.canParse(remote) && !remote.startsWith('file:') ? new URL(remote).pathname : '');
  return /^\/?([^/\s]+\/[^/\s]+?)(\.git)?\/?$/.exec(path)?.[1] ?? null;
}

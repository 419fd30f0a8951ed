/** GitHub as our code host. */
import type { CodeHost } from '../../ports/code-host.ts';
import { createAsking } from './asking.ts';
import type { GithubClient } from './client.ts';
import { isStatus } from './failures.ts';
import { openPullRequest } from './pull-requests.ts';
import { createPullRequests, createReading, createRights, readPullRequest } from './reading.ts';
import { createComments, createDeployments, createStatuses } from './reporting.ts';

export interface GithubHostOptions {
  readonly owner: string;
  readonly repo: string;
  /** Of the API. */
  readonly baseUrl: string;
  readonly branch: string;
  readonly statusBranch: string;
}

export function createGithubHost(client: GithubClient, options: GithubHostOptions): CodeHost {
  const asking = createAsking(client, { owner: options.owner, repo: options.repo });
  const { at, ask } = asking;

  async function deleteBranch(branch: string): Promise<void> {
    await ask(`branch ${branch}`, async (octokit) => {
      try {
        await octokit.rest.git.deleteRef({ ...at, ref: `heads/${branch}` });
      } catch (thrown) {
        // Gone already: GitHub deletes branches of merged pull requests where it is told to.
        if (!isStatus(thrown, 404, 422)) throw thrown;
      }
    });
  }

  return {
    ...createReading(asking),
    ...createPullRequests(asking, options.branch),
    ...createRights(asking),
    ...createStatuses(asking),
    ...createDeployments(asking),
    ...createComments(asking),
    recordUrl: (path) => `${webUrl(options)}/blob/${options.statusBranch}/${path}`,
    async openPullRequest(order) {
      return ask(`pull request of ${order.branch}`, async (octokit) =>
        readPullRequest(await openPullRequest(octokit, at, options.branch, order)),
      );
    },
    async closePullRequest(number, branch) {
      await ask(`pull request #${number}`, (octokit) => octokit.rest.pulls.update({ ...at, pull_number: number, state: 'closed' }));
      await deleteBranch(branch);
    },
    deleteBranch,
    async leaveReview(number, verdict, commit, body) {
      const event = verdict === 'approved' ? 'APPROVE' : 'REQUEST_CHANGES';
      return ask(`review of #${number}`, async (octokit) => {
        try {
          await octokit.rest.pulls.createReview({ ...at, pull_number: number, commit_id: commit, event, body });
          return true;
        } catch (thrown) {
          // Nobody reviews a pull request of their own, and it may be ours.
          if (!isStatus(thrown, 422)) throw thrown;
          await octokit.rest.pulls.createReview({ ...at, pull_number: number, commit_id: commit, event: 'COMMENT', body });
          return false;
        }
      });
    },
  };
}

/** `https://api.github.com` is `https://github.com` in a browser, and `https://host/api/v3` is `https://host`. */
function webUrl({ baseUrl, owner, repo }: GithubHostOptions): string {
  const { protocol, host } = new URL(baseUrl);
  return `${protocol}//${host === 'api.github.com' ? 'github.com' : host}/${owner}/${repo}`;
}

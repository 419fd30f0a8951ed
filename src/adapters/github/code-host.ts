/** GitHub as our code host. */
import type { CodeHost, Permission } from '../../ports/code-host.ts';
import { webHostUrl } from './addresses.ts';
import { createAsking } from './asking.ts';
import type { GithubClient } from './client.ts';
import { isStatus } from './failures.ts';
import { mergeWhenAllowed, openPullRequest } from './pull-requests.ts';
import { createPullRequests, createReading, createRights, hostBy, readPullRequest } from './reading.ts';
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
  const repository = { owner: options.owner, repo: options.repo };
  const asking = createAsking(client, repository);
  const reporting = createAsking(client.forReports, repository);
  const { at, ask } = asking;

  const isHost = hostBy(`noreply@${new URL(webHostUrl(options.baseUrl)).hostname}`);

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
    async identify() {
      const own = await asking.login();
      const { data } = await ask('the repository', (octokit) => octokit.rest.repos.get({ ...at }));
      return { login: own, repository: data.full_name, missing: missingOf(await client.permissions()) };
    },
    ...createReading(asking, isHost),
    ...createPullRequests(asking, options.branch, isHost),
    ...createRights(asking),
    ...createStatuses(reporting),
    ...createDeployments(reporting),
    ...createComments(reporting),
    recordUrl: (path) => `${webUrl(options)}/blob/${options.statusBranch}/${path}`,
    async openPullRequest(order) {
      const { opened, refused } = await ask(`pull request of ${order.branch}`, (octokit) =>
        openPullRequest(octokit, at, options.branch, order),
      );
      return { pullRequest: readPullRequest(opened), refused };
    },
    mergeWhenAllowed: (number, commit) => ask(`merge of #${number}`, (octokit) => mergeWhenAllowed(octokit, at, number, commit)),
    async closePullRequest(number, branch) {
      await ask(`pull request #${number}`, (octokit) => octokit.rest.pulls.update({ ...at, pull_number: number, state: 'closed' }));
      await deleteBranch(branch);
    },
    deleteBranch,
    async leaveReview(number, verdict, commit, body) {
      const event = reviewEvents[verdict];
      return ask(`review of #${number}`, async (octokit) => {
        try {
          await octokit.rest.pulls.createReview({ ...at, pull_number: number, commit_id: commit, event, body });
          return event !== 'COMMENT';
        } catch (thrown) {
          // Nobody reviews a pull request of their own, and it may be ours.
          if (!isStatus(thrown, 422) || event === 'COMMENT') throw thrown;
          await octokit.rest.pulls.createReview({ ...at, pull_number: number, commit_id: commit, event: 'COMMENT', body });
          return false;
        }
      });
    },
  };
}

const permissions = {
  contents: 'contents',
  'pull-requests': 'pull_requests',
  statuses: 'statuses',
  deployments: 'deployments',
} as const satisfies Readonly<Record<Permission, string>>;

function missingOf(granted: Readonly<Record<string, unknown>> | null): readonly Permission[] {
  if (granted === null) return [];
  return (Object.keys(permissions) as Permission[]).filter((permission) => granted[permissions[permission]] !== 'write');
}

const reviewEvents = { approved: 'APPROVE', 'changes-requested': 'REQUEST_CHANGES', commented: 'COMMENT' } as const;

function webUrl({ baseUrl, owner, repo }: GithubHostOptions): string {
  return `${webHostUrl(baseUrl)}/${owner}/${repo}`;
}

/** Opening pull requests: once each, with labels and reviewers, merged by GitHub when its rules allow it. */
import type { Octokit } from '@octokit/rest';
import type { NewPullRequest } from '../../ports/code-host.ts';
import { isStatus } from './failures.ts';

interface Repository {
  readonly owner: string;
  readonly repo: string;
}

type Opened = Awaited<ReturnType<Octokit['rest']['pulls']['list']>>['data'][number];

/** The open one of the branch: somebody's answer was lost. All that comes besides may fail without harm. */
export async function openPullRequest(octokit: Octokit, at: Repository, base: string, order: NewPullRequest): Promise<Opened> {
  const listed = await octokit.rest.pulls.list({ ...at, head: `${at.owner}:${order.branch}`, base, state: 'open', per_page: 1 });
  const [there] = listed.data;
  const opened =
    there ?? ((await octokit.rest.pulls.create({ ...at, head: order.branch, base, title: order.title, body: order.body })).data as Opened);
  await addLabels(octokit, at, opened.number, order.labels);
  await requestReviewers(octokit, at, opened, order.reviewers);
  if (order.autoMerge) await mergeWhenAllowed(octokit, opened.node_id);
  return opened;
}

async function addLabels(octokit: Octokit, at: Repository, number: number, labels: readonly string[]): Promise<void> {
  if (labels.length === 0) return;
  await orNot(() => octokit.rest.issues.addLabels({ ...at, issue_number: number, labels: [...labels] }));
}

/** Not the author, whom GitHub refuses. */
async function requestReviewers(octokit: Octokit, at: Repository, { number, user }: Opened, reviewers: readonly string[]): Promise<void> {
  const teams = reviewers.filter((name) => name.includes('/')).map((name) => name.split('/')[1] ?? '');
  const people = reviewers.filter((name) => !name.includes('/') && name !== user?.login);
  if (teams.length + people.length === 0) return;
  await orNot(() => octokit.rest.pulls.requestReviewers({ ...at, pull_number: number, reviewers: people, team_reviewers: teams }));
}

/** Only by GraphQL. Refused where the repository does not allow it, or where nothing is in the way of merging by hand. */
async function mergeWhenAllowed(octokit: Octokit, pullRequestId: string): Promise<void> {
  try {
    await octokit.graphql('mutation ($id: ID!) { enablePullRequestAutoMerge(input: { pullRequestId: $id }) { pullRequest { number } } }', {
      id: pullRequestId,
    });
  } catch (thrown) {
    // GraphQL says no by an answer of its own.
    if (thrown instanceof Error && thrown.name === 'GraphqlResponseError') return;
    throw thrown;
  }
}

async function orNot(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (!isStatus(thrown, 403, 404, 422)) throw thrown;
  }
}

/** Opening pull requests: once each, with labels and reviewers, merged when GitHub's rules allow it. */
import { GraphqlResponseError } from '@octokit/graphql';
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
  if (order.autoMerge) await mergeWhenAllowed(octokit, at, opened);
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

/** REST has no operation for it. */
export const enableAutoMerge = `mutation ($id: ID!, $by: PullRequestMergeMethod!) {
  enablePullRequestAutoMerge(input: { pullRequestId: $id, mergeMethod: $by }) { pullRequest { number } }
}`;

/** People merge it where the repository does not allow auto-merge. */
async function mergeWhenAllowed(octokit: Octokit, at: Repository, { node_id: id, number, head }: Opened): Promise<void> {
  const { data: allowed } = await octokit.rest.repos.get({ ...at });
  const method = allowed.allow_merge_commit !== false ? 'merge' : allowed.allow_squash_merge !== false ? 'squash' : 'rebase';
  try {
    await octokit.graphql(enableAutoMerge, { id, by: method.toUpperCase() });
  } catch (thrown) {
    if (!(thrown instanceof GraphqlResponseError)) throw thrown;
    // Refused where nothing is left to wait for.
    if (!/clean status/i.test(thrown.message)) return;
    await orNot(() => octokit.rest.pulls.merge({ ...at, pull_number: number, sha: head.sha, merge_method: method }));
  }
}

async function orNot(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (!isStatus(thrown, 403, 404, 405, 409, 422)) throw thrown;
  }
}

/** Opening pull requests: once each, with labels and reviewers; and having them merged when GitHub's rules allow it. */
import { GraphqlResponseError } from '@octokit/graphql';
import { RequestError } from '@octokit/request-error';
import type { Octokit } from '@octokit/rest';
import { oneLine } from '../../base/text.ts';
import type { NewPullRequest } from '../../ports/code-host.ts';
import { isRateLimit, isStatus } from './failures.ts';

interface Repository {
  readonly owner: string;
  readonly repo: string;
}

type Opened = Awaited<ReturnType<Octokit['rest']['pulls']['list']>>['data'][number];

/** The open one of the branch: somebody's answer was lost. All that comes besides may fail without harm, and is told. */
export async function openPullRequest(
  octokit: Octokit,
  at: Repository,
  base: string,
  order: NewPullRequest,
): Promise<{ readonly opened: Opened; readonly refused: readonly string[] }> {
  const listed = await octokit.rest.pulls.list({ ...at, head: `${at.owner}:${order.branch}`, base, state: 'open', per_page: 1 });
  const [there] = listed.data;
  const opened =
    there ?? ((await octokit.rest.pulls.create({ ...at, head: order.branch, base, title: order.title, body: order.body })).data as Opened);
  const refused = [
    await refusalOf('labels', () => addLabels(octokit, at, opened.number, order.labels)),
    await refusalOf('reviewers', () => requestReviewers(octokit, at, opened, order.reviewers)),
  ];
  return { opened, refused: refused.filter((why) => why !== null) };
}

async function addLabels(octokit: Octokit, at: Repository, number: number, labels: readonly string[]): Promise<void> {
  if (labels.length > 0) await octokit.rest.issues.addLabels({ ...at, issue_number: number, labels: [...labels] });
}

/** Not the author, whom GitHub refuses. */
async function requestReviewers(octokit: Octokit, at: Repository, { number, user }: Opened, reviewers: readonly string[]): Promise<void> {
  const teams = reviewers.filter((name) => name.includes('/')).map((name) => name.split('/')[1] ?? '');
  const people = reviewers.filter((name) => !name.includes('/') && name !== user?.login);
  if (teams.length + people.length === 0) return;
  await octokit.rest.pulls.requestReviewers({ ...at, pull_number: number, reviewers: people, team_reviewers: teams });
}

/** REST has no operation for it. */
export const enableAutoMerge = `mutation ($id: ID!, $by: PullRequestMergeMethod!, $head: GitObjectID!) {
  enablePullRequestAutoMerge(input: { pullRequestId: $id, mergeMethod: $by, expectedHeadOid: $head }) { pullRequest { number } }
}`;

/** Null: it is merged, or GitHub will do so by itself; otherwise why not. */
export async function mergeWhenAllowed(octokit: Octokit, at: Repository, number: number, commit: string): Promise<string | null> {
  const { data: pull } = await octokit.rest.pulls.get({ ...at, pull_number: number });
  if (pull.state !== 'open') return null;
  // It follows its branch a while after that has moved; and what somebody else has put there is not ours to merge.
  if (pull.head.sha !== commit) return `GitHub shows ${pull.head.sha.slice(0, 12)} as its head, and not our ${commit.slice(0, 12)}`;
  if (pull.auto_merge !== null) return null;
  const { data: allowed } = await octokit.rest.repos.get({ ...at });
  const method = allowed.allow_merge_commit !== false ? 'merge' : allowed.allow_squash_merge !== false ? 'squash' : 'rebase';
  try {
    await octokit.graphql(enableAutoMerge, { id: pull.node_id, by: method.toUpperCase(), head: commit });
    return null;
  } catch (thrown) {
    if (!(thrown instanceof GraphqlResponseError)) throw thrown;
    // Refused where no rule is left to wait for: then it can be merged as it is.
    if (!/(clean|unstable) status/i.test(thrown.message)) return oneLine(thrown.message, 300);
    return refusalOf('merge', () => octokit.rest.pulls.merge({ ...at, pull_number: number, sha: commit, merge_method: method }));
  }
}

/** Null: done. */
async function refusalOf(what: string, work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work();
    return null;
  } catch (thrown) {
    if (!(thrown instanceof RequestError) || !isStatus(thrown, 403, 404, 405, 409, 422) || isRateLimit(thrown)) throw thrown;
    return `${what}: ${oneLine(thrown.message, 300)}`;
  }
}

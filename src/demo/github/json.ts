/** What GitHub's answers look like: every member that its description requires. */
import {
  approvalsOf,
  type Comment,
  type Deployment,
  type DeploymentStatus,
  type PullRequest,
  type Review,
  type State,
  type Status,
  type User,
} from './state.ts';

export type Json = Readonly<Record<string, unknown>>;

export function urls(base: string, names: readonly string[]): Json {
  return Object.fromEntries(names.map((name) => [name, base]));
}

export function repoUrl({ url, owner, repo }: State): string {
  return `${url}/api/v3/repos/${owner}/${repo}`;
}

function webUrl({ url, owner, repo }: State): string {
  return `${url}/${owner}/${repo}`;
}

const userUrls = 'avatar events followers following gists organizations received_events repos starred subscriptions'
  .split(' ')
  .map((name) => `${name}_url`);

export function userJson(state: State, login: string): Json {
  const user = state.users.get(login);
  const own = `${state.url}/api/v3/users/${login}`;
  return {
    ...urls(own, [...userUrls, 'url']),
    html_url: `${state.url}/${login}`,
    login,
    id: user?.id ?? 0,
    node_id: `U_${user?.id ?? 0}`,
    gravatar_id: '',
    type: user?.type ?? 'User',
    site_admin: false,
  };
}

export function publicUserJson(state: State, { login, name, email }: User): Json {
  const counts = Object.fromEntries(['followers', 'following', 'public_gists', 'public_repos'].map((key) => [key, 0]));
  const unknown = Object.fromEntries(['bio', 'blog', 'company', 'hireable', 'location'].map((key) => [key, null]));
  return { ...userJson(state, login), ...counts, ...unknown, name, email, created_at: epoch, updated_at: epoch };
}

const epoch = '2026-01-01T00:00:00Z';
const repositoryUrls =
  'archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees clone git ssh svn'
    .split(' ')
    .map((name) => `${name}_url`);
const repositoryCounts =
  'forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count network_count subscribers_count'.split(
    ' ',
  );
const repositoryFlags = 'has_downloads has_issues has_projects has_wiki has_pages has_discussions archived disabled fork private'.split(
  ' ',
);

export function repositoryJson(state: State): Json {
  const { owner, repo } = state;
  return {
    ...urls(repoUrl(state), [...repositoryUrls, 'url']),
    ...Object.fromEntries(repositoryCounts.map((name) => [name, 0])),
    ...Object.fromEntries(repositoryFlags.map((name) => [name, false])),
    ...Object.fromEntries(['description', 'homepage', 'language', 'license', 'mirror_url'].map((name) => [name, null])),
    id: 1,
    node_id: 'R_1',
    name: repo,
    full_name: `${owner}/${repo}`,
    owner: userJson(state, owner),
    html_url: webUrl(state),
    allow_merge_commit: state.rules.methods.includes('merge'),
    allow_squash_merge: state.rules.methods.includes('squash'),
    allow_rebase_merge: state.rules.methods.includes('rebase'),
    allow_auto_merge: state.rules.allowsAutoMerge,
    default_branch: 'main',
    pushed_at: epoch,
    created_at: epoch,
    updated_at: epoch,
  };
}

const links = 'self html issue comments review_comments review_comment commits statuses'.split(' ');

export function pullJson(state: State, pull: PullRequest): Json {
  const { number, author } = pull;
  const own = `${repoUrl(state)}/pulls/${number}`;
  const end = (ref: string, sha: string): Json => ({
    label: `${state.owner}:${ref}`,
    ref,
    sha,
    user: userJson(state, state.owner),
    repo: repositoryJson(state),
  });
  return {
    ...urls(own, [
      'url',
      'comments_url',
      'commits_url',
      'diff_url',
      'issue_url',
      'patch_url',
      'review_comment_url',
      'review_comments_url',
      'statuses_url',
    ]),
    id: pull.id,
    node_id: `PR_${pull.id}`,
    html_url: `${webUrl(state)}/pull/${number}`,
    number,
    state: pull.state,
    locked: pull.isLocked,
    title: pull.title,
    user: userJson(state, author),
    body: pull.body,
    labels: pull.labels.map((name, index) => labelJson(state, name, index)),
    milestone: null,
    assignee: null,
    created_at: pull.createdAt,
    updated_at: pull.createdAt,
    closed_at: pull.mergedAt,
    merged_at: pull.mergedAt,
    merge_commit_sha: pull.mergeCommit,
    base: end(pull.base, pull.baseSha),
    head: end(pull.branch, pull.head),
    _links: Object.fromEntries(links.map((name) => [name, { href: own }])),
    author_association: 'COLLABORATOR',
    auto_merge:
      pull.autoMerge === null
        ? null
        : { enabled_by: userJson(state, author), merge_method: pull.autoMerge, commit_title: pull.title, commit_message: '' },
    draft: false,
  };
}

export function fullPullJson(state: State, pull: PullRequest): Json {
  const counts = Object.fromEntries(
    ['additions', 'changed_files', 'comments', 'commits', 'deletions', 'review_comments'].map((key) => [key, 1]),
  );
  const isBlocked = approvalsOf(state, pull) < state.rules.approvals;
  return {
    ...pullJson(state, pull),
    ...counts,
    mergeable: pull.state === 'open' ? true : null,
    mergeable_state: isBlocked ? 'blocked' : 'clean',
    merged: pull.mergedAt !== null,
    maintainer_can_modify: false,
    merged_by: null,
  };
}

export function labelJson(state: State, name: string, id: number): Json {
  return { id, node_id: `LA_${id}`, url: `${repoUrl(state)}/labels/${name}`, name, description: '', color: 'ededed', default: false };
}

export function reviewJson(state: State, pull: PullRequest, review: Review): Json {
  const own = `${webUrl(state)}/pull/${pull.number}`;
  return {
    id: review.id,
    node_id: `PRR_${review.id}`,
    user: userJson(state, review.author),
    body: review.body,
    state: review.state,
    commit_id: review.commit,
    submitted_at: review.at,
    html_url: own,
    pull_request_url: `${repoUrl(state)}/pulls/${pull.number}`,
    _links: { html: { href: own }, pull_request: { href: own } },
    author_association: 'COLLABORATOR',
  };
}

export function commentJson(state: State, comment: Comment): Json {
  const own = `${repoUrl(state)}/issues/comments/${comment.id}`;
  return {
    ...urls(own, ['url', 'html_url', 'issue_url']),
    id: comment.id,
    node_id: `IC_${comment.id}`,
    user: userJson(state, comment.author),
    body: comment.body,
    created_at: comment.at,
    updated_at: comment.at,
    author_association: 'NONE',
  };
}

export function statusJson(state: State, status: Status): Json {
  return {
    url: `${repoUrl(state)}/statuses/${status.sha}`,
    avatar_url: null,
    id: status.id,
    node_id: `SC_${status.id}`,
    state: status.state,
    description: status.description,
    target_url: status.url,
    context: status.context,
    created_at: status.at,
    updated_at: status.at,
    creator: userJson(state, status.author),
  };
}

export function deploymentJson(state: State, deployment: Deployment): Json {
  const own = `${repoUrl(state)}/deployments/${deployment.id}`;
  return {
    ...urls(own, ['url', 'statuses_url', 'repository_url']),
    id: deployment.id,
    node_id: `DE_${deployment.id}`,
    sha: deployment.sha,
    ref: deployment.sha,
    task: 'deploy',
    environment: deployment.environment,
    creator: userJson(state, deployment.author),
    payload: deployment.payload,
    description: deployment.description,
    created_at: deployment.at,
    updated_at: deployment.at,
  };
}

export function deploymentStatusJson(state: State, deployment: Deployment, status: DeploymentStatus): Json {
  const own = `${repoUrl(state)}/deployments/${deployment.id}`;
  return {
    ...urls(own, ['url', 'deployment_url', 'repository_url']),
    id: status.id,
    node_id: `DS_${status.id}`,
    state: status.state,
    creator: userJson(state, status.author),
    description: status.description,
    target_url: status.logUrl,
    log_url: status.logUrl,
    environment_url: status.environmentUrl,
    created_at: status.at,
    updated_at: status.at,
  };
}

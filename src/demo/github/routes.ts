/** The operations that the stand-in knows, by the templates of GitHub's description. */
import type { MergeMethod } from './bare.ts';
import { invalid, ok, refusal, repo, tellPush, text, type Answer, type Call, type Handler } from './call.ts';
import { deploymentRoutes } from './deployment-routes.ts';
import { gitRoutes } from './git-routes.ts';
import * as gitJson from './git-json.ts';
import * as json from './json.ts';
import { findPull, mergePull, newId, pullsOf, refresh, timestamp, type PullRequest, type Review, type State } from './state.ts';

function withPull(work: (call: Call, pull: PullRequest) => Answer | Promise<Answer>): Handler {
  return async (call) => {
    const pull = findPull(call.state, Number(call.path['pull_number'] ?? call.path['issue_number']));
    if (pull === null) return refusal(404, 'Not Found');
    await refresh(call.state, pull);
    return work(call, pull);
  };
}

export const routes: Readonly<Record<string, Handler>> = {
  [`GET ${repo}`]: ({ state }) => ok(json.repositoryJson(state)),
  'GET /user': ({ state, login }) => {
    const user = state.users.get(login);
    return user === undefined ? refusal(401, 'Requires authentication') : ok(json.publicUserJson(state, user));
  },

  [`GET ${repo}/commits/{commit_sha}/pulls`]: async ({ state, path }) =>
    (await state.bare.commit(path['commit_sha'] ?? '')) === null
      ? invalid('No commit found for SHA')
      : ok((await pullsOf(state, path['commit_sha'] ?? '')).map((pull) => json.pullJson(state, pull))),
  [`GET ${repo}/commits/{ref}`]: async ({ state, path }) => {
    const commit = await state.bare.commit(path['ref'] ?? '');
    return commit === null ? invalid('No commit found') : ok(gitJson.commitJson(state, commit));
  },
  [`GET ${repo}/commits/{ref}/statuses`]: ({ state, path }) =>
    ok(
      state.statuses
        .filter(({ sha }) => sha === path['ref'])
        .reverse()
        .map((status) => json.statusJson(state, status)),
    ),
  [`POST ${repo}/statuses/{sha}`]: async ({ state, login, path, body }) => {
    const sha = path['sha'] ?? '';
    if (state.gone.has(sha) || (await state.bare.commit(sha)) === null) return invalid(`No commit found for SHA: ${sha}`);
    if (text(body['description']).length > 140) return invalid('description is too long (maximum is 140 characters)');
    const status = {
      id: newId(state),
      sha,
      context: text(body['context']) || 'default',
      state: text(body['state']),
      description: (body['description'] ?? null) as string | null,
      url: (body['target_url'] ?? null) as string | null,
      author: login,
      at: timestamp(),
    };
    state.statuses.push(status);
    return ok(json.statusJson(state, status), 201);
  },
  [`GET ${repo}/contents/{path}`]: async ({ state, path, query }) => {
    const file = await state.bare.file(query.get('ref') ?? 'main', path['path'] ?? '');
    return file === null ? refusal(404, 'Not Found') : ok(gitJson.contentJson(state, path['path'] ?? '', file));
  },
  [`GET ${repo}/collaborators/{username}/permission`]: ({ state, path }) => {
    const user = state.users.get(path['username'] ?? '');
    if (user === undefined) return refusal(404, 'Not Found');
    return ok({
      permission: user.permission,
      role_name: user.permission,
      user: { ...json.userJson(state, user.login), role_name: user.permission },
    });
  },
  'GET /orgs/{org}/teams/{team_slug}/memberships/{username}': ({ state, path }) => {
    const team = `${path['org'] ?? ''}/${path['team_slug'] ?? ''}`;
    const isMember = state.users.get(path['username'] ?? '')?.teams.includes(team) === true;
    return isMember ? ok({ url: state.url, role: 'member', state: 'active' }) : refusal(404, 'Not Found');
  },
  ...gitRoutes,

  [`GET ${repo}/pulls`]: async ({ state, query }) => {
    for (const pull of state.pulls) await refresh(state, pull);
    const wanted = query.get('state') ?? 'open';
    const head = query.get('head')?.split(':')[1];
    const base = query.get('base');
    const found = state.pulls.filter(
      (pull) =>
        (wanted === 'all' || pull.state === wanted) &&
        (head === undefined || pull.branch === head) &&
        (base === null || pull.base === base),
    );
    return ok(found.map((pull) => json.pullJson(state, pull)));
  },
  [`POST ${repo}/pulls`]: openPull,
  [`GET ${repo}/pulls/{pull_number}`]: withPull(({ state }, pull) => ok(json.fullPullJson(state, pull))),
  [`PATCH ${repo}/pulls/{pull_number}`]: withPull(({ state, body }, pull) => {
    if (body['state'] === 'closed' && pull.state === 'open') pull.state = 'closed';
    if (typeof body['title'] === 'string') pull.title = body['title'];
    if (typeof body['body'] === 'string') pull.body = body['body'];
    return ok(json.fullPullJson(state, pull));
  }),
  [`PUT ${repo}/pulls/{pull_number}/merge`]: withPull(async ({ state, login, body, tell }, pull) => {
    const method = (text(body['merge_method']) || 'merge') as MergeMethod;
    if (body['sha'] !== undefined && body['sha'] !== pull.head)
      return refusal(409, 'Head branch was modified. Review and try the merge again.');
    const merged = await mergePull(state, pull, method, login);
    if ('status' in merged) return refusal(merged.status, merged.message);
    tellPush(state, tell, pull.base, merged.sha);
    return ok({ sha: merged.sha, merged: true, message: 'Pull Request successfully merged' });
  }),
  [`GET ${repo}/pulls/{pull_number}/commits`]: withPull(async ({ state }, pull) => {
    const commits = await Promise.all((await state.bare.between(pull.baseSha, pull.head)).map((sha) => state.bare.commit(sha)));
    return ok(commits.flatMap((commit) => (commit === null ? [] : [gitJson.commitJson(state, commit)])));
  }),
  [`GET ${repo}/pulls/{pull_number}/files`]: withPull(async ({ state }, pull) =>
    ok((await state.bare.changed(pull.baseSha, pull.head)).map((path) => gitJson.changedFileJson(state, path))),
  ),
  [`GET ${repo}/pulls/{pull_number}/reviews`]: withPull(({ state }, pull) =>
    ok(pull.reviews.map((review) => json.reviewJson(state, pull, review))),
  ),
  [`POST ${repo}/pulls/{pull_number}/reviews`]: withPull(review),
  [`PUT ${repo}/pulls/{pull_number}/reviews/{review_id}/dismissals`]: withPull(({ state, path, tell }, pull) => {
    const found = pull.reviews.find(({ id }) => id === Number(path['review_id']));
    if (found === undefined) return refusal(404, 'Not Found');
    found.state = 'DISMISSED';
    tellReview(state, tell, pull, 'dismissed');
    return ok(json.reviewJson(state, pull, found));
  }),
  [`POST ${repo}/pulls/{pull_number}/requested_reviewers`]: withPull(({ state, body }, pull) => {
    const names = [...((body['reviewers'] ?? []) as string[]), ...((body['team_reviewers'] ?? []) as string[])];
    if (names.includes(pull.author)) return { status: 422 };
    pull.requested.push(...names);
    return ok(json.pullJson(state, pull), 201);
  }),
  [`POST ${repo}/issues/{issue_number}/labels`]: withPull(({ state, body }, pull) => {
    const { labels: known } = state;
    const asked = (body['labels'] ?? []) as string[];
    if (known !== null && asked.some((label) => !known.includes(label)))
      return refusal(403, 'You do not have permission to create labels on this repository.');
    pull.labels = [...new Set([...pull.labels, ...asked])];
    return ok(pull.labels.map((name, index) => json.labelJson(state, name, index)));
  }),
  [`GET ${repo}/issues/{issue_number}/comments`]: withPull(({ state }, pull) =>
    ok(pull.comments.map((comment) => json.commentJson(state, comment))),
  ),
  [`POST ${repo}/issues/{issue_number}/comments`]: withPull(({ state, login, body }, pull) => {
    if (pull.isLocked) return refusal(403, 'Unable to create comment because issue is locked');
    const comment = { id: newId(state), author: login, body: text(body['body']), at: timestamp() };
    pull.comments.push(comment);
    return ok(json.commentJson(state, comment), 201);
  }),
  [`PATCH ${repo}/issues/comments/{comment_id}`]: ({ state, path, body }) => {
    const comment = state.pulls.flatMap(({ comments }) => comments).find(({ id }) => id === Number(path['comment_id']));
    if (comment === undefined) return refusal(404, 'Not Found');
    comment.body = text(body['body']);
    return ok(json.commentJson(state, comment));
  },

  ...deploymentRoutes,
};

async function openPull({ state, login, body }: Call): Promise<Answer> {
  const branch = text(body['head']).replace(/^[^:]*:/, '');
  const base = text(body['base']);
  const [head, baseSha] = [await state.bare.tip(branch), await state.bare.tip(base)];
  if (head === null || baseSha === null) return invalid('head or base is invalid');
  if (state.pulls.some((pull) => pull.branch === branch && pull.state === 'open')) return invalid('A pull request already exists');
  if ((await state.bare.between(baseSha, head)).length === 0) return invalid(`No commits between ${base} and ${branch}`);
  const pull: PullRequest = {
    id: newId(state),
    number: state.pulls.length + 1,
    author: login,
    base,
    branch,
    title: text(body['title']),
    body: text(body['body']),
    state: 'open',
    mergedAt: null,
    mergeCommit: null,
    merged: [],
    head,
    baseSha,
    labels: [],
    isLocked: false,
    requested: [],
    autoMerge: null,
    createdAt: timestamp(),
    reviews: [],
    comments: [],
  };
  state.pulls.push(pull);
  await state.bare.keep(pull.number, head);
  return ok(json.fullPullJson(state, pull), 201);
}

const reviewStates: Readonly<Record<string, Review['state']>> = {
  APPROVE: 'APPROVED',
  REQUEST_CHANGES: 'CHANGES_REQUESTED',
  COMMENT: 'COMMENTED',
};

async function review({ state, login, body, tell }: Call, pull: PullRequest): Promise<Answer> {
  const verdict = reviewStates[text(body['event'])] ?? 'COMMENTED';
  if (pull.author === login && verdict !== 'COMMENTED')
    return {
      status: 422,
      body: {
        message: 'Unprocessable Entity',
        documentation_url: 'https://docs.github.com/rest',
        errors: [`Review Can not ${verdict === 'APPROVED' ? 'approve' : 'request changes on'} your own pull request`],
      },
    };
  const left: Review = {
    id: newId(state),
    author: login,
    body: text(body['body']),
    state: verdict,
    commit: text(body['commit_id']) || pull.head,
    at: timestamp(),
  };
  pull.reviews.push(left);
  tellReview(state, tell, pull, 'submitted');
  if (pull.autoMerge !== null) {
    const merged = await mergePull(state, pull, pull.autoMerge, login);
    if ('sha' in merged) tellPush(state, tell, pull.base, merged.sha);
  }
  return ok(json.reviewJson(state, pull, left));
}

function tellReview(state: State, tell: Call['tell'], pull: PullRequest, action: string): void {
  tell('pull_request_review', { action, pull_request: json.pullJson(state, pull), repository: json.repositoryJson(state) });
}

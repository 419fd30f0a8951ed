/** What we ask GitHub. */
import { LRUMap } from '../../base/lru.ts';
import { coAuthors } from '../../base/text.ts';
import type { CodeHost, PullRequest, Review } from '../../ports/code-host.ts';
import type { Asking } from './asking.ts';
import { isStatus } from './failures.ts';

/** Whether the host itself is the committer; to be believed of verified commits only. */
export type IsHost = (committer: object | null | undefined, email: string | undefined) => boolean;

/** `address`: of the host's own commits, which nobody else can have verified. */
export function hostBy(address: string): IsHost {
  return (committer, email) => loginOf(committer) === webFlow || email === address;
}

type Reading = Pick<CodeHost, 'pullRequestsOf' | 'fileAt' | 'filesAt' | 'verification'>;
type PullRequests = Pick<CodeHost, 'pullRequest' | 'openPullRequests' | 'changedFiles' | 'reviews' | 'committers'>;

/** Trees of commits, which never change; one of a repository with 10,000 services takes some megabytes. */
const treesKept = 20;

export function createReading({ at, ask, askFor }: Asking, isHost: IsHost): Reading {
  const trees = new LRUMap<string, Promise<ReadonlyMap<string, string> | null>>(treesKept);

  async function treeOf(commit: string): Promise<ReadonlyMap<string, string> | null> {
    const found = await askFor(`files at ${commit.slice(0, 12)}`, (octokit) =>
      octokit.rest.git.getTree({ ...at, tree_sha: commit, recursive: '1' }),
    );
    if (found === null || found.data.truncated) return null;
    return new Map(found.data.tree.flatMap(({ type, path, sha }) => (type === 'blob' ? [[path, sha] as const] : [])));
  }

  return {
    async pullRequestsOf(commit) {
      const list = await ask(`pull requests of ${commit.slice(0, 12)}`, async (octokit) => {
        try {
          return await octokit.paginate(octokit.rest.repos.listPullRequestsAssociatedWithCommit, {
            ...at,
            commit_sha: commit,
            per_page: 100,
          });
        } catch (thrown) {
          // A commit that GitHub does not show yet.
          if (isStatus(thrown, 422)) return null;
          throw thrown;
        }
      });
      return list === null ? null : list.map(readPullRequest);
    },
    async fileAt(commit, path) {
      const found = await askFor(`${path} at ${commit.slice(0, 12)}`, (octokit) =>
        octokit.rest.repos.getContent({ ...at, path, ref: commit }),
      );
      const file = found?.data;
      if (file === undefined || Array.isArray(file) || file.type !== 'file' || file.encoding !== 'base64') return null;
      return Buffer.from(file.content, 'base64').toString('utf8');
    },
    filesAt(commit) {
      const known = trees.get(commit) ?? treeOf(commit);
      trees.set(commit, known);
      // One that the host does not show yet is asked for again.
      known.then((files) => files ?? trees.delete(commit)).catch(() => trees.delete(commit));
      return known;
    },
    async verification(commit) {
      const found = await ask(`signature of ${commit.slice(0, 12)}`, (octokit) => octokit.rest.repos.getCommit({ ...at, ref: commit }));
      const { committer, commit: data } = found.data;
      const { verified = false, reason = 'unknown' } = data.verification ?? {};
      return { isVerified: verified, isMadeByHost: isHost(committer, data.committer?.email), reason };
    },
  };
}

export function createPullRequests({ at, ask, askFor, login }: Asking, branch: string, isHost: IsHost): PullRequests {
  return {
    async pullRequest(number) {
      const found = await askFor(`pull request #${number}`, (octokit) => octokit.rest.pulls.get({ ...at, pull_number: number }));
      return found === null ? null : readPullRequest(found.data);
    },
    async openPullRequests() {
      const list = await ask('open pull requests', (octokit) =>
        octokit.paginate(octokit.rest.pulls.list, { ...at, base: branch, state: 'open', per_page: 100 }),
      );
      return list.map(readPullRequest);
    },
    async changedFiles(number) {
      const list = await ask(`files of #${number}`, (octokit) =>
        octokit.paginate(octokit.rest.pulls.listFiles, { ...at, pull_number: number, per_page: 100 }),
      );
      return list.flatMap(({ filename, previous_filename: before }) => [filename, ...(before === undefined ? [] : [before])]);
    },
    async reviews(number) {
      const list = await ask(`reviews of #${number}`, (octokit) =>
        octokit.paginate(octokit.rest.pulls.listReviews, { ...at, pull_number: number, per_page: 100 }),
      );
      const own = await login();
      return list.filter(({ user }) => user?.login !== own).flatMap(readReview);
    },
    async committers(number) {
      const list = await ask(`commits of #${number}`, (octokit) =>
        octokit.paginate(octokit.rest.pulls.listCommits, { ...at, pull_number: number, per_page: 100 }),
      );
      const shared = list.filter(({ commit }) => coAuthors(commit.message).length > 0).map(({ node_id: id }) => id);
      const named = await loginsOfAuthors(ask, shared);
      return {
        commits: list.map(({ sha, node_id: id, author, committer, commit, parents }) => ({
          id: sha,
          parents: parents.map((parent) => parent.sha),
          isHostMerge:
            parents.length === 2 &&
            typeOf(author) === 'User' &&
            commit.verification?.verified === true &&
            isHost(committer, commit.committer?.email),
          author: nameOf(commit.author),
          logins: [loginOf(author), loginOf(committer), ...(named.get(id) ?? [])].filter(isPerson),
          names: [nameOf(commit.author), nameOf(commit.committer), ...coAuthors(commit.message)].filter((name) => name !== null),
        })),
        isComplete: list.length < mostCommitsTold,
      };
    },
  };
}

/** REST tells no logins of those whom a message names by `Co-authored-by`. */
export const authorsOfCommits = `query ($ids: [ID!]!) {
  nodes(ids: $ids) { __typename ... on Commit { authors(first: 100) { nodes { user { login } } } } }
}`;

interface AuthorsOfCommits {
  readonly nodes: readonly ({
    readonly authors?: { readonly nodes: readonly ({ readonly user: { readonly login: string } | null } | null)[] };
  } | null)[];
}

const mostIds = 50;

/** By commit. */
async function loginsOfAuthors(ask: Asking['ask'], ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const logins = new Map<string, readonly string[]>();
  for (let from = 0; from < ids.length; from += mostIds) {
    const asked = ids.slice(from, from + mostIds);
    const { nodes } = await ask('authors of commits', (octokit) => octokit.graphql<AuthorsOfCommits>(authorsOfCommits, { ids: asked }));
    for (const [index, id] of asked.entries())
      logins.set(id, nodes[index]?.authors?.nodes.flatMap((author) => author?.user?.login ?? []) ?? []);
  }
  return logins;
}

/** Who may do what. */
export function createRights({ at, askFor }: Asking): Pick<CodeHost, 'mayWrite' | 'isMember'> {
  return {
    async mayWrite(login) {
      const found = await askFor(`permission of ${login}`, (octokit) =>
        octokit.rest.repos.getCollaboratorPermissionLevel({ ...at, username: login }),
      );
      return ['admin', 'write'].includes(found?.data.permission ?? 'none');
    },
    async isMember(team, login) {
      const [org = '', slug = ''] = team.split('/');
      const found = await askFor(`members of ${team}`, (octokit) =>
        octokit.rest.teams.getMembershipForUserInOrg({ org, team_slug: slug, username: login }),
      );
      return found?.data.state === 'active';
    },
  };
}

interface PullRequestData {
  readonly number: number;
  readonly html_url: string;
  readonly title: string;
  readonly state: string;
  readonly merged_at: string | null;
  readonly base: { readonly ref: string };
  readonly head: { readonly ref: string; readonly sha: string };
  readonly user: { readonly login: string } | null;
}

export function readPullRequest({
  number,
  html_url: url,
  title,
  state,
  merged_at: mergedAt,
  base,
  head,
  user,
}: PullRequestData): PullRequest {
  const own = mergedAt !== null ? 'merged' : state === 'open' ? 'open' : 'closed';
  return { number, url, title, state: own, base: base.ref, branch: head.ref, head: head.sha, author: user?.login ?? 'ghost' };
}

const verdicts: Readonly<Record<string, Review['verdict']>> = {
  APPROVED: 'approved',
  CHANGES_REQUESTED: 'changes-requested',
  COMMENTED: 'commented',
  DISMISSED: 'dismissed',
};

interface ReviewData {
  readonly user: { readonly login: string; readonly type: string } | null;
  readonly state: string;
  readonly commit_id: string | null;
  readonly submitted_at?: string | undefined;
}

/** None of one that is being written still. */
function readReview({ user, state, commit_id: commit, submitted_at: at }: ReviewData): readonly Review[] {
  const verdict = verdicts[state];
  if (user === null || verdict === undefined) return [];
  return [{ reviewer: { login: user.login, isBot: user.type !== 'User' }, verdict, commit, at: at === undefined ? 0 : Date.parse(at) }];
}

function loginOf(user: object | null | undefined): string | null {
  return user != null && 'login' in user && typeof user.login === 'string' ? user.login : null;
}

function typeOf(account: object | null | undefined): unknown {
  return account != null && 'type' in account ? account.type : null;
}

function isPerson(login: string | null): login is string {
  return login !== null && login !== webFlow;
}

/** Of commits that GitHub makes itself. */
const webFlow = 'web-flow';
/** GitHub tells of no more, whatever is asked for. */
const mostCommitsTold = 250;

function nameOf(person: { readonly name?: string | undefined; readonly email?: string | undefined } | null): string | null {
  return person === null ? null : `${person.name ?? ''} <${person.email ?? ''}>`;
}

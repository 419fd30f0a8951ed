/** The two documents that we send to GitHub's GraphQL, which REST has no operations for. */
import type { MergeMethod } from './bare.ts';
import type { Answer } from './call.ts';
import { approvalsOf, type PullRequest, type State } from './state.ts';

interface Variables {
  readonly id?: string;
  readonly by?: string;
  readonly head?: string;
  readonly ids?: readonly string[];
}

export async function graphql(body: Readonly<Record<string, unknown>>, state: State): Promise<Answer> {
  const { query = '', variables = {} } = body as { query?: string; variables?: Variables };
  if (query.includes('authors('))
    return authorsOf(
      state,
      (variables.ids ?? []).map((id) => id.replace(/^C_/, '')),
    );
  const pull = state.pulls.find(({ id }) => `PR_${id}` === variables.id);
  const method = (variables.by ?? 'MERGE').toLowerCase() as MergeMethod;
  const refused = pull === undefined ? 'Could not resolve to a node' : refusalToMerge(state, pull, method, variables.head);
  if (pull === undefined || refused !== null)
    return { status: 200, body: { data: null, errors: [{ type: 'UNPROCESSABLE', message: refused ?? '' }] } };
  pull.autoMerge = method;
  return { status: 200, body: { data: { enablePullRequestAutoMerge: { pullRequest: { number: pull.number } } } } };
}

function refusalToMerge(state: State, pull: PullRequest, method: MergeMethod, head: string | undefined): string | null {
  const { rules } = state;
  if (head !== undefined && head !== pull.head) return 'Head branch is out of date';
  if (!rules.allowsAutoMerge) return 'Auto merge is not allowed for this repository';
  if (pull.state !== 'open') return 'Pull request Pull request is closed';
  if (pull.base !== rules.branch || approvalsOf(state, pull) >= rules.approvals) return 'Pull request Pull request is in clean status';
  return rules.methods.includes(method) ? null : 'Merge method is not allowed on this repository';
}

/** Also those whom the message names, where their address is an account's. */
async function authorsOf(state: State, shas: readonly string[]): Promise<Answer> {
  const nodes = await Promise.all(
    shas.map(async (sha) => {
      const commit = await state.bare.commit(sha);
      if (commit === null) return null;
      const named = [...commit.message.matchAll(/^Co-authored-by: .*<(.*)>$/gim)].map(([, email]) => email);
      const users = [commit.authorEmail, ...named].map((email) => [...state.users.values()].find((user) => user.email === email));
      return {
        __typename: 'Commit',
        authors: { nodes: users.map((user) => ({ user: user === undefined ? null : { login: user.login } })) },
      };
    }),
  );
  return { status: 200, body: { data: { nodes } } };
}

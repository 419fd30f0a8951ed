/**
 * Commits made by GitHub itself, which signs what an app makes without naming an author. It signs nothing for tokens of people, and on
 * Enterprise servers only where commit signing of the web is on; then we say so, and move no branch.
 */
import { RequestError } from '@octokit/request-error';
import { StalledError } from '../../base/failures.ts';
import { oneLine } from '../../base/text.ts';
import type { PlaceCommit, PlacingOrder, Placed } from '../../ports/repository.ts';
import { createAsking, type Asking } from './asking.ts';
import type { GithubClient } from './client.ts';

export function createSignedPlacing(client: GithubClient, at: Asking['at']): PlaceCommit {
  const asking = createAsking(client, at);
  return async (order) => {
    const commit = await make(asking, order);
    await order.announce(commit);
    return asking.ask(`branch ${order.branch}`, async (octokit): Promise<Placed> => {
      const { branch, expected, parent } = order;
      try {
        if (expected === null) await octokit.rest.git.createRef({ ...at, ref: `refs/heads/${branch}`, sha: commit });
        // Without force only what is built on the branch's own tip moves it: a compare-and-swap. Others are ours alone.
        else await octokit.rest.git.updateRef({ ...at, ref: `heads/${branch}`, sha: commit, force: expected !== parent });
        return { kind: 'placed', commit };
      } catch (thrown) {
        return outcomeOf(thrown);
      }
    });
  };
}

/** The objects; no branch has them yet. */
async function make({ ask, at }: Asking, { parent, path, text, message }: PlacingOrder): Promise<string> {
  return ask(`commit for ${path}`, async (octokit) => {
    const { data: tree } = await octokit.rest.git.createTree({
      ...at,
      base_tree: parent,
      tree: [{ path, mode: '100644', type: 'blob', content: text }],
    });
    const { data: commit } = await octokit.rest.git.createCommit({ ...at, message, tree: tree.sha, parents: [parent] });
    if (!commit.verification.verified)
      throw new StalledError(
        `GitHub has not signed the commit that --github-signed-commits asks for (${commit.verification.reason}), so no branch was moved; sign with --signing-key, or leave the flag out.`,
      );
    return commit.sha;
  });
}

function outcomeOf(thrown: unknown): Placed {
  if (!(thrown instanceof RequestError) || (thrown.status !== 422 && thrown.status !== 409)) throw thrown;
  if (/not a fast forward|reference already exists|reference does not exist|cannot lock ref/i.test(thrown.message))
    return { kind: 'lost-race' };
  return { kind: 'refused', message: oneLine(thrown.message, 300) };
}

/**
 * Commits made by GitHub itself, which signs what an app makes without naming an author. It signs nothing for tokens of people, and on
 * Enterprise servers only where commit signing of the web is on; then we say so, and move no branch.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RequestError } from '@octokit/request-error';
import { StalledError } from '../../base/failures.ts';
import { LRUMap } from '../../base/lru.ts';
import { oneLine } from '../../base/text.ts';
import type { PlaceCommit, PlacingOrder, Placed } from '../../ports/repository.ts';
import { createAsking, type Asking } from './asking.ts';
import type { GithubClient } from './client.ts';

/** After so many refusals that may only be a hiccup it is called a refusal. */
const mostHiccups = 5;

/** `pauseMs`: after a hiccup. */
export function createSignedPlacing(client: GithubClient, at: Asking['at'], pauseMs = 500): PlaceCommit {
  const asking = createAsking(client, at);
  /** By branch, since it was where it is. */
  const hiccups = new LRUMap<string, { readonly at: string | null; readonly count: number }>(100);

  async function outcomeOf(thrown: unknown, { branch, expected }: PlacingOrder): Promise<Placed> {
    const refusal = refusalOf(thrown);
    if (refusal === null) throw thrown;
    if ((await tipOf(asking, branch)) !== expected) return { kind: 'lost-race' };
    const before = hiccups.get(branch);
    const count = before?.at === expected ? before.count + 1 : 1;
    hiccups.set(branch, { at: expected, count });
    if (refusal.isClear || count >= mostHiccups) {
      hiccups.delete(branch);
      return { kind: 'refused', message: refusal.message };
    }
    await sleep(pauseMs * count);
    return { kind: 'lost-race' };
  }

  return async (order) => {
    const commit = await make(asking, order);
    await order.announce(commit);
    return asking.ask(`branch ${order.branch}`, async (octokit): Promise<Placed> => {
      const { branch, expected, parent } = order;
      // A fast-forward alone would bring back what somebody has just taken off the branch.
      if ((await tipOf(asking, branch)) !== expected) return { kind: 'lost-race' };
      try {
        if (expected === null) await octokit.rest.git.createRef({ ...at, ref: `refs/heads/${branch}`, sha: commit });
        // Without force only what is built on the branch's own tip moves it. Other branches are ours alone.
        else await octokit.rest.git.updateRef({ ...at, ref: `heads/${branch}`, sha: commit, force: expected !== parent });
        hiccups.delete(branch);
        return { kind: 'placed', commit };
      } catch (thrown) {
        return outcomeOf(thrown, order);
      }
    });
  };
}

/** Null: there is no such branch. */
async function tipOf({ askFor, at }: Asking, branch: string): Promise<string | null> {
  const found = await askFor(`branch ${branch}`, (octokit) => octokit.rest.git.getRef({ ...at, ref: `heads/${branch}` }));
  return found?.data.object.sha ?? null;
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

/** By which the branch does not take what we bring; null: another failure. Not clear: also said of a race, or of a replica that lags. */
function refusalOf(thrown: unknown): { readonly message: string; readonly isClear: boolean } | null {
  if (!(thrown instanceof RequestError)) return null;
  const message = oneLine(thrown.message, 300);
  if (thrown.status === 403) return /protected|not authorized to push/i.test(message) ? { message, isClear: true } : null;
  if (thrown.status !== 409 && thrown.status !== 422) return null;
  return { message, isClear: /pull request|rule|protected|required/i.test(message) };
}

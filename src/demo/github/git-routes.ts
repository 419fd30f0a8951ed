/** GitHub's Git database: objects, and branches that are moved to them. */
import { invalid, ok, refusal, repo, tellPush, text, type Answer, type Call, type Handler } from './call.ts';
import * as gitJson from './git-json.ts';
import type { State } from './state.ts';

export const gitRoutes: Readonly<Record<string, Handler>> = {
  [`GET ${repo}/git/trees/{tree_sha}`]: async ({ state, path }) => {
    const files = await state.bare.files(path['tree_sha'] ?? '');
    return files === null ? refusal(404, 'Not Found') : ok(gitJson.treeJson(state, path['tree_sha'] ?? '', files));
  },
  [`POST ${repo}/git/trees`]: async ({ state, body }) => {
    const files = (body['tree'] ?? []) as { path: string; mode: string; content: string }[];
    const sha = await state.bare.writeTree(text(body['base_tree']), files);
    return sha === null ? refusal(404, 'Not Found') : ok(gitJson.treeJson(state, sha, files), 201);
  },
  [`POST ${repo}/git/commits`]: async ({ state, login, body }) => {
    const { name, email, type } = state.users.get(login) ?? { name: login, email: '', type: 'User' };
    const sha = await state.bare.writeCommit({
      tree: text(body['tree']),
      parents: (body['parents'] ?? []) as string[],
      message: text(body['message']),
      author: { name, email },
    });
    const commit = sha === null ? null : await state.bare.commit(sha);
    if (commit === null) return invalid('Tree SHA or parent does not exist');
    // What an app makes in its own name.
    if (type === 'Bot' && body['author'] === undefined && body['committer'] === undefined && state.signsForApps)
      state.verified.add(commit.sha);
    return ok(gitJson.gitCommitJson(state, commit), 201);
  },
  [`GET ${repo}/git/ref/{ref}`]: async ({ state, path }) => {
    const branch = (path['ref'] ?? '').replace(/^heads\//, '');
    const tip = await state.bare.tip(branch);
    return tip === null ? refusal(404, 'Not Found') : ok(gitJson.refJson(state, branch, tip));
  },
  [`POST ${repo}/git/refs`]: async ({ state, body, tell }) => {
    const [branch, sha] = [text(body['ref']).replace(/^refs\/heads\//, ''), text(body['sha'])];
    if ((await state.bare.tip(branch)) !== null) return refusal(422, 'Reference already exists');
    if ((await state.bare.commit(sha)) === null) return refusal(422, 'Object does not exist');
    return moved(state, tell, branch, sha, 201);
  },
  [`PATCH ${repo}/git/refs/{ref}`]: async ({ state, path, body, tell }) => {
    const [branch, sha] = [(path['ref'] ?? '').replace(/^heads\//, ''), text(body['sha'])];
    const tip = await state.bare.tip(branch);
    if (tip === null) return refusal(422, 'Reference does not exist');
    if (branch === state.rules.branch) return refusal(422, 'Changes must be made through a pull request.');
    if (body['force'] !== true && !(await state.bare.isAncestor(tip, sha))) return refusal(422, 'Update is not a fast forward');
    return moved(state, tell, branch, sha, 200);
  },
  [`DELETE ${repo}/git/refs/{ref}`]: async ({ state, path }) =>
    (await state.bare.deleteBranch((path['ref'] ?? '').replace(/^heads\//, ''))) ? { status: 204 } : invalid('Reference does not exist'),
};

async function moved(state: State, tell: Call['tell'], branch: string, sha: string, status: number): Promise<Answer> {
  await state.bare.moveBranch(branch, sha);
  tellPush(state, tell, branch, sha);
  return ok(gitJson.refJson(state, branch, sha), status);
}

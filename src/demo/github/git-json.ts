/** The same of what Git has: commits, trees, branches and files. */
import type { BareCommit } from './bare.ts';
import { repoUrl, urls, userJson, type Json } from './json.ts';
import type { State } from './state.ts';

export function commitJson(state: State, commit: BareCommit): Json {
  const own = `${repoUrl(state)}/commits/${commit.sha}`;
  const userOf = (email: string): Json | null => {
    const user = [...state.users.values()].find((candidate) => candidate.email === email);
    return user === undefined ? null : userJson(state, user.login);
  };
  const isVerified = state.verified.has(commit.sha);
  return {
    ...urls(own, ['url', 'html_url', 'comments_url']),
    sha: commit.sha,
    node_id: `C_${commit.sha}`,
    commit: {
      url: own,
      author: { name: commit.authorName, email: commit.authorEmail, date: commit.date },
      committer: { name: commit.committerName, email: commit.committerEmail, date: commit.date },
      message: commit.message,
      comment_count: 0,
      tree: { sha: commit.tree, url: own },
      verification: { verified: isVerified, reason: isVerified ? 'valid' : 'unsigned', payload: null, signature: null, verified_at: null },
    },
    author: userOf(commit.authorEmail),
    committer: userOf(commit.committerEmail),
    parents: commit.parents.map((sha) => ({ sha, url: own, html_url: own })),
  };
}

export function gitCommitJson(state: State, commit: BareCommit): Json {
  const own = `${repoUrl(state)}/git/commits/${commit.sha}`;
  const { author, committer, message, tree, verification } = commitJson(state, commit)['commit'] as Json;
  const parents = commit.parents.map((sha) => ({ sha, url: own, html_url: own }));
  return {
    ...urls(own, ['url', 'html_url']),
    sha: commit.sha,
    node_id: `C_${commit.sha}`,
    author,
    committer,
    message,
    tree,
    verification,
    parents,
  };
}

export function treeJson(
  state: State,
  sha: string,
  files: readonly { readonly path: string; readonly mode: string; readonly sha?: string }[],
): Json {
  const own = `${repoUrl(state)}/git/trees/${sha}`;
  return {
    sha,
    url: own,
    truncated: false,
    tree: files.map(({ path, mode, sha: oid = sha }) => ({ path, mode, sha: oid, type: 'blob', size: 1, url: own })),
  };
}

export function refJson(state: State, branch: string, sha: string): Json {
  const own = `${repoUrl(state)}/git/refs/heads/${branch}`;
  return { ref: `refs/heads/${branch}`, node_id: `REF_${branch}`, url: own, object: { type: 'commit', sha, url: own } };
}

export function contentJson(state: State, path: string, { oid, content }: { readonly oid: string; readonly content: Buffer }): Json {
  const own = `${repoUrl(state)}/contents/${path}`;
  return {
    ...urls(own, ['url', 'git_url', 'html_url', 'download_url']),
    _links: { self: own, git: own, html: own },
    type: 'file',
    encoding: 'base64',
    size: content.length,
    name: path.split('/').at(-1) ?? path,
    path,
    sha: oid,
    content: content.toString('base64').replace(/.{60}/g, '$&\n'),
  };
}

export function changedFileJson(state: State, path: string): Json {
  const own = `${repoUrl(state)}/contents/${path}`;
  const counts = { additions: 1, deletions: 1, changes: 2 };
  return { sha: null, filename: path, status: 'modified', ...counts, ...urls(own, ['blob_url', 'raw_url', 'contents_url']) };
}

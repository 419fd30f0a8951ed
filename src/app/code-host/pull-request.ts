/** Who has a hand in a pull request, and who has approved it through us while it was open. */
import { LRUMap } from '../../base/lru.ts';
import type { Approval } from '../../domain/rollout/state.ts';
import { loginIdentity } from '../../domain/safety/gates.ts';
import type { CodeHost, PullRequest, PullRequestCommit } from '../../ports/code-host.ts';
import type { Store } from '../../ports/store.ts';
import { isServedFile } from '../reconcile/history.ts';
import { branchRequesterKey, proposedKey } from './parts.ts';

export interface Authors {
  /** Logins, names with addresses, and whoever had us open it. */
  readonly identities: readonly string[];
  /** Who only had the host merge another branch into it, as Git names them. */
  readonly mergers: readonly string[];
  /** Why nobody is known to have no hand in it; null: all who have are known. */
  readonly problem: string | null;
}

type AuthorDeps = { readonly host: CodeHost; readonly store: Pick<Store, 'get'> };

export async function authorsOf({ host, store }: AuthorDeps, { number, author, branch }: PullRequest): Promise<Authors> {
  const [{ commits, isComplete }, requester, own] = await Promise.all([
    host.committers(number),
    store.get(branchRequesterKey(branch)),
    store.get(proposedKey(branch)),
  ]);
  const updates = await updatesAmong(host, commits);
  const bringing = commits.filter((commit) => !updates.includes(commit));
  const names = bringing.flatMap((commit) => commit.names);
  const logins = [author, ...bringing.flatMap((commit) => commit.logins)];
  return {
    identities: [...new Set([...logins.map(loginIdentity), ...names, ...(requester === null ? [] : [requester])])],
    // Trailers and committers are what whoever merged has written there.
    mergers: updates.flatMap((commit) => commit.author ?? []),
    problem: isComplete ? foreignProblem(commits, own) : 'has more commits than the code host tells of',
  };
}

/** Whose files are asked for; of more of them, whoever had them made has a hand in it. */
const mostUpdates = 20;

/** Merges that the host has made ("Update branch") and that bring nothing that neither side has: whoever pressed the button changed nothing. */
async function updatesAmong(host: CodeHost, commits: readonly PullRequestCommit[]): Promise<readonly PullRequestCommit[]> {
  const merges = commits.filter(({ isHostMerge }) => isHostMerge).slice(0, mostUpdates);
  const found: PullRequestCommit[] = [];
  for (const merge of merges) if (await isOfItsSides(host, merge)) found.push(merge);
  return found;
}

/** Of merges, by their ids. */
const verdicts = new WeakMap<CodeHost, LRUMap<string, boolean>>();
const verdictsKept = 1000;

async function isOfItsSides(host: CodeHost, { id, parents }: PullRequestCommit): Promise<boolean> {
  const known = verdicts.get(host) ?? new LRUMap<string, boolean>(verdictsKept);
  verdicts.set(host, known);
  const verdict = known.get(id) ?? (await compareSides(host, { id, parents }));
  known.set(id, verdict);
  return verdict;
}

async function compareSides(host: CodeHost, { id, parents }: Pick<PullRequestCommit, 'id' | 'parents'>): Promise<boolean> {
  const files = await Promise.all([id, ...parents].map((commit) => host.filesAt(commit)));
  const [made, ...sides] = files.flatMap((one) => one ?? []);
  if (made === undefined || sides.length < parents.length) return false;
  const paths = new Set([made, ...sides].flatMap((one) => [...one.keys()]).filter(isServedFile));
  return [...paths].every((path) => sides.some((side) => side.get(path) === made.get(path)));
}

/** Git's authors can be forged, and on a branch of ours everybody but us would be somebody who wants to hide; a host knows who is logged in. */
function foreignProblem(commits: readonly PullRequestCommit[], own: string | null): string | null {
  const foreign = own === null ? [] : commits.filter(({ id, isHostMerge }) => id !== own && !isHostMerge);
  return foreign[0] === undefined ? null : `holds ${foreign[0].id.slice(0, 12)} on a branch of ours, which we have not made`;
}

const givenKey = (service: string, digest: string): string => `approved/${service}/${digest}`;

export interface Given extends Approval {
  /** How it would be rolled out, as it was reviewed. */
  readonly content: string;
}

/** Approvals of a content, given through the API before it was merged. */
export async function givenHere(store: Pick<Store, 'get'>, service: string, digest: string): Promise<readonly Given[]> {
  const saved = await store.get(givenKey(service, digest));
  return saved === null ? [] : (JSON.parse(saved) as Given[]);
}

export async function keepGiven(store: Store, service: string, digest: string, approval: Given): Promise<void> {
  const others = (await givenHere(store, service, digest)).filter(({ approver }) => approver !== approval.approver);
  await store.put(givenKey(service, digest), JSON.stringify([...others, approval]));
}

export async function dropGiven(store: Store, service: string, digest: string, approver: string): Promise<void> {
  const others = (await givenHere(store, service, digest)).filter((one) => one.approver !== approver);
  if (others.length === 0) await store.remove(givenKey(service, digest));
  else await store.put(givenKey(service, digest), JSON.stringify(others));
}

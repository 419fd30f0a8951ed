/** What the stand-in for GitHub remembers. */
import type { Bare, MergeMethod } from './bare.ts';

export interface User {
  readonly id: number;
  readonly login: string;
  readonly name: string;
  readonly email: string;
  readonly type: 'User' | 'Bot';
  readonly permission: 'admin' | 'write' | 'read' | 'none';
  /** organisation/team. */
  readonly teams: readonly string[];
}

export interface PullRequest {
  readonly id: number;
  readonly number: number;
  readonly author: string;
  readonly base: string;
  readonly branch: string;
  title: string;
  body: string;
  state: 'open' | 'closed';
  mergedAt: string | null;
  mergeCommit: string | null;
  /** Made on the base branch by the merge. */
  merged: readonly string[];
  /** Kept from the last look while the branch was there. */
  head: string;
  /** Of the base, before it was merged. */
  baseSha: string;
  labels: string[];
  isLocked: boolean;
  requested: string[];
  /** As soon as the rules allow it. */
  autoMerge: MergeMethod | null;
  readonly createdAt: string;
  readonly reviews: Review[];
  readonly comments: Comment[];
}

export interface Review {
  readonly id: number;
  readonly author: string;
  readonly body: string;
  state: 'APPROVED' | 'CHANGES_REQUESTED' | 'COMMENTED' | 'DISMISSED';
  readonly commit: string;
  readonly at: string;
}

export interface Comment {
  readonly id: number;
  readonly author: string;
  body: string;
  readonly at: string;
}

export interface Status {
  readonly id: number;
  readonly sha: string;
  readonly context: string;
  readonly state: string;
  readonly description: string | null;
  readonly url: string | null;
  readonly author: string;
  readonly at: string;
}

export interface Deployment {
  readonly id: number;
  readonly sha: string;
  readonly environment: string;
  readonly description: string;
  readonly payload: unknown;
  readonly author: string;
  readonly at: string;
  readonly statuses: DeploymentStatus[];
}

export interface DeploymentStatus {
  readonly id: number;
  readonly state: string;
  readonly description: string;
  readonly logUrl: string;
  readonly environmentUrl: string;
  readonly author: string;
  readonly at: string;
}

/** Rules of the protected branch. */
export interface Rules {
  readonly branch: string | null;
  readonly approvals: number;
  readonly allowsAutoMerge: boolean;
  readonly methods: readonly MergeMethod[];
}

export interface State {
  readonly owner: string;
  readonly repo: string;
  /** Of this server. */
  url: string;
  readonly bare: Bare;
  readonly users: Map<string, User>;
  /** Token -> login. */
  readonly tokens: Map<string, string>;
  readonly pulls: PullRequest[];
  readonly statuses: Status[];
  readonly deployments: Deployment[];
  /** Of the installed app. */
  readonly permissions: Record<string, string>;
  rules: Rules;
  /** Commits that its signature check believes. */
  readonly verified: Set<string>;
  /** An Enterprise server does so where it is told to. */
  signsForApps: boolean;
  /** Of the repository; null: anybody may make new ones. */
  labels: readonly string[] | null;
  /** Commits that a force-push has taken away. */
  readonly gone: Set<string>;
  nextId: number;
}

export function newId(state: State): number {
  return state.nextId++;
}

export function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

export function findPull(state: State, number: number): PullRequest | null {
  return state.pulls.find((pull) => pull.number === number) ?? null;
}

const merging = new WeakSet<PullRequest>();

/** By its button, which has its own say. */
function isBeingMerged(pull: PullRequest): boolean {
  return merging.has(pull) || pull.state === 'closed';
}

/** Brings a pull request up to what its branch holds; pushing its commits to the base merges it. */
export async function refresh(state: State, pull: PullRequest): Promise<void> {
  if (pull.state !== 'open') return;
  const head = await state.bare.tip(pull.branch);
  if (head !== null && head !== pull.head) {
    pull.head = head;
    await state.bare.keep(pull.number, head);
  }
  const base = await state.bare.tip(pull.base);
  if (base === null) return;
  const isThere = await state.bare.isAncestor(pull.head, base);
  if (isBeingMerged(pull)) return;
  if (!isThere) {
    pull.baseSha = base;
    return;
  }
  Object.assign(pull, { state: 'closed', mergedAt: timestamp(), mergeCommit: pull.head });
}

export function approvalsOf(state: State, pull: PullRequest): number {
  const latest = new Map<string, Review>();
  for (const review of pull.reviews) if (review.state !== 'COMMENTED') latest.set(review.author, review);
  return [...latest.values()].filter(({ author, state: verdict }) => verdict === 'APPROVED' && mayWrite(state, author)).length;
}

function mayWrite(state: State, login: string): boolean {
  return ['write', 'admin'].includes(state.users.get(login)?.permission ?? 'none');
}

export type Merged = { readonly sha: string } | { readonly status: 405 | 409; readonly message: string };

function refusalToMerge(state: State, pull: PullRequest, method: MergeMethod): string | null {
  const { rules } = state;
  if (pull.state !== 'open') return 'Pull Request is not mergeable';
  if (!rules.methods.includes(method)) return 'This merge method is not allowed on this repository.';
  if (pull.base !== rules.branch || approvalsOf(state, pull) >= rules.approvals) return null;
  return `At least ${rules.approvals} approving review is required by reviewers with write access.`;
}

export async function mergePull(state: State, pull: PullRequest, method: MergeMethod, by: string): Promise<Merged> {
  await refresh(state, pull);
  const refusal = refusalToMerge(state, pull, method);
  if (refusal !== null) return { status: 405, message: refusal };
  const merger = state.users.get(by);
  const author = state.users.get(pull.author);
  const own = method === 'merge' ? merger : author;
  const message =
    method === 'merge'
      ? `Merge pull request #${pull.number} from ${state.owner}/${pull.branch}\n\n${pull.title}`
      : `${pull.title} (#${pull.number})`;
  const { base: branch, head } = pull;
  merging.add(pull);
  const done = await state.bare
    .merge({ branch, head, method, message, by: { name: own?.name ?? by, email: own?.email ?? `${by}@users.noreply.github.com` } })
    .finally(() => merging.delete(pull));
  if (done === null) return { status: 405, message: 'Pull Request is not mergeable' };
  Object.assign(pull, { state: 'closed', mergedAt: timestamp(), mergeCommit: done.sha, merged: done.made });
  // It signs what it makes; the commits of a rebase are somebody else's.
  if (method !== 'rebase') state.verified.add(done.sha);
  return { sha: done.sha };
}

/** Those that have the commit on their branch, or that brought it to their base. */
export async function pullsOf(state: State, sha: string): Promise<readonly PullRequest[]> {
  const found: PullRequest[] = [];
  for (const pull of state.pulls) {
    await refresh(state, pull);
    const isMade = pull.mergeCommit === sha || pull.merged.includes(sha);
    if (isMade || (await state.bare.between(pull.baseSha, pull.head)).includes(sha)) found.push(pull);
  }
  return found;
}

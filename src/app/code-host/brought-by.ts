/** Which pull requests brought a commit and everything that it is built on and that was never tried, and who had a hand in it. */
import type { Deployment, ServiceState } from '../../domain/rollout/state.ts';
import { loginIdentity, namesOf, type DirectPushes } from '../../domain/safety/gates.ts';
import type { PullRequest, Review } from '../../ports/code-host.ts';
import { arrivalOf, mergeAfterMs, pushAfterMs } from '../reconcile/arrival.ts';
import { authorOf, requesterKey } from '../reconcile/commit-facts.ts';
import { oidAt } from '../reconcile/history.ts';
import { identitiesOf } from '../reconcile/people.ts';
import type { HeadDigests } from './head-digests.ts';
import type { CodeHostDeps } from './parts.ts';
import { authorsOf } from './pull-request.ts';
import type { Rights } from './rights.ts';

export interface Tracing {
  readonly deps: CodeHostDeps;
  readonly digests: HeadDigests;
  readonly rights: Rights;
  /** What was asked in this pass. */
  readonly pass: Map<string, Promise<Found | 'push' | null>>;
}

export interface Found {
  readonly pull: { readonly number: number; readonly url: string } | null;
  readonly authors: readonly string[];
  /** Who only had the host merge it, and is named by Git for that. */
  readonly mergers: readonly string[];
  /** The newest word of each reviewer that approves. */
  readonly reviews: readonly (readonly [PullRequest, Review])[];
  readonly notes: readonly string[];
  readonly refusal: string | null;
  /** What was approved while it was open is all that it brings. */
  readonly isWhole: boolean;
}

/** Of the newest commit, when everything that it is built on is known too. Null: not to be seen yet. */
export async function findOrigin(tracing: Tracing, state: ServiceState, active: Deployment): Promise<Found | null> {
  const { commit } = active.revision;
  const mode = active.plan.gates.directPushes ?? 'refuse';
  const built = await findEarlier(tracing, state, { active, mode });
  if (built === null || built.refusal !== null) return built;
  const found = await findOwn(tracing, commit, active);
  if (found === null) return null;
  if (found === 'push') {
    const pushed = await namedByGit(tracing, commit);
    return {
      ...built,
      authors: [...built.authors, ...pushed],
      refusal: mode === 'refuse' ? refusalOfPush(tracing.deps, commit, active) : null,
    };
  }
  const authors = [...new Set([...built.authors, ...found.authors])];
  const mergers = [...built.mergers, ...found.mergers];
  // A review of the newest shows only what that changes.
  if (built.notes.length > 0)
    return { ...found, pull: built.isPush ? null : found.pull, authors, mergers, reviews: [], notes: built.notes, isWhole: false };
  return { ...found, authors, mergers };
}

interface Built extends Found {
  /** Some of it was pushed. */
  readonly isPush: boolean;
}

/** Of what came before it and was never tried. */
async function findEarlier(
  tracing: Tracing,
  state: ServiceState,
  { active, mode }: { readonly active: Deployment; readonly mode: DirectPushes },
): Promise<Built | null> {
  const { trail } = state;
  const index = trail.entries.findIndex((entry) => entry.commit === active.revision.commit);
  const before = index < 0 ? trail.entries : trail.entries.slice(0, index);
  const built = { ...nothingFound, refusal: null, isPush: false };
  // Nobody is asked where it comes from; whoever made it has a hand in it all the same.
  if (mode === 'allow') {
    const named = await Promise.all(before.map(({ commit }) => namedByGit(tracing, commit)));
    return { ...built, authors: named.flat() };
  }
  if (trail.isCut) return { ...built, refusal: 'it is built on more commits than are known, none of which was ever tried: take them back' };
  const [authors, mergers, notes]: [string[], string[], string[]] = [[], [], []];
  let isPush = false;
  for (const { commit } of before) {
    const found = await findOwn(tracing, commit, active);
    if (found === null) return null;
    if (found === 'push' && mode === 'refuse') return { ...built, refusal: refusalOfPush(tracing.deps, commit, active) };
    if (found === 'push') {
      isPush = true;
      authors.push(...(await namedByGit(tracing, commit)));
      notes.push(`${commit.slice(0, 12)}, which this is built on, was pushed, so only approvals of the deployment itself count`);
    } else {
      authors.push(...found.authors);
      mergers.push(...found.mergers);
      if (!(await isApproved(tracing, { state, active, commit }, found))) {
        const what = found.pull === null ? commit.slice(0, 12) : `#${found.pull.number}`;
        notes.push(`${what}, which this is built on, has not been approved as it is, so only approvals of the deployment itself count`);
      }
    }
  }
  return { ...built, authors, mergers, notes, isPush };
}

/** Also those who are named for a merge by hand, which nobody but them has made. */
async function namedByGit({ deps }: Tracing, commit: string): Promise<readonly string[]> {
  return (await authorOf(deps, commit, [])).split('; ');
}

interface Earlier {
  readonly state: ServiceState;
  /** The newest, which is built on it. */
  readonly active: Deployment;
  readonly commit: string;
}

/** Whether enough of those who may have approved what an earlier commit brought, as it was merged. */
async function isApproved(
  { deps, rights, digests }: Tracing,
  { state, active: { plan }, commit }: Earlier,
  { reviews, authors }: Found,
): Promise<boolean> {
  const { approvals } = plan.gates;
  if (approvals === 0) return true;
  const { isSame } = await identitiesOf(deps.store, plan.gates, deps.settings().people);
  const counted: string[] = [];
  for (const [request, { reviewer, commit: reviewed }] of reviews) {
    const identity = loginIdentity(reviewer.login);
    const isOther = ![...authors.flatMap(namesOf), ...counted].some((name) => isSame(name, identity));
    if (!isOther || reviewed !== request.head || !(await rights.has(plan.gates, reviewer.login))) continue;
    if (await digests.isSame(state, request.head, commit)) counted.push(identity);
  }
  return counted.length >= approvals;
}

const nothingFound: Omit<Found, 'refusal'> = { pull: null, authors: [], mergers: [], reviews: [], notes: [], isWhole: true };

function refusalOfPush({ branch }: CodeHostDeps, commit: string, { revision }: Deployment): string {
  const built = commit === revision.commit ? '' : 'this is built on it: ';
  return `${commit.slice(0, 12)} came to ${branch} without a pull request, which settings refuse (versioning.direct_pushes); ${built}take it back, and bring it by a pull request`;
}

/** Several services can be of one commit: it is asked about once a pass. */
function findOwn({ deps, pass }: Tracing, commit: string, active: Deployment): Promise<Found | 'push' | null> {
  const ageMs = deps.clock.now() - active.createdAt;
  // A commit that is young by one deployment and old by another is told apart.
  const key = [commit, ageMs < pushAfterMs, ageMs < mergeAfterMs].join(' ');
  const found = pass.get(key) ?? askAbout(deps, commit, ageMs);
  pass.set(key, found);
  return found;
}

async function askAbout(deps: CodeHostDeps, commit: string, ageMs: number): Promise<Found | 'push' | null> {
  const requester = await deps.store.get(requesterKey(commit));
  if (requester !== null) return { ...nothingFound, authors: [requester], refusal: null };
  const arrival = await arrivalOf(deps.host, deps.branch, commit, ageMs);
  if (arrival === 'push') return 'push';
  if (typeof arrival === 'string' || arrival[0] === undefined) return null;
  const [pull] = arrival;
  const about = await Promise.all(arrival.map((one) => readMerged(deps, one)));
  const { number, url } = pull;
  return {
    pull: { number, url },
    authors: about.flatMap(({ authors }) => authors),
    mergers: about.every(({ isComplete }) => isComplete) ? await mergersOf(deps, commit) : [],
    reviews: about.flatMap(({ reviews }) => reviews),
    notes: about.flatMap(({ notes }) => notes),
    refusal: null,
    isWhole: true,
  };
}

/** Whoever merges at the host brings nothing of their own, where each file is that of one side: hosts have editors for what conflicts. */
async function mergersOf({ repository, host }: CodeHostDeps, commit: string): Promise<readonly string[]> {
  const merge = await repository.merge(commit);
  if (merge === null) return [];
  const made = await repository.tree(commit);
  const sides = await Promise.all(merge.parents.map((parent) => repository.tree(parent)));
  const isOfOneSide = (path: string): boolean => sides.some((side) => oidAt(side, path) === oidAt(made, path));
  const paths = ['models.yaml', ...[...made.services.keys()].map((service) => `services/${service}/config.yaml`)];
  if (!paths.every(isOfOneSide)) return [];
  const { isVerified, isMadeByHost } = await host.verification(commit);
  return isVerified && isMadeByHost ? [merge.author] : [];
}

async function readMerged(
  deps: CodeHostDeps,
  pull: PullRequest,
): Promise<Pick<Found, 'authors' | 'reviews' | 'notes'> & { readonly isComplete: boolean }> {
  const [reviews, { identities, problem }] = await Promise.all([deps.host.reviews(pull.number), authorsOf(deps, pull)]);
  if (problem !== null)
    return {
      authors: identities,
      isComplete: false,
      reviews: [],
      notes: [`#${pull.number} ${problem}, so its reviews do not count`],
    };
  const newest = new Map<string, Review>();
  // A comment takes nothing back.
  for (const review of reviews) if (review.verdict !== 'commented') newest.set(review.reviewer.login, review);
  const approving = [...newest.values()].filter(({ verdict }) => verdict === 'approved');
  return { authors: identities, isComplete: true, reviews: approving.map((review) => [pull, review]), notes: [] };
}

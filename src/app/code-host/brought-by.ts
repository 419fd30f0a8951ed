/** Which pull requests brought a commit and everything that it is built on and that was never tried, and who had a hand in it. */
import type { Deployment, ServiceState } from '../../domain/rollout/state.ts';
import { loginIdentity, namesOf, personOf, type DirectPushes } from '../../domain/safety/gates.ts';
import type { PullRequest, Review } from '../../ports/code-host.ts';
import { arrivalOf, isMadeByHost, mergeAfterMs, pushAfterMs, soonAfterMs, type Age } from '../reconcile/arrival.ts';
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
  /** Why it is not known who had a hand in it; null: it is. */
  readonly unknown: string | null;
  readonly refusal: string | null;
  /** What was approved while it was open is all that it brings. */
  readonly isWhole: boolean;
}

/** Of the newest commit, when everything that it is built on is known too. Null: not to be seen yet. */
export async function findOrigin(tracing: Tracing, state: ServiceState, active: Deployment): Promise<Found | null> {
  const { commit } = active.revision;
  const mode = active.plan.gates.directPushes ?? 'refuse';
  const found = await findOwn(tracing, commit, active);
  const built = await findEarlier(tracing, state, { active, mode, pull: found === null || found === 'push' ? null : found.pull });
  if (built === null || built.refusal !== null) return built;
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
  const unknown = built.unknown ?? found.unknown;
  // A review of the newest shows only what that changes.
  if (built.notes.length > 0)
    return { ...found, pull: built.isPush ? null : found.pull, authors, mergers, unknown, reviews: [], notes: built.notes, isWhole: false };
  return { ...found, authors, mergers, unknown };
}

interface Built extends Found {
  /** Some of it was pushed. */
  readonly isPush: boolean;
}

/** Of what came before it and was never tried. */
async function findEarlier(
  tracing: Tracing,
  state: ServiceState,
  { active, mode, pull }: { readonly active: Deployment; readonly mode: DirectPushes; readonly pull: Found['pull'] },
): Promise<Built | null> {
  const { trail } = state;
  const index = trail.entries.findIndex((entry) => entry.commit === active.revision.commit);
  const before = index < 0 ? trail.entries : trail.entries.slice(0, index);
  const built = { ...nothingFound, refusal: null, isPush: false };
  // Then nobody is asked where it comes from.
  if (mode === 'allow' && active.plan.gates.approvals === 0) return built;
  if (trail.isCut) return { ...built, refusal: 'it is built on more commits than are known, none of which was ever tried: take them back' };
  const entries: Entry[] = [];
  for (const { commit } of before) {
    const found = await findOwn(tracing, commit, active);
    if (found === null) return null;
    entries.push({ commit, found });
  }
  const pushed = entries.find(({ found }) => found === 'push');
  if (pushed !== undefined && mode === 'refuse') return { ...built, refusal: refusalOfPush(tracing.deps, pushed.commit, active) };
  const lastOf = lastCommits(entries);
  if (pull !== null) lastOf.set(pull.number, active.revision.commit);
  const parts: Part[] = [];
  for (const entry of entries) parts.push(await partOf(tracing, { state, active, lastOf }, entry));
  return {
    ...built,
    authors: parts.flatMap(({ authors }) => authors),
    mergers: parts.flatMap(({ mergers }) => mergers),
    notes: parts.flatMap(({ notes }) => notes),
    unknown: parts.map((part) => part.unknown).find((why) => why !== null) ?? null,
    isPush: pushed !== undefined,
  };
}

interface Entry {
  readonly commit: string;
  readonly found: Found | 'push';
}

type Part = Pick<Found, 'authors' | 'mergers' | 'notes' | 'unknown'>;

/** By pull request: a rebase brings several commits by one, and its last one is what was reviewed. */
function lastCommits(entries: readonly Entry[]): Map<number, string> {
  return new Map(
    entries.flatMap(({ commit, found }) => (found === 'push' || found.pull === null ? [] : [[found.pull.number, commit] as const])),
  );
}

async function partOf(
  tracing: Tracing,
  { state, active, lastOf }: { readonly state: ServiceState; readonly active: Deployment; readonly lastOf: ReadonlyMap<number, string> },
  { commit, found }: Entry,
): Promise<Part> {
  const short = commit.slice(0, 12);
  if (found === 'push') {
    const note = `${short}, which this is built on, was pushed, so only approvals of the deployment itself count`;
    return { authors: await namedByGit(tracing, commit), mergers: [], notes: [note], unknown: null };
  }
  const { authors, mergers, unknown, pull } = found;
  const isLast = pull === null || lastOf.get(pull.number) === commit;
  if (!isLast || (await isApproved(tracing, { state, active, commit }, found))) return { authors, mergers, unknown, notes: [] };
  const what = pull === null ? short : `#${pull.number}`;
  const note = `${what}, which this is built on, has not been approved as it is, so only approvals of the deployment itself count`;
  return { authors, mergers, unknown, notes: [note] };
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
  const { isSame, then } = await identitiesOf(deps.store, plan.gates, deps.settings().people);
  const counted: string[] = [];
  for (const [request, { reviewer, commit: reviewed }] of reviews) {
    const identity = loginIdentity(reviewer.login);
    if (reviewer.isBot && personOf(then, identity) === null) continue;
    const isOther = ![...authors.flatMap(namesOf), ...counted].some((name) => isSame(name, identity));
    if (!isOther || reviewed !== request.head || !(await rights.has(plan.gates, reviewer.login))) continue;
    if (await digests.isSame(state, request.head, commit)) counted.push(identity);
  }
  return counted.length >= approvals;
}

const nothingFound: Omit<Found, 'refusal'> = { pull: null, authors: [], mergers: [], reviews: [], notes: [], unknown: null, isWhole: true };

function refusalOfPush({ branch }: CodeHostDeps, commit: string, { revision }: Deployment): string {
  const built = commit === revision.commit ? '' : 'this is built on it: ';
  return `${commit.slice(0, 12)} came to ${branch} without a pull request, which settings refuse (versioning.direct_pushes); ${built}take it back, and bring it by a pull request`;
}

/** Several services can be of one commit: it is asked about once a pass. */
function findOwn({ deps, pass }: Tracing, commit: string, active: Deployment): Promise<Found | 'push' | null> {
  const ageMs = deps.clock.now() - active.createdAt;
  // A commit that is young by one deployment and old by another is told apart.
  const isFinal = (active.plan.gates.directPushes ?? 'refuse') === 'refuse';
  const key = [commit, isFinal, ageMs < soonAfterMs, ageMs < pushAfterMs, ageMs < mergeAfterMs].join(' ');
  const found = pass.get(key) ?? askAbout(deps, commit, { ageMs, isFinal });
  pass.set(key, found);
  return found;
}

async function askAbout(deps: CodeHostDeps, commit: string, age: Age): Promise<Found | 'push' | null> {
  const requester = await deps.store.get(requesterKey(commit));
  if (requester !== null) return { ...nothingFound, authors: [requester], refusal: null };
  const arrival = await arrivalOf(deps.host, deps.branch, commit, age);
  if (arrival === 'push') return 'push';
  if (typeof arrival === 'string' || arrival[0] === undefined) return null;
  const [pull] = arrival;
  const about = await Promise.all(arrival.map((one) => readMerged(deps, one)));
  const { number, url } = pull;
  return {
    pull: { number, url },
    authors: about.flatMap(({ authors }) => authors),
    mergers: await mergersOf(deps, commit, {
      heads: arrival.map(({ head }) => head),
      updates: about.flatMap(({ mergers }) => mergers),
    }),
    reviews: about.flatMap(({ reviews }) => reviews),
    notes: about.flatMap(({ notes }) => notes),
    unknown: about.map((one) => one.unknown).find((why) => why !== null) ?? null,
    refusal: null,
    isWhole: true,
  };
}

/**
 * Whoever merges at the host brings nothing of their own, where a pull request itself is merged, and each file is that of one side: hosts
 * have editors for what conflicts, and merge other branches as well.
 */
async function mergersOf(
  { repository, host }: CodeHostDeps,
  commit: string,
  {
    heads,
    updates,
  }: { readonly heads: readonly string[]; /** Who had it brought up to date before. */ readonly updates: readonly string[] },
): Promise<readonly string[]> {
  const merge = await repository.merge(commit);
  // A squash: Git names there whoever made a commit of it.
  if (merge === null) return updates.length > 0 && (await isMadeByHost(host, commit)) ? updates : [];
  if (merge.parents.length !== 2 || !heads.includes(merge.parents[1] ?? '')) return [];
  const made = await repository.tree(commit);
  const sides = await Promise.all(merge.parents.map((parent) => repository.tree(parent)));
  const isOfOneSide = (path: string): boolean => sides.some((side) => oidAt(side, path) === oidAt(made, path));
  const paths = ['models.yaml', ...[...made.services.keys()].map((service) => `services/${service}/config.yaml`)];
  if (!paths.every(isOfOneSide)) return [];
  return (await isMadeByHost(host, commit)) ? [merge.author, ...updates] : [];
}

type Merged = Pick<Found, 'authors' | 'mergers' | 'reviews' | 'notes' | 'unknown'>;

async function readMerged(deps: CodeHostDeps, pull: PullRequest): Promise<Merged> {
  const [reviews, { identities, mergers, problem }] = await Promise.all([deps.host.reviews(pull.number), authorsOf(deps, pull)]);
  if (problem !== null)
    return {
      authors: identities,
      mergers,
      unknown: `#${pull.number} ${problem}`,
      reviews: [],
      notes: [`#${pull.number} ${problem}, so nobody is known to have no hand in it: bring it by a new pull request`],
    };
  const newest = new Map<string, Review>();
  // A comment takes nothing back.
  for (const review of reviews) if (review.verdict !== 'commented') newest.set(review.reviewer.login, review);
  const approving = [...newest.values()].filter(({ verdict }) => verdict === 'approved');
  return { authors: identities, mergers, unknown: null, reviews: approving.map((review) => [pull, review]), notes: [] };
}

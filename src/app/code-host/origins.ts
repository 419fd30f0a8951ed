/** Where pending deployments come from: the pull requests of what they are built on, and the reviews there that count. */
import type { Instant } from '../../base/time.ts';
import type { Approval, Deployment, Origin, ServiceState } from '../../domain/rollout/state.ts';
import { withoutMergers } from '../../domain/rollout/origin.ts';
import { loginIdentity, namesOf, personOf, type DirectPushes } from '../../domain/safety/gates.ts';
import type { PullRequest, Review } from '../../ports/code-host.ts';
import { arrivalOf, mergeAfterMs, pushAfterMs } from '../reconcile/arrival.ts';
import { oidAt } from '../reconcile/history.ts';
import { identitiesOf, type Identities } from '../reconcile/people.ts';
import { authorOf, requesterKey } from '../reconcile/commit-facts.ts';
import { createHeadDigests, mergedContent, type HeadDigests } from './head-digests.ts';
import { authorsOf, givenHere } from './pull-request.ts';
import type { CodeHostDeps } from './parts.ts';
import { createRights, type Rights } from './rights.ts';

export interface Origins {
  /** Looks at each pending deployment that is due; `all`: at every one, since somebody said that a review was left. */
  trace(all: boolean): Promise<void>;
}

/** Nobody needs to tell us of a review that we look for anyway. */
const lookEveryMs = 20_000;
/** Each look asks a few things about its pull request, and a host allows so many requests a minute. */
const spreadMs = 600;
const soonMs = 2000;

export function createOrigins(deps: CodeHostDeps): Origins {
  const lookedAt = new Map<string, Instant>();
  const tracing: Tracing = { deps, digests: createHeadDigests(deps), rights: createRights(deps), pass: new Map() };

  function isDue({ id, origin }: Deployment, pending: number): boolean {
    const before = lookedAt.get(id);
    const every = Math.max(origin === null ? soonMs : lookEveryMs, spreadMs * pending);
    return before === undefined || deps.clock.now() - before >= every;
  }

  return {
    async trace(all) {
      const pending = deps.engine.states().filter(({ active }) => active?.phase.name === 'pending');
      const ids = new Set(pending.map(({ active }) => active?.id));
      for (const id of lookedAt.keys()) if (!ids.has(id)) lookedAt.delete(id);
      tracing.pass.clear();
      let failure: unknown;
      for (const state of pending) {
        const { active } = state;
        if (active === null || !(all || isDue(active, ids.size))) continue;
        lookedAt.set(active.id, deps.clock.now());
        try {
          await traceOne(tracing, state, active);
        } catch (thrown) {
          // Looked at again with the next try, which would find nothing wrong otherwise.
          lookedAt.delete(active.id);
          // That of one service holds up no other one.
          failure ??= thrown;
        }
      }
      if (failure !== undefined) throw failure as Error;
    },
  };
}

interface Tracing {
  readonly deps: CodeHostDeps;
  readonly digests: HeadDigests;
  readonly rights: Rights;
  /** What was asked in this pass. */
  readonly pass: Map<string, Promise<Found | 'push' | null>>;
}

async function traceOne(tracing: Tracing, state: ServiceState, active: Deployment): Promise<void> {
  const { deps } = tracing;
  const found = await findOrigin(tracing, state, active);
  if (found === null) return;
  const identities = await identitiesOf(deps.store, active.plan.gates, deps.settings().people);
  const known = [...withoutMergers(active.author, found.mergers), ...found.authors].flatMap(namesOf);
  const isAuthor = (identity: string): boolean => known.some((name) => identities.isSame(name, identity));
  const given = active.approvals.filter(({ review }) => review !== true);
  const withdrawn = given.map(({ approver }) => approver).filter(isAuthor);
  const candidates = [
    ...(await reviewsOf(tracing, state, active, found, identities)),
    ...(found.isWhole ? await toldUs(deps, state, active, identities) : []),
  ];
  const reviews: Approval[] = [];
  const notes: string[] = [...found.notes];
  for (const { refusal, identity, approver, comment, at } of candidates) {
    const isKnown = [...given, ...reviews].some((one) => identities.isSame(one.approver, approver));
    if (isAuthor(identity)) notes.push(`${identity} has a hand in it`);
    else if (refusal !== null) notes.push(`${identity} ${refusal}`);
    else if (!isKnown) reviews.push({ approver, comment, at, review: true });
  }
  const origin: Origin = found.pull === null ? { kind: 'push', notes } : { kind: 'pull-request', ...found.pull, notes };
  const { authors, mergers, refusal } = found;
  const event = { type: 'origin-found', deploymentId: active.id, origin, authors, mergers, withdrawn, reviews, refusal } as const;
  await deps.engine.dispatch(state.service, event, 'actuator');
}

interface Candidate {
  /** As it was given. */
  readonly identity: string;
  /** As people know them. */
  readonly approver: string;
  readonly comment: string | null;
  readonly at: Instant;
  /** Why it does not count; null: it does. */
  readonly refusal: string | null;
}

async function reviewsOf(
  tracing: Tracing,
  state: ServiceState,
  active: Deployment,
  { reviews }: Found,
  { then }: Identities,
): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  for (const [pull, review] of reviews) {
    const identity = loginIdentity(review.reviewer.login);
    const approver = personOf(then, identity)?.name ?? identity;
    const isNamed = personOf(then, identity) !== null;
    const refusal =
      review.reviewer.isBot && !isNamed ? 'is a bot that settings do not name' : await refusalOf(tracing, state, active, review);
    found.push({ identity, approver, comment: `review of #${pull.number}`, at: review.at, refusal });
  }
  return found;
}

/** Through the API, while the pull request was open. */
async function toldUs(
  { store }: CodeHostDeps,
  { service }: ServiceState,
  { revision, plan }: Deployment,
  { then }: Identities,
): Promise<readonly Candidate[]> {
  const { roles, approvers } = plan.gates;
  const given = await givenHere(store, service, revision.digest);
  const merged = await mergedContent(store, service, revision.digest);
  return given.map(({ approver, comment, at, content }) => {
    const hasRight = roles.length === 0 || personOf(approvers, personOf(then, approver)?.name ?? approver) !== null;
    const refusal = !hasRight ? `has not the role ${roles.join(' or ')}` : content === merged ? null : 'has reviewed another rollout of it';
    return { identity: approver, approver, comment, at, refusal };
  });
}

interface Found {
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
async function findOrigin(tracing: Tracing, state: ServiceState, active: Deployment): Promise<Found | null> {
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

/** Why an approving review does not count; null: it does. */
async function refusalOf(
  { deps, digests, rights }: Tracing,
  state: ServiceState,
  { revision, plan }: Deployment,
  { reviewer, commit }: Review,
): Promise<string | null> {
  const { roles } = plan.gates;
  if (!(await rights.has(plan.gates, reviewer.login)))
    return roles.length === 0 ? 'may not write to the repository' : `has not the role ${roles.join(' or ')}`;
  if (commit === null) return 'has reviewed a commit that is gone';
  const reviewed = (await digests.of(state, commit, revision.commit)).find(({ digest }) => digest === revision.digest);
  if (reviewed === undefined) return `has reviewed another content (${commit.slice(0, 12)}) than was merged`;
  const merged = await mergedContent(deps.store, state.service, revision.digest);
  return reviewed.content === merged ? null : `has reviewed another rollout of it (${commit.slice(0, 12)}) than was merged`;
}

/** Where pending deployments come from: the pull requests of what they are built on, and the reviews there that count. */
import { LRUMap } from '../../base/lru.ts';
import type { Instant } from '../../base/time.ts';
import type { Approval, Deployment, Origin, ServiceState } from '../../domain/rollout/state.ts';
import { loginIdentity, namesOf, personOf, type Gates } from '../../domain/safety/gates.ts';
import type { PullRequest, Review } from '../../ports/code-host.ts';
import { visibleAfterMs } from '../reconcile/direct-pushes.ts';
import { identitiesOf, type Identities } from '../reconcile/people.ts';
import { requesterKey } from '../reconcile/commit-facts.ts';
import { createHeadDigests, mergedContent, type HeadDigests } from './head-digests.ts';
import { authorsOf, givenHere } from './pull-request.ts';
import type { CodeHostDeps } from './parts.ts';

export interface Origins {
  /** Looks at each pending deployment that is due; `all`: at every one, since somebody said that a review was left. */
  trace(all: boolean): Promise<void>;
}

/** Nobody needs to tell us of a review that we look for anyway. */
const lookEveryMs = 20_000;
const soonMs = 2000;

export function createOrigins(deps: CodeHostDeps): Origins {
  const lookedAt = new Map<string, Instant>();
  const tracing: Tracing = { deps, digests: createHeadDigests(deps), earlier: new LRUMap(2000) };

  function isDue({ id, origin }: Deployment): boolean {
    const before = lookedAt.get(id);
    return before === undefined || deps.clock.now() - before >= (origin === null ? soonMs : lookEveryMs);
  }

  return {
    async trace(all) {
      const pending = deps.engine.states().filter(({ active }) => active?.phase.name === 'pending');
      const ids = new Set(pending.map(({ active }) => active?.id));
      for (const id of lookedAt.keys()) if (!ids.has(id)) lookedAt.delete(id);
      let failure: unknown;
      for (const state of pending) {
        const { active } = state;
        if (active === null || !(all || isDue(active))) continue;
        lookedAt.set(active.id, deps.clock.now());
        try {
          await traceOne(tracing, state, active);
        } catch (thrown) {
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
  /** By commit: who had a hand in what newer ones are built on. */
  readonly earlier: LRUMap<string, readonly string[]>;
}

async function traceOne(tracing: Tracing, state: ServiceState, active: Deployment): Promise<void> {
  const { deps } = tracing;
  const found = await findOrigin(tracing, state, active);
  if (found === null) return;
  const identities = await identitiesOf(deps.store, active.plan.gates, deps.settings().people);
  const known = [...namesOf(active.author), ...found.authors.flatMap(namesOf)];
  const isAuthor = (identity: string): boolean => known.some((name) => identities.isSame(name, identity));
  const given = active.approvals.filter(({ review }) => review !== true);
  const withdrawn = given.map(({ approver }) => approver).filter(isAuthor);
  const candidates = [...(await reviewsOf(tracing, state, active, found, identities)), ...(await toldUs(deps, state, active, identities))];
  const reviews: Approval[] = [];
  const notes: string[] = [...found.notes];
  for (const { refusal, identity, approver, comment, at } of candidates) {
    const isKnown = [...given, ...reviews].some((one) => identities.isSame(one.approver, approver));
    if (isAuthor(identity)) notes.push(`${identity} has a hand in it`);
    else if (refusal !== null) notes.push(`${identity} ${refusal}`);
    else if (!isKnown) reviews.push({ approver, comment, at, review: true });
  }
  const origin: Origin = found.pull === null ? { kind: 'push' } : { kind: 'pull-request', ...found.pull, notes };
  const { authors, refusal } = found;
  const event = { type: 'origin-found', deploymentId: active.id, origin, authors, withdrawn, reviews, refusal } as const;
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
  { deps, digests }: Tracing,
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
      review.reviewer.isBot && !isNamed ? 'is a bot that settings do not name' : await refusalOf(deps, digests, state, active, review);
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
  /** The newest word of each reviewer that approves. */
  readonly reviews: readonly (readonly [PullRequest, Review])[];
  readonly notes: readonly string[];
  readonly refusal: string | null;
}

/** Of the newest commit, when everything that it is built on is known too. Null: not to be seen yet. */
async function findOrigin(tracing: Tracing, { trail }: ServiceState, active: Deployment): Promise<Found | null> {
  const { commit } = active.revision;
  const mode = active.plan.gates.directPushes ?? 'refuse';
  const authors: string[] = [];
  const earlier = mode === 'allow' ? [] : trail.commits.filter((one) => one !== commit);
  let isHeld = false;
  for (const one of earlier) {
    const found = await findEarlier(tracing, one, active);
    if (found === null) return null;
    if (found === 'push' && mode === 'refuse') return { ...nothingFound, refusal: refusalOfPush(tracing.deps, one, active) };
    if (found === 'push') isHeld = true;
    else authors.push(...found);
  }
  const found = await findOwn(tracing.deps, commit, active);
  if (found === null) return null;
  if (found === 'push') return { ...nothingFound, refusal: mode === 'refuse' ? refusalOfPush(tracing.deps, commit, active) : null };
  return { ...found, pull: isHeld ? null : found.pull, authors: [...new Set([...authors, ...found.authors])] };
}

const nothingFound: Omit<Found, 'refusal'> = { pull: null, authors: [], reviews: [], notes: [] };

function refusalOfPush({ branch }: CodeHostDeps, commit: string, { revision }: Deployment): string {
  const mend =
    commit === revision.commit ? 'bring it by a pull request' : 'this is built on it: take it back, and bring it by a pull request';
  return `${commit.slice(0, 12)} came to ${branch} without a pull request, which settings refuse (versioning.direct_pushes); ${mend}`;
}

/** Who had a hand in it. What was found once stays. */
async function findEarlier({ deps, earlier }: Tracing, commit: string, active: Deployment): Promise<readonly string[] | 'push' | null> {
  const known = earlier.get(commit);
  if (known !== undefined) return known;
  const found = await findOwn(deps, commit, active);
  if (found === null || found === 'push') return found;
  earlier.set(commit, found.authors);
  return found.authors;
}

async function findOwn(deps: CodeHostDeps, commit: string, { createdAt }: Deployment): Promise<Found | 'push' | null> {
  const requester = await deps.store.get(requesterKey(commit));
  if (requester !== null) return { pull: null, authors: [requester], reviews: [], notes: [], refusal: null };
  const all = await deps.host.pullRequestsOf(commit);
  if (all === null) return null;
  const merged = all.filter(({ state, base }) => state === 'merged' && base === deps.branch);
  const [pull] = merged;
  if (pull === undefined) return deps.clock.now() - createdAt < visibleAfterMs ? null : 'push';
  const about = await Promise.all(merged.map((one) => readMerged(deps, one)));
  const { number, url } = pull;
  return {
    pull: { number, url },
    authors: about.flatMap(({ authors }) => authors),
    reviews: about.flatMap(({ reviews }) => reviews),
    notes: about.flatMap(({ notes }) => notes),
    refusal: null,
  };
}

async function readMerged(
  deps: CodeHostDeps,
  pull: PullRequest,
): Promise<{ readonly authors: readonly string[]; readonly reviews: Found['reviews']; readonly notes: readonly string[] }> {
  const [reviews, { identities, isComplete }] = await Promise.all([deps.host.reviews(pull.number), authorsOf(deps, pull)]);
  if (!isComplete)
    return {
      authors: identities,
      reviews: [],
      notes: [`#${pull.number} has more commits than the code host tells of, so its reviews do not count`],
    };
  const newest = new Map<string, Review>();
  // A comment takes nothing back.
  for (const review of reviews) if (review.verdict !== 'commented') newest.set(review.reviewer.login, review);
  const approving = [...newest.values()].filter(({ verdict }) => verdict === 'approved');
  return { authors: identities, reviews: approving.map((review) => [pull, review]), notes: [] };
}

/** Why an approving review does not count; null: it does. */
async function refusalOf(
  deps: CodeHostDeps,
  digests: HeadDigests,
  state: ServiceState,
  { revision, plan }: Deployment,
  { reviewer, commit }: Review,
): Promise<string | null> {
  const { roles } = plan.gates;
  const hasRight = roles.length === 0 ? await deps.host.mayWrite(reviewer.login) : await hasRole(deps, plan.gates, reviewer.login);
  if (!hasRight) return roles.length === 0 ? 'may not write to the repository' : `has not the role ${roles.join(' or ')}`;
  if (commit === null) return 'has reviewed a commit that is gone';
  const reviewed = (await digests.of(state, commit)).find(({ digest }) => digest === revision.digest);
  if (reviewed === undefined) return `has reviewed another content (${commit.slice(0, 12)}) than was merged`;
  const merged = await mergedContent(deps.store, state.service, revision.digest);
  return reviewed.content === merged ? null : `has reviewed another rollout of it (${commit.slice(0, 12)}) than was merged`;
}

/** By the settings that the change came under. */
async function hasRole({ host }: CodeHostDeps, { approvers, owners, teams }: Gates, login: string): Promise<boolean> {
  if (personOf(approvers, loginIdentity(login)) !== null || owners.includes(login.toLowerCase())) return true;
  for (const team of teams) if (await host.isMember(team, login)) return true;
  return false;
}

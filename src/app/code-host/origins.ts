/** Where pending deployments come from: the pull request of their commit, and the reviews there that count. */
import type { Instant } from '../../base/time.ts';
import type { Approval, Deployment, Origin, ServiceState } from '../../domain/rollout/state.ts';
import { isSamePerson, loginIdentity, namesOf, personOf, type Gates } from '../../domain/safety/gates.ts';
import type { PullRequest, Review } from '../../ports/code-host.ts';
import { requesterKey } from '../reconcile/reconciler.ts';
import { createHeadDigests, type HeadDigests } from './head-digests.ts';
import { authorsOf, givenHere } from './pull-request.ts';
import type { CodeHostDeps } from './parts.ts';

export interface Origins {
  /** Looks at each pending deployment that is due; `all`: at every one, since somebody said that a review was left. */
  trace(all: boolean): Promise<void>;
}

/** A host shows a merge a while after the push of it; before that, no pull request is none yet. */
const visibleAfterMs = 15_000;
/** Nobody needs to tell us of a review that we look for anyway. */
const lookEveryMs = 20_000;
const soonMs = 2000;

export function createOrigins(deps: CodeHostDeps): Origins {
  const lookedAt = new Map<string, Instant>();
  const digests = createHeadDigests(deps);

  function isDue({ id, origin }: Deployment): boolean {
    const before = lookedAt.get(id);
    return before === undefined || deps.clock.now() - before >= (origin === null ? soonMs : lookEveryMs);
  }

  return {
    async trace(all) {
      const pending = deps.engine.states().filter(({ active }) => active?.phase.name === 'pending');
      const ids = new Set(pending.map(({ active }) => active?.id));
      for (const id of lookedAt.keys()) if (!ids.has(id)) lookedAt.delete(id);
      for (const state of pending) {
        const { active } = state;
        if (active === null || !(all || isDue(active))) continue;
        lookedAt.set(active.id, deps.clock.now());
        await traceOne(deps, digests, state, active);
      }
    },
  };
}

async function traceOne(deps: CodeHostDeps, digests: HeadDigests, state: ServiceState, active: Deployment): Promise<void> {
  const found = await findOrigin(deps, active);
  if (found === null) return;
  const { people } = deps.settings();
  const known = [...namesOf(active.author), ...found.authors];
  const isAuthor = (identity: string): boolean => known.some((name) => isSamePerson(people, name, identity));
  const given = active.approvals.filter(({ review }) => review !== true);
  const withdrawn = given.map(({ approver }) => approver).filter(isAuthor);
  const candidates = [...(await reviewsOf(deps, digests, state, active, found)), ...(await toldUs(deps, state, active))];
  const reviews: Approval[] = [];
  const notes: string[] = [];
  for (const { refusal, ...approval } of candidates) {
    const isKnown = [...given, ...reviews].some(({ approver }) => isSamePerson(people, approver, approval.approver));
    if (isAuthor(approval.identity)) notes.push(`${approval.identity} has a hand in it`);
    else if (refusal !== null) notes.push(`${approval.identity} ${refusal}`);
    else if (!isKnown) reviews.push({ approver: approval.approver, comment: approval.comment, at: approval.at, review: true });
  }
  const origin: Origin = found.pull === null ? { kind: 'push' } : { kind: 'pull-request', ...found.pull, notes };
  const { authors, refusal } = found;
  const event = { type: 'origin-found', deploymentId: active.id, origin, authors, withdrawn, reviews, refusal } as const;
  await deps.engine.dispatch(state.service, event, 'actuator');
}

interface Candidate extends Approval {
  /** As it was given. */
  readonly identity: string;
  /** Why it does not count; null: it does. */
  readonly refusal: string | null;
}

async function reviewsOf(
  deps: CodeHostDeps,
  digests: HeadDigests,
  state: ServiceState,
  active: Deployment,
  { reviews }: Found,
): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  for (const [pull, review] of reviews) {
    const identity = loginIdentity(review.reviewer.login);
    const approver = personOf(deps.settings().people, identity)?.name ?? identity;
    const refusal = await refusalOf(deps, digests, state, active, review);
    found.push({ identity, approver, comment: `review of #${pull.number}`, at: review.at, refusal });
  }
  return found;
}

/** Through the API, while the pull request was open. */
async function toldUs({ store }: CodeHostDeps, { service }: ServiceState, { revision, plan }: Deployment): Promise<readonly Candidate[]> {
  const { roles, approvers } = plan.gates;
  const given = await givenHere(store, service, revision.digest);
  return given.map((one) => {
    const hasRight = roles.length === 0 || personOf(approvers, one.approver) !== null;
    return { ...one, identity: one.approver, refusal: hasRight ? null : `has not the role ${roles.join(' or ')}` };
  });
}

interface Found {
  readonly pull: { readonly number: number; readonly url: string } | null;
  readonly authors: readonly string[];
  /** The newest word of each reviewer that approves. */
  readonly reviews: readonly (readonly [PullRequest, Review])[];
  readonly refusal: string | null;
}

/** Null: not to be seen yet. */
async function findOrigin(deps: CodeHostDeps, { revision, createdAt, plan }: Deployment): Promise<Found | null> {
  const { commit } = revision;
  const requester = await deps.store.get(requesterKey(commit));
  if (requester !== null) return { pull: null, authors: [requester], reviews: [], refusal: null };
  const all = await deps.host.pullRequestsOf(commit);
  const merged = all.filter(({ state, base }) => state === 'merged' && base === deps.branch);
  const [pull] = merged;
  if (pull !== undefined) {
    const about = await Promise.all(merged.map((one) => readMerged(deps, one)));
    const { number, url } = pull;
    return {
      pull: { number, url },
      authors: [...new Set(about.flatMap(({ authors }) => authors))],
      reviews: about.flatMap(({ reviews }) => reviews),
      refusal: null,
    };
  }
  if (deps.clock.now() - createdAt < visibleAfterMs) return null;
  const refuses = (plan.gates.directPushes ?? 'refuse') === 'refuse';
  const refusal = `${commit.slice(0, 12)} came to ${deps.branch} without a pull request, which settings refuse (versioning.direct_pushes); bring it by a pull request`;
  return { pull: null, authors: [], reviews: [], refusal: refuses ? refusal : null };
}

async function readMerged(
  deps: CodeHostDeps,
  pull: PullRequest,
): Promise<{ readonly authors: readonly string[]; readonly reviews: Found['reviews'] }> {
  const [reviews, authors] = await Promise.all([deps.host.reviews(pull.number), authorsOf(deps, pull)]);
  const newest = new Map<string, Review>();
  // A comment takes nothing back.
  for (const review of reviews) if (review.verdict !== 'commented') newest.set(review.reviewer.login, review);
  return { authors, reviews: [...newest.values()].filter(({ verdict }) => verdict === 'approved').map((review) => [pull, review]) };
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
  const identity = loginIdentity(reviewer.login);
  const person = personOf(deps.settings().people, identity);
  if (reviewer.isBot && person === null) return 'is a bot that settings do not name';
  const hasRight = roles.length === 0 ? await deps.host.mayWrite(reviewer.login) : await hasRole(deps, plan.gates, reviewer.login);
  if (!hasRight) return roles.length === 0 ? 'may not write to the repository' : `has not the role ${roles.join(' or ')}`;
  if (commit === null) return 'has reviewed a commit that is gone';
  if ((await digests.of(state, commit)).includes(revision.digest)) return null;
  return `has reviewed another content (${commit.slice(0, 12)}) than was merged`;
}

/** By the settings that the change came under. */
async function hasRole({ host }: CodeHostDeps, { approvers, owners, teams }: Gates, login: string): Promise<boolean> {
  if (personOf(approvers, loginIdentity(login)) !== null || owners.includes(login.toLowerCase())) return true;
  for (const team of teams) if (await host.isMember(team, login)) return true;
  return false;
}

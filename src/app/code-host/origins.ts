/** Where pending deployments come from: the pull request of their commit, and the reviews there that count. */
import { LRUMap } from '../../base/lru.ts';
import type { Instant } from '../../base/time.ts';
import { digestOf } from '../../domain/config/digest.ts';
import type { Approval, Deployment, Origin, ServiceState } from '../../domain/rollout/state.ts';
import { isSamePerson, loginIdentity, namesOf, personOf, type Gates } from '../../domain/safety/gates.ts';
import type { PullRequest, Review } from '../../ports/code-host.ts';
import { decidedTests } from '../reconcile/decided-tests.ts';
import { requesterKey } from '../reconcile/reconciler.ts';
import { pullRequesterKey, type CodeHostDeps } from './parts.ts';

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
  const people = deps.settings().people;
  const authors = [...found.authors];
  const known = [...namesOf(active.author), ...authors];
  const isAuthor = (identity: string): boolean => known.some((name) => isSamePerson(people, name, identity));
  const given = active.approvals.filter(({ review }) => review !== true);
  const reviews: Approval[] = [];
  const notes: string[] = [];
  for (const [pull, review] of found.reviews) {
    const identity = loginIdentity(review.reviewer.login);
    const approver = personOf(people, identity)?.name ?? identity;
    const refusal = isAuthor(identity)
      ? `${identity} has a hand in it`
      : await refusalOf(deps, digests, state, active, review).then((because) => because && `${identity} ${because}`);
    const isKnown = [...given, ...reviews].some((one) => isSamePerson(people, one.approver, approver));
    if (refusal !== null) notes.push(refusal);
    else if (!isKnown) reviews.push({ approver, comment: `review of #${pull.number}`, at: review.at, review: true });
  }
  const withdrawn = given.map(({ approver }) => approver).filter(isAuthor);
  const origin: Origin = found.pull === null ? { kind: 'push' } : { kind: 'pull-request', ...found.pull, notes };
  const event = { type: 'origin-found', deploymentId: active.id, origin, authors, withdrawn, reviews, refusal: found.refusal } as const;
  await deps.engine.dispatch(state.service, event, 'actuator');
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
  { host, store }: CodeHostDeps,
  pull: PullRequest,
): Promise<{ readonly authors: readonly string[]; readonly reviews: Found['reviews'] }> {
  const [reviews, committers, requester] = await Promise.all([
    host.reviews(pull.number),
    host.committers(pull.number),
    store.get(pullRequesterKey(pull.number)),
  ]);
  const newest = new Map<string, Review>();
  // A comment takes nothing back.
  for (const review of reviews) if (review.verdict !== 'commented') newest.set(review.reviewer.login, review);
  return {
    authors: [...[pull.author, ...committers].map(loginIdentity), ...(requester === null ? [] : [requester])],
    reviews: [...newest.values()].filter(({ verdict }) => verdict === 'approved').map((review) => [pull, review]),
  };
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

interface HeadDigests {
  /** What the service's file means at a commit: itself, and the arm that has won the test in it. Empty: nothing that could be served. */
  of(state: ServiceState, commit: string): Promise<readonly string[]>;
}

/** A commit that was merged by a squash is in no branch of ours, so its files are asked of the host. */
function createHeadDigests({ host, read, store }: CodeHostDeps): HeadDigests {
  const known = new LRUMap<string, readonly string[]>(500);
  async function compute({ service, decided }: ServiceState, commit: string): Promise<readonly string[]> {
    const path = `services/${service}/config.yaml`;
    const [text, models] = await Promise.all([host.fileAt(commit, path), host.fileAt(commit, 'models.yaml')]);
    const config = text === null ? null : read('llm-config', text, path);
    const catalogue = models === null ? null : read('models', models, 'models.yaml');
    if (config?.ok !== true || catalogue?.ok !== true) return [];
    const won = (await decidedTests(store, service, decided)).wonIn(config.value.value);
    return [config.value.value, ...(won === null ? [] : [won.config])].map((meant) => digestOf(meant, catalogue.value.value));
  }
  return {
    async of(state, commit) {
      const key = `${state.service} ${commit} ${state.decided.length}`;
      const found = known.get(key) ?? (await compute(state, commit));
      known.set(key, found);
      return found;
    },
  };
}

/** Where pending deployments come from: the pull requests of what they are built on, and the reviews there that count. */
import type { Instant } from '../../base/time.ts';
import { tryEach } from '../../base/try-each.ts';
import type { Approval, Deployment, Origin, ServiceState } from '../../domain/rollout/state.ts';
import { withoutMergers } from '../../domain/rollout/origin.ts';
import { loginIdentity, namesOf, personOf } from '../../domain/safety/gates.ts';
import type { Review } from '../../ports/code-host.ts';
import { identitiesOf, type Identities } from '../reconcile/people.ts';
import { findOrigin, type Found, type Tracing } from './brought-by.ts';
import { createHeadDigests, mergedContent } from './head-digests.ts';
import { givenHere } from './pull-request.ts';
import type { CodeHostDeps } from './parts.ts';
import { createRights } from './rights.ts';

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
      await tryEach(pending, async (state) => {
        const { active } = state;
        if (active === null || !(all || isDue(active, ids.size))) return;
        lookedAt.set(active.id, deps.clock.now());
        try {
          await traceOne(tracing, state, active);
        } catch (thrown) {
          // Looked at again with the next try, which would find nothing wrong otherwise.
          lookedAt.delete(active.id);
          throw thrown;
        }
      });
    },
  };
}

async function traceOne(tracing: Tracing, state: ServiceState, active: Deployment): Promise<void> {
  const { deps } = tracing;
  const found = await findOrigin(tracing, state, active);
  if (found === null) return;
  const identities = await identitiesOf(deps.store, active.plan.gates, deps.settings().people);
  const known = [...withoutMergers(active.author, found.mergers), ...found.authors].flatMap(namesOf);
  const isAuthor = (identity: string): boolean => known.some((name) => identities.isSame(name, identity));
  const given = active.approvals.filter(({ review }) => review !== true);
  const withdrawn = given.map(({ approver }) => approver).filter((approver) => found.unknown !== null || isAuthor(approver));
  const candidates = [
    ...(await reviewsOf(tracing, state, active, found, identities)),
    ...(found.isWhole && found.unknown === null ? await toldUs(deps, state, active, identities) : []),
  ];
  const reviews: Approval[] = [];
  const notes: string[] = [...found.notes];
  for (const { refusal, identity, approver, comment, at } of candidates) {
    const isKnown = [...given, ...reviews].some((one) => identities.isSame(one.approver, approver));
    if (isAuthor(identity)) notes.push(`${identity} has a hand in it`);
    else if (refusal !== null) notes.push(`${identity} ${refusal}`);
    else if (!isKnown) reviews.push({ approver, comment, at, review: true });
  }
  const common = { notes, ...(found.unknown === null ? {} : { unknown: found.unknown }) };
  const origin: Origin = found.pull === null ? { kind: 'push', ...common } : { kind: 'pull-request', ...found.pull, ...common };
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

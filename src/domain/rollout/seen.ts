/** What the branch holds now. A commit starts a deployment if and only if its digest is neither stable, nor active, nor quarantined. */
import { oneLine } from '../../base/text.ts';
import { formatProblem } from '../../base/problem.ts';
import type { Instant } from '../../base/time.ts';
import type { ServiceEvent } from './event.ts';
import { cutRecoveryShort } from './recovering.ts';
import { isAskedForBy, isPutOff, noTrail, quarantineOf, type Candidate, type Deployment, type ServiceState } from './state.ts';
import { authorsOf, withTrail } from './trail.ts';
import { settleUnreverted } from './unreverted.ts';
import { begin, finish, notice, reassign, refusal, refuseQuarantined, rollBack, unchanged, type Transition } from './transitions.ts';

type SeenEvent = Extract<ServiceEvent, { type: 'revision-seen' | 'revision-rejected' | 'service-removed' }>;
type RevisionSeen = Extract<ServiceEvent, { type: 'revision-seen' }>;

export function reduceSeen(before: ServiceState, event: SeenEvent, now: Instant): Transition {
  if (event.type === 'service-removed') return removed(settleUnreverted(before, event.commit, null), event.commit, now);
  if (event.type === 'revision-rejected') return rejected(withTrail(before, event), event, now);
  const state = withTrail(settleUnreverted(before, event.revision.commit, event.revision.digest), event);
  const { revision } = event;
  // Turned down by a person: the same commit is not asked about again.
  if (state.rejection?.problems[0]?.code === 'forbidden' && state.rejection.commit === revision.commit) return unchanged(state);
  const seen = { ...state, seen: revision, orphaned: false, rejection: null };
  if (state.active?.phase.name === 'recovering') return whileRecovering(seen, state.active, event, now);
  return decide(seen, event, now);
}

/** Nothing is tried beside what is still being watched: its end is brought forward, unless the branch has nothing new to say. */
function whileRecovering(seen: ServiceState, active: Deployment, event: RevisionSeen, now: Instant): Transition {
  if (isAskedForBy(seen.stable, event.revision.digest)) return unchanged({ ...seen, waiting: null });
  if (quarantineOf(seen, event) !== undefined) return refuseQuarantined(seen, event, now);
  return cutRecoveryShort({ ...seen, waiting: candidateOf(seen, event) }, active, now);
}

function candidateOf({ trail }: ServiceState, { deploymentId, revision, plan, author }: RevisionSeen): Candidate {
  // Who has made what it is built on has made a part of it.
  const authors = authorsOf(trail);
  return { deploymentId, revision, plan, author: authors === '' ? author : authors };
}

function decide(seen: ServiceState, event: RevisionSeen, now: Instant): Transition {
  const { revision } = event;
  const state = seen;
  if (state.active !== null && isAskedForBy(state.active.revision, revision.digest)) return activeAgain(seen, state.active, event);
  if (isAskedForBy(state.stable, revision.digest)) return stableAgain(seen, event, now);
  if (quarantineOf(state, event) !== undefined) return refuseQuarantined(seen, event, now);
  return wanted(seen, event, now);
}

/** Gone from the branch: it never stops serving because of that, and nothing of it starts any more. */
function removed(state: ServiceState, commit: string, now: Instant): Transition {
  if (state.orphaned) return unchanged(state);
  const { active, stable } = state;
  // Nothing is left to be decided on.
  const rejection = isPutOff(state.rejection) ? null : state.rejection;
  const gone = { ...state, orphaned: true, waiting: null, trail: noTrail, rejection, seen: { commit, digest: null } };
  const [next, effects] =
    active?.phase.name === 'pending'
      ? finish(gone, active, { phase: 'superseded', reason: 'its folder is gone from the branch' }, now)
      : unchanged(gone);
  if (stable === null) return [next, effects];
  const message = `${state.service}: its folder is gone from the branch; the stable revision goes on serving`;
  return [next, [...effects, { kind: 'notify', key: `${state.service}/orphaned/${commit}`, severity: 'warning', message }]];
}

function rejected(state: ServiceState, event: Extract<SeenEvent, { type: 'revision-rejected' }>, now: Instant): Transition {
  const first = event.problems[0];
  const reason = first === undefined ? 'not valid' : formatProblem(first);
  const last = refusal(state, { deploymentId: event.deploymentId, revision: { commit: event.commit, digest: '' } }, reason, now);
  const next = {
    ...state,
    seen: { commit: event.commit, digest: null },
    rejection: { commit: event.commit, problems: event.problems, at: now },
    last: state.active === null && !isPutOff(event) ? last : state.last,
    orphaned: false,
    waiting: null,
  };
  const [severity, what] = isPutOff(event) ? (['info', 'not decided on yet:'] as const) : (['warning', 'rejected'] as const);
  return [next, [notice(last, 'rejected', severity, `${state.service}: ${what} ${event.commit.slice(0, 12)}: ${reason}`)]];
}

/** A comment, a new layout, or content that is on its way already. While it is being rolled back it waits for the answer to that. */
function activeAgain(state: ServiceState, active: Deployment, event: RevisionSeen): Transition {
  return unchanged({ ...state, waiting: active.phase.name === 'rolling-back' ? candidateOf(state, event) : null });
}

/** The branch holds what is stable: a person has taken the change back, or our own revert has arrived. */
function stableAgain(state: ServiceState, event: RevisionSeen, now: Instant): Transition {
  const { active } = state;
  const idle = { ...state, waiting: null };
  if (active === null || active.phase.name === 'promoting' || active.phase.name === 'rolling-back') return unchanged(idle);
  const reason = `taken back in Git by ${oneLine(event.author, 100)} (${event.revision.commit.slice(0, 12)})`;
  const revert = { kind: 'committed', commit: event.revision.commit } as const;
  return rollBack(idle, active, { cause: 'git', reason, judgement: null, revert }, now);
}

function wanted(state: ServiceState, event: RevisionSeen, now: Instant): Transition {
  const candidate = candidateOf(state, event);
  const { active } = state;
  if (active === null) return begin(state, candidate, now);
  // These two hand traffic over to something already decided; the newest revision waits until that is done.
  if (active.phase.name === 'promoting' || active.phase.name === 'rolling-back') return unchanged({ ...state, waiting: candidate });
  return supersede({ ...state, waiting: candidate }, active, now);
}

/** The old one ends and the new one begins against the same stable, in one transition. */
function supersede(state: ServiceState, active: Deployment, now: Instant): Transition {
  const by = state.waiting?.deploymentId ?? '';
  const [next, effects] = finish(state, active, { phase: 'superseded', reason: `replaced by ${by}` }, now);
  if (active.phase.name === 'pending') return [next, effects];
  const [assigned, assignEffects] = reassign(next);
  return [assigned, [...assignEffects, ...effects]];
}

/** Reverts that the branch did not let us push: a pull request takes their place, and quarantine holds until it is merged. */
import type { Instant } from '../../base/time.ts';
import type { ServiceEvent } from './event.ts';
import { isAskedForBy, type PullRequestRef, type Revision, type ServiceState, type Unreverted } from './state.ts';
import { unchanged, type Transition } from './transitions.ts';

export interface Blocked {
  readonly deploymentId: string;
  readonly bad: Revision;
  readonly restore: Revision | null;
  readonly reason: string;
  /** What the branch said. */
  readonly message: string;
}

/** The branch still holds the bad content, which quarantine keeps out: that must be taken back, and people are told so until then. */
export function blockRevert(state: ServiceState, { message, restore, ...blocked }: Blocked, now: Instant): ServiceState {
  const said = `the branch still holds what ${blocked.deploymentId} tried, and could not be reverted: ${message}; a pull request that takes it back is opened where a code host is connected, otherwise take it back by hand`;
  return {
    ...state,
    unreverted: restore === null ? null : { ...blocked, restore, pullRequest: null },
    rejection: { commit: state.seen?.commit ?? blocked.bad.commit, problems: [{ code: 'conflict', message: said }], at: now },
  };
}

export function proposed(state: ServiceState, event: Extract<ServiceEvent, { type: 'revert-proposed' }>): Transition {
  const { unreverted, rejection } = state;
  if (unreverted === null || unreverted.deploymentId !== event.deploymentId) return unchanged(state);
  const { pullRequest, change } = event;
  // That one takes back something else, or to something else: it is made anew.
  if (change !== undefined && (change.bad !== unreverted.bad.digest || change.restore !== unreverted.restore.digest))
    return unchanged(state);
  const message = `the branch still holds what ${event.deploymentId} tried; merge ${describePullRequest(pullRequest)}, which takes it back`;
  return unchanged({
    ...state,
    unreverted: { ...unreverted, pullRequest },
    rejection: rejection === null ? null : { ...rejection, problems: [{ code: 'conflict', message }] },
  });
}

/** A pull request that is open would bring back what turned out bad since: it is made anew for what is stable now. */
export function restoring(unreverted: Unreverted | null, restore: Revision): Unreverted | null {
  return unreverted === null ? null : { ...unreverted, restore, pullRequest: null };
}

/** The branch holds something else by now. Where that is what was to be restored, the revert has come. */
export function settleUnreverted(state: ServiceState, commit: string, digest: string | null): ServiceState {
  const { unreverted } = state;
  if (unreverted === null || isAskedForBy(unreverted.bad, digest)) return state;
  // What was restored has been taken back since: that must go as well.
  if (digest !== null && !isAskedForBy(unreverted.restore, digest) && state.quarantine.some((entry) => entry.digest === digest))
    return { ...state, unreverted: { ...unreverted, bad: { commit, digest }, pullRequest: null } };
  const settled = { ...state, unreverted: null };
  return isAskedForBy(unreverted.restore, digest) ? withRevert(settled, unreverted.deploymentId, commit) : settled;
}

/** Of the deployment while recovery is watched, or after its end. */
function withRevert(state: ServiceState, deploymentId: string, commit: string): ServiceState {
  const { active, last } = state;
  if (active?.id === deploymentId && active.phase.name === 'recovering')
    return { ...state, active: { ...active, phase: { ...active.phase, revert: { kind: 'committed', commit } } } };
  return last?.id === deploymentId && last.revertCommit === null ? { ...state, last: { ...last, revertCommit: commit } } : state;
}

export function describePullRequest({ number, url }: PullRequestRef): string {
  return `pull request #${number} (${url})`;
}

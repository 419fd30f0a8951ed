/** Where a pending deployment's commit comes from, and the reviews it has there. */
import type { Instant } from '../../base/time.ts';
import type { ServiceEvent } from './event.ts';
import type { ServiceState } from './state.ts';
import { finish, unchanged, type Transition } from './transitions.ts';

/** Of those between semicolons. */
export function withoutMergers(author: string, mergers: readonly string[]): readonly string[] {
  return author.split('; ').filter((name) => !mergers.includes(name));
}

export function reduceOrigin(state: ServiceState, event: Extract<ServiceEvent, { type: 'origin-found' }>, now: Instant): Transition {
  const { active } = state;
  if (active?.phase.name !== 'pending' || active.id !== event.deploymentId) return unchanged(state);
  const { origin, reviews, authors, mergers = [], refusal, withdrawn } = event;
  if (refusal !== null) {
    const rejection = { commit: active.revision.commit, problems: [{ code: 'forbidden', message: refusal }], at: now } as const;
    return finish({ ...state, rejection }, { ...active, origin }, { phase: 'rejected', reason: refusal }, now);
  }
  const given = active.approvals.filter(({ review, approver }) => review !== true && !withdrawn.includes(approver));
  const author = [...new Set([...withoutMergers(active.author, mergers), ...authors].filter((name) => name !== ''))].join('; ');
  return unchanged({ ...state, active: { ...active, origin, author, approvals: [...given, ...reviews] } });
}

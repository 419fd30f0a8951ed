/** What the branch has been built on since something of it was tried last. */
import type { ServiceEvent } from './event.ts';
import { isAskedForBy, noTrail, type ServiceState, type Trail } from './state.ts';

type Brought = Extract<ServiceEvent, { type: 'revision-seen' | 'revision-rejected' }>;

/** More than anybody brings before something of it is tried. */
const longest = 200;

/** Until something of it is in force or on trial again, whatever the branch holds is built on it. */
export function withTrail(state: ServiceState, event: Brought): ServiceState {
  const digest = event.type === 'revision-seen' ? event.revision.digest : null;
  const { active, stable, trail } = state;
  const isTried = isAskedForBy(stable, digest) || (active?.startedAt != null && isAskedForBy(active.revision, digest));
  if (isTried) return { ...state, trail: noTrail };
  return event.isOld === true ? state : { ...state, trail: longer(trail, event) };
}

function longer({ entries, isCut }: Trail, event: Brought): Trail {
  const commit = event.type === 'revision-seen' ? event.revision.commit : event.commit;
  const known = new Set(entries.map((entry) => entry.commit));
  const added = [...(event.passedOver ?? []), commit].filter((one) => !known.has(one));
  const all = [...entries, ...added.map((one) => ({ commit: one, author: event.author ?? '' }))];
  return { entries: all.slice(0, longest), isCut: isCut || all.length > longest };
}

/** That commit is let through, with all that it is built on; what came after it is not. */
export function beyond({ entries, isCut }: Trail, commit: string): Trail {
  const index = entries.findIndex((entry) => entry.commit === commit);
  return { entries: entries.slice(index + 1), isCut: isCut && index < 0 };
}

/** Everybody who had a hand in any of it. */
export function authorsOf({ entries }: Trail): string {
  return [...new Set(entries.flatMap(({ author }) => author.split('; ')).filter((name) => name !== ''))].join('; ');
}

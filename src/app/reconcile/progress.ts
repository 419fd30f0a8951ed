/** How far the branch was worked through, in one piece: half of it would let in what was refused. */
import type { Store } from '../../ports/store.ts';
import { nothingAccepted, type Accepted } from './admission.ts';
import { waiting, type Decisions, type Records } from './fitness.ts';

/** A commit up to which everything is known of what is admitted. */
export interface Base {
  readonly commit: string;
  readonly accepted: Accepted;
  /** What is not admitted there. */
  readonly records: Records;
}

/** Where something waits to be known, looks begin at `base` again, so that each commit is judged by what was admitted before it. */
export interface Progress {
  /** Services were looked at up to there. */
  readonly head: string;
  /** In force now. */
  readonly accepted: Accepted;
  /** The head itself, unless something waits. */
  readonly base: Base;
  /** Of commits after the base. */
  readonly decisions: Decisions;
}

const key = 'progress';
/** What is being worked through: not the head after a crash in between. */
const workingKey = 'head-working';

/** Nothing waits. */
export function isSettled({ head, base }: Progress): boolean {
  return base.commit === head && waiting(base.records).length === 0;
}

export async function saveWorking(store: Store, tip: string): Promise<void> {
  await store.put(workingKey, tip);
}

/** `isInterrupted`: events of a later commit can be in the journal: then nothing is taken for known. */
export async function loadProgress(store: Store): Promise<{ readonly progress: Progress | null; readonly isInterrupted: boolean }> {
  const saved = await store.get(key);
  const progress = saved === null ? await ofOlderVersion(store) : filled(JSON.parse(saved) as Progress);
  return { progress, isInterrupted: progress !== null && (await store.get(workingKey)) !== progress.head };
}

export async function saveProgress(store: Store, progress: Progress): Promise<void> {
  await store.put(key, JSON.stringify(progress));
}

/** Members that came with a newer version are not in what an older one has stored. */
function filled(progress: Progress): Progress {
  const { base } = progress;
  return {
    ...progress,
    accepted: { ...nothingAccepted, ...progress.accepted },
    base: { ...base, accepted: { ...nothingAccepted, ...base.accepted } },
  };
}

async function ofOlderVersion(store: Store): Promise<Progress | null> {
  const [head, saved, out] = await Promise.all(['head', 'accepted', 'unfit'].map((name) => store.get(name)));
  if (head == null || saved == null) return null;
  const accepted = { ...nothingAccepted, ...(JSON.parse(saved) as Partial<Accepted>) };
  const records = out == null ? {} : (JSON.parse(out) as Records);
  return { head, accepted, base: { commit: head, accepted, records }, decisions: {} };
}

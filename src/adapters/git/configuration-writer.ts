/** Our commits on the configuration branch: made on its tip, placed by compare-and-swap, made again after a lost race. */
import { TransientError } from '../../base/failures.ts';
import type { ConfigurationWriter, PlaceCommit, PlacingOrder, Proposal, WriteOutcome } from '../../ports/repository.ts';
import type { Mirror } from './mirror.ts';
import { readFileAt } from './status-branch.ts';

const attempts = 8;

interface Writing extends Pick<PlacingOrder, 'path' | 'message' | 'announce'> {
  /** Sees the file on each tip anew; null means that nothing is to be written. */
  readonly next: (text: string | null) => Promise<string | null>;
}

export function createConfigurationWriter(mirror: Mirror, place: PlaceCommit): ConfigurationWriter {
  function write({ path, next, message, announce }: Writing): Promise<WriteOutcome> {
    return mirror.exclusively(async (): Promise<WriteOutcome> => {
      // The first try goes by the last fetch, which is the fast way; the lease finds out if that is too old.
      for (let attempt = 1; attempt <= attempts; attempt++) {
        if (attempt > 1) await mirror.fetch();
        const head = await mirror.tip(mirror.branch);
        if (head === null) {
          await mirror.fetch();
          if ((await mirror.tip(mirror.branch)) === null) return { kind: 'not-needed' };
          continue;
        }
        const present = await readFileAt(mirror, head, path);
        const text = await next(present);
        if (text === null || text === present) {
          if (attempt > 1) return { kind: 'not-needed' };
          continue;
        }
        const outcome = await place({ branch: mirror.branch, expected: head, parent: head, path, text, message, announce });
        if (outcome.kind === 'placed') return { kind: 'committed', commit: outcome.commit };
        if (outcome.kind === 'refused') return { kind: 'blocked', message: outcome.message };
      }
      throw new TransientError(`${mirror.branch} moved under each of ${attempts} pushes`);
    });
  }

  return {
    propose: (proposal) => propose(mirror, place, proposal),
    async revert({ service, isBad, restoreText, message, marker }) {
      const next = async (text: string | null): Promise<string | null> => (text !== null && (await isBad(text)) ? restoreText : null);
      const outcome = await write({ path: `services/${service}/config.yaml`, next, message, announce: toNobody });
      if (outcome.kind !== 'not-needed') return outcome;
      const earlier = await findByMarker(mirror, marker);
      return earlier === null ? outcome : { kind: 'committed', commit: earlier };
    },
    edit: ({ path, edit, message, announce = toNobody }) => write({ path, next: (text) => Promise.resolve(edit(text)), message, announce }),
  };
}

const toNobody = (): Promise<void> => Promise.resolve();

function propose(mirror: Mirror, place: PlaceCommit, { branch, path, edit, message, known, announce }: Proposal): Promise<WriteOutcome> {
  return mirror.exclusively(async (): Promise<WriteOutcome> => {
    await mirror.fetch();
    const head = await mirror.tip(mirror.branch);
    const present = head === null ? null : await readFileAt(mirror, head, path);
    const text = head === null ? null : await edit(present);
    if (head === null || text === null || text === present) return { kind: 'not-needed' };
    const there = await mirror.tip(branch);
    const isThere = there !== null && there === known && (await mirror.commit(there)).parents[0] === head;
    if (isThere && (await readFileAt(mirror, there, path)) === text) return { kind: 'committed', commit: there };
    const outcome = await place({ branch, expected: there, parent: head, path, text, message, announce });
    if (outcome.kind === 'refused') return { kind: 'blocked', message: outcome.message };
    if (outcome.kind === 'lost-race') throw new TransientError(`${branch} moved under our push`);
    return { kind: 'committed', commit: outcome.commit };
  });
}

/** Among the newest commits: a push whose answer was lost is not far back. */
async function findByMarker(mirror: Mirror, marker: string): Promise<string | null> {
  let at = await mirror.tip(mirror.branch);
  for (let steps = 0; steps < 100 && at !== null; steps++) {
    const commit = await mirror.commit(at);
    if (commit.message.split('\n').includes(marker)) return at;
    at = commit.parents[0] ?? null;
  }
  return null;
}

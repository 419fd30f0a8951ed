/** What stable did lately, by service: kept through restarts, so that a deployment right after one has thresholds to go by. */
import type { Instant } from '../../base/time.ts';
import { addToBaseline, noBaseline, type Baseline } from '../../domain/analysis/baseline.ts';
import type { ArmSample } from '../../domain/analysis/sample.ts';
import type { Store } from '../../ports/store.ts';

export interface Baselines {
  of(service: string): Promise<Baseline>;
  /** What is known of a service without a look into the store. */
  known(service: string): Baseline;
  /** `sample`: what stable, with this digest, measured. */
  add(service: string, digest: string, sample: ArmSample, now: Instant): Promise<void>;
  checkpoint(now: Instant): Promise<void>;
}

interface Kept {
  readonly digest: string;
  readonly baseline: Baseline;
}

const nothingKept: Kept = { digest: '', baseline: noBaseline };
const savedEveryMs = 60_000;

export function createBaselines(store: Store): Baselines {
  const kept = new Map<string, Kept>();
  const unsaved = new Set<string>();
  let savedAt = 0;

  async function load(service: string): Promise<Kept> {
    const known = kept.get(service);
    if (known !== undefined) return known;
    const saved = await store.get(`baseline/${service}`);
    const loaded = saved === null ? nothingKept : (JSON.parse(saved) as Kept);
    const meanwhile = kept.get(service);
    if (meanwhile !== undefined) return meanwhile;
    kept.set(service, loaded);
    return loaded;
  }

  return {
    of: async (service) => (await load(service)).baseline,
    known: (service) => kept.get(service)?.baseline ?? noBaseline,
    async add(service, digest, sample, now) {
      await load(service);
      // As it is now: another gateway's batch may have been added meanwhile.
      const { digest: before, baseline } = kept.get(service) ?? nothingKept;
      // Another revision is stable: its times are its own, while what is measured at all stays what it was.
      const from = before === digest ? baseline : { ...noBaseline, slots: baseline.slots };
      kept.set(service, { digest, baseline: addToBaseline(from, sample, now) });
      unsaved.add(service);
    },
    async checkpoint(now) {
      if (now - savedAt < savedEveryMs) return;
      savedAt = now;
      for (const service of unsaved) await store.put(`baseline/${service}`, JSON.stringify(kept.get(service)));
      unsaved.clear();
    },
  };
}

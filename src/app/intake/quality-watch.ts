/** `min_quality_score`: tells people when what is in force answers badly. Whether a canary does is for the judge. */
import { toIso, type Instant } from '../../base/time.ts';
import type { Bucket } from '../../generated/types.ts';
import type { Notifier } from '../../ports/notifier.ts';
import type { RecentTraffic } from '../judging/traffic.ts';

export interface QualityWatch {
  look(service: string, buckets: readonly Bucket[], at: Instant): Promise<void>;
}

export interface QualityWatchDeps {
  readonly notifier: Notifier;
  readonly traffic: (service: string) => RecentTraffic;
  /** Of the revision in force; null: none is set. */
  readonly floorOf: (service: string) => Promise<number | null>;
}

const fewestScores = 30;

export function createQualityWatch({ notifier, traffic, floorOf }: QualityWatchDeps): QualityWatch {
  /** The hour in which a service's people were told last. */
  const told = new Map<string, string>();
  return {
    async look(service, buckets, at) {
      const scored = buckets.find(({ variant, scores }) => variant === 'stable' && Object.keys(scores).length > 0);
      if (scored === undefined) return;
      const floor = await floorOf(service);
      if (floor === null) return;
      for (const metric of ['quality_score', 'judged_quality'] as const) {
        const { n, mean } = traffic(service).score('stable', scored.digest, metric, at);
        const hour = toIso(at).slice(0, 13);
        if (n < fewestScores || mean === null || mean >= floor || told.get(`${service}/${metric}`) === hour) continue;
        told.set(`${service}/${metric}`, hour);
        const message = `${service}: ${metric} of what is in force is ${mean.toFixed(2)} over the last five minutes (${n} scores), below ${floor}`;
        await notifier.notify({ key: `quality/${service}/${metric}/${hour}`, severity: 'warning', message });
      }
    },
  };
}

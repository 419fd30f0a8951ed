/** Says on the status branch how much traffic there is and how it spreads, so that a plan can be reckoned in CI, without the daemon. */
import { stringify } from 'yaml';
import type { Instant } from '../../base/time.ts';
import { toIso } from '../../base/time.ts';
import type { TrafficFile } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { StatusCommit } from '../../ports/repository.ts';
import type { Judging } from '../judging/judging.ts';
import { serviceFolder } from './render.ts';

export interface TrafficReport {
  isDue(): boolean;
  /** The commit that is due, or none. Counts as said. */
  take(): readonly StatusCommit[];
}

export interface TrafficReportDeps {
  readonly clock: Clock;
  readonly services: () => readonly string[];
  readonly judging: Pick<Judging, 'summary'>;
}

const intervalMs = 3_600_000;
/** Of a fresh start: rates over a few minutes are better than none. */
const firstAfterMs = 300_000;
/** A smaller change of the request rate is not worth a commit. */
const worthSaying = 0.2;

export function createTrafficReport({ clock, services, judging }: TrafficReportDeps): TrafficReport {
  const said = new Map<string, TrafficFile>();
  let nextAt: Instant = clock.now() + firstAfterMs;

  function fileOf(service: string): TrafficFile {
    const { error_rate: errorRate, metrics } = judging.summary(service);
    const requests = metrics['error_rate']?.per_second ?? 0;
    return { service, measured_at: toIso(clock.now()), requests_per_second: requests, error_rate: errorRate, metrics };
  }

  return {
    isDue: () => clock.now() >= nextAt,
    take() {
      if (clock.now() < nextAt) return [];
      nextAt = clock.now() + intervalMs;
      const changed = services()
        .map(fileOf)
        .filter((file) => isNews(file, said.get(file.service)));
      for (const file of changed) said.set(file.service, file);
      if (changed.length === 0) return [];
      const files = changed.map((file) => ({
        path: `${serviceFolder(file.service)}/${file.service}.traffic.yaml`,
        text: stringify(file),
      }));
      const message = `traffic of ${changed.length} service(s)\n\n[skip ci]\n\nActuator-Event: traffic\nActuator-Actor: actuator\n`;
      return [{ message, files, appends: [] }];
    },
  };
}

function isNews(file: TrafficFile, before: TrafficFile | undefined): boolean {
  if (before === undefined) return file.requests_per_second > 0;
  const [now, then] = [file.requests_per_second, before.requests_per_second];
  const names = (one: TrafficFile): string => Object.keys(one.metrics).sort().join();
  return Math.abs(now - then) > worthSaying * Math.max(now, then) || names(file) !== names(before);
}

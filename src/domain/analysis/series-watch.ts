/** Each variant's own series, watched for anomalies: they warn, and hold a step; alone they roll nothing back. */
import type { AnomalySensitivity } from '../settings/policy.ts';
import { detect, newDetector, type DetectorState } from './anomaly.ts';
import type { BlockRow } from './block.ts';

export interface SeriesWatch {
  /** By `variant/series`. */
  readonly detectors: Readonly<Record<string, DetectorState>>;
  /** By `variant/series`: blocks for which an anomaly still holds the step. */
  readonly holding: Readonly<Record<string, number>>;
}

export const newWatch: SeriesWatch = { detectors: {}, holding: {} };

/** Score from which a value is an anomaly. Of equal rollouts of 630 blocks few have one at medium, about a quarter at high (docs/statistics.md). */
const thresholds: Readonly<Record<AnomalySensitivity, number>> = { low: 20, medium: 12, high: 6 };
/** Blocks that a step is held after an anomaly. */
const holdBlocks = 6;
const leastRequests = 30;

export function watchRow(watch: SeriesWatch, row: BlockRow, sensitivity: AnomalySensitivity): SeriesWatch {
  const detectors = { ...watch.detectors };
  const holding = Object.fromEntries(Object.entries(watch.holding).flatMap(([key, left]) => (left > 1 ? [[key, left - 1]] : [])));
  for (const [key, value] of Object.entries(seriesOf(row))) {
    const { state, score } = detect(detectors[key] ?? newDetector, value);
    detectors[key] = state;
    if (score >= thresholds[sensitivity]) holding[key] = holdBlocks;
  }
  return { detectors, holding };
}

/** Error rate, and share of slow requests (above what was stable's median), of each variant that had requests enough for either. */
function seriesOf(row: BlockRow): Readonly<Record<string, number>> {
  const series: Record<string, number> = {};
  if (row.nc >= leastRequests) series['canary/error_rate'] = row.xc / row.nc;
  if (row.ns >= leastRequests) series['stable/error_rate'] = row.xs / row.ns;
  const tail = row.tails.latency_p50;
  if (tail === undefined) return series;
  const middle = Math.floor(tail.canary.length / 2);
  if (tail.nc >= leastRequests) series['canary/latency'] = (tail.canary[middle] ?? 0) / tail.nc;
  if (tail.ns >= leastRequests) series['stable/latency'] = (tail.stable[middle] ?? 0) / tail.ns;
  return series;
}

/** Milliseconds since 1970-01-01 UTC. */
export type Instant = number;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a written time: a number is minutes, as in `duration_minutes: 15`; text carries its unit (`90s`). */
export function writtenMinutesToMs(written: number | string): number {
  if (typeof written === 'number') return Math.round(written * 60_000);
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(written);
  if (match === null) throw new Error(`${written} is no duration`);
  return Math.round(Number(match[1]) * (unitMs[match[2] ?? ''] ?? Number.NaN));
}

/** `1h 5m`, `4m 03s`, `12s`, `0.8s`: for people. */
export function formatDuration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
}

export function toIso(at: Instant): string {
  return new Date(at).toISOString();
}

/** `20261122` in UTC, the middle of a deployment id. */
export function utcDay(at: Instant): string {
  return toIso(at).slice(0, 10).replaceAll('-', '');
}

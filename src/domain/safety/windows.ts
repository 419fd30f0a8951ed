/** When deployments may start. Rollbacks never ask. */
import { toIso, writtenMinutesToMs, type Instant } from '../../base/time.ts';
import type { SectionsDeploymentWindows } from '../../generated/types.ts';

export interface Window {
  readonly cron: string;
  readonly timezone: string;
  readonly durationMs: number;
}

export interface Windows {
  readonly allow: readonly Window[];
  readonly deny: readonly Window[];
  /** What becomes of a deployment that is under way when its window ends. */
  readonly overrun: 'finish' | 'pause';
}

/** The first time after `after` that a cron expression names in a time zone; null: never again. */
export type NextTime = (cron: string, timezone: string, after: Instant) => Instant | null;

export function resolveWindows({ allow = [], deny = [], overrun = 'finish' }: SectionsDeploymentWindows): Windows {
  const mean = ({ cron, duration_minutes: duration, timezone = 'UTC' }: (typeof allow)[number]): Window => ({
    cron,
    timezone,
    durationMs: writtenMinutesToMs(duration),
  });
  return { allow: allow.map(mean), deny: deny.map(mean), overrun };
}

/** Why nothing may start now, in one clause; null: it may. A window is open from its time on for its duration. */
export function closedBecause({ allow, deny }: Windows, now: Instant, next: NextTime): string | null {
  for (const window of deny) {
    const end = openUntil(window, now, next);
    if (end !== null) return `a deployment window denies it until ${toIso(end)} ("${window.cron}")`;
  }
  if (allow.length === 0 || allow.some((window) => openUntil(window, now, next) !== null)) return null;
  const openings = allow.flatMap((window) => next(window.cron, window.timezone, now) ?? []);
  const when = openings.length === 0 ? 'never again' : toIso(Math.min(...openings));
  return `no deployment window is open; the next one opens ${when}`;
}

function openUntil({ cron, timezone, durationMs }: Window, now: Instant, next: NextTime): Instant | null {
  // The newest opening that can still last: its start lies in (now - duration, now].
  let opened: Instant | null = null;
  for (let at = next(cron, timezone, now - durationMs); at !== null && at <= now; at = next(cron, timezone, at)) {
    opened = at;
    if (at + durationMs > now && durationMs > longestGap) break;
  }
  return opened === null ? null : opened + durationMs;
}

/** Of a window longer than a week one opening is enough to know: walking through all of them would take long. */
const longestGap = 7 * 24 * 3_600_000;

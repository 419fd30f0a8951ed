/** Cron expressions in time zones, by the package `cron`. */
import { CronTime } from 'cron';
import type { NextTime } from '../../domain/safety/windows.ts';

export const nextTime: NextTime = (cron, timezone, after) => {
  const times = new CronTime(cron, timezone);
  try {
    return times.getNextDateFrom(new Date(after), timezone).toMillis();
  } catch {
    // 30 February: no such time within the eight years that the package looks ahead.
    return null;
  }
};

export function isCron(text: string): boolean {
  if (text.trim().split(/\s+/).length !== 5) return false;
  try {
    new CronTime(text);
    return true;
  } catch {
    return false;
  }
}

export function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

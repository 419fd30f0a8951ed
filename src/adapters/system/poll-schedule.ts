/** Polls on a cron schedule in UTC (local time would run a job twice when summer time ends), with jitter. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CronJob } from 'cron';

export interface PollSchedule {
  stop(): void;
}

/** Every `seconds` (1 to 3600, rounded to what a cron field can say), up to a tenth later by chance, never two at once. */
export function startPolling(seconds: number, poll: () => void): PollSchedule {
  const job = CronJob.from({
    cronTime: cronTimeOf(seconds),
    timeZone: 'UTC',
    waitForCompletion: true,
    start: true,
    unrefTimeout: true,
    onTick: async () => {
      // Many daemons that start on the same second would otherwise poll the forge on the same second.
      await sleep(Math.random() * seconds * 100, undefined, { ref: false });
      poll();
    },
  });
  return { stop: () => void job.stop() };
}

function cronTimeOf(seconds: number): string {
  if (seconds < 60) return `*/${Math.max(1, Math.round(seconds))} * * * * *`;
  if (seconds < 3600) return `0 */${Math.round(seconds / 60)} * * * *`;
  return '0 0 * * * *';
}

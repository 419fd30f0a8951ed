/** Notices go to the log: the first channel, and the one that can't be down. */
import type { Log } from '../../ports/log.ts';
import type { Notifier } from '../../ports/notifier.ts';

export function createLogNotifier(log: Log): Notifier {
  return {
    notify({ key, severity, message }) {
      const fields = { notice: key, severity };
      if (severity === 'info') log.info(fields, message);
      else log.warn(fields, message);
      return Promise.resolve();
    },
  };
}

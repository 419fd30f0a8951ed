/** pino behind the Log port, with the secrets that could come by taken out. */
import { pino, destination } from 'pino';
import type { Log } from '../../ports/log.ts';

/** JSON lines on standard error, so that standard output stays free for results. */
export function createLog(level: string): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: {
        paths: ['authorization', '*.authorization', 'token', '*.token', 'key', '*.key', 'apiKey', '*.apiKey'],
        censor: '[redacted]',
      },
      hooks: {
        // The last gate for text that carries a credential inside, such as an error message of git.
        streamWrite: (line) =>
          line
            .replace(/(https?:\/\/)[^/\s:@]+:[^/\s@]+@/g, '$1[redacted]@')
            .replace(/\b(Bearer|Basic) [A-Za-z0-9+/=._-]{8,}/g, '$1 [redacted]'),
      },
    },
    destination({ fd: 2, sync: true }),
  );
}

/** The two ways in which the world fails. Everything else that is thrown is a bug of ours. */

/** Worth trying again by ourselves: a time-out, a refused connection, a lost race. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
}

/** Trying again is of no use until a person has acted. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

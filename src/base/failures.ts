/** The ways in which the world fails. Everything else that is thrown is a bug of ours. */

/** Worth trying again by ourselves: a time-out, a refused connection, a lost race. */
export class TransientError extends Error {
  override readonly name = 'TransientError';
}

/** Trying again is of no use until a person has acted. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
}

/** The other side has understood and says no: the same again will never do. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** The other side gave no usable answer; nothing is known from that. */
export function isAway(thrown: unknown): boolean {
  return thrown instanceof TransientError || thrown instanceof StalledError || thrown instanceof RefusedError;
}

/** The message of whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

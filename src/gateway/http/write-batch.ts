/**
 * Holds what is written to sockets until all that has come in is dealt with, and then writes to one after the other. A write to a
 * peer that sleeps costs the waking of it, more than all else of a request; under load the first write of a batch wakes a peer for
 * all of them. With nothing else going on the batch is of one, and leaves at once.
 */
import type { Socket } from 'node:net';

let waiting = new Set<Socket>();

/** To be called before a write; many calls for a socket in one turn of the event loop are one. */
export function writeWithOthers(socket: Socket): void {
  if (waiting.has(socket)) return;
  if (waiting.size === 0) setImmediate(flush);
  waiting.add(socket);
  socket.cork();
}

function flush(): void {
  const sockets = waiting;
  waiting = new Set();
  for (const socket of sockets) socket.uncork();
}

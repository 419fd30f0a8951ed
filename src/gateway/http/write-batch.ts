/**
 * Holds what is written to sockets until all that has come in is dealt with, and then writes to one after the other. A write to a
 * peer that sleeps costs the waking of it, more than all else of a request; under load one waking then does for a whole batch. The
 * first socket of a turn of the event loop does not wait: with nothing else going on there is no batch.
 */
import type { Socket } from 'node:net';

let first: Socket | null = null;
let waiting = new Set<Socket>();

/** To be called before a write; many calls for a socket in one turn are one. */
export function writeWithOthers(socket: Socket): void {
  if (first === null) {
    first = socket;
    setImmediate(endTurn);
  } else if (socket !== first && !waiting.has(socket)) {
    waiting.add(socket);
    socket.cork();
  }
}

function endTurn(): void {
  const sockets = waiting;
  first = null;
  waiting = new Set();
  for (const socket of sockets) socket.uncork();
}

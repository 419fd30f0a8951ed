/** Ends a server in good order: requests under way are answered to their end, all other connections go at once. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export interface GracefulServer {
  close(longestMs: number): Promise<void>;
}

/** To be called before the server listens. */
export function closesGracefully(server: Server): GracefulServer {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });

  function closeIdle(): void {
    server.closeIdleConnections();
    // Opened ahead of need, and nothing sent yet: to Node such a connection is not idle.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  }

  return {
    async close(longestMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      closeIdle();
      const idle = setInterval(closeIdle, 100);
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, longestMs).unref())]);
      clearInterval(idle);
      server.closeAllConnections();
    },
  };
}

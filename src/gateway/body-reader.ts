/** Request bodies, within bounds for each and for all of them together. */
import type { IncomingMessage } from 'node:http';

export const maxBodyBytes: number = 10 * 1024 * 1024;
/** Of all requests whose body is being read: many slow large ones must not fill the memory. */
const maxBodiesBytes = 256 * 1024 * 1024;

export type BodyRead = Buffer | 'too-large' | 'busy' | 'aborted';

export interface BodyReader {
  /** The whole body; `too-large` as soon as it is over the cap, `aborted` when the client left before its end. */
  read(request: IncomingMessage): Promise<BodyRead>;
}

export function createBodyReader(): BodyReader {
  let held = 0;
  return {
    read: (request) =>
      new Promise((resolve) => {
        const chunks: Buffer[] = [];
        let size = 0;
        let isOver = false;
        function end(result: BodyRead): void {
          if (isOver) return;
          isOver = true;
          held -= size;
          chunks.length = 0;
          resolve(result);
        }
        function onData(chunk: Buffer): void {
          if (isOver) return;
          size += chunk.length;
          held += chunk.length;
          if (size > maxBodyBytes) end('too-large');
          else if (held > maxBodiesBytes) end('busy');
          else chunks.push(chunk);
        }
        request.on('data', onData);
        request.on('end', () => end(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
        // After an error as well; after the end it comes too late to matter.
        request.on('close', () => end('aborted'));
      }),
  };
}

/** Request bodies, within bounds for each and for all of them together. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export const maxBodyBytes: number = 10 * 1024 * 1024;
/** Of all requests under way: many large ones must not fill the memory. */
const maxBodiesBytes = 128 * 1024 * 1024;
const worthCounting = 16 * 1024;

export type BodyRead = Buffer | 'too-large' | 'busy' | 'aborted';

export interface BodyReader {
  /**
   * The whole body; `too-large` as soon as it is over the cap, `aborted` when the client left before its end. Its bytes count as held
   * until the response is closed: as long the parsed body, and what goes to the provider, live.
   */
  read(request: IncomingMessage, response: ServerResponse): Promise<BodyRead>;
}

export function createBodyReader(): BodyReader {
  let held = 0;
  return {
    read: (request, response) =>
      new Promise((resolve) => {
        const chunks: Buffer[] = [];
        let size = 0;
        let isOver = false;
        function end(result: BodyRead): void {
          if (isOver) return;
          isOver = true;
          // A small body is not worth a listener of its own.
          if (typeof result !== 'string' && size > worthCounting) response.once('close', () => (held -= size));
          else held -= size;
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

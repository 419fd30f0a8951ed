import type { IncomingMessage } from 'node:http';

export const maxBodyBytes: number = 10 * 1024 * 1024;

/** The whole body; `too-large` as soon as it is over the cap, `aborted` when the client left before its end. */
export function readBody(request: IncomingMessage): Promise<Buffer | 'too-large' | 'aborted'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBodyBytes) chunks.push(chunk);
      else resolve('too-large');
    });
    request.on('end', () => resolve(size <= maxBodyBytes ? Buffer.concat(chunks) : 'too-large'));
    request.on('close', () => resolve('aborted'));
    request.on('error', () => resolve('aborted'));
  });
}

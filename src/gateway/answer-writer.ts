/** Writes an answer as it comes in: each piece in one write, where Node's own chunked coding needs four. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { writeWithOthers } from './http/write-batch.ts';

export class AnswerWriter {
  readonly #socket: Socket;
  readonly #response: ServerResponse;
  readonly #takesChunks: boolean;
  #isChunked = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#socket = request.socket;
    this.#response = response;
    this.#takesChunks = request.httpVersionMinor >= 1 && request.httpVersionMajor === 1;
  }

  /** `raw`: name, value, name, value ... Without a content-length the body is sent in chunks. */
  head(status: number, raw: string[]): void {
    writeWithOthers(this.#socket);
    this.#isChunked = this.#takesChunks && status !== 204 && !raw.includes('content-length');
    if (this.#isChunked) raw.push('transfer-encoding', 'chunked');
    this.#response.writeHead(status, raw);
    // Node would frame what is framed already.
    if (this.#isChunked) this.#response.chunkedEncoding = false;
  }

  /** False when the client is behind. */
  write(piece: Buffer): boolean {
    writeWithOthers(this.#socket);
    return this.#response.write(this.#isChunked ? framed(piece) : piece);
  }

  end(): void {
    writeWithOthers(this.#socket);
    if (this.#isChunked) this.#response.write('0\r\n\r\n', 'latin1');
    this.#response.end();
  }
}

function framed(piece: Buffer): Buffer {
  const size = piece.length.toString(16);
  const whole = Buffer.allocUnsafe(size.length + piece.length + 4);
  whole.write(size, 'latin1');
  whole[size.length] = 13;
  whole[size.length + 1] = 10;
  piece.copy(whole, size.length + 2);
  whole[whole.length - 2] = 13;
  whole[whole.length - 1] = 10;
  return whole;
}

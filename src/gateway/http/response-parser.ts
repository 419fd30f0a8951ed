/**
 * Parses HTTP/1.1 responses (RFC 9112), strictly: what two readers could understand differently is an error, and the connection is
 * not used again. Takes the bytes as they come, however they are cut.
 */
export interface ResponseHead {
  readonly status: number;
  readonly headers: ResponseHeaders;
}

/** Names in lower case; of repeated ones the values joined by a comma. */
export type ResponseHeaders = ReadonlyMap<string, string>;

export interface ResponseSink {
  onHead(head: ResponseHead): void;
  /** A part of the body, without its transfer coding. The buffer is the sink's to keep. */
  onBody(chunk: Buffer): void;
  /** `reusable`: the connection can carry another request. */
  onEnd(reusable: boolean): void;
}

export class ResponseError extends Error {}

const longestHead = 64 * 1024;
const longestChunkLine = 1024;
const mostInterim = 10;
const longestTrailer = 16 * 1024;
const headEnd = Buffer.from('\r\n\r\n');
const cr = 13;
const lf = 10;

type State = 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailer' | 'until-close' | 'done';

export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = 'head';
  /** Bytes of a head, a chunk size or a trailer that is not complete yet. */
  #rest: Buffer | null = null;
  /** Bytes to come of the body, or of the chunk. */
  #left = 0;
  #trailerBytes = 0;
  #isPersistent = true;
  #interim = 0;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** Whether nothing of a response was seen yet. */
  get isFresh(): boolean {
    return this.#state === 'head' && this.#rest === null && this.#interim === 0;
  }

  /** Throws ResponseError for what is no response. */
  push(received: Buffer): void {
    let bytes = this.#rest === null ? received : Buffer.concat([this.#rest, received]);
    this.#rest = null;
    while (bytes.length > 0) {
      const used = this.#step(bytes);
      if (used === 0) {
        this.#rest = bytes;
        return;
      }
      bytes = bytes.subarray(used);
    }
  }

  /** The peer has ended the connection. True when that ends the response as well. */
  close(): boolean {
    if (this.#state !== 'until-close') return false;
    this.#finish(false);
    return true;
  }

  /** Bytes used up; 0 when more are needed first. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes);
      case 'length':
      case 'chunk-data':
        return this.#readCounted(bytes);
      case 'until-close':
        this.#sink.onBody(bytes);
        return bytes.length;
      case 'chunk-size':
        return this.#readLine(bytes, longestChunkLine, (line) => this.#beginChunk(line));
      case 'chunk-end':
        return this.#readLine(bytes, 2, (line) => {
          if (line !== '') throw new ResponseError('a chunk is longer than it says');
          this.#state = 'chunk-size';
        });
      case 'trailer':
        return this.#readLine(bytes, longestTrailer, (line) => this.#readTrailer(line));
      case 'done':
        throw new ResponseError('bytes after the end of the response');
    }
  }

  #readHead(bytes: Buffer): number {
    const end = bytes.indexOf(headEnd);
    if (end < 0) {
      if (bytes.length > longestHead) throw new ResponseError('the head of the response is too long');
      return 0;
    }
    const { status, version, headers } = parseHead(bytes.toString('latin1', 0, end));
    // 100 Continue and its like announce the response, they are not it.
    if (status >= 200) this.#begin(status, version, headers);
    else if (++this.#interim > mostInterim) throw new ResponseError('too many interim responses');
    else if (status === 101) throw new ResponseError('the peer wants another protocol');
    return end + headEnd.length;
  }

  #begin(status: number, version: string, headers: ResponseHeaders): void {
    const connection = headers.get('connection')?.toLowerCase() ?? '';
    this.#isPersistent = version === '1.1' ? !connection.includes('close') : connection.includes('keep-alive');
    const framing = framingOf(status, headers);
    this.#state = framing === 'chunked' ? 'chunk-size' : framing === 'until-close' ? 'until-close' : 'length';
    this.#left = typeof framing === 'number' ? framing : 0;
    this.#sink.onHead({ status, headers });
    if (framing === 0) this.#finish(this.#isPersistent);
  }

  #readCounted(bytes: Buffer): number {
    const used = Math.min(this.#left, bytes.length);
    this.#left -= used;
    this.#sink.onBody(used === bytes.length ? bytes : bytes.subarray(0, used));
    if (this.#left > 0) return used;
    if (this.#state === 'chunk-data') this.#state = 'chunk-end';
    else this.#finish(this.#isPersistent);
    return used;
  }

  #readLine(bytes: Buffer, longest: number, take: (line: string) => void): number {
    const end = bytes.indexOf(lf);
    if (end < 0 ? bytes.length > longest : end > longest) throw new ResponseError('a line between chunks is too long');
    if (end < 0) return 0;
    if (bytes[end - 1] !== cr) throw new ResponseError('a line between chunks does not end in CR LF');
    take(bytes.toString('latin1', 0, end - 1));
    return end + 1;
  }

  #beginChunk(line: string): void {
    const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) throw new ResponseError('a chunk has no size');
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailer' : 'chunk-data';
  }

  #readTrailer(line: string): void {
    this.#trailerBytes += line.length;
    if (this.#trailerBytes > longestTrailer) throw new ResponseError('the trailer is too long');
    if (line === '') this.#finish(this.#isPersistent);
  }

  #finish(reusable: boolean): void {
    this.#state = 'done';
    this.#sink.onEnd(reusable);
  }
}

const firstLine = /^HTTP\/(1\.[01]) ([1-9]\d{2})(?: .*)?$/;
const strayControl = /[\0\r]/;
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Names as providers write them, checked and in lower case: the same few come with every response. */
const knownNames = new Map<string, string>();
const mostNames = 500;

function lowerName(written: string): string {
  const known = knownNames.get(written);
  if (known !== undefined) return known;
  // Also refuses folded lines and spaces before the colon.
  if (!headerName.test(written)) throw new ResponseError('a header has no proper name');
  const lower = written.toLowerCase();
  if (knownNames.size < mostNames) knownNames.set(written, lower);
  return lower;
}

function parseHead(head: string): { status: number; version: string; headers: ResponseHeaders } {
  const lines = head.split('\r\n');
  const [, version, status] = firstLine.exec(lines[0] ?? '') ?? [];
  if (version === undefined) throw new ResponseError('the peer does not speak HTTP/1.1');
  const headers = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (strayControl.test(line) || line.includes('\n')) throw new ResponseError('a header holds control characters');
    const colon = line.indexOf(':');
    const name = lowerName(line.slice(0, Math.max(0, colon)));
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(status), version, headers };
}

/** Bytes of the body, or how its end is found (RFC 9112, 6.3). */
function framingOf(status: number, headers: ResponseHeaders): number | 'chunked' | 'until-close' {
  const coding = headers.get('transfer-encoding');
  const length = headers.get('content-length');
  if (coding !== undefined && length !== undefined) throw new ResponseError('the response has two lengths');
  if (status === 204 || status === 304) return 0;
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new ResponseError('the response has a transfer coding that nobody asked for');
    return 'chunked';
  }
  if (length === undefined) return 'until-close';
  // Repeated ones come here as "5, 5", and are refused as well.
  if (!/^\d{1,15}$/.test(length)) throw new ResponseError('the length of the response is no number');
  return Number(length);
}

/**
 * Requests to providers over kept connections, HTTP/1.1 on `net` and `tls`. Passing bytes on costs about a quarter
 * less than with the client of undici (docs/performance.md). No redirects, no decoding, no retries beyond one: a
 * connection that the peer closed while it was idle is replaced.
 */
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { writeWithOthers } from './write-batch.ts';
import { ResponseParser, type ResponseHead } from './response-parser.ts';

export interface ProviderRequest {
  /** As `https://api.example.com`. */
  readonly origin: string;
  /** With its query. */
  readonly path: string;
  /** As they are written, each ended by CR LF; printable ASCII only, without host and length. */
  readonly headers: string;
  readonly body: string;
  /** Longest wait for a connection, for the first byte, and between two, in milliseconds. */
  readonly timeoutMs: number;
  /** When the answer must be whole, on the clock of `performance.now()`: without it a provider that drips would hold us for ever. */
  readonly deadline: number;
}

/** Exactly one of `onEnd` and `onError` ends the exchange, unless it was aborted: then nothing comes any more. */
export interface ExchangeHandler {
  onHead(head: ResponseHead): void;
  onBody(chunk: Buffer): void;
  onEnd(): void;
  onError(kind: 'timeout' | 'connect'): void;
}

export interface Exchange {
  abort(): void;
  pause(): void;
  resume(): void;
}

export interface ProviderClient {
  send(request: ProviderRequest, handler: ExchangeHandler): Exchange;
  close(): void;
}

/** Of one origin; more requests wait their turn. */
const mostConnections = 1024;
/** Providers close idle connections after a minute or so; we are earlier, so that a request does not meet a closing one. */
const idleMs = 30_000;
/** A connection that was closed before our request came says so within about a round trip. */
const closingMs = 100;

export function createProviderClient(): ProviderClient {
  const origins = new Map<string, Origin>();
  return {
    send(request, handler) {
      let origin = origins.get(request.origin);
      if (origin === undefined) origins.set(request.origin, (origin = new Origin(request.origin)));
      const job = new Job(request, handler);
      origin.start(job);
      return job;
    },
    close() {
      for (const origin of origins.values()) origin.close();
    },
  };
}

class Origin {
  readonly #url: URL;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #waiting = new Set<Job>();

  constructor(origin: string) {
    this.#url = new URL(origin);
  }

  get host(): string {
    return this.#url.host;
  }

  start(job: Job): void {
    const connection = this.#idle.pop() ?? (this.#all.size < mostConnections ? this.#open() : undefined);
    if (connection === undefined) {
      this.#waiting.add(job);
      job.waitsFor(() => this.#waiting.delete(job));
    } else connection.carry(job);
  }

  /** A connection that is like new, for a job whose first one turned out to be closed. */
  startFresh(job: Job): void {
    this.#open().carry(job);
  }

  isFree(connection: Connection): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#idle.push(connection);
      return;
    }
    this.#waiting.delete(next);
    connection.carry(next);
  }

  isGone(connection: Connection): void {
    this.#all.delete(connection);
    const index = this.#idle.lastIndexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    const [next] = this.#waiting;
    if (next === undefined || this.#all.size >= mostConnections) return;
    this.#waiting.delete(next);
    this.startFresh(next);
  }

  close(): void {
    for (const connection of this.#all) connection.destroy();
  }

  #open(): Connection {
    const { protocol, hostname, port } = this.#url;
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const isTls = protocol === 'https:';
    const address = { host, port: Number(port === '' ? (isTls ? 443 : 80) : port), noDelay: true };
    const socket = isTls
      ? connectTls({ ...address, ALPNProtocols: ['http/1.1'], ...(isIP(host) === 0 ? { servername: host } : {}) })
      : connectPlain(address);
    const connection = new Connection(socket, this);
    this.#all.add(connection);
    return connection;
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #origin: Origin;
  #job: Job | null = null;
  #parser: ResponseParser | null = null;
  #served = 0;
  #carriedAt = 0;
  #timeoutMs = 0;

  constructor(socket: Socket, origin: Origin) {
    this.#socket = socket;
    this.#origin = origin;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('end', () => this.#ended());
    socket.on('timeout', () => this.#fail('timeout'));
    socket.on('error', () => this.#fail('connect'));
    socket.on('close', () => this.#fail('connect'));
  }

  carry(job: Job): void {
    this.#job = job;
    if (this.#served > 0) this.#carriedAt = performance.now();
    this.#parser = new ResponseParser({
      onHead: (head) => job.handler.onHead(head),
      onBody: (chunk) => job.handler.onBody(chunk),
      onEnd: (reusable) => this.#finished(job, reusable),
    });
    job.isCarriedBy(this);
    this.#setTimeout(job.request.timeoutMs);
    writeWithOthers(this.#socket);
    this.#socket.write(job.text(this.#origin.host), job.encoding);
  }

  pause(): void {
    this.#socket.pause();
    // A client that reads slowly is no provider that is silent.
    this.#setTimeout(0);
  }

  resume(): void {
    this.#socket.resume();
    if (this.#job !== null) this.#setTimeout(this.#job.request.timeoutMs);
  }

  /** The job ends without a word. */
  destroy(): void {
    this.#job?.isOver();
    this.#job = null;
    this.#origin.isGone(this);
    this.#socket.destroy();
  }

  /** Only where it changes: each call makes a new timer. */
  #setTimeout(ms: number): void {
    if (ms === this.#timeoutMs) return;
    this.#timeoutMs = ms;
    this.#socket.setTimeout(ms);
  }

  #read(bytes: Buffer): void {
    // Nobody asked: a peer that says something by itself is saying goodbye, or is no HTTP server.
    if (this.#parser === null || this.#job === null) {
      this.destroy();
      return;
    }
    if (performance.now() > this.#job.request.deadline) {
      this.#fail('timeout');
      return;
    }
    try {
      this.#parser.push(bytes);
    } catch {
      this.#fail('connect');
    }
  }

  #ended(): void {
    if (this.#parser?.close() !== true) this.#fail('connect');
  }

  #finished(job: Job, reusable: boolean): void {
    // From now on the connection may carry somebody else's.
    job.isOver();
    this.#job = null;
    this.#parser = null;
    this.#served++;
    if (reusable) {
      if (this.#timeoutMs === 0 || this.#timeoutMs > idleMs) this.#setTimeout(idleMs);
      if (this.#socket.isPaused()) this.#socket.resume();
      this.#origin.isFree(this);
    } else this.destroy();
    job.handler.onEnd();
  }

  #fail(kind: 'timeout' | 'connect'): void {
    const job = this.#job;
    const wasIdle = this.#served > 0 && this.#parser?.isFresh === true && performance.now() - this.#carriedAt < closingMs;
    this.destroy();
    if (job === null) return;
    // The peer had closed it when our request was on its way: after longer it may have worked on it, and a second one would be paid for.
    if (kind === 'connect' && wasIdle && job.mayStartAgain()) this.#origin.startFresh(job);
    else job.handler.onError(kind);
  }
}

class Job implements Exchange {
  readonly request: ProviderRequest;
  readonly handler: ExchangeHandler;
  #connection: Connection | null = null;
  readonly #bodyBytes: number;
  #isAborted = false;
  #restarts = 0;
  #patience: NodeJS.Timeout | undefined;
  #stopWaiting: (() => void) | undefined;

  constructor(request: ProviderRequest, handler: ExchangeHandler) {
    this.request = request;
    this.#bodyBytes = Buffer.byteLength(request.body);
    this.handler = handler;
  }

  /** Of a text in ASCII, which nearly all are, one byte a character: the cheaper way to write it. */
  get encoding(): 'latin1' | 'utf8' {
    return this.#bodyBytes === this.request.body.length ? 'latin1' : 'utf8';
  }

  text(host: string): string {
    const { path, headers, body } = this.request;
    return `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${this.#bodyBytes}\r\n${headers}\r\n${body}`;
  }

  waitsFor(stop: () => void): void {
    this.#stopWaiting = stop;
    this.#patience = setTimeout(() => {
      stop();
      this.handler.onError('timeout');
    }, this.request.timeoutMs);
  }

  isCarriedBy(connection: Connection): void {
    clearTimeout(this.#patience);
    this.#connection = connection;
  }

  /** What is aborted, paused or resumed after this has nothing to do with any connection. */
  isOver(): void {
    this.#connection = null;
  }

  mayStartAgain(): boolean {
    return !this.#isAborted && this.#restarts++ === 0;
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    clearTimeout(this.#patience);
    this.#stopWaiting?.();
    this.#connection?.destroy();
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }
}

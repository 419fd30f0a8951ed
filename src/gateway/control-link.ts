/** The gateway's line to the control plane: assignments in, acknowledgements and buckets out. Its loss stops no traffic. */
import { request, type Dispatcher } from 'undici';
import { messageOf } from '../base/failures.ts';
import type { Acknowledgement, Assignment, BucketBatch } from '../generated/types.ts';
import type { Log } from '../ports/log.ts';
import type { AssignmentTable } from './assignment-table.ts';
import { createEventParser, type StreamEvent } from './event-stream.ts';
import type { FeedbackDesk } from './feedback.ts';
import type { Recorder } from './recorder.ts';
import type { RequestIds } from './request-id.ts';
import type { SpendingLedger, SpendingReport } from './spending.ts';

export interface ControlLinkOptions {
  readonly gateway: string;
  readonly controlPlane: string;
  readonly key: string;
  readonly table: AssignmentTable;
  readonly recorder: Recorder;
  readonly ledger: SpendingLedger;
  readonly ids: RequestIds;
  readonly feedback: FeedbackDesk;
  readonly agent: Dispatcher;
  readonly log: Log;
  /** Problems of a value that claims to be an assignment. */
  readonly checkAssignment: (value: unknown) => readonly string[];
  /** Called after something that must be known at the next start was learnt. */
  readonly persist: () => void;
  /** The key of request ids, from the control plane: the same for the whole fleet. */
  readonly onRequestIdKey: (base64: string) => void;
  /** Random for this start of the process. */
  readonly epoch: string;
}

export interface ControlLink {
  readonly connected: () => boolean;
  /** Assignments that this gateway could not serve, by service. */
  readonly refusals: () => Readonly<Record<string, readonly string[]>>;
  /** Ships what is left, then closes. */
  close(): Promise<void>;
}

class RefusedError extends Error {}

const heartbeatSeconds = 10;
/** Ten minutes of buckets are kept while the control plane is away. */
const keptBatches = 600;

export function openControlLink(options: ControlLinkOptions): ControlLink {
  const closing = new AbortController();
  let connected = false;
  const refusals = new Map<string, readonly string[]>();
  const shipper = createShipper(options);
  const timer = setInterval(() => void shipper.ship(), 1000);

  async function run(): Promise<void> {
    let delay = 100;
    while (!closing.signal.aborted) {
      try {
        await follow(options, refusals, closing.signal, () => {
          connected = true;
          delay = 100;
        });
      } catch (thrown) {
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- aborted while it was awaited
        if (!closing.signal.aborted) options.log.warn({ error: messageOf(thrown) }, 'assignment stream lost');
      }
      connected = false;
      await pause(delay * (0.75 + Math.random() / 2), closing.signal);
      delay = Math.min(delay * 2, 5000);
    }
  }

  const running = run();
  return {
    connected: () => connected,
    refusals: () => Object.fromEntries(refusals),
    async close() {
      clearInterval(timer);
      await shipper.ship();
      closing.abort();
      await running;
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

/** Reads the stream until it ends or falls silent for 40 s (leases come every 10 s). */
async function follow(
  options: ControlLinkOptions,
  refusals: Map<string, readonly string[]>,
  signal: AbortSignal,
  onOpen: () => void,
): Promise<void> {
  const url = `${options.controlPlane}/api/v1/gateway/assignments?gateway=${encodeURIComponent(options.gateway)}`;
  const { statusCode, body } = await request(url, {
    dispatcher: options.agent,
    headers: { authorization: `Bearer ${options.key}`, accept: 'text/event-stream' },
    headersTimeout: 10_000,
    bodyTimeout: 40_000,
    signal,
  });
  if (statusCode !== 200) {
    const text = await body.text();
    throw new Error(`the control plane answered ${statusCode}: ${text.slice(0, 200)}`);
  }
  onOpen();
  const parse = createEventParser((event) => take(options, refusals, event));
  body.setEncoding('utf8');
  for await (const chunk of body) parse(String(chunk));
}

function take(options: ControlLinkOptions, refusals: Map<string, readonly string[]>, { event, data }: StreamEvent): void {
  const value: unknown = JSON.parse(data);
  switch (event) {
    case 'lease':
      options.table.renewLease(performance.now() + (value as { seconds: number }).seconds * 1000);
      break;
    case 'assignment':
      takeAssignment(options, refusals, value);
      break;
    case 'spending':
      options.ledger.learn(value as SpendingReport);
      options.persist();
      break;
    case 'request-id-key':
      options.onRequestIdKey((value as { key: string }).key);
      options.persist();
      break;
    default:
    // Of a newer control plane: what it means by it is not for us.
  }
}

function takeAssignment(options: ControlLinkOptions, refusals: Map<string, readonly string[]>, value: unknown): void {
  const invalid = options.checkAssignment(value);
  const assignment = value as Assignment;
  const outcome = invalid.length > 0 ? ({ ok: false, error: invalid } as const) : options.table.apply(assignment);
  if (outcome.ok && outcome.value === 'ignored') return;
  if (outcome.ok) refusals.delete(assignment.service);
  else refusals.set(assignment.service, outcome.error);
  if (outcome.ok) options.persist();
  else options.log.error({ service: assignment.service, problems: outcome.error }, 'assignment refused');
  const answer: Acknowledgement = {
    gateway: options.gateway,
    service: assignment.service,
    term: assignment.term,
    generation: assignment.generation,
    applied: outcome.ok,
    problems: outcome.ok ? [] : outcome.error.slice(0, 50).map((problem) => problem.slice(0, 1000)),
  };
  // A lost acknowledgement is made good at the next connection, which begins with all assignments.
  post(options, 'acknowledgements', answer).catch((thrown: unknown) =>
    options.log.warn({ error: messageOf(thrown) }, 'acknowledgement lost'),
  );
}

async function post(options: ControlLinkOptions, path: string, value: object): Promise<void> {
  const { statusCode, body } = await request(`${options.controlPlane}/api/v1/gateway/${path}`, {
    dispatcher: options.agent,
    method: 'POST',
    headers: { authorization: `Bearer ${options.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(value),
    headersTimeout: 5000,
    bodyTimeout: 5000,
  });
  await body.dump();
  if (statusCode === 400 || statusCode === 413) throw new RefusedError(`the control plane answered ${statusCode} to ${path}`);
  if (statusCode >= 300) throw new Error(`the control plane answered ${statusCode} to ${path}`);
}

/** A batch that is refused as such would be refused again and hold up all that come after it. */
async function shipOne(options: ControlLinkOptions, batch: BucketBatch): Promise<void> {
  try {
    await post(options, 'buckets', batch);
  } catch (thrown) {
    if (!(thrown instanceof RefusedError)) throw thrown;
    options.log.error({ error: thrown.message, seq: batch.seq }, 'measurements refused by the control plane, dropped');
  }
}

/** Numbered, in order, until each is taken. A batch may arrive twice; its number tells. */
function createShipper(options: ControlLinkOptions): { ship(): Promise<void> } {
  const waiting: { readonly batch: BucketBatch; readonly arrived: () => void }[] = [];
  let seq = 0;
  let sinceLast = 0;
  let busy = false;
  return {
    async ship() {
      const buckets = options.recorder.take();
      const comments = options.feedback.takeComments();
      // An empty batch now and then is the sign of life that keeps the lease.
      const isDue = ++sinceLast >= heartbeatSeconds;
      if (buckets.length > 0 || comments.length > 0 || (isDue && waiting.length === 0)) {
        sinceLast = 0;
        const batch = { gateway: options.gateway, epoch: options.epoch, seq: ++seq, buckets, comments };
        waiting.push({ batch, arrived: options.ledger.ship() });
      }
      if (waiting.length > keptBatches) {
        waiting.shift();
        options.log.warn({}, 'measurements dropped, the control plane is away for too long');
      }
      if (busy) return;
      busy = true;
      try {
        for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
          await shipOne(options, next.batch);
          next.arrived();
          // Not whatever is first: the one just sent may have been dropped for its age meanwhile.
          if (waiting[0] === next) waiting.shift();
        }
      } catch {
        // They stay in line for the next second.
      } finally {
        busy = false;
      }
    },
  };
}

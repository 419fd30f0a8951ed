/** Steady traffic on a gateway: plain, streamed, and by the openai package. Bounded in rate and time. */
import OpenAI from 'openai';
import { Agent, request } from 'undici';
import { injectedErrorCode } from './mock-provider.ts';

export interface LoadCounts {
  requests: number;
  streamed: number;
  viaSdk: number;
  /** Failures that the provider's knobs caused. */
  failedByProvider: number;
  /** Any other failure that a client saw. */
  failedByUs: number;
  readonly canary: { requests: number };
  readonly samples: string[];
}

export interface Load {
  readonly counts: LoadCounts;
  /** Stops sending, and waits for what is under way. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  readonly gateway: string;
  readonly service: string;
  /** Requests per second of each kind. */
  readonly plain: number;
  readonly streamed: number;
  readonly sdk: number;
  readonly longestMs: number;
}

export function startLoad(options: LoadOptions): Load {
  const counts: LoadCounts = {
    requests: 0,
    streamed: 0,
    viaSdk: 0,
    failedByProvider: 0,
    failedByUs: 0,
    canary: { requests: 0 },
    samples: [],
  };
  const agent = new Agent({ connections: 200 });
  // No retries: a failure must be seen, not hidden.
  const client = new OpenAI({ baseURL: `${options.gateway}/v1`, apiKey: 'demo', maxRetries: 0 });
  const open = new Set<Promise<void>>();
  const track = (work: Promise<void>): void => {
    const done = work.catch((thrown: unknown) => failedByUs(counts, thrown)).finally(() => open.delete(done));
    open.add(done);
  };
  const timers = [
    every(options.plain, () => track(send(agent, options, counts, false))),
    every(options.streamed, () => track(send(agent, options, counts, true))),
    every(options.sdk, () => track(sendBySdk(client, options, counts))),
  ];
  let stopping: Promise<void> | null = null;
  const limit = setTimeout(() => stopTimers(timers), options.longestMs);
  return {
    counts,
    stop() {
      stopping ??= (async () => {
        clearTimeout(limit);
        stopTimers(timers);
        await Promise.all(open);
        await agent.close();
      })();
      return stopping;
    },
  };
}

function stopTimers(timers: readonly NodeJS.Timeout[]): void {
  for (const timer of timers) clearInterval(timer);
}

/** Open loop: whatever the answers do, the rate stays. */
function every(perSecond: number, send: () => void): NodeJS.Timeout {
  const startedAt = performance.now();
  let sent = 0;
  return setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
    for (; sent < due; sent++) send();
  }, 10);
}

function failedByUs(counts: LoadCounts, thrown: unknown): void {
  counts.failedByUs++;
  if (counts.samples.length < 10) counts.samples.push(thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown));
}

const messages = [{ role: 'user' as const, content: 'How do I reset my password?' }];

async function send(agent: Agent, { gateway, service }: LoadOptions, counts: LoadCounts, stream: boolean): Promise<void> {
  counts.requests++;
  if (stream) counts.streamed++;
  const { statusCode, headers, body } = await request(`${gateway}/v1/chat/completions`, {
    dispatcher: agent,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: service, stream, messages }),
  });
  const text = await body.text();
  if (headers['x-actuator-variant'] === 'canary') counts.canary.requests++;
  if (statusCode === 200 && (!stream || text.endsWith('data: [DONE]\n\n'))) return;
  if (text.includes(injectedErrorCode)) counts.failedByProvider++;
  else throw new Error(`status ${statusCode}: ${text.slice(0, 200)}`);
}

async function sendBySdk(client: OpenAI, { service }: LoadOptions, counts: LoadCounts): Promise<void> {
  counts.requests++;
  counts.viaSdk++;
  const stream = counts.viaSdk % 2 === 0;
  try {
    if (stream) {
      counts.streamed++;
      let text = '';
      for await (const chunk of await client.chat.completions.create({ model: service, stream: true, messages }))
        text += chunk.choices[0]?.delta.content ?? '';
      if (text === '') throw new Error('an empty stream');
    } else {
      const answer = await client.chat.completions.create({ model: service, messages });
      if (answer.choices[0]?.message.content == null) throw new Error('an empty answer');
    }
  } catch (thrown) {
    if (thrown instanceof OpenAI.APIError && thrown.code === injectedErrorCode) counts.failedByProvider++;
    else throw thrown;
  }
}

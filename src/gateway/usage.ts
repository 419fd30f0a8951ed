/** Tokens, cost and completeness from the end of an answer, without parsing the rest of it. */
import { isObject } from '../base/json.ts';
import type { AssignmentPrices } from '../generated/types.ts';
import type { ServedModel } from './served.ts';
import type { Usage } from './recorder.ts';

const tailBytes = 16 * 1024;

/** Keeps the last bytes of an answer that passes through. */
export interface Tail {
  push(chunk: Buffer): void;
  text(): string;
}

export function createTail(): Tail {
  let chunks: Buffer[] = [];
  let size = 0;
  return {
    push(chunk) {
      chunks.push(chunk);
      size += chunk.length;
      while (chunks.length > 1 && size - (chunks[0]?.length ?? 0) >= tailBytes) size -= chunks.shift()?.length ?? 0;
    },
    text() {
      const [only] = chunks;
      const whole = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
      chunks = [];
      return whole.subarray(-tailBytes).toString('utf8');
    },
  };
}

/** The last `"usage": {...}` of the answer, plain or streamed; null when there is none. */
export function usageOf(tail: string): Usage | null {
  for (let at = tail.lastIndexOf('"usage"'); at >= 0; at = tail.lastIndexOf('"usage"', at - 1)) {
    const open = tail.indexOf('{', at);
    const between = open < 0 ? 'x' : tail.slice(at + 7, open).trim();
    const usage = between === ':' ? parseUsage(balanced(tail, open)) : null;
    if (usage !== null) return usage;
    if (at === 0) break;
  }
  return null;
}

/** Usage objects hold numbers and objects only, so braces inside strings need no care. */
function balanced(text: string, open: number): string {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x7b) depth++;
    else if (code === 0x7d && --depth === 0) return text.slice(open, i + 1);
  }
  return '';
}

function parseUsage(text: string): Usage | null {
  try {
    const usage: unknown = JSON.parse(text);
    if (!isObject(usage)) return null;
    // Chat, completions and embeddings; the responses API has names of its own.
    const input = usage['prompt_tokens'] ?? usage['input_tokens'];
    const output = usage['completion_tokens'] ?? usage['output_tokens'] ?? 0;
    if (!isCount(input) || !isCount(output)) return null;
    return { inputTokens: input, outputTokens: output };
  } catch {
    return null;
  }
}

/** A provider's numbers are not to be trusted: an infinite one would make the bucket unreadable. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** US dollars; null when the price or the usage is unknown. */
export function costOf(model: ServedModel, usage: Usage | null): number | null {
  return priceOf(model.prices, usage);
}

export function priceOf(prices: AssignmentPrices | null, usage: Usage | null): number | null {
  if (prices === null || usage === null) return null;
  const { input_per_million_usd: input, output_per_million_usd: output } = prices;
  return (usage.inputTokens * input + usage.outputTokens * output) / 1e6;
}

const streamEnd = /(^|\n)data: ?\[DONE\]\s*$|"finish_reason"\s*:\s*"|"type"\s*:\s*"response\.(completed|incomplete)"/;
const streamError = /(^|\n)data: ?\{\s*"error"\s*:|"type"\s*:\s*"(response\.failed|error)"/;
const plainError = /^\s*\{\s*"error"\s*:\s*[{"]/;

/**
 * Whether an answer with a good status is one: a stream came to its end (`[DONE]` at its end, a finish reason, or the completed event of
 * the responses API) and says no error on its way, any other answer is a JSON object to its last brace, and no error.
 */
export function isWhole(tail: string, isStream: boolean): boolean {
  if (isStream) return streamEnd.test(tail) && !streamError.test(tail);
  const end = tail.lastIndexOf('}');
  return end >= 0 && end >= tail.length - 3 && !plainError.test(tail);
}

/**
 * Takes the chunk that holds usage only out of what a client gets who did not ask for it. An event that is cut across two chunks
 * stays: it has no choices, and clients pass over it.
 */
export function withoutUsageEvent(chunk: Buffer): Buffer {
  if (!chunk.includes('"usage"')) return chunk;
  const text = chunk.toString('latin1');
  const kept = text.replace(/(?<=^|\n\n|\r\n\r\n)data: ?(\{[^\n]*\})(?:\r?\n){2}/g, (event, json: string) =>
    isUsageOnly(json) ? '' : event,
  );
  return kept.length === text.length ? chunk : Buffer.from(kept, 'latin1');
}

function isUsageOnly(json: string): boolean {
  try {
    const event: unknown = JSON.parse(json);
    return isObject(event) && Array.isArray(event['choices']) && event['choices'].length === 0 && isObject(event['usage']);
  } catch {
    return false;
  }
}

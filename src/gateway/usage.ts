/** Tokens and cost from the end of an answer, without parsing the rest of it. */
import { isObject } from '../base/json.ts';
import type { ServedModel } from './assignment-table.ts';
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
      const text = Buffer.concat(chunks).subarray(-tailBytes).toString('utf8');
      chunks = [];
      return text;
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
    if (text[i] === '{') depth++;
    if (text[i] === '}' && --depth === 0) return text.slice(open, i + 1);
  }
  return '';
}

function parseUsage(text: string): Usage | null {
  try {
    const usage: unknown = JSON.parse(text);
    if (!isObject(usage)) return null;
    const [input, output] = [usage['prompt_tokens'], usage['completion_tokens'] ?? 0];
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
  if (model.prices === null || usage === null) return null;
  const { input_per_million_usd: input, output_per_million_usd: output } = model.prices;
  return (usage.inputTokens * input + usage.outputTokens * output) / 1e6;
}

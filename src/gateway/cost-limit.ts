/** `per_request_limit_usd`: what one request may cost at most. */
import type { AssignmentCostControls } from '../generated/types.ts';
import type { Body, Endpoint } from './endpoints.ts';
import type { Refusal } from './failure.ts';
import { setTokenLimit } from './outgoing.ts';
import type { ServedRoute } from './served.ts';

/** English has about four characters a token, other languages and code fewer. Too high an estimate only shortens what is allowed. */
const charactersPerToken = 3;

/**
 * Lowers the answer's token limit in `body` so that prompt and longest answers together stay below the limit; a refusal when the
 * prompt alone does not. All of the body counts as prompt (tools and schemas are read too) but for what is sent as data: images and
 * audio, whose tokens are known to the provider only.
 */
export function fitCost(
  endpoint: Endpoint,
  body: Body,
  route: ServedRoute,
  { per_request_limit_usd: limitUsd }: AssignmentCostControls,
  tokenLimit: number | null,
): Refusal | null {
  const { prices } = route.model;
  if (limitUsd === null || prices === null) return null;
  const answers = answersOf(body);
  if (answers === null) return refusal('"n" and "best_of" must be whole numbers from 1, so that the cost of the request is known.');
  const inputUsd = (inputTokens(body) * prices.input_per_million_usd) / 1e6;
  const affordable = Math.floor(((limitUsd - inputUsd) * 1e6) / prices.output_per_million_usd);
  const most = Math.floor(affordable / answers);
  if (inputUsd > limitUsd || (endpoint.tokenLimits.length > 0 && most < 1)) {
    return refusal(`The prompt alone would cost about ${inputUsd.toFixed(4)} US dollars, and one request may cost ${limitUsd}.`);
  }
  // Without a limit the model's own holds; asking for exactly that many would fail where the context window has no room for them.
  const longest = tokenLimit ?? Number(route.model.limits['max_output_tokens'] ?? Infinity);
  if (endpoint.tokenLimits.length > 0 && longest > most) setTokenLimit(endpoint, body, route, most);
  return null;
}

function refusal(message: string): Refusal {
  return { status: 400, code: 'request_too_expensive', message, source: 'client' };
}

/** Answers that are generated, and paid for, at once; null when that can't be told. */
function answersOf(body: Body): number | null {
  const counts = [body['n'] ?? 1, body['best_of'] ?? 1];
  return counts.every((count): count is number => Number.isInteger(count) && (count as number) >= 1) ? Math.max(...counts) : null;
}

/** A prompt in numbers has one token each; anything else is estimated by its characters, without data. */
function inputTokens(body: Body): number {
  let numbers = 0;
  let characters = 0;
  function add(value: unknown, key: string): void {
    if (typeof value === 'string') characters += isData(value, key) ? 0 : value.length;
    else if (typeof value === 'number') numbers++;
    else if (typeof value === 'object' && value !== null) for (const [name, part] of Object.entries(value)) add(part, name);
  }
  add(body, '');
  return numbers + Math.ceil(characters / charactersPerToken);
}

function isData(text: string, key: string): boolean {
  return text.startsWith('data:') || (key === 'data' && text.length > 1000) || (key === 'file_data' && text.length > 1000);
}

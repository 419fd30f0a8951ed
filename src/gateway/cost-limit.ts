/** `per_request_limit_usd`: what one request may cost at most. */
import type { AssignmentCostControls } from '../generated/types.ts';
import type { Body, Endpoint } from './endpoints.ts';
import type { Refusal } from './failure.ts';
import { setTokenLimit } from './outgoing.ts';
import type { ServedRoute } from './served.ts';

/** English has about four characters a token, other languages and code fewer. Too high an estimate only shortens what is allowed. */
const charactersPerToken = 3;

/**
 * Lowers the answer's token limit in `body` so that prompt and longest answer together stay below the limit; a refusal when the
 * prompt alone does not. Images and audio are not counted: their tokens are known to the provider only.
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
  const characters = endpoint.texts(body).reduce((sum, text) => sum + text.length, 0);
  const inputUsd = (Math.ceil(characters / charactersPerToken) * prices.input_per_million_usd) / 1e6;
  const affordable = Math.floor(((limitUsd - inputUsd) * 1e6) / prices.output_per_million_usd);
  const answers = typeof body['n'] === 'number' && body['n'] >= 1 ? body['n'] : 1;
  const most = Math.floor(affordable / answers);
  if (inputUsd > limitUsd || (endpoint.tokenLimits.length > 0 && most < 1)) {
    return {
      status: 400,
      code: 'request_too_expensive',
      message: `The prompt alone would cost about ${inputUsd.toFixed(4)} US dollars, and one request may cost ${limitUsd}.`,
      source: 'client',
    };
  }
  // Without a limit the model's own holds; asking for exactly that many would fail where the context window has no room for them.
  const longest = tokenLimit ?? Number(route.model.limits['max_output_tokens'] ?? Infinity);
  if (endpoint.tokenLimits.length > 0 && longest > most) setTokenLimit(endpoint, body, route, most);
  return null;
}

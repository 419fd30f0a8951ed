/** From the client's request to the one that the provider gets. */
import { isObject } from '../base/json.ts';
import { renderTemplate, type Template } from '../domain/config/template.ts';
import type { Body, Endpoint } from './endpoints.ts';
import type { TemplateValues } from './request-input.ts';
import type { ServedRoute, ServedVariant } from './served.ts';

export interface Outgoing {
  readonly body: Body;
  /** Most tokens of the answer; null when nobody limits them. */
  readonly tokenLimit: number | null;
}

/** The configuration wins over the client, save for `client_overrides`; what we do not know passes through untouched. */
export function outgoing(endpoint: Endpoint, received: Readonly<Body>, variant: ServedVariant, route: ServedRoute): Outgoing {
  const body: Body = { ...received, model: route.model.upstream_model };
  delete body['template_variables'];
  for (const [parameter, value] of Object.entries(route.parameters)) {
    const field = endpoint.fields[parameter];
    if (field === undefined || parameter === 'max_tokens') continue;
    if (!(variant.clientOverrides.has(parameter) && received[field] !== undefined)) body[field] = value;
  }
  const tokenLimit = limitTokens(endpoint, body, variant, route);
  if (endpoint.asksForUsage && body['stream'] === true) {
    const asked = isObject(body['stream_options']) ? body['stream_options'] : {};
    body['stream_options'] = { ...asked, include_usage: true };
  }
  return { body, tokenLimit };
}

/** One limit under the name that the model knows: two at once are refused by providers. */
function limitTokens(endpoint: Endpoint, body: Body, variant: ServedVariant, route: ServedRoute): number | null {
  const asked = endpoint.tokenLimits.map((field) => body[field]).find((value) => typeof value === 'number');
  const own = route.parameters['max_tokens'];
  const limit = asked !== undefined && (variant.clientOverrides.has('max_tokens') || own === undefined) ? asked : own;
  if (typeof limit !== 'number') return null;
  setTokenLimit(endpoint, body, route, limit);
  return limit;
}

export function setTokenLimit(endpoint: Endpoint, body: Body, route: ServedRoute, limit: number): void {
  for (const field of endpoint.tokenLimits) body[field] = undefined;
  const field = endpoint.tokenLimits.includes(route.model.token_limit_parameter)
    ? route.model.token_limit_parameter
    : endpoint.tokenLimits[0];
  if (field !== undefined) body[field] = limit;
}

/** A template with `{question}` takes the place of the last question; any other comes before everything. */
export function applyTemplate(endpoint: Endpoint, body: Body, template: Template, values: TemplateValues): void {
  const text = renderTemplate(template, values);
  if (template.variables.has('question')) endpoint.replaceQuestion(body, text);
  else endpoint.instruct(body, text);
  if (!isObject(body['metadata'])) return;
  const rest = Object.entries(body['metadata']).filter(([key]) => !template.fields.has(key));
  if (rest.length === 0) delete body['metadata'];
  else body['metadata'] = Object.fromEntries(rest);
}

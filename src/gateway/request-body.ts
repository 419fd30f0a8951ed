/** From the client's chat completion to the one that the provider gets. */
import { isObject } from '../base/json.ts';
import { renderTemplate, type Template, type TemplateVariable } from '../domain/config/template.ts';
import type { ConditionInput } from '../domain/routing/conditions.ts';
import type { ServedRoute, ServedVariant } from './assignment-table.ts';

export type ChatBody = Readonly<Record<string, unknown>>;
export interface RequestHeaders {
  readonly [name: string]: string | string[] | undefined;
}

/** What routing conditions look at. `task` comes from the body's `metadata`; numbers written as text count as numbers. */
export function conditionInput(body: ChatBody, headers: RequestHeaders): ConditionInput {
  const metadata = isObject(body['metadata']) ? body['metadata'] : {};
  const messages = Array.isArray(body['messages']) ? (body['messages'] as unknown[]) : [];
  const budget = Number(headers['x-actuator-cost-budget']);
  return {
    task: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, numeric(key, value)])),
    request: {
      stream: body['stream'] === true,
      message_count: messages.length,
      prompt_characters: messages.reduce<number>((sum, message) => sum + textOf(message).length, 0),
      has_tools: Array.isArray(body['tools']) && body['tools'].length > 0,
      ...(typeof body['max_tokens'] === 'number' ? { max_tokens: body['max_tokens'] } : {}),
    },
    user: {
      ...withText('id', headers['x-user-id'] ?? body['safety_identifier'] ?? body['user']),
      ...withText('tier', metadata['user_tier']),
    },
    ...(Number.isFinite(budget) && headers['x-actuator-cost-budget'] !== undefined ? { cost_budget: budget } : {}),
  };
}

function numeric(key: string, value: unknown): unknown {
  const isNumber = key === 'latency_budget' || key === 'quality_required';
  return isNumber && typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value;
}

function withText(key: string, value: unknown): Record<string, string> {
  return typeof value === 'string' && value !== '' ? { [key]: value } : {};
}

/** The first route whose condition is true. `skipped` counts rules that could not be evaluated because a field is missing. */
export function chooseRoute(
  variant: ServedVariant,
  input: () => ConditionInput,
): { readonly route: ServedRoute; readonly skipped: number } {
  let skipped = 0;
  let known: ConditionInput | undefined;
  for (const route of variant.routes) {
    if (route.condition === null) return { route, skipped };
    known ??= input();
    const verdict = route.condition(known);
    if (verdict === true) return { route, skipped };
    if (verdict === undefined) skipped++;
  }
  throw new Error('the last route has a condition');
}

/** The configuration wins over the client; what we do not know passes through untouched. */
export function upstreamBody(body: ChatBody, variant: ServedVariant, route: ServedRoute): ChatBody {
  const { parameters } = route;
  const sent: Record<string, unknown> = { ...body, ...parameters, model: route.model.upstream_model };
  // Two limits at once are refused by providers.
  if (parameters['max_tokens'] !== undefined) delete sent['max_completion_tokens'];
  if (sent['stream'] === true) {
    const asked = isObject(sent['stream_options']) ? sent['stream_options'] : {};
    sent['stream_options'] = { ...asked, include_usage: true };
  }
  if (variant.template !== null) applyTemplate(sent, variant.template);
  return sent;
}

/** A template with `{question}` takes the place of the last user message; any other becomes the system message. */
function applyTemplate(sent: Record<string, unknown>, template: Template): void {
  const messages = Array.isArray(sent['messages']) ? [...(sent['messages'] as unknown[])] : [];
  const last = messages.findLastIndex((message) => isObject(message) && message['role'] === 'user');
  const metadata = isObject(sent['metadata']) ? sent['metadata'] : {};
  const values: Partial<Record<TemplateVariable, string>> = { question: last < 0 ? '' : textOf(messages[last]) };
  for (const variable of template.variables) {
    const value = metadata[variable];
    if (variable !== 'question' && typeof value === 'string') values[variable] = value;
  }
  const text = renderTemplate(template, values);
  if (template.variables.has('question') && last >= 0) messages[last] = { ...(messages[last] as object), content: text };
  else messages.unshift({ role: 'system', content: text });
  sent['messages'] = messages;
  const rest = Object.entries(metadata).filter(([key]) => !template.variables.has(key as TemplateVariable));
  if (rest.length === 0) delete sent['metadata'];
  else sent['metadata'] = Object.fromEntries(rest);
}

function textOf(message: unknown): string {
  if (!isObject(message)) return '';
  const { content } = message;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: unknown) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : '')).join('');
}

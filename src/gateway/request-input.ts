/** What routing conditions and templates can see of a request. */
import { isObject } from '../base/json.ts';
import { fieldOf, type Template, type TemplateVariable } from '../domain/config/template.ts';
import type { ConditionInput } from '../domain/routing/conditions.ts';
import { sessionIdOf, userIdOf, type KeySource } from '../domain/traffic/request-key.ts';
import type { ServedRoute, ServedVariant } from './served.ts';
import type { Body, Endpoint } from './endpoints.ts';

/** `task` comes from the body's `metadata`; numbers written as text count as numbers where numbers are meant. */
export function conditionInput(endpoint: Endpoint, source: KeySource): ConditionInput {
  const { body } = source;
  const metadata = isObject(body['metadata']) ? body['metadata'] : {};
  const texts = endpoint.texts(body);
  const limit = endpoint.tokenLimits.map((field) => body[field]).find((value) => typeof value === 'number');
  const budget = source.header('x-actuator-cost-budget');
  return {
    task: taskOf(metadata),
    request: {
      stream: body['stream'] === true,
      message_count: texts.length,
      prompt_characters: texts.reduce((sum, text) => sum + text.length, 0),
      has_tools: Array.isArray(body['tools']) && body['tools'].length > 0,
      ...(limit === undefined ? {} : { max_tokens: limit }),
    },
    user: { ...withText('id', userIdOf(source)), ...withText('tier', metadata['user_tier']) },
    ...(budget !== undefined && Number.isFinite(Number(budget)) ? { cost_budget: Number(budget) } : {}),
  };
}

function taskOf(metadata: Readonly<Body>): Readonly<Body> {
  const task: Body = { ...metadata };
  for (const key of ['latency_budget', 'quality_required']) if (typeof task[key] === 'string') task[key] = numeric(task[key]);
  return task;
}

function numeric(text: string): number | string {
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
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

export type TemplateValues = Partial<Record<TemplateVariable, string>>;

/** Values for the variables that the template names; what the request does not say is left out. */
export function templateValues(template: Template, endpoint: Endpoint, source: KeySource, now: number): TemplateValues {
  const values: TemplateValues = {};
  for (const variable of template.variables) {
    const value = valueOf(variable, endpoint, source, now);
    if (value !== null) values[variable] = value;
  }
  return values;
}

function valueOf(variable: TemplateVariable, endpoint: Endpoint, source: KeySource, now: number): string | null {
  switch (variable) {
    case 'question':
      return endpoint.question(source.body);
    case 'date':
      return new Date(now).toISOString().slice(0, 10);
    case 'user_id':
      return userIdOf(source);
    case 'session_id':
      return sessionIdOf(source);
    default:
      return ownText(source.body, fieldOf(variable));
  }
}

/** `template_variables` is ours and has no limit of length; `metadata` is the API's own. */
function ownText(body: Readonly<Body>, name: string): string | null {
  for (const field of [body['template_variables'], body['metadata']]) {
    const value = isObject(field) && Object.hasOwn(field, name) ? field[name] : undefined;
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
  }
  return null;
}

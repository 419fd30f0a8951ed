/** Prompt templates: text with `{variables}`; `{{` and `}}` are braces. */
import { ok, refuse, type Result } from '../../base/result.ts';
import { suggestion } from '../../base/text.ts';

/**
 * `question` is the last user message. `user_id` and `session_id` are found as the split finds them, `date` is today in UTC. The others,
 * and any `metadata.<field>`, come from the request's `template_variables` or `metadata`.
 */
export const templateVariables = ['context', 'question', 'user_id', 'session_id', 'language', 'date'] as const;
export type TemplateVariable = (typeof templateVariables)[number] | `metadata.${string}`;

export interface Template {
  readonly parts: readonly (string | { readonly variable: TemplateVariable })[];
  readonly variables: ReadonlySet<TemplateVariable>;
  /** Where the request's own fields are read from: `metadata.x` is the field x. */
  readonly fields: ReadonlySet<string>;
}

function isVariable(name: string): name is TemplateVariable {
  return name.startsWith('metadata.') || (templateVariables as readonly string[]).includes(name);
}

/** Only `{identifier}` and `{metadata.identifier}` are variables, so that JSON examples inside a prompt need no escaping. */
export function parseTemplate(text: string): Result<Template, readonly string[]> {
  const problems: string[] = [];
  const parts: (string | { readonly variable: TemplateVariable })[] = [];
  const variables = new Set<TemplateVariable>();
  let last = 0;
  for (const match of text.matchAll(/\{\{|\}\}|\{(metadata\.[A-Za-z0-9_-]+|[A-Za-z_][A-Za-z0-9_]*)\}/g)) {
    parts.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    const name = match[1];
    if (name === undefined) parts.push(match[0].charAt(0));
    else if (isVariable(name)) {
      parts.push({ variable: name });
      variables.add(name);
    } else problems.push(`template variable "{${name}}" is not known.${suggestion(name, templateVariables)}`);
  }
  parts.push(text.slice(last));
  return problems.length > 0
    ? refuse(problems)
    : ok({ parts: parts.filter((part) => part !== ''), variables, fields: new Set([...variables].map(fieldOf)) });
}

/** The field of the request's metadata that gives the variable. */
export function fieldOf(variable: TemplateVariable): string {
  return variable.startsWith('metadata.') ? variable.slice(9) : variable;
}

/** A variable without a value becomes empty text. */
export function renderTemplate(template: Template, values: Partial<Record<TemplateVariable, string>>): string {
  return template.parts.map((part) => (typeof part === 'string' ? part : (values[part.variable] ?? ''))).join('');
}

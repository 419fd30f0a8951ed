/** Routing conditions in CEL: the one file that knows the evaluator. */
import { Environment } from '@marcbachmann/cel-js';
import { isObject } from '../../base/json.ts';
import { refuse, ok, type Result } from '../../base/result.ts';
import { suggestion } from '../../base/text.ts';

/** What a condition may look at. Numbers are dyn, so that `== 1000` and `< 0.05` both type-check. */
const fields = {
  task: { complexity: 'string', type: 'string', language: 'string', priority: 'string', latency_budget: 'dyn', quality_required: 'dyn' },
  request: { stream: 'bool', message_count: 'dyn', prompt_characters: 'dyn', max_tokens: 'dyn', has_tools: 'bool' },
  user: { id: 'string', tier: 'string' },
} as const;

export interface ConditionInput {
  readonly task: Readonly<Record<string, unknown>>;
  readonly request: Readonly<Record<string, unknown>>;
  readonly user: Readonly<Record<string, unknown>>;
  readonly cost_budget?: number;
}

/** A compiled condition. `undefined` means that a field it needs is missing, which counts as no match. */
export type Condition = (input: ConditionInput) => boolean | undefined;

const limits = { maxAstNodes: 500, maxDepth: 30 };

/** The checker knows types by their constructors; nothing is ever an instance of these. */
const [taskType, requestType, userType] = [class Task {}, class Request {}, class User {}];

const typed = new Environment({ limits })
  .registerType('Task', { ctor: taskType, fields: fields.task })
  .registerType('Request', { ctor: requestType, fields: fields.request })
  .registerType('User', { ctor: userType, fields: fields.user })
  .registerVariable('task', 'Task')
  .registerVariable('request', 'Request')
  .registerVariable('user', 'User')
  .registerVariable('cost_budget', 'dyn');

const untyped = new Environment({ limits })
  .registerVariable('task', 'map')
  .registerVariable('request', 'map')
  .registerVariable('user', 'map')
  .registerVariable('cost_budget', 'dyn');

const knownNames = [
  'cost_budget',
  ...Object.entries(fields).flatMap(([name, members]) => Object.keys(members).map((member) => `${name}.${member}`)),
];

/** A function for `source`, or one sentence that says why it is no condition. */
export function compileCondition(source: string): Result<Condition, string> {
  try {
    const verdict = typed.parse(source).check();
    if (!verdict.valid) return refuse(explain(verdict.error, source));
    if (verdict.type !== 'bool' && verdict.type !== 'dyn') {
      return refuse(`the condition gives ${String(verdict.type)}, and must give bool`);
    }
    const evaluate = untyped.parse(source);
    return ok((input) => evaluateOnce(evaluate, input));
  } catch (thrown) {
    return refuse(explain(thrown, source));
  }
}

function evaluateOnce(evaluate: (context: Record<string, unknown>) => unknown, input: ConditionInput): boolean | undefined {
  try {
    const value = evaluate(input as unknown as Record<string, unknown>);
    return typeof value === 'boolean' ? value : undefined;
  } catch {
    return undefined;
  }
}

function explain(thrown: unknown, source: string): string {
  const first = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0] ?? '';
  const range = isObject(thrown) && isObject(thrown['range']) ? thrown['range'] : undefined;
  const at = range === undefined ? '' : ` at character ${Number(range['start']) + 1}`;
  const unknownName = /^(?:No such key|Unknown variable): (\S+)$/.exec(first)?.[1];
  if (unknownName === undefined) return `${first}${at} in ${JSON.stringify(source)}`;
  const word = new RegExp(`[a-z_]*\\.?${unknownName}`).exec(source)?.[0] ?? unknownName;
  return `${JSON.stringify(word)} is not known${at}.${suggestion(word, knownNames)}`;
}

/** What kind of change a JSON Patch is, and which strategy and pace fit it (guide 9.1). */
import type { PatchOperation } from '../config/patch.ts';

export type ChangeClass = 'parameters' | 'model-version' | 'model-switch' | 'prompt' | 'routing' | 'limits';
export type Pace = 'conservative' | 'standard' | 'aggressive';

export interface Choice {
  readonly change: ChangeClass;
  readonly pace: Pace;
  /** Paths of the patch that decided. */
  readonly paths: readonly string[];
}

/** The riskiest first: the first class that has a path decides. */
const paces: readonly (readonly [ChangeClass, Pace])[] = [
  ['model-switch', 'conservative'],
  ['routing', 'conservative'],
  ['model-version', 'standard'],
  ['prompt', 'standard'],
  ['parameters', 'aggressive'],
  ['limits', 'aggressive'],
];

/** `patch`: from what is in force to what is wanted. `modelsBefore`: the model that each replaced path held. */
export function classify(patch: readonly PatchOperation[], modelBefore: (path: string) => string | undefined): Choice {
  const classes = patch.map((operation) => [classOf(operation, modelBefore), operation.path] as const);
  for (const [change, pace] of paces) {
    const paths = classes.filter(([found]) => found === change).map(([, path]) => path);
    if (paths.length > 0) return { change, pace, paths };
  }
  return { change: 'limits', pace: 'aggressive', paths: patch.map(({ path }) => path) };
}

function classOf(operation: PatchOperation, modelBefore: (path: string) => string | undefined): ChangeClass {
  const { path } = operation;
  if (path === '/llm/model' || path === '/routing/default_model') {
    const before = modelBefore(path);
    const after = operation.op === 'remove' ? undefined : String(operation.value);
    return before !== undefined && after !== undefined && familyOf(before) === familyOf(after) ? 'model-version' : 'model-switch';
  }
  if (path === '/llm' || path === '/llm/provider') return 'model-switch';
  if (path.startsWith('/routing')) return 'routing';
  if (path.startsWith('/llm/prompt_template')) return 'prompt';
  if (path.startsWith('/llm')) return 'parameters';
  return 'limits';
}

/** A model's name without what tells its versions apart: `gpt-4-0613` and `gpt-4-1106-preview` are one family, `gpt-4` and `gpt-3.5-turbo` are two. */
export function familyOf(model: string): string {
  const parts = model.toLowerCase().split(/[-_:@/]/);
  const words = parts.filter((part) => part !== '' && !/^(latest|preview|[0-9]{3,8}|v?[0-9]{4}|[0-9]{1,2})$/.test(part));
  // Of `gpt-4` the number is the family itself.
  const major = parts.find((part) => /^[0-9]{1,2}$/.test(part));
  return [...words, ...(major === undefined ? [] : [major])].join('-');
}

/** One thing that is wrong with what a person or a program gave us, and how to mend it. */
export interface Problem {
  readonly code: ProblemCode;
  /** What was found, what was expected and the way out, in one or two plain sentences. */
  readonly message: string;
  /** JSON pointer into the document. */
  readonly path?: string;
  readonly file?: string;
  /** Counted from 1. */
  readonly line?: number;
  readonly column?: number;
}

/** Every code that we answer with; docs/reference and the API use the same words. */
export type ProblemCode =
  | 'invalid-yaml'
  | 'too-large'
  | 'schema'
  | 'unknown-key'
  | 'not-in-effect'
  | 'missing'
  | 'unknown-model'
  | 'unknown-provider'
  | 'unknown-policy'
  | 'unknown-template'
  | 'parameter-range'
  | 'condition'
  | 'cost-budget'
  | 'template-variable'
  | 'plan'
  | 'safety'
  | 'unsafe-tree'
  | 'gateway-refused'
  | 'signature'
  | 'not-found'
  | 'not-applicable'
  | 'ambiguous-service'
  | 'unauthenticated'
  | 'forbidden'
  | 'bad-request'
  | 'conflict'
  | 'unavailable';

/** `services/a/config.yaml:3:5: message (/llm/model)`, the way compilers say it, so that editors can jump there. */
export function formatProblem(problem: Problem): string {
  const position = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`;
  const where = problem.file === undefined ? '' : `${problem.file}${position}: `;
  const pointer = problem.path === undefined || problem.path === '' ? '' : ` (${problem.path})`;
  return `${where}${problem.message}${pointer}`;
}

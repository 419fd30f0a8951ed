/** What every route needs: its dependencies, and one way to answer. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { formatProblem, type Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';
import type { DeployDeps } from '../app/commands/deploy.ts';
import type { ControlPlane } from '../app/control-plane.ts';
import type { SchemaTypes } from '../generated/types.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ApiKey, Role, Store } from '../ports/store.ts';

export interface ApiDeps {
  readonly controlPlane: ControlPlane;
  readonly deploy: DeployDeps;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly term: number;
  readonly version: string;
  /** An API key that nobody has yet. */
  readonly newKey: () => string;
  readonly check: (schema: keyof SchemaTypes, value: unknown) => readonly Problem[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Least role; `public` needs no key. */
    readonly role?: Role | 'public';
  }
  interface FastifyRequest {
    caller: ApiKey | null;
  }
}

export function sendProblems(reply: FastifyReply, status: number, problems: readonly Problem[]): Promise<void> {
  const [first] = problems;
  const body = { type: 'about:blank', title: first?.code ?? 'problem', status, detail: problems.map(formatProblem).join('\n'), problems };
  void reply.code(status).header('content-type', 'application/problem+json').send(body);
  return Promise.resolve();
}

/** The value of a good result, or the refusal with the status that fits it. */
export function sendResult<T>(reply: FastifyReply, result: Result<T, readonly Problem[]>, status: number): Promise<void> {
  if (!result.ok) return sendProblems(reply, statusOfProblem(result.error[0]), result.error);
  void reply.code(status).send(result.value);
  return Promise.resolve();
}

function statusOfProblem(problem: Problem | undefined): number {
  switch (problem?.code) {
    case 'not-found':
      return 404;
    case 'conflict':
    case 'not-applicable':
      return 409;
    case 'forbidden':
      return 403;
    case undefined:
      return 400;
    default:
      return 422;
  }
}

/** The body, checked by the schema; undefined when the refusal has been sent. */
export async function checkedBody<K extends keyof SchemaTypes>(
  deps: ApiDeps,
  schema: K,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<SchemaTypes[K] | undefined> {
  const value = request.body ?? {};
  const problems = deps.check(schema, value);
  if (problems.length === 0) return value as SchemaTypes[K];
  await sendProblems(reply, 400, problems);
  return undefined;
}

/** Who the journal names for what this request does. */
export function actorOf(request: FastifyRequest): string {
  return request.caller?.name ?? 'unknown';
}

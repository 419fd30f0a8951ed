/** What each operation of the stand-in is given, and what it answers. */
import * as json from './json.ts';
import type { State } from './state.ts';

export interface Call {
  readonly state: State;
  /** Whose token it is. */
  readonly login: string;
  /** Of the path. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
  /** Tells webhooks. */
  readonly tell: (event: string, payload: object) => void;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

export type Handler = (call: Call) => Answer | Promise<Answer>;

export const ok = (body: unknown, status = 200): Answer => ({ status, body });

export function refusal(status: number, message: string): Answer {
  return { status, body: { message, documentation_url: 'https://docs.github.com/rest', status: String(status) } };
}

export function invalid(message: string): Answer {
  return {
    status: 422,
    body: { message: 'Validation Failed', documentation_url: 'https://docs.github.com/rest', errors: [{ code: 'custom', message }] },
  };
}

export const text = (value: unknown): string => (typeof value === 'string' ? value : '');

export const repo = '/repos/{owner}/{repo}';

export function tellPush(state: State, tell: Call['tell'], branch: string, after: string): void {
  tell('push', { ref: `refs/heads/${branch}`, after, repository: json.repositoryJson(state) });
}

import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';

/** The control plane's API, seen from a command. Throws TransientError when it can't be reached. */
export interface ApiClient {
  get(path: string): Promise<Result<unknown, readonly Problem[]>>;
  post(path: string, body: object): Promise<Result<unknown, readonly Problem[]>>;
}

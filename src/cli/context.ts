/** What every verb gets: the world, as the composition root provides it. */
import type { DocumentReader } from '../domain/config/document.ts';
import { formatProblem, type Problem } from '../base/problem.ts';
import type { ApiClient } from '../ports/api-client.ts';
import type { Checkout } from '../ports/checkout.ts';
import type { GatewayOptions, ServeOptions } from '../ports/programs.ts';

export interface CliContext {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly read: DocumentReader;
  readonly checkout: (directory: string) => Checkout;
  readonly client: (url: string, key: string | null) => ApiClient;
  /** Null when there is no such file. */
  readonly readFile: (path: string) => Promise<string | null>;
  readonly serve: (options: ServeOptions) => Promise<void>;
  readonly gateway: (options: GatewayOptions) => Promise<void>;
  /** Copies the example repository; the paths that were written. Refuses a folder that is not empty. */
  readonly init: (directory: string, template: string | undefined, service: string) => Promise<readonly string[]>;
  /** 256 bits of chance, for keys. */
  readonly randomKey: () => string;
  readonly sleep: (ms: number) => Promise<void>;
  readonly now: () => number;
  readonly hasColour: boolean;
  /** Redraws the frame before, on a terminal. */
  readonly redraw: (text: string) => void;
}

/** Ends a verb with its exit code: 1 failed, 2 usage, 3 refused. */
export class ExitError extends Error {
  readonly code: 1 | 2 | 3;

  constructor(code: 1 | 2 | 3, message: string) {
    super(message);
    this.code = code;
  }
}

export function refused(problems: readonly Problem[]): ExitError {
  return new ExitError(3, problems.map(formatProblem).join('\n'));
}

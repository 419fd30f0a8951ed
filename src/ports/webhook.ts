/** What a signed delivery of a code host hints at. Its content decides nothing: whoever is woken by it looks at the repository itself. */
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';

export type Hint =
  /** There may be something new. `commit`: what the branch should hold; null: nobody said. */
  | { readonly kind: 'look'; readonly commit: string | null }
  | { readonly kind: 'ping' }
  | { readonly kind: 'ignored'; readonly reason: string };

/** Of one event by its name. The body is whatever JSON came. */
export type ReadDelivery = (event: string, body: unknown) => Result<Hint, readonly Problem[]>;

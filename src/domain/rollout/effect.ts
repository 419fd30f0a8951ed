/** What must be done because of a transition. Data; each can be done twice without harm. */
import type { Revision } from './state.ts';

export type Effect =
  /** Tell the gateways; what to serve follows from the state. */
  | { readonly kind: 'assign'; readonly generation: number }
  /** Put `restore` back on main, if main still holds `bad`. */
  | {
      readonly kind: 'commit-revert';
      readonly deploymentId: string;
      readonly bad: Revision;
      readonly restore: Revision;
      readonly reason: string;
      readonly actor: string;
    }
  /** At least once; receivers tell repeats by `key`. */
  | { readonly kind: 'notify'; readonly key: string; readonly severity: 'info' | 'warning' | 'critical'; readonly message: string };

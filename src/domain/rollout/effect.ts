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
  /** Write what was promoted as a configuration of its own, without what was only said for this rollout. */
  | { readonly kind: 'write-config'; readonly deploymentId: string; readonly revision: Revision }
  /** At least once; receivers tell repeats by `key`. */
  | {
      readonly kind: 'notify';
      readonly key: string;
      readonly severity: 'info' | 'warning' | 'critical';
      readonly message: string;
      readonly channels?: readonly string[];
    };

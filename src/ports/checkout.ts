/** A configuration repository on disk, for the verbs that work without a control plane. */
import type { RepositoryTexts } from '../domain/config/check-repository.ts';
import type { Traffic } from '../domain/planning/prediction.ts';

export interface Checkout {
  /** The files as they lie on disk. */
  workingTree(): Promise<RepositoryTexts>;
  /** The files of a commit, branch or tag. Throws StalledError when there is no such thing. */
  at(ref: string): Promise<RepositoryTexts>;
  /** What the status branch says of a service's traffic. */
  traffic(service: string): Promise<Traffic>;
}

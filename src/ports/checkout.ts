/** A configuration repository on disk, for the verbs that work without a control plane. */
import type { RepositoryTexts } from '../domain/config/check-repository.ts';

export interface Checkout {
  /** The files as they lie on disk. */
  workingTree(): Promise<RepositoryTexts>;
  /** The files of a commit, branch or tag. Throws StalledError when there is no such thing. */
  at(ref: string): Promise<RepositoryTexts>;
  /** Requests per second that the status branch says a service had; null when unknown. */
  requestsPerSecond(service: string): Promise<number | null>;
}

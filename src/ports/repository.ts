/** The configuration repository: what it holds, and the two kinds of commits that we write to it. */
import type { Problem } from '../base/problem.ts';
import type { Instant } from '../base/time.ts';
import type { Signature, Signer } from '../domain/safety/signatures.ts';

export interface BlobRef {
  readonly oid: string;
  readonly path: string;
}

/** The files of one commit that mean something to us. */
export interface RepositoryTree {
  readonly commit: string;
  readonly settings: BlobRef | null;
  readonly catalogue: BlobRef | null;
  readonly policies: ReadonlyMap<string, BlobRef>;
  readonly codeOwners: BlobRef | null;
  readonly services: ReadonlyMap<string, { readonly config: BlobRef | null; readonly rollout: BlobRef | null }>;
  /** Entries that are refused as they are: symlinks, submodules, bad names. Keyed by service, '' for the rest. */
  readonly problems: ReadonlyMap<string, readonly Problem[]>;
}

/** Reading. All of it works on what was fetched last. */
export interface ConfigurationRepository {
  /** Brings the mirror up to date. The commit of the branch, or null when the branch does not exist. Throws TransientError or StalledError. */
  fetch(): Promise<string | null>;
  tree(commit: string): Promise<RepositoryTree>;
  /** The blob's text, or a problem when it is too large. */
  read(blob: BlobRef): Promise<{ readonly text: string } | { readonly problem: Problem }>;
  /** First-parent commits after `from` up to `to`, oldest first; null when `from` is no ancestor of `to`. */
  firstParents(from: string, to: string, limit: number): Promise<readonly string[] | null>;
  /** `Name <address>`; of a merge those of all commits that it brings, between semicolons. */
  author(commit: string): Promise<string>;
  /** Who made the merge commit itself, and what it merges; null: it is no merge. */
  merge(commit: string): Promise<{ readonly author: string; readonly parents: readonly string[] } | null>;
  /** What the commit's signature is worth by the keys of these people. */
  signature(commit: string, signers: readonly Signer[], now: Instant): Promise<Signature>;
  /** The commit message, whole. */
  message(commit: string): Promise<string>;
  close(): Promise<void>;
}

export interface RevertOrder {
  readonly service: string;
  /** What main must hold for the revert to make sense; decided by the caller from the blob's text. */
  readonly isBad: (text: string) => Promise<boolean>;
  /** Text of the last good configuration. */
  readonly restoreText: string;
  readonly message: string;
  /** A line of `message` by which an earlier push of the same revert is found when its answer was lost. */
  readonly marker: string;
}

export interface FileChange {
  readonly path: string;
  readonly text: string;
}

export type WriteOutcome =
  | { readonly kind: 'committed'; readonly commit: string }
  /** The branch does not hold what was expected any more. */
  | { readonly kind: 'not-needed' }
  /** The branch refuses our push (protection, permissions). */
  | { readonly kind: 'blocked'; readonly message: string };

/** One file, edited on top of the configuration branch, as the only commit of a branch of our own. */
export interface Proposal {
  readonly branch: string;
  readonly path: string;
  /** Null: there is nothing to propose. */
  readonly edit: (text: string | null) => Promise<string | null>;
  readonly message: string;
  /** That we have put there before; null: none. */
  readonly known: string | null;
  /** Told of the commit before anybody else can see it. */
  readonly announce: (commit: string) => Promise<void>;
}

export interface EditOrder {
  readonly path: string;
  /** From its present text, null when it is new; null writes nothing. */
  readonly edit: (text: string | null) => string | null;
  readonly message: string;
  /** Told of the commit before anybody else can see it. */
  readonly announce?: (commit: string) => Promise<void>;
}

/** Writing to the configuration branch: compare-and-swap, with refetch and another look after a lost race. */
export interface ConfigurationWriter {
  revert(order: RevertOrder): Promise<WriteOutcome>;
  edit(order: EditOrder): Promise<WriteOutcome>;
  /** Pushes the branch of a pull request to be; ours that is there already with the same content is left as it is. */
  propose(proposal: Proposal): Promise<WriteOutcome>;
}

/** One commit with one file, put on a branch of the remote by compare-and-swap. */
export interface PlacingOrder {
  readonly branch: string;
  /** What the branch is at; null: it is not there. */
  readonly expected: string | null;
  readonly parent: string;
  readonly path: string;
  readonly text: string;
  readonly message: string;
  /** Told of the commit before anybody else can see it. */
  readonly announce: (commit: string) => Promise<void>;
}

export type Placed =
  | { readonly kind: 'placed'; readonly commit: string }
  /** Somebody else was faster: fetch, look again, build again. */
  | { readonly kind: 'lost-race' }
  /** The remote does not let us write this branch. */
  | { readonly kind: 'refused'; readonly message: string };

/** Built and pushed by us, or made by the code host, which then signs it. Throws TransientError or StalledError. */
export type PlaceCommit = (order: PlacingOrder) => Promise<Placed>;

/** One commit on the status branch. */
export interface StatusCommit {
  readonly message: string;
  readonly files: readonly FileChange[];
  /** Lines added to files that only grow. */
  readonly appends: readonly FileChange[];
  /** No row of the journal, so the cursor does not tell whether it was published: twice does no harm. */
  readonly besides?: true;
}

export interface StatusCursor {
  /** Names the store that publishes; another one there means that two daemons share a branch. */
  readonly instance: string;
  /** Journal position up to which everything is published. */
  readonly position: number;
}

export interface StatusBranch {
  /** As the remote has it; null when there is no status branch. */
  cursor(): Promise<StatusCursor | null>;
  /** Pushes the commits in order, with the cursor in each one's tree. Throws StalledError for a foreign cursor. */
  publish(commits: readonly (StatusCommit & { readonly cursor: StatusCursor })[], takeOver: boolean): Promise<void>;
}

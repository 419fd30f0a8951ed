/**
 * The forge where pull requests live. Everything else works without one.
 * Every call throws TransientError when it is worth trying again by itself (away, slow, a rate limit), StalledError when a person must
 * act (credentials, permissions, another name), RefusedError when this very request will never do.
 */
import type { Instant } from '../base/time.ts';

export interface PullRequest {
  readonly number: number;
  readonly url: string;
  readonly title: string;
  readonly state: 'open' | 'merged' | 'closed';
  /** Branch that it is for. */
  readonly base: string;
  readonly branch: string;
  /** Newest commit of its branch. */
  readonly head: string;
  /** Login. */
  readonly author: string;
}

export interface Review {
  readonly reviewer: Reviewer;
  readonly verdict: 'approved' | 'changes-requested' | 'commented' | 'dismissed';
  /** The head that was reviewed; null: the host does not know any more. */
  readonly commit: string | null;
  readonly at: Instant;
}

export interface Reviewer {
  readonly login: string;
  readonly isBot: boolean;
}

export interface Verification {
  readonly isVerified: boolean;
  /** By its merge button or its editor, and not by somebody's git. */
  readonly isMadeByHost: boolean;
  /** In the host's words. */
  readonly reason: string;
}

export interface PullRequestCommit {
  readonly id: string;
  readonly parents: readonly string[];
  /** Made and signed by it for a person who had it merge another branch in. */
  readonly isHostMerge: boolean;
  /** As `Name <address>`; null: it says nothing. */
  readonly author: string | null;
  /** Of whoever made it, or is named by `Co-authored-by`. */
  readonly logins: readonly string[];
  /** The same as `Name <address>`. */
  readonly names: readonly string[];
}

export interface Committers {
  readonly commits: readonly PullRequestCommit[];
  /** False: there are more commits than the host tells of. */
  readonly isComplete: boolean;
}

export interface CommitStatus {
  readonly context: string;
  readonly state: 'pending' | 'success' | 'failure' | 'error';
  /** 140 characters are shown. */
  readonly description: string;
  readonly url: string | null;
}

export interface HostDeployment {
  readonly id: string;
  readonly commit: string;
  readonly environment: string;
  readonly description: string;
}

export interface HostDeploymentStatus {
  readonly state: 'queued' | 'in_progress' | 'success' | 'failure' | 'inactive';
  readonly description: string;
  /** Record of the deployment. */
  readonly url: string | null;
  /** Where people see the service. */
  readonly environmentUrl: string | null;
}

export interface NewPullRequest {
  /** Pushed already. */
  readonly branch: string;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  /** Logins, and organisation/team. */
  readonly reviewers: readonly string[];
}

export interface OpenedPullRequest {
  readonly pullRequest: PullRequest;
  /** What of its labels and reviewers the host has refused, and why. */
  readonly refused: readonly string[];
}

export type Permission = 'contents' | 'pull-requests' | 'statuses' | 'deployments';

export interface Identification {
  /** Our own. */
  readonly login: string;
  /** owner/name. */
  readonly repository: string;
  /** That we may not write, as far as the host tells. */
  readonly missing: readonly Permission[];
}

export interface CodeHost {
  /** Whether we are let in, as whom, and to what. */
  identify(): Promise<Identification>;
  /** Merged, open and closed ones that have the commit, or that brought it to their base. Null: it does not show the commit yet. */
  pullRequestsOf(commit: string): Promise<readonly PullRequest[] | null>;
  /** Null: there is none. */
  pullRequest(number: number): Promise<PullRequest | null>;
  /** Open ones for our branch. */
  openPullRequests(): Promise<readonly PullRequest[]>;
  /** Paths that a pull request changes. */
  changedFiles(number: number): Promise<readonly string[]>;
  /** In the order in which they were left; without ours, which say what somebody told us. */
  reviews(number: number): Promise<readonly Review[]>;
  /** Who made the commits of a pull request. */
  committers(number: number): Promise<Committers>;
  /** Text of a file in any commit that the host has; null: not there, or no file. */
  fileAt(commit: string, path: string): Promise<string | null>;
  /** Path -> Git's id of every file in it; null: there is no such commit, or there are more than the host tells of. */
  filesAt(commit: string): Promise<ReadonlyMap<string, string> | null>;
  mayWrite(login: string): Promise<boolean>;
  /** `team`: organisation/team. */
  isMember(team: string, login: string): Promise<boolean>;
  /** What the host thinks of the commit's signature. */
  verification(commit: string): Promise<Verification>;
  /** Page of a file on our status branch. */
  recordUrl(path: string): string;

  // What follows is there once however often it is asked for: each call looks for what an earlier one has left.
  ensureStatus(commit: string, status: CommitStatus): Promise<void>;
  ensureDeployment(deployment: HostDeployment, status: HostDeploymentStatus): Promise<void>;
  /** One comment of ours, told by `marker`. */
  ensureComment(number: number, marker: string, body: string): Promise<void>;
  /** The open one of that branch, or a new one. */
  openPullRequest(order: NewPullRequest): Promise<OpenedPullRequest>;
  /** At once, or by the host itself as soon as the rules of the branch allow it; nothing but `commit`. Null: so it is; otherwise why not. */
  mergeWhenAllowed(number: number, commit: string): Promise<string | null>;
  /** With its branch. */
  closePullRequest(number: number, branch: string): Promise<void>;
  deleteBranch(branch: string): Promise<void>;
  /** False: it decides nothing: the host takes no such review of us, and has the words as a comment. */
  leaveReview(number: number, verdict: Exclude<Review['verdict'], 'dismissed'>, commit: string, body: string): Promise<boolean>;
}

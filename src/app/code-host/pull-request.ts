/** Who has a hand in a pull request, and who has approved it through us while it was open. */
import type { Approval } from '../../domain/rollout/state.ts';
import { loginIdentity } from '../../domain/safety/gates.ts';
import type { CodeHost, PullRequest } from '../../ports/code-host.ts';
import type { Store } from '../../ports/store.ts';
import { branchRequesterKey } from './parts.ts';

export interface Authors {
  /** Logins, names with addresses, and whoever had us open it. */
  readonly identities: readonly string[];
  /** False: the host does not tell of all its commits, so that nobody is known to have no hand in it. */
  readonly isComplete: boolean;
}

export async function authorsOf(
  { host, store }: { readonly host: CodeHost; readonly store: Pick<Store, 'get'> },
  { number, author, branch }: PullRequest,
): Promise<Authors> {
  const [{ logins, names, isComplete }, requester] = await Promise.all([host.committers(number), store.get(branchRequesterKey(branch))]);
  const identities = [...[author, ...logins].map(loginIdentity), ...names, ...(requester === null ? [] : [requester])];
  return { identities: [...new Set(identities)], isComplete };
}

const givenKey = (service: string, digest: string): string => `approved/${service}/${digest}`;

export interface Given extends Approval {
  /** How it would be rolled out, as it was reviewed. */
  readonly content: string;
}

/** Approvals of a content, given through the API before it was merged. */
export async function givenHere(store: Pick<Store, 'get'>, service: string, digest: string): Promise<readonly Given[]> {
  const saved = await store.get(givenKey(service, digest));
  return saved === null ? [] : (JSON.parse(saved) as Given[]);
}

export async function keepGiven(store: Store, service: string, digest: string, approval: Given): Promise<void> {
  const others = (await givenHere(store, service, digest)).filter(({ approver }) => approver !== approval.approver);
  await store.put(givenKey(service, digest), JSON.stringify([...others, approval]));
}

export async function dropGiven(store: Store, service: string, digest: string, approver: string): Promise<void> {
  const others = (await givenHere(store, service, digest)).filter((one) => one.approver !== approver);
  if (others.length === 0) await store.remove(givenKey(service, digest));
  else await store.put(givenKey(service, digest), JSON.stringify(others));
}

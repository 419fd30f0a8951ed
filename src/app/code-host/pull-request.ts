/** Who has a hand in a pull request, and who has approved it through us while it was open. */
import type { Approval } from '../../domain/rollout/state.ts';
import { loginIdentity } from '../../domain/safety/gates.ts';
import type { CodeHost, PullRequest } from '../../ports/code-host.ts';
import type { Store } from '../../ports/store.ts';
import { pullRequesterKey } from './parts.ts';

/** As identities: logins, and whoever had us open it. */
export async function authorsOf(
  { host, store }: { readonly host: CodeHost; readonly store: Pick<Store, 'get'> },
  { number, author }: PullRequest,
): Promise<readonly string[]> {
  const [committers, requester] = await Promise.all([host.committers(number), store.get(pullRequesterKey(number))]);
  return [...new Set([...[author, ...committers].map(loginIdentity), ...(requester === null ? [] : [requester])])];
}

const givenKey = (service: string, digest: string): string => `approved/${service}/${digest}`;

/** Approvals of a content, given through the API before it was merged. */
export async function givenHere(store: Pick<Store, 'get'>, service: string, digest: string): Promise<readonly Approval[]> {
  const saved = await store.get(givenKey(service, digest));
  return saved === null ? [] : (JSON.parse(saved) as Approval[]);
}

export async function keepGiven(store: Store, service: string, digest: string, approval: Approval): Promise<void> {
  const others = (await givenHere(store, service, digest)).filter(({ approver }) => approver !== approval.approver);
  await store.put(givenKey(service, digest), JSON.stringify([...others, approval]));
}

export async function dropGiven(store: Store, service: string, digest: string, approver: string): Promise<void> {
  const others = (await givenHere(store, service, digest)).filter((one) => one.approver !== approver);
  if (others.length === 0) await store.remove(givenKey(service, digest));
  else await store.put(givenKey(service, digest), JSON.stringify(others));
}

/** Who was who when a change came: it can't make two of one, or one of two, for its own approval. */
import { isSamePerson, peopleDigest, type Gates, type Person } from '../../domain/safety/gates.ts';
import type { Store } from '../../ports/store.ts';

const key = (digest: string): string => `people/${digest}`;

export async function keepPeople(store: Pick<Store, 'get' | 'put'>, people: readonly Person[]): Promise<void> {
  const digest = peopleDigest(people);
  if ((await store.get(key(digest))) === null) await store.put(key(digest), JSON.stringify(people));
}

export interface Identities {
  /** By the settings that the change came under. */
  readonly then: readonly Person[];
  /** One person by those, or by what settings say now. */
  readonly isSame: (a: string, b: string) => boolean;
}

export async function identitiesOf(store: Pick<Store, 'get'>, gates: Pick<Gates, 'people'>, now: readonly Person[]): Promise<Identities> {
  const saved = await store.get(key(gates.people));
  const then = saved === null ? now : (JSON.parse(saved) as Person[]);
  return { then, isSame: (a, b) => isSamePerson(then, a, b) || isSamePerson(now, a, b) };
}

/**
 * Whether a file's last change may be admitted: signed as settings demand, and, for settings, by a pull request where pushes are not
 * allowed. What was refused stays refused as long as the file is the same, whatever settings say by then: a commit can't loosen what
 * judges it by a second one.
 */
import type { Problem } from '../../base/problem.ts';
import type { SignaturePolicy } from '../../domain/safety/signatures.ts';
import type { DirectPushes } from '../../domain/safety/gates.ts';
import type { Store } from '../../ports/store.ts';
import { createDirectPushCheck, type DirectPushDeps } from './direct-pushes.ts';
import { broughtBy, oidAt, type Span } from './history.ts';
import { signatureProblem, type SigningDeps } from './signing.ts';

export interface FitnessDeps extends DirectPushDeps, SigningDeps {
  readonly store: Store;
}

export interface Rules {
  /** Null: nothing must be signed. */
  readonly signatures: SignaturePolicy | null;
  /** Null: how it came is looked at elsewhere. */
  readonly directPushes: DirectPushes | null;
}

/** What keeps the file out as it stands at the end of the span; null: nothing. */
export type Fitness = (span: Span, path: string, rules: Rules) => Promise<Problem | null>;

interface Refused {
  readonly oid: string | null;
  readonly commit: string;
  readonly problem: Problem;
}

const key = (path: string): string => `unfit/${path}`;

export function createFitness(deps: FitnessDeps): Fitness {
  const { store } = deps;
  const cameDirectly = createDirectPushCheck(deps);

  async function problemOf(commit: string, path: string, { signatures, directPushes }: Rules): Promise<Problem | null> {
    const unsigned = await signatureProblem(deps, signatures, commit, path);
    return unsigned ?? (directPushes === null ? null : cameDirectly(directPushes, commit, path));
  }

  /** Of the file as it is: by the commit that brought it, or by what was found of that before. */
  async function find(span: Span, path: string, rules: Rules, refused: Refused | null): Promise<Refused | null> {
    const oid = oidAt(span.tree, path);
    const same = refused?.oid === oid ? refused : null;
    const commit = (await broughtBy(deps.repository, span, path)) ?? same?.commit;
    if (commit === undefined || isSettled(same, commit)) return same;
    const problem = await problemOf(commit, path, rules);
    return problem === null ? null : { oid, commit, problem };
  }

  return async (span, path, rules) => {
    const saved = await store.get(key(path));
    // What was refused is refused still, also when settings ask for nothing any more.
    if (saved === null && !asks(rules, deps)) return null;
    const found = await find(span, path, rules, saved === null ? null : (JSON.parse(saved) as Refused));
    const text = found === null ? null : JSON.stringify(found);
    if (text !== null && text !== saved) await store.put(key(path), text);
    if (text === null && saved !== null) await store.remove(key(path));
    return found?.problem ?? null;
  };
}

function asks({ signatures, directPushes }: Rules, { codeHost }: FitnessDeps): boolean {
  return signatures !== null || (codeHost !== null && directPushes !== null && directPushes !== 'allow');
}

/** What could not be seen is looked at again. */
function isSettled(refused: Refused | null, commit: string): boolean {
  return refused !== null && refused.commit === commit && refused.problem.code !== 'unavailable';
}

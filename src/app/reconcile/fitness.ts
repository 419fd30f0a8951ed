/**
 * Whether files may be admitted as they are: signed as settings demand, and, for settings, brought by pull requests where pushes are not
 * allowed. For each file the content that was admitted last is kept, and all commits since then: until the file is that again, or all
 * of them are fit, it stays out, whatever else a commit changes, and whatever settings say by then.
 */
import type { Problem } from '../../base/problem.ts';
import type { DirectPushes } from '../../domain/safety/gates.ts';
import type { SignaturePolicy } from '../../domain/safety/signatures.ts';
import type { Store } from '../../ports/store.ts';
import { createDirectPushCheck, type DirectPushDeps } from './direct-pushes.ts';
import { changesOf, oidAt, touchedPaths, type Span } from './history.ts';
import { signatureProblem, type SigningDeps } from './signing.ts';

export interface FitnessDeps extends DirectPushDeps, SigningDeps {
  readonly store: Store;
}

/** As settings accepted before have them. */
export interface Rules {
  /** Null: nothing must be signed. */
  readonly signatures: SignaturePolicy | null;
  readonly directPushes: DirectPushes;
}

/** Path -> why it is not admitted as it is. */
export type Unfit = ReadonlyMap<string, Problem>;

export interface Fitness {
  /** Looks at what the span has touched, and at what is still out. */
  look(span: Span, rules: Rules): Promise<Unfit>;
}

interface Record {
  /** Of the content that was admitted last; null: there was no such file. */
  readonly oid: string | null;
  /** Since then, the oldest first. */
  readonly commits: readonly string[];
  readonly problem: Problem;
}

const key = 'unfit';
/** Nobody brings more before one of them is admitted; the file must then be taken back. */
const mostCommits = 200;

export function createFitness(deps: FitnessDeps): Fitness {
  const { store, repository } = deps;
  const cameDirectly = createDirectPushCheck(deps);

  async function problemOf(path: string, commits: readonly string[], { signatures, directPushes }: Rules): Promise<Problem | null> {
    const newest = commits.at(-1);
    if (newest === undefined) return null;
    // Who signs vouches for the file as it stands; a pull request shows what it changes, and no more.
    const unsigned = await signatureProblem(deps, signatures, newest, path);
    if (unsigned !== null) return unsigned;
    // Where a service's own file comes from is looked at while it is pending.
    if (path.endsWith('/config.yaml')) return null;
    for (const commit of commits) {
      const problem = await cameDirectly(directPushes, commit, path);
      if (problem !== null) return problem;
    }
    return commits.length < mostCommits
      ? null
      : { code: 'forbidden', file: path, message: 'Too many commits have changed this since it was admitted; take it back.' };
  }

  async function lookAt(span: Span, path: string, rules: Rules, before: Record | null): Promise<Record | null> {
    const admitted = before === null ? oidAt(await repository.tree(span.from), path) : before.oid;
    if (oidAt(span.tree, path) === admitted) return null;
    const added = await changesOf(repository, span, path);
    const isSettled = before !== null && before.problem.code !== 'unavailable' && added.every((commit) => before.commits.includes(commit));
    if (isSettled) return before;
    const commits = [...new Set([...(before?.commits ?? []), ...added])].slice(0, mostCommits);
    const problem = await problemOf(path, commits, rules);
    return problem === null ? null : { oid: admitted, commits, problem };
  }

  return {
    async look(span, rules) {
      const saved = await store.get(key);
      const records = new Map(Object.entries(saved === null ? {} : (JSON.parse(saved) as Readonly<{ [path: string]: Record }>)));
      const touched = asks(rules, deps) ? await touchedPaths(repository, span) : [];
      for (const path of new Set([...records.keys(), ...touched])) {
        const found = await lookAt(span, path, rules, records.get(path) ?? null);
        if (found === null) records.delete(path);
        else records.set(path, found);
      }
      const text = JSON.stringify(Object.fromEntries(records));
      if (text !== (saved ?? '{}')) await store.put(key, text);
      return new Map([...records].map(([path, { problem }]) => [path, problem]));
    },
  };
}

function asks({ signatures, directPushes }: Rules, { codeHost }: FitnessDeps): boolean {
  return signatures !== null || (codeHost !== null && directPushes !== 'allow');
}

/**
 * Whether files may be admitted as they are: signed as settings demand, and, for settings, brought by pull requests where pushes are not
 * allowed. For each file that is not, the content that was admitted last is kept, and all commits since then: until the file is that
 * again, or all of them are fit, it stays out, whatever else a commit changes, and whatever settings say by then.
 */
import { sha1Hex } from '../../base/hash.ts';
import { canonicalJson } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import type { DirectPushes } from '../../domain/safety/gates.ts';
import type { SignaturePolicy } from '../../domain/safety/signatures.ts';
import { createDirectPushCheck, type DirectPushDeps } from './direct-pushes.ts';
import { changesOf, isServiceFile, oidAt, touchedPaths, type Span } from './history.ts';
import { signatureProblem, type SigningDeps } from './signing.ts';

export interface FitnessDeps extends DirectPushDeps, SigningDeps {}

/** As settings accepted before have them. */
export interface Rules {
  /** Null: nothing must be signed. */
  readonly signatures: SignaturePolicy | null;
  readonly directPushes: DirectPushes;
}

/** Path -> why it is not admitted as it is. */
export type Unfit = ReadonlyMap<string, Problem>;

interface Outside {
  /** Of the content that was admitted last; null: there was no such file. */
  readonly oid: string | null;
  /** Since then, the oldest first. */
  readonly commits: readonly string[];
  readonly problem: Problem;
}

/** By path: what is not admitted at a commit. */
export type Records = Readonly<Partial<Record<string, Outside>>>;

/** What was found out once stays so, also when whoever was asked is away by now. Null: nothing is wrong. */
export type Decisions = Readonly<Partial<Record<string, Problem | null>>>;

export interface Findings {
  readonly records: Records;
  /** That it rests on. */
  readonly decisions: Decisions;
}

/** What was asked of the code host in this pass: while it is away, once is enough. */
export type Asked = Map<string, Promise<Problem | null>>;

interface Besides {
  readonly asked: Asked;
  /** Looked at although the span has not touched them. */
  readonly also: readonly string[];
}

export interface Fitness {
  /** What is out after the span: what it has touched is looked at by these rules, the rest stays as it was before. Nothing is kept. */
  look(span: Span, rules: Rules, before: Findings, besides: Besides): Promise<Findings>;
}

/** Nobody brings more before one of them is admitted; the file must then be taken back. */
const mostCommits = 200;

export function createFitness(deps: FitnessDeps): Fitness {
  const { repository } = deps;
  const cameDirectly = createDirectPushCheck(deps);

  async function problemOf(
    path: string,
    commits: readonly string[],
    { signatures, directPushes }: Rules,
    asked: Asked,
  ): Promise<Problem | null> {
    const newest = commits.at(-1);
    if (newest === undefined) return null;
    // Who signs vouches for the file as it stands; a pull request shows what it changes, and no more.
    const unsigned = await signatureProblem(deps, signatures, newest, path);
    if (unsigned !== null) return unsigned;
    // Where a service's own file comes from is looked at while it is pending.
    if (isServiceFile(path)) return null;
    for (const commit of commits) {
      const key = `${directPushes} ${commit} ${path}`;
      const asking = asked.get(key) ?? cameDirectly(directPushes, commit, path);
      asked.set(key, asking);
      const problem = await asking;
      if (problem !== null) return problem;
    }
    return commits.length < mostCommits
      ? null
      : { code: 'forbidden', file: path, message: 'Too many commits have changed this since it was admitted; take it back.' };
  }

  return {
    async look(span, rules, { records, decisions }, { asked, also }) {
      const touched = await touchedPaths(repository, span);
      const next: Partial<Record<string, Outside>> = { ...records };
      const decided: Partial<Record<string, Problem | null>> = {};
      const looked = asks(rules, deps) ? touched : touched.filter((one) => records[one] !== undefined);
      for (const path of new Set([...looked, ...also])) {
        const { [path]: before } = next;
        const admitted = before === undefined ? oidAt(await repository.tree(span.from), path) : before.oid;
        // Taken out first: it is put back where it is not admitted.
        Reflect.deleteProperty(next, path);
        if (oidAt(span.tree, path) === admitted) continue;
        const commits = [...new Set([...(before?.commits ?? []), ...(await changesOf(repository, span, path))])].slice(0, mostCommits);
        const key = sha1Hex(canonicalJson([path, commits, rules]));
        const known = decisions[key];
        const problem = known === undefined ? await problemOf(path, commits, rules, asked) : known;
        if (problem?.code !== 'unavailable') decided[key] = problem;
        if (problem !== null) next[path] = { oid: admitted, commits, problem };
      }
      return { records: next, decisions: decided };
    },
  };
}

/** Paths of which it is not known yet whether they are admitted. */
export function waiting(records: Records): readonly string[] {
  return Object.entries(records).flatMap(([path, record]) => (record?.problem.code === 'unavailable' ? [path] : []));
}

export function unfitOf(records: Records): Unfit {
  return new Map(Object.entries(records).flatMap(([path, record]) => (record === undefined ? [] : [[path, record.problem] as const])));
}

function asks({ signatures, directPushes }: Rules, { codeHost }: FitnessDeps): boolean {
  return signatures !== null || (codeHost !== null && directPushes !== 'allow');
}

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

  /** Of one file that the span has touched, or that waits; `decided`: null: what it rests on may change yet. */
  async function lookAt(span: Span, path: string, rules: Rules, { before, decisions, asked }: Before): Promise<Judged> {
    const admitted = before === undefined ? oidAt(await repository.tree(span.from), path) : before.oid;
    if (oidAt(span.tree, path) === admitted) return { record: null, decided: null };
    const commits = [...new Set([...(before?.commits ?? []), ...(await changesOf(repository, span, path))])].slice(0, mostCommits);
    const key = sha1Hex(canonicalJson([path, commits, rules]));
    const known = decisions[key];
    const found = known === undefined ? await problemOf(path, commits, rules, asked) : known;
    const problem = staysOut(before, found, rules) ? before.problem : found;
    return {
      record: problem === null ? null : { oid: admitted, commits, problem },
      decided: problem?.code === 'unavailable' ? null : { [key]: problem },
    };
  }

  return {
    async look(span, rules, { records, decisions }, { asked, also }) {
      const touched = await touchedPaths(repository, span);
      const looked = asks(rules, deps) ? touched : touched.filter((path) => records[path] !== undefined);
      const next = new Map(Object.entries(records));
      let decided: Decisions = {};
      for (const path of new Set([...looked, ...also])) {
        const judged = await lookAt(span, path, rules, { before: next.get(path), decisions, asked });
        if (judged.record === null) next.delete(path);
        else next.set(path, judged.record);
        decided = { ...decided, ...judged.decided };
      }
      return { records: Object.fromEntries(next), decisions: decided };
    },
  };
}

/** What is built on a refused one is refused, whatever else is not known. */
function staysOut(before: Outside | undefined, found: Problem | null, { directPushes }: Rules): before is Outside {
  return found?.code === 'unavailable' && before?.problem.code === 'forbidden' && directPushes !== 'allow';
}

interface Before {
  readonly before: Outside | undefined;
  readonly decisions: Decisions;
  readonly asked: Asked;
}

interface Judged {
  readonly record: Outside | null;
  readonly decided: Decisions | null;
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

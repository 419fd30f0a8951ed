/** From a commit to events: what changed since the last look, for which services, by which commit. */
import { StalledError } from '../../base/failures.ts';
import type { Problem } from '../../base/problem.ts';
import { groundProblems } from '../../domain/config/arms.ts';
import { isAskedForBy, isPutOff, isWithinRollbackWindow, type ServiceState } from '../../domain/rollout/state.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { Log } from '../../ports/log.ts';
import type { ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';
import { describeProblems, isSameAccepted, nothingAccepted, type Accepted } from './admission.ts';
import { createFitness } from './fitness.ts';
import { lastChange, type Span } from './history.ts';
import { actor, lookAt, reject, withModelsOf, type Look, type LookDeps } from './look.ts';
import { pass, type Passage } from './passage.ts';
import { isSettled, loadProgress, saveProgress, saveWorking, type Progress } from './progress.ts';
import { readService, save } from './read-service.ts';

export interface ReconcilerDeps extends LookDeps {
  readonly codeHost: CodeHost | null;
  readonly branchName: string;
  readonly log: Log;
  /** Throws StalledError when somebody else's record shows that this is no first start. */
  readonly beforeBootstrap: () => Promise<void>;
  readonly onSettings: (accepted: Accepted, problems: readonly Problem[]) => void;
}

export interface Reconciler {
  /** Puts the settings accepted last in force again, before anything is decided. */
  restore(): Promise<void>;
  /** Fetches, and works through what is new. Throws TransientError or StalledError. */
  reconcile(): Promise<void>;
  /** Accepts a history that was rewritten, or a large removal, once. A problem when the branch is not there, or nothing waits for it. */
  acceptHead(commit: string): Problem | null;
  readonly head: () => string | null;
  /** Settings and catalogue in force; null before the first look. */
  readonly accepted: () => Accepted | null;
}

export function createReconciler(deps: ReconcilerDeps): Reconciler {
  const { store, repository } = deps;
  let progress: Progress | null = null;
  let acceptedHead: string | null = null;
  let tipSeen: string | null = null;
  // Events of a commit can be in the journal although the commit never became the head: then nothing is taken for known.
  let isInterrupted = false;
  const tell = createTelling(deps);
  const passing = { ...deps, fitness: createFitness(deps) };

  function isDone(tip: string): boolean {
    return tip === progress?.head && isSettled(progress) && !isInterrupted && deps.engine.states().every(isAccountedFor);
  }

  async function reconcile(): Promise<void> {
    const tip = await repository.fetch();
    tipSeen = tip;
    if (tip === null) throw new StalledError('the branch does not exist on the remote; the last good state stays in force');
    if (isDone(tip)) return;
    await saveWorking(store, tip);
    // Until all of it is done: also a look that fails in this very process has told some services, and others not.
    const wasInterrupted = isInterrupted;
    isInterrupted = true;
    const spans = await spansOf(repository, progress, tip);
    const passage = await pass(passing, spans.sinceBase, progress);
    if (progress === null) {
      await deps.beforeBootstrap();
      await bootstrap(deps, spans.span.tree, passage);
    } else await advance(deps, advanceOf(progress, spans, passage, { looksAtAll: wasInterrupted, isAccepted: tip === acceptedHead }));
    const { accepted, decisions } = passage;
    // Last: after a crash before this the commit is worked through again, which changes nothing twice.
    const next = { head: tip, accepted, base: passage.base, decisions };
    await saveProgress(store, next);
    progress = next;
    isInterrupted = false;
    tell(accepted, passage.problems, tip);
  }

  async function restore(): Promise<void> {
    ({ progress, isInterrupted } = await loadProgress(store));
    if (progress !== null) deps.onSettings(progress.accepted, []);
  }

  return {
    restore,
    reconcile,
    acceptHead(commit) {
      const problem = headProblem(commit, tipSeen, progress?.head ?? null);
      if (problem === null) acceptedHead = commit;
      return problem;
    },
    head: () => progress?.head ?? null,
    accepted: () => progress?.accepted ?? null,
  };
}

function headProblem(commit: string, tip: string | null, head: string | null): Problem | null {
  if (commit !== tip)
    return { code: 'conflict', message: `The branch is at ${tip ?? 'nothing yet'}, not at ${commit}; accept what is there.` };
  if (tip === head) return { code: 'not-applicable', message: 'Nothing waits to be accepted: the branch has been worked through.' };
  return null;
}

/** Where the branch has moved on by more, its newest commit stands for all of them. */
const longestSpan = 5000;

async function spanOf(repository: ConfigurationRepository, head: string | null, tree: RepositoryTree): Promise<Span> {
  const commits = head === null ? [] : await repository.firstParents(head, tree.commit, longestSpan);
  return { from: head ?? tree.commit, tree, commits };
}

interface Spans {
  /** What no service was looked at for yet. */
  readonly span: Span;
  readonly sinceBase: Span;
}

async function spansOf(repository: ConfigurationRepository, progress: Progress | null, tip: string): Promise<Spans> {
  const tree = await repository.tree(tip);
  const { head = null, base = null } = progress ?? {};
  const span = await spanOf(repository, head, tree);
  return { span, sinceBase: base === null || base.commit === head ? span : await spanOf(repository, base.commit, tree) };
}

function advanceOf(
  { accepted }: Progress,
  { span, sinceBase }: Spans,
  passage: Passage,
  { looksAtAll, isAccepted }: Pick<Advance, 'looksAtAll' | 'isAccepted'>,
): Advance {
  const hasOtherModels = !isSameCatalogue(accepted, passage.accepted);
  return { span, sinceBase, hasOtherModels, tree: span.tree, passage, looksAtAll: looksAtAll || hasOtherModels, isAccepted };
}

/** Says in the log once what is the same in each look. */
function createTelling({ log, onSettings }: ReconcilerDeps): (accepted: Accepted, problems: readonly Problem[], commit: string) => void {
  let told = '';
  return (accepted, problems, commit) => {
    const said = `${commit} ${JSON.stringify(problems)}`;
    if (problems.length > 0 && said !== told)
      log.warn({ commit, problems: describeProblems(problems) }, 'settings refused, the last accepted stay in force');
    told = said;
    onSettings(accepted, problems);
  };
}

function isSameCatalogue(a: Accepted, b: Accepted): boolean {
  return isSameAccepted({ ...nothingAccepted, catalogue: a.catalogue }, { ...nothingAccepted, catalogue: b.catalogue });
}

/** The first look: each valid service is adopted as it is, without a rollout. */
async function bootstrap(deps: ReconcilerDeps, tree: RepositoryTree, passage: Passage): Promise<void> {
  const { commit } = tree;
  const { accepted } = passage;
  for (const service of tree.services.keys()) {
    // Adopted by a first look that a crash cut short: what came since then is a change like any other.
    if ((deps.engine.state(service)?.stable ?? null) !== null) {
      await lookAt(deps, { tree, passage }, service, { commit, passedOver: [], isOld: true });
      continue;
    }
    const read = await readService(deps, tree, service, accepted);
    const problems = read.ok ? groundProblems(read.value.definition.config, false) : read.error;
    if (!read.ok || problems.length > 0) {
      await reject(deps, service, { commit, passedOver: [], isOld: true }, problems);
      continue;
    }
    await save(deps, read.value, commit);
    await deps.engine.dispatch(service, { type: 'adopted', revision: { commit, digest: read.value.definition.digest } }, actor);
  }
}

interface Advance extends Look, Spans {
  /** The catalogue in force has changed by this look. */
  readonly hasOtherModels: boolean;
  /** The catalogue has changed, or a crash cut the last look short. */
  readonly looksAtAll: boolean;
  readonly isAccepted: boolean;
}

async function advance(deps: ReconcilerDeps, step: Advance): Promise<void> {
  const { tree, span } = step;
  const { commits } = span;
  const before = commits === null ? null : await deps.repository.tree(span.from);
  const removed = deps.engine.states().filter((state) => isRemoved(state, tree));
  if (!step.isAccepted) {
    refuseMassRemoval(removed.filter(({ stable }) => stable !== null).length, deps.engine.states().length, tree.commit);
    if (commits === null) await refuseRewrite(deps, step);
  }
  for (const service of tree.services.keys()) {
    if (before !== null && needsNoLook(deps.engine.state(service), step) && hasSameFile(before, tree, service)) continue;
    await lookAt(deps, step, service, await lastChange(deps.repository, service, spansFor(deps.engine.state(service), step)));
  }
  for (const { service } of removed) await deps.engine.dispatch(service, { type: 'service-removed', commit: tree.commit }, actor);
}

/** What has waited can have come long before what is new. */
function spansFor(state: ServiceState | undefined, { span, sinceBase, hasOtherModels }: Advance): Parameters<typeof lastChange>[2] {
  return { own: isPutOff(state?.rejection ?? null) ? sinceBase : span, models: hasOtherModels ? sinceBase : span };
}

/** As long as its file is the same. */
function needsNoLook(state: ServiceState | undefined, { looksAtAll }: Advance): boolean {
  return !looksAtAll && state !== undefined && !mayBeMended(state) && isAccountedFor(state);
}

/** What validation refused is looked at again with each commit, since the cause may lie in another file. What gateways or quarantine refuse is not. */
function mayBeMended(state: ServiceState): boolean {
  const code = state.rejection?.problems[0]?.code;
  return state.rejection !== null && code !== 'gateway-refused' && code !== 'conflict' && code !== 'forbidden';
}

/** What the branch held last is in force, on its way, or refused: then the same file needs no further look. */
function isAccountedFor({ seen, stable, active, waiting, rejection, orphaned }: ServiceState): boolean {
  if (orphaned) return true;
  if (isPutOff(rejection)) return false;
  const digests = [stable?.digest, active?.revision.digest, waiting?.revision.digest];
  return rejection !== null || seen === null || digests.includes(seen.digest ?? '') || isAskedForBy(stable, seen.digest);
}

/** Also one that was never in force: what waits of it starts no more. */
function isRemoved(state: ServiceState, tree: RepositoryTree): boolean {
  return (state.stable !== null || state.seen !== null) && !state.orphaned && !tree.services.has(state.service);
}

function hasSameFile(before: RepositoryTree, after: RepositoryTree, service: string): boolean {
  const oid = after.services.get(service)?.config?.oid;
  return oid !== undefined && oid === before.services.get(service)?.config?.oid;
}

function refuseMassRemoval(removed: number, all: number, commit: string): void {
  if (removed < 2 || removed <= all / 10) return;
  throw new StalledError(
    `${removed} of ${all} services are gone from the branch at ${commit.slice(0, 12)}; the last good state stays. If that is meant, run: actuator resync --accept ${commit}`,
  );
}

/** A rewritten history is taken as it is when it only goes back to what was promoted lately. */
async function refuseRewrite(deps: ReconcilerDeps, step: Advance): Promise<void> {
  const { passage } = step;
  const inForce = withModelsOf(passage, passage.last.inForce);
  for (const service of step.tree.services.keys()) {
    const state = deps.engine.state(service);
    const read = await readService(deps, step.tree, service, inForce);
    const digest = read.ok ? read.value.definition.digest : null;
    const isKnown =
      digest !== null &&
      state !== undefined &&
      (isAskedForBy(state.stable, digest) || isWithinRollbackWindow(state, digest, deps.clock.now()));
    if (isKnown) continue;
    const commit = step.tree.commit;
    throw new StalledError(
      `the branch was rewritten at ${commit.slice(0, 12)} and holds content that was never in force; the last good state stays. If that is meant, run: actuator resync --accept ${commit}`,
    );
  }
}

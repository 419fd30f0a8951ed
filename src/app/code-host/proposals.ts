/** Pull requests of ours: reverts that the branch does not let us push, and changes that people had us write. */
import { RefusedError } from '../../base/failures.ts';
import { canonicalJson } from '../../base/json.ts';
import type { Instant } from '../../base/time.ts';
import { tryEach } from '../../base/try-each.ts';
import { type PullRequestRef, type ServiceState, type Unreverted } from '../../domain/rollout/state.ts';
import { holdsBad, revertMessage } from '../engine/reverting.ts';
import { requestChange } from './change-request.ts';
import type { CodeHostDeps } from './parts.ts';
import { revertBody } from './report-text.ts';

export interface Proposals {
  /** Opens what is missing, and closes what is no longer needed. */
  keep(): Promise<void>;
}

interface OpenRevert {
  readonly service: string;
  readonly deploymentId: string;
  readonly branch: string;
  /** Null: it was about to be opened. */
  readonly pullRequest: PullRequestRef | null;
  /** How often the host was asked to merge it and would not, and when last. */
  readonly merging?: { readonly commit: string; readonly tries: number; readonly at: Instant };
}

const openKey = 'reverts-open';
/** A host finds out by itself, and after a while, whether a new pull request can be merged; people change its settings. */
const mergeEveryMs = 60_000;
const mostMergeTries = 60;

export function createProposals(deps: CodeHostDeps): Proposals {
  return {
    keep: () => tryEach([openMissing, closeNeedless, mergeOpen], (part) => part(deps)),
  };
}

function openMissing(deps: CodeHostDeps): Promise<void> {
  return tryEach(deps.engine.states(), async (state) => {
    const { unreverted } = state;
    if (unreverted !== null && unreverted.pullRequest === null) await openRevert(deps, state, unreverted);
  });
}

async function openRevert(deps: CodeHostDeps, state: ServiceState, unreverted: Unreverted): Promise<void> {
  const { service, last, active } = state;
  const { deploymentId, bad, restore, reason } = unreverted;
  const good = await deps.store.configuration(service, restore.digest);
  if (good === null) throw new Error(`the store lacks a configuration of ${service} that a revert needs`);
  const tried = await deps.store.configuration(service, bad.digest);
  // In a file that other services share: a person must decide, and has been told.
  if (canonicalJson(tried?.config ?? null) === canonicalJson(good.config)) return;
  const branch = `actuator/revert/${deploymentId}`;
  const path = `services/${service}/config.yaml`;
  const judgement = [active, last].find((one) => one?.id === deploymentId)?.judgement ?? null;
  const isBad = await holdsBad(deps, service, bad);
  const isWanted = (): boolean => isStillWanted(deps, service, unreverted);
  const effect = { kind: 'commit-revert', deploymentId, bad, restore, reason, actor: 'actuator' } as const;
  // Before it is there: one that nobody knows of would be merged by itself.
  await keepOpen(deps, { service, deploymentId, branch, pullRequest: null });
  const outcome = await requestChange(deps, {
    branch,
    path,
    edit: async (text) => (text !== null && isWanted() && (await isBad(text)) ? good.text : null),
    message: revertMessage(service, effect, judgement),
    title: `${service}: take back ${deploymentId}, ${reason}`,
    body: revertBody({ service, deploymentId, reason, commit: bad.commit, judgement }, (file) => deps.host.recordUrl(file)),
    labels: deps.settings().codeHost.labels ?? ['actuator', 'rollback'],
    reviewers: deps.ownersOf(path).filter((owner) => !/@./.test(owner)),
    autoMerge: () => deps.settings().codeHost.autoMerge && isWanted(),
  });
  // The branch has moved on, which the reconciler will see.
  if (outcome.kind === 'not-needed') return;
  if (outcome.kind === 'blocked') throw new RefusedError(`no branch for a revert pull request can be pushed: ${outcome.message}`);
  const { number, url } = outcome.pullRequest;
  const pullRequest = { number, url };
  const merging = outcome.notMerged === null ? {} : { merging: { commit: outcome.commit, tries: 1, at: deps.clock.now() } };
  await keepOpen(deps, { service, deploymentId, branch, pullRequest, ...merging });
  await deps.engine.dispatch(
    service,
    { type: 'revert-proposed', deploymentId, pullRequest, change: { bad: bad.digest, restore: restore.digest } },
    'actuator',
  );
}

/** While the host makes us wait, a person can order that the content be tried again, or more of it turns out bad. */
function isStillWanted({ engine }: CodeHostDeps, service: string, { deploymentId, bad, restore }: Unreverted): boolean {
  const now = engine.state(service)?.unreverted;
  return now?.deploymentId === deploymentId && now.bad.digest === bad.digest && now.restore.digest === restore.digest;
}

/** Once more for another revision to go back to: the same branch, and the same pull request. */
async function keepOpen(deps: CodeHostDeps, open: OpenRevert): Promise<void> {
  const others = (await openReverts(deps)).filter((one) => one.deploymentId !== open.deploymentId);
  await deps.store.put(openKey, JSON.stringify([...others, open]));
}

async function openReverts({ store }: CodeHostDeps): Promise<readonly OpenRevert[]> {
  const saved = await store.get(openKey);
  return saved === null ? [] : (JSON.parse(saved) as OpenRevert[]);
}

function isDue({ tries, at }: NonNullable<OpenRevert['merging']>, now: Instant): boolean {
  return tries < mostMergeTries && now - at >= mergeEveryMs;
}

/** What was not merged by itself, although settings want it so. */
async function mergeOpen(deps: CodeHostDeps): Promise<void> {
  if (deps.settings().codeHost.autoMerge) await tryEach(await openReverts(deps), (open) => mergeAgain(deps, open));
}

async function mergeAgain(deps: CodeHostDeps, open: OpenRevert): Promise<void> {
  const { merging, pullRequest, ...rest } = open;
  // Made anew meanwhile, it is merged with its new content.
  const isMeant = deps.engine.state(open.service)?.unreverted?.pullRequest?.number === pullRequest?.number;
  if (merging === undefined || pullRequest === null || !isMeant || !isDue(merging, deps.clock.now())) return;
  const why = await deps.host.mergeWhenAllowed(pullRequest.number, merging.commit);
  const again = why === null ? {} : { merging: { ...merging, tries: merging.tries + 1, at: deps.clock.now() } };
  await keepOpen(deps, { ...rest, pullRequest, ...again });
}

/** Merged ones leave their branch; those whose content somebody has replaced would take back what nobody tried. */
async function closeNeedless(deps: CodeHostDeps): Promise<void> {
  const open = await openReverts(deps);
  const left: OpenRevert[] = [];
  let failure: unknown;
  for (const one of open) {
    const unreverted = deps.engine.state(one.service)?.unreverted ?? null;
    if (unreverted?.deploymentId === one.deploymentId) left.push(one);
    else
      try {
        await close(deps, one);
      } catch (thrown) {
        failure ??= thrown;
        if (!(thrown instanceof RefusedError)) left.push(one);
      }
  }
  if (left.length !== open.length) await deps.store.put(openKey, JSON.stringify(left));
  if (failure !== undefined) throw failure as Error;
}

async function close({ host }: CodeHostDeps, { branch, pullRequest }: OpenRevert): Promise<void> {
  const number = pullRequest?.number ?? (await host.openPullRequests()).find((one) => one.branch === branch)?.number;
  const there = number === undefined ? null : await host.pullRequest(number);
  if (there?.state === 'open') await host.closePullRequest(there.number, branch);
  else await host.deleteBranch(branch);
}

/** Deployments that are over, rollbacks, and the timeline of one deployment: read from the journal. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { toIso, type Instant } from '../../base/time.ts';
import { diffPatch, type PatchOperation } from '../../domain/config/patch.ts';
import { canaryWeight } from '../../domain/rollout/shares.ts';
import type { FinishedDeployment, Revision, ServiceState } from '../../domain/rollout/state.ts';
import type { JournalRow, Store } from '../../ports/store.ts';
import { evidenceDigest, withoutMoment } from '../publication/render.ts';

export interface HistoryDeps {
  readonly store: Pick<Store, 'journalOf' | 'configuration'>;
  readonly states: () => readonly ServiceState[];
}

export interface EndedView {
  readonly service: string;
  readonly deployment_id: string;
  readonly phase: string;
  readonly reason: string;
  readonly commit: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly revert_commit: string | null;
}

export interface RollbackView extends EndedView {
  readonly rollback_id: string;
  readonly detected_by: string;
  readonly ordered_by: string;
  readonly decided_at: string;
  /** From the decision until every leased gateway had acknowledged that it serves stable only; null: it took no traffic. */
  readonly traffic_returned_ms: number | null;
  readonly evidence: string | null;
}

export interface LogLine {
  readonly position: number;
  readonly at: string;
  readonly level: 'info' | 'warn' | 'error';
  readonly actor: string;
  readonly phase: string;
  readonly weight: number;
  readonly message: string;
  readonly event: object;
}

/** Rows of a service that are looked through, newest first. */
const mostRows = 5000;

async function endedOf(
  { store, states }: HistoryDeps,
  since: Instant,
  service?: string,
): Promise<readonly (readonly [FinishedDeployment, readonly JournalRow[]])[]> {
  const found: (readonly [FinishedDeployment, readonly JournalRow[]])[] = [];
  for (const state of states()) {
    if (service !== undefined && state.service !== service) continue;
    const rows = (await store.journalOf(state.service, mostRows)).toReversed();
    const ended = new Map<string, FinishedDeployment>();
    for (const { stateAfter } of rows)
      if (stateAfter.last !== null) ended.set(`${stateAfter.last.id} ${stateAfter.last.finishedAt}`, stateAfter.last);
    for (const last of ended.values()) if (last.finishedAt >= since) found.push([last, rows]);
  }
  return found.sort(([a], [b]) => b.finishedAt - a.finishedAt);
}

/** The newest first. */
export async function listEnded(deps: HistoryDeps, since: Instant): Promise<readonly EndedView[]> {
  return (await endedOf(deps, since)).map(([last, rows]) => viewEnded(rows[0]?.service ?? '', last));
}

function viewEnded(service: string, last: FinishedDeployment): EndedView {
  return {
    service,
    deployment_id: last.id,
    phase: last.phase,
    reason: last.reason,
    commit: last.revision.commit,
    started_at: toIso(last.createdAt),
    finished_at: toIso(last.finishedAt),
    revert_commit: last.revertCommit,
  };
}

/** Also those that ended with the service held. The newest first. */
export async function listRollbacks(deps: HistoryDeps, since: Instant): Promise<readonly RollbackView[]> {
  const ended = await endedOf(deps, since);
  return ended.flatMap(([last, rows]) => (last.phase === 'rolled-back' || last.phase === 'held' ? [viewRollback(last, rows)] : []));
}

function viewRollback(last: FinishedDeployment, rows: readonly JournalRow[]): RollbackView {
  const decided = rows.find(({ stateAfter: { active } }) => active?.id === last.id && active.phase.name === 'rolling-back');
  return {
    ...viewEnded(rows[0]?.service ?? '', last),
    rollback_id: `rollback-${last.id}`,
    detected_by: decided === undefined ? 'git' : causeOf(decided.stateAfter),
    ordered_by: decided?.actor ?? 'actuator',
    decided_at: toIso(decided?.at ?? last.finishedAt),
    traffic_returned_ms: decided === undefined ? null : returnedAfter(decided, last.id, rows),
    evidence: last.judgement === null ? null : evidenceDigest(last.judgement),
  };
}

function causeOf({ active }: ServiceState): string {
  return active?.phase.name === 'rolling-back' ? active.phase.detectedBy : 'git';
}

function returnedAfter(decided: JournalRow, id: string, rows: readonly JournalRow[]): number | null {
  const returned = rows.find(
    ({ event, stateAfter, position }) => event.type === 'applied' && position > decided.position && hasReturned(stateAfter, id),
  );
  return returned === undefined ? null : returned.at - decided.at;
}

function hasReturned({ active, last }: ServiceState, id: string): boolean {
  if (active?.id !== id) return last?.id === id;
  return active.phase.name === 'recovering' || (active.phase.name === 'rolling-back' && active.phase.trafficReturned);
}

export async function rollbackDetails(
  deps: HistoryDeps,
  id: string,
): Promise<Result<RollbackView & { readonly judgement: object | null; readonly timeline: readonly LogLine[] }, readonly Problem[]>> {
  const deployment = id.replace(/^rollback-/, '');
  const found = (await endedOf(deps, 0)).find(
    ([last]) => last.id === deployment && (last.phase === 'rolled-back' || last.phase === 'held'),
  );
  if (found === undefined) return refuse([notKept(id)]);
  const [last, rows] = found;
  return ok({ ...viewRollback(last, rows), judgement: last.judgement, timeline: linesOf(rows, deployment) });
}

function notKept(id: string): Problem {
  return {
    code: 'not-found',
    message: `There is no record of ${id} here; older ones are on the branch actuator/status, under deployments/.`,
  };
}

/** What happened to a deployment, oldest first. */
export async function deploymentLog(deps: HistoryDeps, id: string): Promise<Result<readonly LogLine[], readonly Problem[]>> {
  for (const { service } of deps.states()) {
    const lines = linesOf((await deps.store.journalOf(service, mostRows)).toReversed(), id);
    if (lines.length > 0) return ok(lines);
  }
  return refuse([notKept(id)]);
}

function linesOf(rows: readonly JournalRow[], id: string): readonly LogLine[] {
  return rows
    .filter((row, index) => isAbout(row, rows[index - 1], id))
    .map(({ position, at, actor, message, event, stateAfter }) => ({
      position,
      at: toIso(at),
      level: levelOf(stateAfter, id),
      actor,
      phase: stateAfter.active?.id === id ? stateAfter.active.phase.name : (stateAfter.last?.phase ?? 'idle'),
      weight: canaryWeight(stateAfter),
      message,
      event: withoutMoment(event),
    }));
}

function isAbout({ event, stateAfter }: JournalRow, before: JournalRow | undefined, id: string): boolean {
  if (event.type === 'revert-proposed' && event.deploymentId === id) return true;
  if (stateAfter.active?.id === id || stateAfter.waiting?.deploymentId === id) return true;
  return stateAfter.last?.id === id && before?.stateAfter.last?.finishedAt !== stateAfter.last.finishedAt;
}

function levelOf({ active, last }: ServiceState, id: string): LogLine['level'] {
  const phase = active?.id === id ? active.phase.name : last?.phase;
  if (phase === 'rolling-back' || phase === 'rolled-back' || phase === 'held') return 'error';
  return phase === 'paused' || phase === 'rejected' ? 'warn' : 'info';
}

/** What a deployment changes against its base, as a JSON Patch. */
export async function deploymentDiff(
  deps: HistoryDeps,
  id: string,
): Promise<
  Result<
    { readonly service: string; readonly from: string | null; readonly to: string; readonly patch: readonly PatchOperation[] },
    readonly Problem[]
  >
> {
  const live = deps.states().find(({ active }) => active?.id === id);
  const pair =
    live?.active == null ? await endedPair(deps, id) : { service: live.service, base: live.active.base, revision: live.active.revision };
  if (pair === null) return refuse([notKept(id)]);
  const configOf = async (revision: Revision | null): Promise<object> =>
    revision === null ? {} : ((await deps.store.configuration(pair.service, revision.digest))?.config ?? {});
  const patch = diffPatch(await configOf(pair.base), await configOf(pair.revision));
  return ok({ service: pair.service, from: pair.base?.digest ?? null, to: pair.revision.digest, patch });
}

async function endedPair(
  deps: HistoryDeps,
  id: string,
): Promise<{ readonly service: string; readonly base: Revision | null; readonly revision: Revision } | null> {
  const found = (await endedOf(deps, 0)).find(([last]) => last.id === id);
  return found === undefined ? null : { service: found[1][0]?.service ?? '', base: found[0].base, revision: found[0].revision };
}

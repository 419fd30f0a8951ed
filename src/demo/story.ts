/** What the demonstration tells, in numbers read back from the control plane's own record. */
import type { Judgement } from '../domain/analysis/look.ts';
import type { ServiceEvent } from '../domain/rollout/event.ts';
import { pause, type World } from './world.ts';

export interface EventRow {
  readonly position: number;
  readonly at_ms: number;
  readonly service: string;
  readonly actor: string;
  readonly event: ServiceEvent;
  readonly phase: string;
  readonly message: string;
}

export interface StatusRow {
  readonly service: string;
  readonly phase: string;
  /** What the branch held at the last look; with its commit, the settings of that commit have been looked at too. */
  readonly desired: { readonly commit: string } | null;
  readonly deployment: {
    readonly deployment_id: string;
    readonly commit: string;
    readonly current_percentage: number;
    readonly steps: readonly { readonly percentage: number }[];
  } | null;
  readonly last_deployment: {
    readonly id: string;
    readonly phase: string;
    readonly reason: string;
    readonly commit: string;
    readonly revert_commit: string | null;
  } | null;
  readonly stable: { readonly commit: string; readonly digest: string } | null;
}

export async function events(world: World, after: number): Promise<readonly EventRow[]> {
  return ((await world.api(`/api/v1/actuator/events?after=${after}`)) as { events: EventRow[] }).events;
}

export async function allEvents(world: World): Promise<readonly EventRow[]> {
  const all: EventRow[] = [];
  for (;;) {
    const page = await events(world, all.at(-1)?.position ?? 0);
    if (page.length === 0) return all;
    all.push(...page);
  }
}

export async function status(world: World, service: string): Promise<StatusRow> {
  const reply = (await world.api(`/api/v1/actuator/status?service=${service}`)) as { services: StatusRow[] };
  const [row] = reply.services;
  if (row === undefined) throw new Error(`no status of ${service}`);
  return row;
}

/** Waits until the deployment of `commit` has ended. Throws after `limitMs`. */
export async function untilEnded(
  world: World,
  service: string,
  commit: string,
  limitMs: number,
): Promise<NonNullable<StatusRow['last_deployment']>> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const { last_deployment: last, phase } = await status(world, service);
    if (last?.commit === commit) return last;
    if (performance.now() > giveUpAt)
      throw new Error(`${service} at ${commit.slice(0, 12)} did not end within ${limitMs} ms; it is ${phase}`);
    await pause(100);
  }
}

/** Who has approved a deployment, by its reviews. */
export async function approversOf(world: World, deploymentId: string): Promise<readonly string[]> {
  const found = (await allEvents(world)).flatMap(({ event }) =>
    event.type === 'origin-found' && event.deploymentId === deploymentId ? event.reviews.map(({ approver }) => approver) : [],
  );
  return [...new Set(found)];
}

export interface RollbackFigures {
  readonly detectedBy: string;
  readonly canaryRequests: number;
  readonly breachToStableMs: number;
  readonly breachToRevertPushedMs: number;
}

/** The clock starts when the bucket arrives that makes the verdict fail, and stops at the last gateway's acknowledgement. */
export function rollbackFigures(rows: readonly EventRow[], deploymentId: string): RollbackFigures {
  const breach = rows.findLast((row) => row.event.type === 'judged' && row.event.judgement.verdict === 'fail');
  if (breach?.event.type !== 'judged') throw new Error(`no failing verdict on ${deploymentId} in the journal`);
  const { judgement, arrivedAt }: { judgement: Judgement; arrivedAt: number } = breach.event;
  const later = rows.filter((row) => row.position > breach.position && row.service === breach.service);
  const applied = later.find((row) => row.event.type === 'applied');
  // Where the branch is protected: the pull request that takes its place.
  const reverted = later.find(
    ({ event }) => event.type === 'revert-proposed' || (event.type === 'revert-settled' && event.outcome.kind === 'committed'),
  );
  return {
    detectedBy: judgement.detected_by ?? 'unknown',
    canaryRequests: judgement.canary.requests,
    breachToStableMs: (applied?.at_ms ?? Number.NaN) - arrivedAt,
    breachToRevertPushedMs: (reverted?.at_ms ?? Number.NaN) - arrivedAt,
  };
}

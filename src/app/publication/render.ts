/** From journal rows to commits of the status branch. Pure. */
import { stringify } from 'yaml';
import { sha1Hex, sha256Hex } from '../../base/hash.ts';
import { canonicalJson } from '../../base/json.ts';
import { formatProblem } from '../../base/problem.ts';
import { oneLine } from '../../base/text.ts';
import { toIso } from '../../base/time.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import type { EvidenceRecord } from '../../domain/analysis/record.ts';
import { canaryWeight } from '../../domain/rollout/shares.ts';
import { newService, type Revision, type ServiceState } from '../../domain/rollout/state.ts';
import type { StatusFile } from '../../generated/types.ts';
import type { FileChange, StatusCommit } from '../../ports/repository.ts';
import type { JournalRow } from '../../ports/store.ts';

/** What is published besides the row itself. */
export interface RowContext {
  readonly before: ServiceState | null;
  /** The stable configuration as written, so that no force-push can lose it. */
  readonly stableText: string | null;
  readonly requestsPerSecond: number | null;
  /** Of the verdict that the row is about; null when it is about none. */
  readonly evidence: EvidenceRecord | null;
}

export function serviceFolder(service: string): string {
  return `status/${sha1Hex(service).slice(0, 2)}`;
}

export function statusFilePath(service: string): string {
  return `${serviceFolder(service)}/${service}.yaml`;
}

/** The deployment that a row is about; null for rows that concern the service only. */
function deploymentOf(row: JournalRow, before: ServiceState): string | null {
  const after = row.stateAfter;
  const ended = after.last !== null && after.last.id !== before.last?.id ? after.last.id : null;
  return ended ?? after.active?.id ?? before.active?.id ?? null;
}

export function renderRow(row: JournalRow, context: RowContext): StatusCommit {
  const before = context.before ?? newService(row.service);
  const deployment = deploymentOf(row, before);
  const files: FileChange[] = [{ path: statusFilePath(row.service), text: stringify(statusFile(row, context)) }];
  if (context.stableText !== null)
    files.push({ path: `${serviceFolder(row.service)}/${row.service}.stable.config.yaml`, text: context.stableText });
  const appends: FileChange[] = [];
  if (deployment !== null) {
    const folder = deploymentFolder(deployment);
    appends.push({ path: `${folder}/events.jsonl`, text: `${canonicalJson(eventLine(row, deployment))}\n` });
    if (context.evidence !== null) files.push({ path: `${folder}/evidence.json`, text: evidenceText(context.evidence) });
    if (row.event.type === 'watch-failed')
      files.push({ path: `${folder}/watch.json`, text: `${JSON.stringify(row.event.judgement, null, 2)}\n` });
  }
  return { message: messageOf(row, deployment), files, appends };
}

/** Several transitions in one commit, when many wait. The last status of each file counts, events are kept all. */
export function joinCommits(commits: readonly StatusCommit[]): StatusCommit {
  const files = new Map(commits.flatMap((commit) => commit.files.map(({ path, text }) => [path, text] as const)));
  const appends = new Map<string, string>();
  for (const { path, text } of commits.flatMap((commit) => commit.appends)) appends.set(path, (appends.get(path) ?? '') + text);
  const list = commits.map((commit) => `- ${commit.message.split('\n', 1)[0] ?? ''}`).join('\n');
  const change = ([path, text]: readonly [string, string]): FileChange => ({ path, text });
  return {
    message: `${commits.length} transitions\n\n${list}\n\n[skip ci]\n\nActuator-Event: transitions\nActuator-Actor: actuator\n`,
    files: [...files].map(change),
    appends: [...appends].map(change),
  };
}

/** Folder of `deploy-20261122-003`: `deployments/2026/11/deploy-20261122-003`. */
export function deploymentFolder(id: string): string {
  return `deployments/${id.slice(7, 11)}/${id.slice(11, 13)}/${id}`;
}

/** One member a line, and one block a line: what git can compare. */
export function evidenceText(record: EvidenceRecord): string {
  const { blocks, ...head } = record;
  const members = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const rows = blocks.map((row) => `    ${JSON.stringify(row)}`).join(',\n');
  return `{\n${members.join(',\n')},\n  "blocks": [${rows === '' ? '' : `\n${rows}\n  `}]\n}\n`;
}

/** Of the verdict, as it stands under `judgement` in evidence.json, from which it can be made again. */
export function evidenceDigest(judgement: Judgement): string {
  return `sha256:${sha256Hex(canonicalJson(judgement))}`;
}

function messageOf(row: JournalRow, deployment: string | null): string {
  const trailers = [
    `Actuator-Event: ${row.event.type}`,
    `Actuator-Service: ${row.service}`,
    ...(deployment === null ? [] : [`Actuator-Deployment: ${deployment}`]),
    `Actuator-Actor: ${oneLine(row.actor, 100)}`,
  ];
  return `${row.message}\n\n[skip ci]\n\n${trailers.join('\n')}\n`;
}

function eventLine(row: JournalRow, deployment: string): object {
  return {
    position: row.position,
    seq: row.seq,
    at: toIso(row.at),
    service: row.service,
    deployment_id: deployment,
    actor: row.actor,
    message: row.message,
    phase: row.stateAfter.active?.phase.name ?? row.stateAfter.last?.phase ?? 'idle',
    weight: canaryWeight(row.stateAfter),
    event: withoutMoment(row.event),
  };
}

/** What a verdict was made of stands in evidence.json. */
export function withoutMoment(event: JournalRow['event']): object {
  if (event.type !== 'judged') return event;
  const { moment: _moment, ...rest } = event;
  return rest;
}

function statusFile(row: JournalRow, context: RowContext): StatusFile {
  const state = row.stateAfter;
  const { active } = state;
  return {
    service: state.service,
    updated_at: toIso(row.at),
    desired: state.seen === null ? null : { commit: state.seen.commit, digest: state.seen.digest },
    stable: written(state.stable),
    canary: canaryWeight(state) > 0 ? written(active?.revision ?? null) : null,
    deployment_id: active?.id ?? null,
    phase: active?.phase.name ?? 'idle',
    step: stepOf(state),
    weight: canaryWeight(state),
    ...lastOf(state),
    conditions: conditionsOf(state),
    rejection: state.rejection === null ? null : { commit: state.rejection.commit, problems: state.rejection.problems.map(formatProblem) },
    quarantine: state.quarantine.map((entry) => ({
      digest: entry.digest,
      deployment_id: entry.deploymentId,
      reason: entry.reason,
      at: toIso(entry.at),
    })),
    requests_per_second: context.requestsPerSecond,
  };
}

function lastOf(state: ServiceState): Pick<StatusFile, 'last_deployment' | 'last_verdict'> {
  const { last } = state;
  const judgement = state.active?.judgement ?? last?.judgement ?? null;
  return {
    last_deployment:
      last === null
        ? null
        : {
            id: last.id,
            phase: last.phase,
            reason: last.reason,
            commit: last.revision.commit,
            finished_at: toIso(last.finishedAt),
            revert_commit: last.revertCommit,
          },
    last_verdict: judgement === null ? null : { verdict: judgement.verdict, reason: judgement.reason, evidence: evidenceDigest(judgement) },
  };
}

function written(revision: Revision | null): { commit: string; digest: string } | null {
  return revision === null ? null : { commit: revision.commit, digest: revision.digest };
}

export function stepOf(state: ServiceState): { number: number; of: number } | null {
  const { active } = state;
  if (active === null || (active.phase.name !== 'progressing' && active.phase.name !== 'paused')) return null;
  return { number: active.phase.step + 1, of: active.plan.steps.length };
}

/** Derived from the state, never stored in it: `Reconciling` and `Stalled` are there only when true. */
export function conditionsOf(state: ServiceState): StatusFile['conditions'] {
  const stalled = stallOf(state);
  const phase = state.active?.phase.name ?? 'idle';
  if (stalled !== null) return stalledBy(stalled);
  if (phase === 'idle') return [{ type: 'Ready', status: 'True', reason: phase }];
  return [
    { type: 'Ready', status: 'False', reason: phase },
    { type: 'Reconciling', status: 'True', reason: phase },
  ];
}

export function stalledBy(reason: string): StatusFile['conditions'] {
  return [
    { type: 'Ready', status: 'False', reason },
    { type: 'Stalled', status: 'True', reason },
  ];
}

function stallOf(state: ServiceState): string | null {
  if (state.held !== null) return `held: ${state.held}`;
  if (state.active?.phase.name === 'paused' && state.active.phase.reason !== 'operator') return `paused: ${state.active.phase.message}`;
  if (state.rejection !== null) return `rejected: ${state.rejection.problems.map(formatProblem)[0] ?? 'not valid'}`;
  return state.orphaned ? 'orphaned: its folder is gone from the branch' : null;
}

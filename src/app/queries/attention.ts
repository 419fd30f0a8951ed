/** What needs a person: approvals that are waited for, and everything that is not as it should be. */
import { messageOf } from '../../base/failures.ts';
import { formatProblem } from '../../base/problem.ts';
import { formatDuration, toIso, type Instant } from '../../base/time.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { checkSafety, type SafetyFinding } from '../../domain/safety/checks.ts';
import { describeStep } from '../../domain/planning/step.ts';
import { approvalsNeeded, type Deployment, type ServiceState, type Unreverted } from '../../domain/rollout/state.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { Store } from '../../ports/store.ts';
import type { ControlPlane } from '../control-plane.ts';

export interface PendingView {
  readonly service: string;
  readonly deployment_id: string;
  readonly commit: string;
  readonly digest: string;
  readonly author: string;
  readonly since: string;
  readonly plan: string;
  readonly waits_for: readonly string[];
  readonly approvals: readonly { readonly approver: string; readonly comment: string | null; readonly at: string }[];
  readonly approvals_needed: number;
  /** Null: it came by a push, or nobody knows. */
  readonly pull_request: string | null;
  readonly approval_roles: readonly string[];
}

export interface IssueView {
  readonly severity: 'critical' | 'warning' | 'info';
  readonly service: string | null;
  readonly deployment_id: string | null;
  readonly issue: string;
  /** What to do about it. */
  readonly remedy: string;
}

export function pendingDeployments({ engine, gatekeeping }: ControlPlane): readonly PendingView[] {
  const waitsFor = gatekeeping.waits();
  return engine
    .states()
    .flatMap((state) => (state.active?.phase.name === 'pending' ? [viewPending(state.service, state.active, waitsFor(state))] : []));
}

export interface PullRequestView {
  readonly number: number;
  readonly title: string;
  readonly author: string;
  readonly url: string;
}

/** Those that are not merged yet. The rest is shown also when the host does not answer. */
export async function openPullRequests(
  host: CodeHost | null,
): Promise<{ readonly pull_requests: readonly PullRequestView[]; readonly code_host_problem: string | null }> {
  if (host === null) return { pull_requests: [], code_host_problem: null };
  try {
    const open = await host.openPullRequests();
    return { pull_requests: open.map(({ number, title, author, url }) => ({ number, title, author, url })), code_host_problem: null };
  } catch (thrown) {
    return { pull_requests: [], code_host_problem: messageOf(thrown) };
  }
}

function viewPending(service: string, active: Deployment, waitsFor: readonly string[]): PendingView {
  const { kind, steps, gates } = active.plan;
  return {
    service,
    deployment_id: active.id,
    commit: active.revision.commit,
    digest: active.revision.digest,
    author: active.author,
    since: toIso(active.createdAt),
    plan: `${kind}${steps.length === 0 ? '' : `: ${steps.map(describeStep).join(', ')}`}`,
    waits_for: waitsFor,
    approvals: active.approvals.map(({ approver, comment, at }) => ({ approver, comment, at: toIso(at) })),
    approvals_needed: approvalsNeeded(active),
    pull_request: active.origin?.kind === 'pull-request' ? active.origin.url : null,
    approval_roles: gates.roles,
  };
}

/** The checks of a deployment's plan, made anew on what is stored. */
export async function safetyOf(
  controlPlane: ControlPlane,
  store: Pick<Store, 'configuration'>,
  service: string,
  { plan, base, revision }: Deployment,
): Promise<readonly SafetyFinding[]> {
  const catalogue = controlPlane.reconciler.accepted()?.catalogue;
  const after = await store.configuration(service, revision.digest);
  const before = base === null ? null : await store.configuration(service, base.digest);
  if (catalogue == null || after === null) return [];
  return checkSafety(plan.gates.safetyChecks, { before: before?.config ?? null, after: after.config, catalogue });
}

export function findIssues(controlPlane: ControlPlane, now: Instant): readonly IssueView[] {
  const { repository, publication, effects, codeHost, settings } = controlPlane.problems();
  const system: readonly IssueView[] = [
    ...ofSystem('critical', repository, repositoryRemedy(repository)),
    ...ofSystem('warning', publication, 'the audit trail waits here and is published when the remote can be written'),
    ...ofSystem('critical', effects, 'a revert commit or a notification could not be done yet; it is tried again'),
    ...ofSystem('warning', codeHost, 'statuses, reviews and revert pull requests wait until the code host can be used again'),
    ...settings.map((problem) => ({
      severity: 'warning' as const,
      service: null,
      deployment_id: null,
      issue: `settings refused: ${formatProblem(problem)}`,
      remedy: 'the last accepted settings stay in force until the file is mended',
    })),
  ];
  const { freeze } = controlPlane.engine.everywhere();
  const frozen =
    freeze === null
      ? []
      : [
          {
            severity: 'info' as const,
            service: null,
            deployment_id: null,
            issue: `${freeze.drains ? 'draining' : 'frozen'} since ${toIso(freeze.at)} by ${freeze.actor}: ${freeze.reason}`,
            remedy: 'actuator unfreeze',
          },
        ];
  const away = controlPlane.fleet.known().filter(({ connected }) => !connected);
  const gateways = away.map(({ gateway }) => ({
    severity: 'warning' as const,
    service: null,
    deployment_id: null,
    issue: `gateway ${gateway} is not connected`,
    remedy: 'it serves stable when its lease has lapsed; look at its log',
  }));
  const services = controlPlane.engine.states().flatMap((state) => ofService(controlPlane, state, now));
  return [...system, ...frozen, ...gateways, ...services].sort((a, b) => ranks[a.severity] - ranks[b.severity]);
}

function repositoryRemedy(problem: string | null): string {
  return problem?.includes('actuator resync') === true
    ? 'look at what was rewritten or removed; actuator resync --accept takes it as it is'
    : 'see the message; what is in force stays, and is looked at again by itself';
}

const ranks = { critical: 0, warning: 1, info: 2 } as const;

function ofSystem(severity: IssueView['severity'], issue: string | null, remedy: string): readonly IssueView[] {
  return issue === null ? [] : [{ severity, service: null, deployment_id: null, issue, remedy }];
}

function ofService(controlPlane: ControlPlane, state: ServiceState, now: Instant): readonly IssueView[] {
  const { service, active, held, rejection, orphaned, unreverted } = state;
  const issue = (severity: IssueView['severity'], text: string, remedy: string): IssueView => ({
    severity,
    service,
    deployment_id: active?.id ?? null,
    issue: text,
    remedy,
  });
  const found: IssueView[] = [];
  if (held !== null)
    found.push(issue('critical', `held: ${held}`, 'look at the service; deploy a fix, or roll back to a version with --to-version'));
  if (rejection !== null)
    found.push(
      issue(
        'warning',
        `the branch holds what is not tried: ${rejection.problems.map(formatProblem).join('; ')}`,
        remedyOfBranch(controlPlane, unreverted),
      ),
    );
  if (orphaned)
    found.push(issue('info', 'its folder is gone from the branch; it goes on serving', 'put the folder back if that was a mistake'));
  if (active !== null) found.push(...ofDeployment(controlPlane, state, active, now, issue));
  return found;
}

function remedyOfBranch({ hasCodeHost }: ControlPlane, unreverted: Unreverted | null): string {
  if (unreverted === null || !hasCodeHost) return 'mend or revert the commit';
  return unreverted.pullRequest === null
    ? 'a pull request that takes it back is opened as soon as the code host lets us'
    : `review and merge ${unreverted.pullRequest.url}`;
}

/** A pending deployment that waits for longer than this is worth a look. */
const longWaitMs = 3_600_000;
/** An immediate rollback takes about a second. */
const lateReturnMs = 10_000;

function ofDeployment(
  controlPlane: ControlPlane,
  state: ServiceState,
  active: Deployment,
  now: Instant,
  issue: MakeIssue,
): readonly IssueView[] {
  const { autoRollbackPausedUntil: disarmedUntil } = active;
  const disarmed =
    disarmedUntil !== null && now < disarmedUntil
      ? [issue('warning', `automatic rollback is paused until ${toIso(disarmedUntil)}`, 'actuator arm-auto-rollback ends that')]
      : [];
  const judgement = active.phase.name === 'progressing' ? controlPlane.judging.judgement(state.service) : null;
  return [...ofPhase(active, now, issue), ...disarmed, ...(judgement === null ? [] : ofJudgement(judgement, issue))];
}

type MakeIssue = (severity: IssueView['severity'], text: string, remedy: string) => IssueView;

function ofPhase({ phase, createdAt }: Deployment, now: Instant, issue: MakeIssue): readonly IssueView[] {
  switch (phase.name) {
    case 'paused': {
      const isMeant = phase.reason === 'operator' || phase.reason === 'planned' || phase.reason === 'held-up';
      return [
        issue(
          isMeant ? 'info' : 'critical',
          `paused since ${toIso(phase.since)}: ${phase.message}`,
          'actuator resume, promote or rollback',
        ),
      ];
    }
    case 'rolling-back': {
      const isLate = !phase.trafficReturned && phase.gradual === null && now - phase.since > lateReturnMs;
      const remedy = 'look at gateways that are not connected; they serve stable when their lease has lapsed';
      return isLate
        ? [issue('critical', `rolling back for ${formatDuration(now - phase.since)}, and not every gateway has acknowledged it`, remedy)]
        : [];
    }
    case 'pending':
      return now - createdAt > longWaitMs
        ? [issue('info', `waits for ${formatDuration(now - createdAt)}: ${phase.waitsFor.join('; ')}`, 'actuator pending-approvals')]
        : [];
    default:
      return [];
  }
}

function ofJudgement({ verdict, reason, warnings }: Judgement, issue: MakeIssue): readonly IssueView[] {
  const failing = verdict === 'fail' ? [issue('critical', reason, 'actuator rollback')] : [];
  const silent =
    verdict === 'no-data' || verdict === 'error' ? [issue('warning', reason, 'actuator sample-size; actuator traffic-stats')] : [];
  return [...failing, ...silent, ...warnings.map((warning) => issue('warning', warning.reason, 'actuator metrics'))];
}

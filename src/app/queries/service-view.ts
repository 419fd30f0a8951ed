/** What status shows of a service. Field names of `deployment` are those of the guide (7.3). */
import { toIso, type Instant } from '../../base/time.ts';
import type { CriterionFinding } from '../../domain/analysis/criteria.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { canaryWeight, triedArms } from '../../domain/rollout/shares.ts';
import { currentStep, type Deployment, type FinishedDeployment, type ServiceState } from '../../domain/rollout/state.ts';
import { shortestDurationMs } from '../../domain/planning/plan.ts';
import { describeStep } from '../../domain/planning/step.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { RecentTraffic, VariantTraffic } from '../judging/traffic.ts';
import type { Refusal } from '../fleet/fleet.ts';
import { conditionsOf, stalledBy, stepOf } from '../publication/render.ts';

export interface ServiceView {
  readonly service: string;
  readonly phase: string;
  readonly message: string | null;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  readonly desired: { readonly commit: string; readonly digest: string | null } | null;
  readonly stable: { readonly commit: string; readonly digest: string } | null;
  /** Null: no gateway is there to apply it. */
  readonly applied: boolean | null;
  readonly refused_by: readonly Refusal[];
  readonly requests_per_second: number;
  readonly spent_today_usd: number;
  readonly deployment: DeploymentView | null;
  readonly last_deployment:
    | (Pick<FinishedDeployment, 'id' | 'phase' | 'reason'> & {
        readonly finished_at: string;
        readonly commit: string;
        readonly revert_commit: string | null;
      })
    | null;
  readonly waiting: string | null;
  readonly watch_until: string | null;
  readonly traffic: { readonly canary: VariantTraffic; readonly stable: VariantTraffic };
}

export interface DeploymentView {
  readonly deployment_id: string;
  readonly status: string;
  readonly phase: string;
  readonly current_percentage: number;
  readonly started_at: string | null;
  readonly expected_completion: string | null;
  readonly commit: string;
  readonly digest: string;
  readonly step: { readonly number: number; readonly of: number } | null;
  readonly strategy: string;
  /** Why the planner chose it; null: a person did. */
  readonly chosen_because: { readonly change: string; readonly paths: readonly string[] } | null;
  /** What the present step does: analyse, mirror, hold or pause; null outside of steps. */
  readonly step_kind: string | null;
  readonly waits_for: readonly string[];
  readonly approvals: readonly string[];
  readonly auto_rollback_paused_until: string | null;
  readonly steps: readonly { readonly percentage: number; readonly duration_ms: number; readonly kind: string; readonly name: string }[];
  readonly hold_ends_at: string | null;
  readonly paused_reason: string | null;
  /** When a pause ends by itself. */
  readonly paused_until: string | null;
  /** What the verdict rests on, in the words of the guide. */
  readonly metrics: ComparedMetrics | null;
  readonly judgement: Judgement | null;
  readonly next_step: { readonly action: string; readonly percentage: number; readonly scheduled_at: string } | null;
}

export interface ComparedMetrics {
  readonly canary: VariantMetrics;
  readonly stable: VariantMetrics;
  readonly comparison: {
    readonly error_rate_delta: number | null;
    readonly latency_delta_pct: number | null;
    readonly cost_delta_pct: number | null;
    readonly quality_delta: number | null;
    readonly statistical_significance: boolean;
    /** Anytime-valid, the smallest of all metrics after correction. */
    readonly p_value: number;
  };
}

interface VariantMetrics {
  readonly error_rate: number | null;
  readonly latency_p95: number | null;
  readonly cost_per_request: number | null;
  readonly quality_score: number | null;
  readonly sample_size: number;
}

function compareMetrics({ criteria, canary, stable, p_value, statistical_significance }: Judgement): ComparedMetrics {
  const of = (metric: string): CriterionFinding | undefined => criteria.find((finding) => finding.metric === metric);
  const variant = (name: 'canary' | 'stable', counts: Judgement['canary']): VariantMetrics => ({
    error_rate: counts.rate,
    latency_p95: of('latency_p95')?.[name] ?? null,
    cost_per_request: of('cost_per_request')?.[name] ?? null,
    quality_score: of('quality_score')?.[name] ?? null,
    sample_size: counts.requests,
  });
  const quality = of('quality_score');
  return {
    canary: variant('canary', canary),
    stable: variant('stable', stable),
    comparison: {
      error_rate_delta: of('error_rate')?.difference ?? null,
      latency_delta_pct: of('latency_p95')?.difference ?? null,
      cost_delta_pct: of('cost_per_request')?.difference ?? null,
      quality_delta: quality?.canary == null || quality.stable === null ? null : quality.canary - quality.stable,
      statistical_significance,
      p_value,
    },
  };
}

/** The one table from our phases to the guide's words. */
const statusWords = {
  pending: 'pending',
  progressing: 'in_progress',
  paused: 'paused',
  promoting: 'in_progress',
  'rolling-back': 'rolling_back',
  recovering: 'rolling_back',
} as const;

export function viewService(controlPlane: ControlPlane, state: ServiceState, now: Instant, term: number): ServiceView {
  const traffic = controlPlane.judging.traffic(state.service);
  const { active, last } = state;
  const version = { term, generation: state.generation };
  const refusals = controlPlane.fleet.refusals(state.service, version);
  const refused = refusalText(refusals);
  return {
    service: state.service,
    phase: active?.phase.name ?? 'idle',
    message: messageOf(state) ?? refused,
    conditions: refused === null ? conditionsOf(state) : stalledBy(refused),
    desired: state.seen,
    stable: state.stable,
    applied: isApplied(controlPlane, state.service, version),
    requests_per_second: Math.round(traffic.requestsPerSecond(now) * 10) / 10,
    spent_today_usd: controlPlane.spending.spentToday(state.service, now),
    deployment: active === null ? null : viewDeployment(state, active, controlPlane.judging.judgement(state.service) ?? active.judgement),
    last_deployment: last === null ? null : viewFinished(last),
    waiting: state.waiting?.deploymentId ?? null,
    watch_until: state.watch === null ? null : toIso(state.watch.until),
    traffic: viewTraffic(state, traffic, now),
    refused_by: refusals,
  };
}

function viewFinished(last: FinishedDeployment): NonNullable<ServiceView['last_deployment']> {
  const { id, phase, reason } = last;
  return { id, phase, reason, finished_at: toIso(last.finishedAt), commit: last.revision.commit, revert_commit: last.revertCommit };
}

/** Null when no gateway is there that could apply anything. */
function isApplied(
  { fleet }: ControlPlane,
  service: string,
  version: { readonly term: number; readonly generation: number },
): boolean | null {
  return fleet.known().length === 0 ? null : fleet.hasApplied(service, version);
}

function viewTraffic({ active, stable }: ServiceState, traffic: RecentTraffic, now: Instant): ServiceView['traffic'] {
  return {
    canary: traffic.variant('canary', active === null ? [] : triedArms(active).map(({ digest }) => digest), now),
    stable: traffic.variant('stable', stable === null ? [] : [stable.digest], now),
  };
}

function refusalText(refusals: readonly Refusal[]): string | null {
  const texts = refusals.map(({ gateway, problems }) => `gateway ${gateway} can't serve it: ${[...new Set(problems)].join('; ')}`);
  return texts.length === 0 ? null : texts.join('; ');
}

function messageOf(state: ServiceState): string | null {
  const phase = state.active?.phase;
  if (phase?.name === 'paused') return phase.message;
  if (phase?.name === 'rolling-back' || phase?.name === 'recovering') return phase.reason;
  if (phase?.name === 'pending' && phase.waitsFor.length > 0) return `waits for: ${phase.waitsFor.join('; ')}`;
  if (state.freeze !== null) return `frozen by ${state.freeze.actor}: ${state.freeze.reason}`;
  return state.held;
}

function viewDeployment(state: ServiceState, active: Deployment, judgement: Judgement | null): DeploymentView {
  const step = stepOf(state);
  return {
    deployment_id: active.id,
    status: statusWords[active.phase.name],
    phase: step === null ? active.phase.name : `phase_${step.number}`,
    current_percentage: canaryWeight(state),
    started_at: active.startedAt === null ? null : toIso(active.startedAt),
    expected_completion: active.startedAt === null ? null : toIso(active.startedAt + shortestDurationMs(active.plan)),
    commit: active.revision.commit,
    digest: active.revision.digest,
    step,
    ...orderedOf(active),
    steps: active.plan.steps.map((each) => ({
      percentage: each.weight,
      duration_ms: each.holdMs,
      kind: each.kind,
      name: describeStep(each),
    })),
    ...nextOf(active),
    paused_reason: active.phase.name === 'paused' ? active.phase.reason : null,
    paused_until: active.phase.name === 'paused' && active.phase.until !== null ? toIso(active.phase.until) : null,
    metrics: judgement === null ? null : compareMetrics(judgement),
    judgement,
  };
}

/** What people and the planner have said of it. */
function orderedOf(
  active: Deployment,
): Pick<DeploymentView, 'strategy' | 'chosen_because' | 'step_kind' | 'waits_for' | 'approvals' | 'auto_rollback_paused_until'> {
  const { plan, phase, approvals, autoRollbackPausedUntil: disarmedUntil } = active;
  return {
    strategy: plan.kind,
    chosen_because: plan.choice === null ? null : { change: plan.choice.change, paths: plan.choice.paths },
    step_kind: currentStep(active)?.kind ?? null,
    waits_for: phase.name === 'pending' ? phase.waitsFor : [],
    approvals: approvals.map(({ approver }) => approver),
    auto_rollback_paused_until: disarmedUntil === null ? null : toIso(disarmedUntil),
  };
}

function nextOf({ phase, plan }: Deployment): Pick<DeploymentView, 'hold_ends_at' | 'next_step'> {
  if (phase.name !== 'progressing') return { hold_ends_at: null, next_step: null };
  const at = toIso(phase.stepStartedAt + (plan.steps[phase.step]?.holdMs ?? 0) + phase.extraHoldMs);
  const next = plan.steps[phase.step + 1];
  const action = next === undefined ? 'promote' : 'increase_traffic';
  return { hold_ends_at: at, next_step: { action, percentage: next?.weight ?? 100, scheduled_at: at } };
}

/** The evidence of a deployment under way, and how many more samples it needs. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { recordEvidence, type EvidenceRecord } from '../../domain/analysis/record.ts';
import type { CriterionFinding } from '../../domain/analysis/criteria.ts';
import { predict, type Prediction } from '../../domain/planning/prediction.ts';
import { canaryWeight } from '../../domain/rollout/shares.ts';
import type { Deployment, ServiceState } from '../../domain/rollout/state.ts';
import type { ControlPlane } from '../control-plane.ts';

export interface DeploymentQuestion {
  readonly deployment_id?: string;
  readonly service?: string;
}

export interface SampleSizeView extends Prediction {
  readonly service: string;
  readonly deployment_id: string;
  readonly percentage: number;
  readonly step: number;
  readonly step_requests: number;
  readonly step_requests_needed: number;
  readonly requests_per_second: number;
  /** Until the step has its samples at today's traffic; 0 when it has them, null when no traffic comes. */
  readonly remaining_ms: number | null;
  readonly metrics: readonly (Pick<CriterionFinding, 'metric' | 'canary_samples' | 'stable_samples' | 'step_samples' | 'verdict'> & {
    readonly design_effect: number;
  })[];
}

interface Trial {
  readonly state: ServiceState;
  readonly active: Deployment;
}

function find(controlPlane: ControlPlane, { deployment_id: id, service }: DeploymentQuestion): Result<Trial, readonly Problem[]> {
  const states = controlPlane.engine.states();
  const state = states.find((candidate) => (id === undefined ? candidate.service === service : candidate.active?.id === id));
  const active = state?.active ?? null;
  if (state !== undefined && active !== null) return ok({ state, active });
  const message =
    id === undefined
      ? `No deployment of "${service ?? ''}" is under way; what a change would need is said by plan.`
      : `Deployment ${id} is not under way; its evidence is on the branch actuator/status.`;
  return refuse([{ code: 'not-found', message }]);
}

export async function viewEvidence(
  controlPlane: ControlPlane,
  question: DeploymentQuestion,
): Promise<Result<EvidenceRecord, readonly Problem[]>> {
  const found = find(controlPlane, question);
  if (!found.ok) return found;
  const { state, active } = found.value;
  const present = await controlPlane.judging.present(state.service);
  if (present === null)
    return refuse([{ code: 'not-applicable', message: `${active.id} is ${active.phase.name}: nothing is measured of it now.` }]);
  const { policy, settingsDigest } = active.plan;
  const { comparison, ...seen } = present;
  const blocks = await controlPlane.judging.blocks(active.id, seen.judgement.arm, seen.judgement.blocks);
  const head = { code_version: controlPlane.version, service: state.service, deployment_id: active.id, settings_digest: settingsDigest };
  return ok(recordEvidence({ ...head, ...seen, ...(comparison === null ? {} : { comparison }), policy, blocks }));
}

export async function viewSampleSize(
  controlPlane: ControlPlane,
  question: DeploymentQuestion,
  now: number,
): Promise<Result<SampleSizeView, readonly Problem[]>> {
  const found = find(controlPlane, question);
  if (!found.ok) return found;
  const { state, active } = found.value;
  const present = await controlPlane.judging.present(state.service);
  const summary = controlPlane.judging.summary(state.service);
  const requestsPerSecond = Math.round(controlPlane.judging.traffic(state.service).requestsPerSecond(now) * 10) / 10;
  const weight = canaryWeight(state);
  const [requests, needed] = [present?.judgement.step_requests ?? 0, active.plan.policy.minSampleSize];
  const perSecond = (requestsPerSecond * weight) / 100;
  return ok({
    service: state.service,
    deployment_id: active.id,
    percentage: weight,
    step: 'step' in active.phase ? active.phase.step + 1 : 0,
    step_requests: requests,
    step_requests_needed: needed,
    requests_per_second: requestsPerSecond,
    remaining_ms: requests >= needed ? 0 : perSecond > 0 ? Math.ceil(((needed - requests) / perSecond) * 1000) : null,
    metrics: (present?.judgement.criteria ?? []).map(
      ({ metric, canary_samples, stable_samples, step_samples, verdict, design_effect }) => ({
        metric,
        canary_samples,
        stable_samples,
        step_samples,
        verdict,
        design_effect,
      }),
    ),
    ...predict(active.plan, { requestsPerSecond, summary }),
  });
}

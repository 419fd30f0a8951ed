/** Everything that a service's files mean together: what to serve, its digest, how to roll it out. */
import { canonicalJson } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import type { AssignmentServing, LlmConfig, ModelCatalogue, WrittenSettings } from '../../generated/types.ts';
import { planRollout, type Plan } from '../planning/plan.ts';
import { withTargets, type Targets } from '../settings/resolve-policy.ts';
import { misplacedKeys, resolveRolloutSettings, type RolloutSettings } from '../settings/resolve.ts';
import { catalogueProblems, compatibilityProblems } from './compatibility.ts';
import { digestOf } from './digest.ts';
import { locate, type ParsedDocument } from './document.ts';
import { resolveServing } from './serving.ts';

export interface ServiceDefinition {
  readonly service: string;
  readonly config: LlmConfig;
  readonly digest: string;
  readonly serving: AssignmentServing;
  readonly settings: RolloutSettings;
  readonly plan: Plan;
}

export interface SettingsInForce {
  readonly repository: WrittenSettings;
  readonly policies: ReadonlyMap<string, WrittenSettings>;
  /** rollout.yaml of this service. */
  readonly service: WrittenSettings;
}

/** `before`: what the service had last; null when it is new, or when that could not be read. */
export function defineService(
  service: string,
  config: ParsedDocument<LlmConfig>,
  catalogue: ModelCatalogue,
  settings: SettingsInForce,
  before: LlmConfig | null,
): Result<ServiceDefinition, readonly Problem[]> {
  const resolved = resolveRolloutSettings({ ...settings, oneOff: oneOffOf(config.value, before) });
  const problems = [
    ...locate([...compatibilityProblems(config.value, catalogue), ...folderProblems(service, config.value)], config),
    ...(resolved.ok ? [] : planProblems(resolved.error, config)),
  ];
  if (problems.length > 0 || !resolved.ok) return refuse(problems);
  return ok({
    service,
    config: config.value,
    digest: digestOf(config.value, catalogue),
    serving: resolveServing(config.value, catalogue),
    settings: resolved.value,
    plan: planRollout({ ...resolved.value, policy: withTargets(resolved.value.policy, targetsOf(config.value)) }),
  });
}

/** What a configuration asks of itself. */
function targetsOf({ performance, quality_controls: quality }: LlmConfig): Targets {
  return {
    p95Ms: performance?.target_latency_p95_ms ?? null,
    p99Ms: performance?.target_latency_p99_ms ?? null,
    quality: quality?.min_quality_score ?? null,
  };
}

/** One-off overrides are for the change that brings or alters them: left standing in the file, they say nothing about the next one. */
function oneOffOf(config: LlmConfig, before: LlmConfig | null): LlmConfig['deployment_strategy'] {
  const isOld = before !== null && canonicalJson(before.deployment_strategy ?? null) === canonicalJson(config.deployment_strategy ?? null);
  return isOld ? undefined : config.deployment_strategy;
}

/** One-off overrides stand in the configuration; without them the cause lies in the settings files. */
function planProblems(problems: readonly Problem[], config: ParsedDocument<LlmConfig>): readonly Problem[] {
  if (config.value.deployment_strategy === undefined) return problems;
  return locate(
    problems.map((problem) => ({ ...problem, path: '/deployment_strategy' })),
    config,
  );
}

function folderProblems(service: string, config: LlmConfig): readonly Problem[] {
  const named = config.metadata?.service;
  if (named === undefined || named === service) return [];
  return [
    { code: 'conflict', path: '/metadata/service', message: `metadata.service is "${named}", but the file is in services/${service}/.` },
  ];
}

export function checkCatalogue(document: ParsedDocument<ModelCatalogue>): readonly Problem[] {
  return locate(catalogueProblems(document.value), document);
}

export function checkSettings(document: ParsedDocument<WrittenSettings>, kind: 'repository' | 'policy' | 'service'): readonly Problem[] {
  return locate(misplacedKeys(document.value, kind), document);
}

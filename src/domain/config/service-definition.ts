/** Everything that a service's files mean together: what to serve, its digest, how to roll it out. */
import { canonicalJson } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import type { AssignmentServing, LlmConfig, ModelCatalogue, WrittenSettings } from '../../generated/types.ts';
import { classify, type Choice } from '../planning/classify.ts';
import { planAbTest } from '../planning/ab-test-plan.ts';
import { planRollout, type Plan } from '../planning/plan.ts';
import { checkSafety, safetyProblems, type SafetyFinding } from '../safety/checks.ts';
import { withTargets, type Targets } from '../settings/resolve-policy.ts';
import { misplacedKeys, resolveRolloutSettings, type RolloutSettings } from '../settings/resolve.ts';
import { armProblems, armsOf, type Arm } from './arms.ts';
import { collapse, variantProblems } from './collapse.ts';
import { catalogueProblems, compatibilityProblems } from './compatibility.ts';
import { digestOf } from './digest.ts';
import { locate, type ParsedDocument } from './document.ts';
import { diffPatch } from './patch.ts';
import { reachableModels, resolveServing } from './serving.ts';

export interface ServiceDefinition {
  readonly service: string;
  readonly config: LlmConfig;
  readonly digest: string;
  /** Of a test of variants: its first arm's. */
  readonly serving: AssignmentServing;
  /** Of a test of variants; empty otherwise. */
  readonly arms: readonly DefinedArm[];
  readonly settings: RolloutSettings;
  /** What its safety checks expect. */
  readonly safety: readonly SafetyFinding[];
  readonly plan: Plan;
}

export interface DefinedArm extends Arm {
  readonly digest: string;
  readonly serving: AssignmentServing;
}

export interface SettingsInForce {
  readonly repository: WrittenSettings;
  readonly policies: ReadonlyMap<string, WrittenSettings>;
  /** rollout.yaml of this service. */
  readonly service: WrittenSettings;
  /** Of its file, by CODEOWNERS: logins and organisation/team. */
  readonly owners?: readonly string[];
}

/** What a configuration is compared with. */
export interface Past {
  /** What the branch held last; null when it is new, or when that could not be read. */
  readonly before: LlmConfig | null;
  /** What is in force; null when nothing is, or nobody knows. */
  readonly stable: LlmConfig | null;
}

export const noPast: Past = { before: null, stable: null };

export function defineService(
  service: string,
  config: ParsedDocument<LlmConfig>,
  catalogue: ModelCatalogue,
  settings: SettingsInForce,
  { before, stable }: Past,
): Result<ServiceDefinition, readonly Problem[]> {
  const oneOff = oneOffOf(config.value, before);
  const meant = collapse(config.value);
  const arms = armsOf(config.value).map((arm) => ({ ...arm, digest: digestOf(arm.config, catalogue) }));
  const resolved = resolveRolloutSettings({ ...settings, oneOff, choice: stable === null ? null : choose(stable, meant) });
  const tried = arms.length === 0 ? [config.value] : arms.map((arm) => arm.config);
  const safety = resolved.ok
    ? worstOf(tried.map((after) => checkSafety(resolved.value.gates.safetyChecks, { before: stable, after, catalogue })))
    : [];
  const compared = oneOff === undefined ? null : stable;
  const plan = resolved.ok ? planOf(resolved.value, config.value, arms) : null;
  const problems = [
    ...locate(
      [
        ...armProblems(config.value),
        ...sameArmProblems(arms),
        ...servingProblems(meant, arms, plan, catalogue),
        ...folderProblems(service, meant),
        ...variantProblems(config.value, compared),
        ...safetyProblems(safety),
      ],
      config,
    ),
    ...(resolved.ok ? [] : planProblems(resolved.error, config)),
  ];
  if (problems.length > 0 || !resolved.ok || plan === null) return refuse(problems);
  return ok({
    service,
    config: meant,
    digest: digestOf(meant, catalogue),
    serving: resolveServing(arms[0]?.config ?? meant, catalogue),
    arms: arms.map((arm) => ({ ...arm, serving: resolveServing(arm.config, catalogue) })),
    settings: resolved.value,
    safety,
    plan,
  });
}

/** Whether what is meant can be served: the configuration, or each of its arms. */
function servingProblems(meant: LlmConfig, arms: readonly Arm[], plan: Plan | null, catalogue: ModelCatalogue): readonly Problem[] {
  const ofOne = (one: LlmConfig): readonly Problem[] => [...compatibilityProblems(one, catalogue), ...capProblems(plan, one, catalogue)];
  return arms.length === 0 ? ofOne(meant) : arms.flatMap((arm, index) => inVariant(ofOne(arm.config), arm.name, index));
}

function planOf(settings: RolloutSettings, config: LlmConfig, arms: readonly (Arm & { readonly digest: string })[]): Plan {
  const own = { ...settings, policy: withTargets(settings.policy, targetsOf(config)) };
  return config.ab_test === undefined || arms.length === 0 ? planRollout(own) : planAbTest(own, config.ab_test, arms);
}

/** Of each check what is expected of the arm that does worst. */
function worstOf(findings: readonly (readonly SafetyFinding[])[]): readonly SafetyFinding[] {
  const [first = [], ...others] = findings;
  return first.map((finding, index) =>
    others.reduce((worst, other) => {
      const candidate = other[index] ?? worst;
      return (candidate.expected ?? -Infinity) > (worst.expected ?? -Infinity) ? candidate : worst;
    }, finding),
  );
}

function inVariant(problems: readonly Problem[], name: string, index: number): readonly Problem[] {
  return problems.map((problem) => ({ ...problem, path: `/variants/${index}`, message: `Variant "${name}": ${problem.message}` }));
}

function sameArmProblems(arms: readonly (Arm & { readonly digest: string })[]): readonly Problem[] {
  return arms.flatMap(({ name, digest }, index) => {
    const twin = arms.slice(0, index).find((other) => other.digest === digest);
    if (twin === undefined) return [];
    return [
      {
        code: 'plan' as const,
        path: `/variants/${index}`,
        message: `"${name}" serves the same as "${twin.name}"; there is nothing to compare.`,
      },
    ];
  });
}

/** What kind of change it is, by the JSON Patch of what serves requests. */
export function choose(stable: LlmConfig, meant: LlmConfig): Choice {
  const serving = ({ metadata: _metadata, deployment_strategy: _strategy, version: _version, ...rest }: LlmConfig): unknown => rest;
  const models: Readonly<Record<string, string | undefined>> = {
    '/llm/model': stable.llm?.model,
    '/routing/default_model': stable.routing?.default_model ?? stable.llm?.model,
  };
  return classify(diffPatch(serving(stable), serving(meant)), (path) => models[path]);
}

/** What copies cost can only be capped where it is known. */
function capProblems(plan: Plan | null, config: LlmConfig, catalogue: ModelCatalogue): readonly Problem[] {
  if (plan?.steps.some(({ maxCostUsd }) => maxCostUsd !== null) !== true) return [];
  const unpriced = reachableModels(config).filter(
    (name) => catalogue.models[name] !== undefined && catalogue.models[name].prices === undefined,
  );
  if (unpriced.length === 0) return [];
  const message = `The strategy ${plan.kind} copies requests within a cost cap, and models.yaml has no prices of ${unpriced.join(', ')}; add them.`;
  return [{ code: 'plan', path: '/llm/model', message }];
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

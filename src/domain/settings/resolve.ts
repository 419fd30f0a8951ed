/** From written settings (generated type, everything optional) to meant settings (no optionals). Defaults live here only. */
import { isObject, mergePatch } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { suggestion } from '../../base/text.ts';
import { formatDuration, writtenMinutesToMs } from '../../base/time.ts';
import type { LlmConfig, WrittenSettings, WrittenSettingsCanary } from '../../generated/types.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import type { AnalysisPolicy } from './policy.ts';
import { oneOffProblems } from './one-off.ts';
import { policyProblems, resolvePolicy } from './resolve-policy.ts';

export type Strategy = 'canary' | 'immediate';

export interface Split {
  readonly method: SplitMethod;
  readonly hashKey: string;
  /** Null: not sticky. */
  readonly stickyMs: number | null;
}

export type SplitMethod = (typeof splitMethods)[number];
const splitMethods = ['weighted_random', 'consistent_hash', 'round_robin'] as const;

export interface Step {
  /** Percent of traffic on the canary, above 0 to 100. */
  readonly weight: number;
  readonly holdMs: number;
}

/** How one service is rolled out. Frozen into each deployment. */
export interface RolloutSettings {
  readonly strategy: Strategy;
  readonly steps: readonly Step[];
  readonly maxTotalMs: number;
  readonly policy: AnalysisPolicy;
  readonly autoRollback: boolean;
  readonly split: Split;
  /** Percent that stays on stable until promotion. */
  readonly controlGroup: number;
}

/** What holds for the daemon as a whole. */
export interface DaemonSettings {
  readonly maxConcurrentDeployments: number;
  readonly blockMs: number;
}

const defaultSettings = {
  actuator: {
    default_strategy: 'canary',
    max_concurrent_deployments: 5,
    canary: {
      steps: [
        { percentage: 5, duration_minutes: 15 },
        { percentage: 25, duration_minutes: 30 },
        { percentage: 50, duration_minutes: 30 },
        { percentage: 75, duration_minutes: 30 },
        { percentage: 100, duration_minutes: 15 },
      ],
      auto_rollback: { enabled: true },
      max_total_duration_minutes: 180,
      traffic_split: { method: 'weighted_random', hash_key: 'user_id' },
    },
  },
  metrics: { collection_interval_seconds: 10 },
} as const satisfies WrittenSettings;

const defaultStickyMinutes = 60;

export interface SettingsSources {
  /** actuator.yaml. */
  readonly repository: WrittenSettings;
  readonly policies: ReadonlyMap<string, WrittenSettings>;
  /** services/<name>/rollout.yaml. */
  readonly service: WrittenSettings;
  readonly oneOff: LlmConfig['deployment_strategy'];
}

export function resolveDaemonSettings(repository: WrittenSettings): DaemonSettings {
  return {
    maxConcurrentDeployments: repository.actuator?.max_concurrent_deployments ?? defaultSettings.actuator.max_concurrent_deployments,
    blockMs: 1000 * (repository.metrics?.collection_interval_seconds ?? defaultSettings.metrics.collection_interval_seconds),
  };
}

/** Settings of one rollout, or what is wrong with them. Names of strategies and methods that we lack are refused, never replaced. */
export function resolveRolloutSettings(sources: SettingsSources): Result<RolloutSettings, readonly Problem[]> {
  const policyName = sources.service.policy ?? sources.repository.policy;
  const policy = policyName === undefined ? {} : sources.policies.get(policyName);
  if (policy === undefined) {
    const hint = suggestion(policyName ?? '', [...sources.policies.keys()]);
    return refuse([{ code: 'unknown-policy', path: '/policy', message: `There is no policies/${policyName}.yaml.${hint}` }]);
  }
  const layers = [defaultSettings, sources.repository, policy, sources.service].map(fold);
  const merged = layers.reduce<unknown>((below, above) => mergePatch(below, above), {}) as FoldedSettings;
  return mean(merged, sources.oneOff);
}

interface FoldedSettings {
  readonly strategy: string;
  readonly canary: WrittenSettingsCanary;
  readonly blockMs: number;
}

/** What stands at the top level means the same as inside `actuator.canary`; all is put in one place before layers are merged. */
function fold(written: WrittenSettings): Partial<FoldedSettings> {
  const { actuator, metrics, canary: outer = {} } = written;
  const { success_criteria, auto_rollback, statistical_validation } = written;
  const fragments = present({ success_criteria, auto_rollback, statistical_validation });
  const canary = mergePatch(mergePatch(actuator?.canary ?? {}, outer), fragments) as WrittenSettingsCanary;
  // A layer that writes steps and no initial percentage means its own steps, whatever a lower layer started with.
  const restart = canary.steps !== undefined && canary.initial_percentage === undefined ? { initial_percentage: null } : {};
  const interval = metrics?.collection_interval_seconds;
  return {
    ...present({ strategy: actuator?.default_strategy, blockMs: interval === undefined ? undefined : interval * 1000 }),
    canary: { ...canary, ...restart } as WrittenSettingsCanary,
  };
}

/** Without members that are undefined, which would erase those of a lower layer. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function mean(merged: FoldedSettings, oneOff: LlmConfig['deployment_strategy']): Result<RolloutSettings, readonly Problem[]> {
  const canary = mergePatch(merged.canary, oneOffCanary(oneOff)) as WrittenSettingsCanary;
  const defaults = defaultSettings.actuator.canary;
  const strategy = oneOff?.type ?? merged.strategy;
  const problems: Problem[] = [];
  if (strategy !== 'canary' && strategy !== 'immediate') problems.push(notOffered('default_strategy', strategy, ['canary', 'immediate']));
  const split = meanSplit(canary.traffic_split ?? {}, problems);
  const steps = meanSteps(canary, oneOff);
  const maxTotalMs = writtenMinutesToMs(canary.max_total_duration_minutes ?? defaults.max_total_duration_minutes);
  problems.push(...stepProblems(steps), ...deadlineProblems(steps, maxTotalMs), ...policyProblems(canary));
  problems.push(...oneOffProblems(merged.canary, oneOff, strategy));
  if (problems.length > 0) return refuse(problems);
  const isClustered = split.method === 'consistent_hash' || split.stickyMs !== null;
  return ok({
    strategy: strategy as Strategy,
    steps,
    maxTotalMs,
    policy: resolvePolicy(canary, isClustered, merged.blockMs),
    autoRollback: canary.auto_rollback?.enabled ?? defaults.auto_rollback.enabled,
    split,
    controlGroup: meanControlGroup(canary),
  });
}

function meanSplit(written: NonNullable<WrittenSettingsCanary['traffic_split']>, problems: Problem[]): Split {
  const split = { ...defaultSettings.actuator.canary.traffic_split, ...written };
  const method = splitMethods.find((name) => name === split.method);
  if (method === undefined) problems.push(notOffered('traffic_split.method', split.method, splitMethods));
  const isSticky = written.sticky_sessions === true;
  if (written.sticky_duration_minutes !== undefined && !isSticky) {
    const message = 'sticky_duration_minutes needs sticky_sessions: true; without it nothing is sticky.';
    problems.push({ code: 'plan', path: '/canary/traffic_split/sticky_duration_minutes', message });
  }
  return {
    method: method ?? 'weighted_random',
    hashKey: split.hash_key,
    stickyMs: isSticky ? writtenMinutesToMs(written.sticky_duration_minutes ?? defaultStickyMinutes) : null,
  };
}

/** In percent. `ab_test_mode` brings one of 5 percent, `control_group_size` sets another size. */
function meanControlGroup({ ab_test_mode: abTest, control_group_size: size }: WrittenSettingsCanary): number {
  if (abTest === false) return 0;
  return Math.round(100_000 * (size ?? (abTest === true ? 0.05 : 0))) / 1000;
}

function oneOffCanary(oneOff: LlmConfig['deployment_strategy']): WrittenSettingsCanary {
  if (oneOff === undefined) return {};
  const restart = oneOff.steps !== undefined && oneOff.initial_percentage === undefined;
  return {
    ...(restart ? { initial_percentage: null as unknown as number } : {}),
    ...(oneOff.initial_percentage === undefined ? {} : { initial_percentage: oneOff.initial_percentage }),
    ...(oneOff.steps === undefined ? {} : { steps: oneOff.steps }),
    ...(oneOff.success_criteria === undefined ? {} : { success_criteria: oneOff.success_criteria }),
    ...(oneOff.auto_rollback === undefined ? {} : { auto_rollback: { enabled: oneOff.auto_rollback } }),
    ...(oneOff.rollout_duration_minutes === undefined
      ? {}
      : { max_total_duration_minutes: `${Math.ceil(writtenMinutesToMs(oneOff.rollout_duration_minutes) * 1.5)}ms` }),
  };
}

/** Written steps, started at the initial percentage and scaled to the asked duration. */
function meanSteps(canary: WrittenSettingsCanary, oneOff: LlmConfig['deployment_strategy']): readonly Step[] {
  const written = (canary.steps ?? []).map((step) => ({ weight: step.percentage, holdMs: writtenMinutesToMs(step.duration_minutes) }));
  const initial = canary.initial_percentage;
  const first = written[0];
  const started =
    initial === undefined || first === undefined || !isNumber(initial)
      ? written
      : [{ weight: initial, holdMs: first.holdMs }, ...written.filter((step) => step.weight > initial)];
  const asked = oneOff?.rollout_duration_minutes;
  if (asked === undefined) return started;
  const total = started.reduce((sum, step) => sum + step.holdMs, 0);
  return started.map((step) => ({ ...step, holdMs: Math.round((step.holdMs * writtenMinutesToMs(asked)) / total) }));
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

function stepProblems(steps: readonly Step[]): readonly Problem[] {
  const path = '/canary/steps';
  const weights = steps.map((step) => step.weight);
  if (weights.some((weight, index) => index > 0 && weight <= (weights[index - 1] ?? 0))) {
    return [{ code: 'plan', path, message: `The steps' percentages must rise, and are ${weights.join(', ')}.` }];
  }
  if (weights.at(-1) !== 100) {
    return [
      { code: 'plan', path, message: `The last step must be 100 percent, and is ${weights.at(-1) ?? 'missing'}; add a step of 100.` },
    ];
  }
  if (weights.length < 2) {
    return [
      {
        code: 'plan',
        path,
        message: 'A canary needs a step below 100 percent, where it can be compared with stable. For none, use the strategy "immediate".',
      },
    ];
  }
  return [];
}

function deadlineProblems(steps: readonly Step[], maxTotalMs: number): readonly Problem[] {
  const holds = steps.reduce((sum, step) => sum + step.holdMs, 0);
  if (holds <= maxTotalMs) return [];
  const message = `The holds add up to ${formatDuration(holds)}, and max_total_duration_minutes ends the rollout after ${formatDuration(maxTotalMs)}; raise it or shorten the holds.`;
  return [{ code: 'plan', path: '/canary/max_total_duration_minutes', message }];
}

function notOffered(key: string, value: string, offered: readonly string[]): Problem {
  const list = offered.map((name) => `"${name}"`).join(', ');
  return {
    code: 'not-in-effect',
    path: `/${key.replaceAll('.', '/')}`,
    message: `${key} "${value}" is not offered in this version; there is ${list}.`,
  };
}

/** Keys that make sense in some of the three kinds of settings files only. */
export function misplacedKeys(written: WrittenSettings, kind: 'repository' | 'policy' | 'service'): readonly Problem[] {
  const problems: Problem[] = [];
  if (kind !== 'repository' && written.actuator?.max_concurrent_deployments !== undefined) {
    problems.push({
      code: 'unknown-key',
      path: '/actuator/max_concurrent_deployments',
      message: 'max_concurrent_deployments holds for the whole daemon; write it in actuator.yaml.',
    });
  }
  if (kind === 'policy' && written.policy !== undefined) {
    problems.push({ code: 'unknown-key', path: '/policy', message: 'A policy can not name another policy.' });
  }
  if (isObject(written.canary) && isObject(written.actuator?.canary)) {
    problems.push({ code: 'unknown-key', path: '/canary', message: 'Write either canary or actuator.canary in one file, not both.' });
  }
  return problems;
}

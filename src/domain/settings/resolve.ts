/** From written settings (generated type, everything optional) to meant settings (no optionals). Defaults live here only. */
import { isObject, mergePatch } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { suggestion } from '../../base/text.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import type { LlmConfig, WrittenSettings, WrittenSettingsCanary } from '../../generated/types.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { criticalErrorRate } from '../analysis/watch.ts';
import type { Choice } from '../planning/classify.ts';
import { resolveCodeHost, type CodeHostSettings } from './code-host.ts';
import { gateProblems, resolveGates, resolvePeople, type Gates, type Person } from '../safety/gates.ts';
import { resolveSignatures, signatureProblems, type SignaturePolicy } from '../safety/signatures.ts';
import { resolveWindows, type Windows } from '../safety/windows.ts';
import { oneOffProblems } from './one-off.ts';
import type { AnalysisPolicy } from './policy.ts';
import { recoveryProblems, resolveRecovery, type RecoveryPolicy } from './recovery.ts';
import { policyProblems, resolvePolicy } from './resolve-policy.ts';
import { deadlineProblems, meanSteps, stepProblems, stepsOfPace, type Stage } from './resolve-steps.ts';
import { healthTriggers } from './resolve-triggers.ts';
import { resolveStrategies, rolloutStrategyProblems, strategies, type Strategy, type StrategySettings } from './strategies.ts';

export interface Split {
  readonly method: SplitMethod;
  readonly hashKey: string;
  /** Null: not sticky. */
  readonly stickyMs: number | null;
}

export type SplitMethod = (typeof splitMethods)[number];
const splitMethods = ['weighted_random', 'consistent_hash', 'round_robin'] as const;

/** How one service is rolled out. Frozen into each deployment. */
export interface RolloutSettings {
  readonly strategy: Strategy;
  /** Why the planner chose this strategy and pace; null: a person did. */
  readonly choice: Choice | null;
  /** Of the canary strategy. */
  readonly steps: readonly Stage[];
  readonly strategies: StrategySettings;
  readonly gates: Gates;
  readonly recovery: RecoveryPolicy;
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
  readonly windows: Windows;
  /** Why nothing starts; null: it may. */
  readonly frozenBecause: string | null;
  readonly people: readonly Person[];
  readonly codeHost: CodeHostSettings;
  /** Null: no commit must be signed. */
  readonly signatures: SignaturePolicy | null;
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
  /** Of the service's file, by CODEOWNERS. */
  readonly owners?: readonly string[];
  /** What the change is, for the strategy "auto"; null: there is nothing to compare with. */
  readonly choice: Choice | null;
}

export function resolveDaemonSettings(repository: WrittenSettings): DaemonSettings {
  return {
    maxConcurrentDeployments: repository.actuator?.max_concurrent_deployments ?? defaultSettings.actuator.max_concurrent_deployments,
    blockMs: 1000 * (repository.metrics?.collection_interval_seconds ?? defaultSettings.metrics.collection_interval_seconds),
    windows: resolveWindows(repository.deployment_windows ?? {}),
    frozenBecause: repository.freeze?.reason ?? null,
    people: resolvePeople(repository.people ?? []),
    codeHost: resolveCodeHost(repository.code_host ?? {}),
    signatures: resolveSignatures(repository),
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
  const byLayer = [sources.service, policy, sources.repository].map(({ actuator }) => actuator?.default_strategy);
  const asked = [sources.oneOff?.type, ...byLayer].find((name) => name !== undefined);
  const choice = asked === 'auto' ? (sources.choice ?? cautious) : null;
  const layers = [defaultSettings, sources.repository, policy, ...paceLayers(sources, choice), sources.service].map(fold);
  const merged = layers.reduce<unknown>((below, above) => mergePatch(below, above), {}) as FoldedSettings;
  return mean(merged, sources, choice);
}

/** Without anything to compare with. */
const cautious: Choice = { change: 'model-switch', pace: 'conservative', paths: [] };

/** The policy of the chosen pace's name where settings ask for `auto`. What one change asks for by itself may set its pace, not its criteria. */
function paceLayers({ policies, oneOff }: SettingsSources, choice: Choice | null): readonly WrittenSettings[] {
  if (choice === null) return [];
  const named = oneOff?.type === 'auto' ? undefined : policies.get(choice.pace);
  return [{ canary: stepsOfPace(choice.pace) }, ...(named === undefined ? [] : [named])];
}

interface FoldedSettings extends Omit<WrittenSettings, 'actuator' | 'canary' | 'metrics'> {
  readonly strategy: string;
  readonly canary: WrittenSettingsCanary;
  readonly blockMs: number;
}

/** What stands at the top level means the same as inside `actuator.canary`; all is put in one place before layers are merged. */
function fold(written: WrittenSettings): Partial<FoldedSettings> {
  const {
    actuator,
    metrics,
    canary: outer = {},
    success_criteria,
    auto_rollback,
    statistical_validation,
    traffic_split,
    monitoring,
    ...rest
  } = written;
  const fragments = present({ success_criteria, auto_rollback, statistical_validation, traffic_split, monitoring });
  const canary = mergePatch(mergePatch(actuator?.canary ?? {}, outer), fragments) as WrittenSettingsCanary;
  const interval = metrics?.collection_interval_seconds;
  return {
    ...rest,
    ...present({ strategy: actuator?.default_strategy, blockMs: interval === undefined ? undefined : interval * 1000 }),
    canary: { ...canary, ...restarted(canary) },
  };
}

/** A layer that writes how weights rise means its own steps, whatever a lower layer said or started with. */
function restarted({ steps, rollout_strategy: rising, initial_percentage: initial }: WrittenSettingsCanary): object {
  return {
    ...(steps !== undefined && rising === undefined ? { rollout_strategy: null } : {}),
    ...(rising !== undefined && steps === undefined ? { steps: null } : {}),
    ...((steps !== undefined || rising !== undefined) && initial === undefined ? { initial_percentage: null } : {}),
  };
}

/** Without members that are undefined, which would erase those of a lower layer. */
function present<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function mean(merged: FoldedSettings, sources: SettingsSources, choice: Choice | null): Result<RolloutSettings, readonly Problem[]> {
  const { oneOff } = sources;
  const canary = mergePatch(merged.canary, oneOffCanary(oneOff)) as WrittenSettingsCanary;
  const defaults = defaultSettings.actuator.canary;
  const written = oneOff?.type ?? merged.strategy;
  const problems: Problem[] = [];
  const strategy = meanStrategy(written, problems);
  const split = meanSplit(canary.traffic_split ?? {}, problems);
  const maxTotalMs = writtenMinutesToMs(canary.max_total_duration_minutes ?? defaults.max_total_duration_minutes);
  const steps = meanSteps(canary, maxTotalMs, oneOff);
  problems.push(...stepProblems(steps), ...deadlineProblems(steps, maxTotalMs), ...problemsOf(merged, canary));
  problems.push(...oneOffProblems(merged.canary, oneOff, written), ...cutoverProblems(merged, oneOff));
  if (problems.length > 0) return refuse(problems);
  const isClustered = split.method === 'consistent_hash' || split.stickyMs !== null;
  const policy = resolvePolicy(canary, isClustered, merged.blockMs);
  return ok({
    strategy,
    choice,
    steps,
    strategies: meanStrategies(merged, oneOff, strategy),
    gates: resolveGates(merged, sources.owners ?? []),
    recovery: resolveRecovery(merged.recovery_validation ?? {}, criticalErrorRate(policy)),
    maxTotalMs,
    policy: { ...policy, triggers: [...policy.triggers, ...healthTriggers(merged.health_monitoring ?? {})] },
    autoRollback: canary.auto_rollback?.enabled ?? defaults.auto_rollback.enabled,
    split,
    controlGroup: meanControlGroup(canary),
  });
}

/** What the planner has chosen for `auto` is a canary at some pace. */
function meanStrategy(written: string, problems: Problem[]): Strategy {
  const known = strategies.find((name) => name === written);
  if (known === undefined) problems.push(notOffered('default_strategy', written, strategies));
  return known === undefined || known === 'auto' ? 'canary' : known;
}

/** A person whom settings ask for is not left out by the change itself. */
function cutoverProblems({ blue_green: blueGreen }: FoldedSettings, oneOff: LlmConfig['deployment_strategy']): readonly Problem[] {
  if (oneOff?.cutover?.automatic !== true || blueGreen?.cutover?.automatic !== false) return [];
  return [
    {
      code: 'plan',
      path: '/deployment_strategy/cutover/automatic',
      message: 'Settings ask for a person at the cutover (automatic: false); change them in a commit before this one.',
    },
  ];
}

function problemsOf(merged: FoldedSettings, canary: WrittenSettingsCanary): readonly Problem[] {
  const { rollout_strategy: rising, steps } = canary;
  return [
    ...policyProblems(canary),
    ...(rising == null ? [] : rolloutStrategyProblems(rising, steps != null)),
    ...gateProblems(merged),
    ...recoveryProblems(merged.recovery_validation ?? {}),
  ];
}

/** One change may have its predecessor kept for longer than settings say, never for shorter. */
function meanStrategies(merged: FoldedSettings, oneOff: LlmConfig['deployment_strategy'], strategy: Strategy): StrategySettings {
  const { watchMs } = resolveStrategies(merged, strategy);
  const own = resolveStrategies(mergePatch(merged, oneOffStrategies(oneOff)) as FoldedSettings, strategy);
  return { ...own, watchMs: Math.max(watchMs, own.watchMs) };
}

function oneOffStrategies(oneOff: LlmConfig['deployment_strategy']): Pick<WrittenSettings, 'blue_green'> {
  const { cutover, keep_blue_duration: keep } = oneOff ?? {};
  return { blue_green: { ...present({ cutover }), ...(keep === undefined ? {} : { keep_blue_duration: keep }) } };
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
  return {
    ...restarted({ ...present({ steps: oneOff.steps, initial_percentage: oneOff.initial_percentage }) }),
    ...(oneOff.initial_percentage === undefined ? {} : { initial_percentage: oneOff.initial_percentage }),
    ...(oneOff.steps === undefined ? {} : { steps: oneOff.steps }),
    ...(oneOff.success_criteria === undefined ? {} : { success_criteria: oneOff.success_criteria }),
    ...(oneOff.auto_rollback === undefined ? {} : { auto_rollback: { enabled: oneOff.auto_rollback } }),
    ...(oneOff.rollout_duration_minutes === undefined
      ? {}
      : { max_total_duration_minutes: `${Math.ceil(writtenMinutesToMs(oneOff.rollout_duration_minutes) * 1.5)}ms` }),
  };
}

function notOffered(key: string, value: string, offered: readonly string[]): Problem {
  const list = offered.map((name) => `"${name}"`).join(', ');
  return {
    code: 'not-in-effect',
    path: `/${key.replaceAll('.', '/')}`,
    message: `${key} "${value}" is not offered in this version; there is ${list}.`,
  };
}

function misplaced(key: string, where: string): Problem {
  return { code: 'unknown-key', path: `/${key}`, message: `${key} ${where}.` };
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
  const ofDaemon = (['deployment_windows', 'freeze', 'people', 'code_host', 'signatures'] as const).filter(
    (key) => kind !== 'repository' && written[key] !== undefined,
  );
  problems.push(...ofDaemon.map((key) => misplaced(key, 'holds for all services; write it in actuator.yaml')));
  if (kind === 'repository') problems.push(...signatureProblems(written));
  if (kind !== 'service' && written.depends_on !== undefined)
    problems.push(misplaced('depends_on', "is about one service; write it in that service's rollout.yaml"));
  if (kind === 'policy' && written.policy !== undefined) {
    problems.push({ code: 'unknown-key', path: '/policy', message: 'A policy can not name another policy.' });
  }
  if (isObject(written.canary) && isObject(written.actuator?.canary)) {
    problems.push({ code: 'unknown-key', path: '/canary', message: 'Write either canary or actuator.canary in one file, not both.' });
  }
  return problems;
}

/** The arms of an A/B test: one configuration for each variant of a file. */
import { mergePatch } from '../../base/json.ts';
import { suggestion } from '../../base/text.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import { builtInMetrics, isUsableName } from '../analysis/metric.ts';
import type { Problem } from '../../base/problem.ts';
import type { LlmConfig } from '../../generated/types.ts';
import { mergeVariant } from './collapse.ts';

export interface Arm {
  readonly name: string;
  /** Of the test's traffic; the shares of all arms add up to 1. */
  readonly share: number;
  /** What is served, and what takes the file's place when this arm wins. */
  readonly config: LlmConfig;
}

/** In the order of the file; empty for a configuration without variants. */
export function armsOf(config: LlmConfig): readonly Arm[] {
  const { variants = [], ab_test: _test, ...base } = config;
  const total = variants.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
  return variants.map(({ name, weight, description: _description, ...overlay }) => ({
    name,
    share: weight === undefined ? 1 / variants.length : weight / total,
    config: mergeVariant(base, overlay),
  }));
}

/** The RFC 7396 patch that puts an arm in the place of the test that it has won. */
export function winningPatch({ config: { llm, routing } }: Arm): Readonly<Record<string, unknown>> {
  return {
    ...(llm === undefined ? {} : { llm }),
    ...(routing === undefined ? {} : { routing }),
    variants: null,
    ab_test: null,
    deployment_strategy: null,
  };
}

/** The file without what is only said for one rollout: a test, a strategy. */
export const withoutOneOffs = { deployment_strategy: null, variants: null, ab_test: null } as const;

/** What is wrong with a test, or with what only makes sense in one. */
export function armProblems(config: LlmConfig): readonly Problem[] {
  const { variants, ab_test: test, deployment_strategy: strategy } = config;
  if (variants === undefined && test === undefined) return [];
  if (variants === undefined)
    return [
      { code: 'plan', path: '/ab_test', message: 'ab_test compares variants, and there are none; write variants, a list of two or more.' },
    ];
  if (test === undefined)
    return [{ code: 'plan', path: '/variants', message: 'variants need ab_test, which says by which metric they are compared.' }];
  const names = variants.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  const problems: Problem[] = [];
  if (twice >= 0)
    problems.push({ code: 'plan', path: `/variants/${twice}/name`, message: `There are two variants named "${names[twice] ?? ''}".` });
  return [...problems, ...weightProblems(variants), ...strategyProblems(strategy), ...testProblems(test)];
}

function weightProblems(variants: NonNullable<LlmConfig['variants']>): readonly Problem[] {
  const weights = variants.flatMap(({ weight }) => weight ?? []);
  if (weights.length === 0) return [];
  const missing = variants.findIndex(({ weight }) => weight === undefined);
  if (missing >= 0)
    return [{ code: 'plan', path: `/variants/${missing}`, message: 'Give every variant a weight, or none: then all get the same share.' }];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (Math.abs(total - 1) <= 0.005) return [];
  return [{ code: 'plan', path: '/variants', message: `The weights add up to ${Math.round(total * 1000) / 1000}; they must add up to 1.` }];
}

const longestMs = 90 * 24 * 3_600_000;

function testProblems({ metric, max_duration_hours: duration = 1 }: NonNullable<LlmConfig['ab_test']>): readonly Problem[] {
  const problems: Problem[] = [];
  const hint = suggestion(metric, builtInMetrics);
  const isOwn = builtInMetrics.some((name) => metric === name || metric.startsWith(`${name}_`));
  const isMistyped = !isOwn && hint.includes('Did you mean');
  if (!isUsableName(metric) || isMistyped)
    problems.push({ code: 'plan', path: '/ab_test/metric', message: `"${metric}" is no metric that is measured.${hint}` });
  const lastsMs = durationOf(duration);
  if (lastsMs <= 0 || lastsMs > longestMs)
    problems.push({
      code: 'plan',
      path: '/ab_test/max_duration_hours',
      message: 'An A/B test lasts for more than no time, and 90 days at the most.',
    });
  return problems;
}

/** A number is hours. */
export function durationOf(written: number | string): number {
  return typeof written === 'number' ? written * 3_600_000 : writtenMinutesToMs(written);
}

/** Keys of a rollout that has steps of its own. */
const ofOtherStrategies = [
  'type',
  'initial_percentage',
  'steps',
  'rollout_duration_minutes',
  'blue',
  'green',
  'cutover',
  'keep_blue_duration',
] as const;

function strategyProblems(strategy: LlmConfig['deployment_strategy']): readonly Problem[] {
  return ofOtherStrategies
    .filter((key) => strategy?.[key] !== undefined)
    .map((key) => ({
      code: 'plan' as const,
      path: `/deployment_strategy/${key}`,
      message: `Variants are rolled out by their ab_test; leave ${key} out.`,
    }));
}

/** Arms are judged against what is in force. */
export function groundProblems(config: LlmConfig, hasStable: boolean): readonly Problem[] {
  if (config.variants === undefined || hasStable) return [];
  const message =
    'An A/B test needs a configuration in force, beside which its variants are tried; bring one without variants first, in a commit before this.';
  return [{ code: 'plan', path: '/variants', message }];
}

/** Merged onto the configuration of the service, as `ab-test --config` does with a file that only has variants. */
export function ontoService(service: LlmConfig, written: LlmConfig): LlmConfig {
  return mergePatch(service, { ...withoutOneOffs, ...written }) as LlmConfig;
}

/** What a change may be expected to do before anything is tried (guide 5.3). */
import type { Problem } from '../../base/problem.ts';
import type { LlmConfig, ModelCatalogue } from '../../generated/types.ts';
import { collapse } from '../config/collapse.ts';
import type { SafetyCheck } from './gates.ts';

export interface SafetyFinding {
  readonly name: SafetyCheck['name'];
  readonly limit: number;
  /** Expected change to the bad side, as a fraction; null: nobody knows. */
  readonly expected: number | null;
  readonly verdict: 'within' | 'beyond' | 'unknown';
  /** Where the expectation comes from. */
  readonly because: string;
}

export interface Change {
  readonly before: LlmConfig | null;
  readonly after: LlmConfig;
  readonly catalogue: ModelCatalogue;
}

export function checkSafety(checks: readonly SafetyCheck[], change: Change): readonly SafetyFinding[] {
  return checks.map(({ name, limit }) => {
    const { expected, because } = expectations[name](change);
    const verdict = expected === null ? 'unknown' : expected > limit ? 'beyond' : 'within';
    return { name, limit, expected, verdict, because };
  });
}

export function safetyProblems(findings: readonly SafetyFinding[]): readonly Problem[] {
  return findings
    .filter(({ verdict }) => verdict === 'beyond')
    .map(({ name, limit, expected, because }) => ({
      code: 'safety',
      path: '/llm',
      message: `The safety check ${name} allows ${percent(limit)}, and ${percent(expected ?? 0)} is to be expected: ${because}. Change less, or the check in a commit before this one.`,
    }));
}

interface Expected {
  readonly expected: number | null;
  readonly because: string;
}

const expectations: Readonly<Record<SafetyCheck['name'], (change: Change) => Expected>> = {
  cost_explosion: (change) => larger(byPrice(change), said(change, 'cost_reduction', -1)),
  quality_degradation: (change) => said(change, 'quality_change', -1),
  latency_spike: (change) => said(change, 'latency_change', 1),
};

/** Prices of the default models, at as many tokens in as out. */
function byPrice({ before, after, catalogue }: Change): Expected {
  const [was, is] = [before === null ? null : priceOf(before, catalogue), priceOf(after, catalogue)];
  if (was === null || is === null || was === 0) return { expected: null, because: 'the catalogue has no price of both models' };
  return { expected: is / was - 1, because: 'by the prices of the catalogue, at as many tokens in as out' };
}

function priceOf(config: LlmConfig, { models }: ModelCatalogue): number | null {
  const { llm, routing } = collapse(config);
  const name = routing?.default_model ?? llm?.model ?? '';
  const prices = Object.hasOwn(models, name) ? models[name]?.prices : undefined;
  return prices === undefined ? null : prices.input_per_million_usd + prices.output_per_million_usd;
}

type Key = keyof NonNullable<NonNullable<LlmConfig['deployment_strategy']>['expected_improvement']>;

function said({ after }: Change, key: Key, sign: 1 | -1): Expected {
  const written = after.deployment_strategy?.expected_improvement?.[key];
  if (written === undefined)
    return { expected: null, because: `deployment_strategy.expected_improvement.${key} is not written, so the canary has to tell` };
  return { expected: sign * written, because: `by deployment_strategy.expected_improvement.${key}` };
}

function larger(a: Expected, b: Expected): Expected {
  if (a.expected === null || b.expected === null) return a.expected === null ? b : a;
  return a.expected >= b.expected ? a : b;
}

function percent(fraction: number): string {
  return `${Math.round(fraction * 1000) / 10} %`;
}

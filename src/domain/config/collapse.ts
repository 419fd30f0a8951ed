/** The configuration that is meant once what was only said for one rollout is gone: green takes the place of what the file says. */
import { canonicalJson, mergePatch } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import type { LlmConfig } from '../../generated/types.ts';

type Variant = NonNullable<NonNullable<LlmConfig['deployment_strategy']>['green']>;

/** `green` merged (RFC 7396) onto `llm`; blue and green are gone. Without green: the same configuration. */
export function collapse(config: LlmConfig): LlmConfig {
  const { deployment_strategy: strategy } = config;
  if (strategy?.green === undefined) return config;
  const { blue: _blue, green, ...rest } = strategy;
  return { ...mergeVariant(config, green), deployment_strategy: rest };
}

/** `variant` merged (RFC 7396) onto `llm`. */
export function mergeVariant(config: LlmConfig, variant: Variant): LlmConfig {
  const llm = mergePatch(config.llm ?? {}, variant) as NonNullable<LlmConfig['llm']>;
  // A default route that goes on to name the old model would leave the variant's without effect.
  const routing =
    config.routing?.default_model === undefined || variant.model === undefined
      ? {}
      : { routing: { ...config.routing, default_model: variant.model } };
  return { ...config, llm, ...routing };
}

/** The RFC 7396 patch that turns the file of `config` into that of its collapsed form, without any one-off strategy. */
export function collapsingPatch(config: LlmConfig): Readonly<Record<string, unknown>> {
  const { llm, routing } = collapse(config);
  return { ...(llm === undefined ? {} : { llm }), ...(routing === undefined ? {} : { routing }), deployment_strategy: null };
}

/** `inForce`: what is stable; null: not known. */
export function variantProblems({ deployment_strategy: strategy }: LlmConfig, inForce: LlmConfig | null): readonly Problem[] {
  if (strategy === undefined) return [];
  const { type, blue, green } = strategy;
  const path = '/deployment_strategy';
  const isBlueGreen = type === 'blue-green';
  if (!isBlueGreen && (blue !== undefined || green !== undefined))
    return [{ code: 'plan', path: `${path}/${green === undefined ? 'blue' : 'green'}`, message: 'blue and green need type: blue-green.' }];
  if (blue !== undefined && green === undefined)
    return [{ code: 'plan', path: `${path}/blue`, message: 'blue says what is in force; green must say what takes its place.' }];
  if (blue === undefined || inForce === null || isInForce(blue, inForce)) return [];
  return [
    {
      code: 'conflict',
      path: `${path}/blue`,
      message: `blue is not what is in force: that has ${modelOf(inForce)} and other parameters or another model than blue says. Correct it, or leave it out.`,
    },
  ];
}

function isInForce(blue: Variant, { llm = {}, routing = {} }: LlmConfig): boolean {
  const present = { ...llm, model: routing.default_model ?? llm.model };
  return canonicalJson(mergePatch(present, blue)) === canonicalJson(present);
}

function modelOf({ llm, routing }: LlmConfig): string {
  return `the model ${routing?.default_model ?? llm?.model ?? 'of no name'}`;
}

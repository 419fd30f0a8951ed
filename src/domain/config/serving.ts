/** From what a person wrote to what a gateway serves: defaults filled in, catalogue entries looked up. */
import type { AssignmentQualityJudge, AssignmentServedModel, AssignmentServing, LlmConfig, ModelCatalogue } from '../../generated/types.ts';

const defaultTimeoutMs = 30_000;
const defaultRetryDelayMs = 1000;
const defaultSampleRate = 0.1;
const defaultScoringsPerMinute = 30;

/** Every model of the catalogue that a request of this configuration can reach, sorted. */
export function reachableModels(config: LlmConfig): readonly string[] {
  const names = new Set<string>();
  const main = config.routing?.default_model ?? config.llm?.model;
  if (main !== undefined) names.add(main);
  for (const rule of config.routing?.rules ?? []) names.add(rule.model);
  return [...names].sort();
}

export function servedModel(name: string, catalogue: ModelCatalogue): AssignmentServedModel | undefined {
  const model = Object.hasOwn(catalogue.models, name) ? catalogue.models[name] : undefined;
  if (model === undefined) return undefined;
  const provider = Object.hasOwn(catalogue.providers, model.provider) ? catalogue.providers[model.provider] : undefined;
  if (provider === undefined) return undefined;
  return {
    provider: model.provider,
    base_url: provider.base_url,
    api_key_env: provider.api_key?.slice(2, -1) ?? null,
    upstream_model: model.upstream_model ?? name,
    limits: limitsOfModel(model),
    prices: model.prices ?? null,
    ...modelDefaults,
    ...pick(provider, ['auth_header', 'headers', 'query']),
    ...pick(model, ['token_limit_parameter']),
  };
}

const modelDefaults = {
  auth_header: null,
  headers: {},
  query: {},
  token_limit_parameter: 'max_tokens',
} as const satisfies Partial<AssignmentServedModel>;

function limitsOfModel(model: ModelCatalogue['models'][string]): AssignmentServedModel['limits'] {
  return pick(model, ['context_tokens', 'max_output_tokens', 'parameters']);
}

/** Those of the keys that are written. */
function pick<T extends object, K extends keyof T>(from: T, keys: readonly K[]): { [P in K]?: NonNullable<T[P]> } {
  const written = keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]);
  return Object.fromEntries(written) as { [P in K]?: NonNullable<T[P]> };
}

/** What was stored by a version that knew fewer keys: absent means what it meant then. */
export function completeServing(stored: AssignmentServing): AssignmentServing {
  const models = Object.entries(stored.models).map(([name, model]) => [name, { ...modelDefaults, ...model }]);
  return { ...servingDefaults, ...stored, models: Object.fromEntries(models) as AssignmentServing['models'] };
}

const servingDefaults = {
  client_overrides: [],
  retry: { max_retries: 0, delay_ms: defaultRetryDelayMs },
  max_concurrent_requests: null,
  cost_controls: { daily_budget_usd: null, per_request_limit_usd: null, alert_threshold_usd: null },
  quality_sample_rate: 0,
  quality_judge: null,
  min_quality_score: null,
} as const satisfies Partial<AssignmentServing>;

/** The model that scores answers; null when the catalogue names none. */
function qualityJudge(catalogue: ModelCatalogue): AssignmentQualityJudge | null {
  const { quality_judge: written } = catalogue;
  const model = written === undefined ? undefined : servedModel(written.model, catalogue);
  if (written === undefined || model === undefined) return null;
  return {
    name: written.model,
    model,
    max_per_minute: written.max_per_minute ?? defaultScoringsPerMinute,
    instructions: written.instructions ?? null,
  };
}

function mustServe(name: string, catalogue: ModelCatalogue): AssignmentServedModel {
  const model = servedModel(name, catalogue);
  if (model === undefined) throw new Error(`model ${name} is not in the catalogue`);
  return model;
}

/** `config` must have passed `compatibilityProblems` with the same catalogue; a model that is missing here is a bug. */
export function resolveServing(config: LlmConfig, catalogue: ModelCatalogue): AssignmentServing {
  const { llm = {}, routing = {}, aliases = [] } = config;
  const { timeout_ms: _timeout, ...parameters } = llm.parameters ?? {};
  const defaultModel = routing.default_model ?? llm.model;
  if (defaultModel === undefined) throw new Error('the configuration names no model');
  return {
    default_model: defaultModel,
    prompt_template: llm.prompt_template ?? null,
    parameters,
    rules: (routing.rules ?? []).map((rule) => ({
      condition: rule.condition,
      model: rule.model,
      parameters: { ...rule.parameters },
    })),
    models: Object.fromEntries(reachableModels(config).map((name) => [name, mustServe(name, catalogue)])),
    aliases,
    ...servingDefaults,
    ...callingOf(llm),
    ...limitsOf(config),
    ...qualityOf(config.quality_controls ?? {}, catalogue),
  };
}

function callingOf(llm: NonNullable<LlmConfig['llm']>): Pick<AssignmentServing, 'timeout_ms' | 'retry' | 'client_overrides'> {
  const { max_retries: retries = 0, retry_delay_ms: delayMs = defaultRetryDelayMs, timeout_ms: timeoutMs } = llm.retry_config ?? {};
  return {
    timeout_ms: llm.parameters?.timeout_ms ?? timeoutMs ?? defaultTimeoutMs,
    retry: { max_retries: retries, delay_ms: delayMs },
    client_overrides: llm.client_overrides ?? [],
  };
}

function limitsOf({ cost_controls: cost, performance }: LlmConfig): Partial<AssignmentServing> {
  return { cost_controls: { ...servingDefaults.cost_controls, ...cost }, ...pick(performance ?? {}, ['max_concurrent_requests']) };
}

function qualityOf(written: NonNullable<LlmConfig['quality_controls']>, catalogue: ModelCatalogue): Partial<AssignmentServing> {
  const floor = pick(written, ['min_quality_score']);
  if (written.enable_quality_monitoring !== true) return floor;
  return { ...floor, quality_sample_rate: written.quality_check_sample_rate ?? defaultSampleRate, quality_judge: qualityJudge(catalogue) };
}

/** From what a person wrote to what a gateway serves: defaults filled in, catalogue entries looked up. */
import type { AssignmentServedModel, AssignmentServing, LlmConfig, ModelCatalogue } from '../../generated/types.ts';

const defaultTimeoutMs = 30_000;

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
    limits: {
      ...(model.context_tokens === undefined ? {} : { context_tokens: model.context_tokens }),
      ...(model.max_output_tokens === undefined ? {} : { max_output_tokens: model.max_output_tokens }),
      ...(model.parameters === undefined ? {} : { parameters: model.parameters }),
    },
    prices: model.prices ?? null,
  };
}

function mustServe(name: string, catalogue: ModelCatalogue): AssignmentServedModel {
  const model = servedModel(name, catalogue);
  if (model === undefined) throw new Error(`model ${name} is not in the catalogue`);
  return model;
}

/** `config` must have passed `compatibilityProblems` with the same catalogue; a model that is missing here is a bug. */
export function resolveServing(config: LlmConfig, catalogue: ModelCatalogue): AssignmentServing {
  const { llm = {}, routing = {} } = config;
  const { timeout_ms: parameterTimeout, ...parameters } = llm.parameters ?? {};
  const defaultModel = routing.default_model ?? llm.model;
  if (defaultModel === undefined) throw new Error('the configuration names no model');
  return {
    default_model: defaultModel,
    prompt_template: llm.prompt_template ?? null,
    parameters,
    timeout_ms: parameterTimeout ?? llm.retry_config?.timeout_ms ?? defaultTimeoutMs,
    rules: (routing.rules ?? []).map((rule) => ({
      condition: rule.condition,
      model: rule.model,
      parameters: { ...rule.parameters },
    })),
    models: Object.fromEntries(reachableModels(config).map((name) => [name, mustServe(name, catalogue)])),
    aliases: config.aliases ?? [],
  };
}

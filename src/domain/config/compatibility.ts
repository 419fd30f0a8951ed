/** May this configuration be served with this catalogue? Schema-valid input in, problems with their pointers out. */
import { pointerToken } from '../../base/json.ts';
import type { Problem, ProblemCode } from '../../base/problem.ts';
import { suggestion } from '../../base/text.ts';
import type { LlmConfig, LlmConfigParameters, ModelCatalogue } from '../../generated/types.ts';
import { compileCondition } from '../routing/conditions.ts';
import { reachableModels } from './serving.ts';
import { parseTemplate } from './template.ts';

export function compatibilityProblems(config: LlmConfig, catalogue: ModelCatalogue): readonly Problem[] {
  return [
    ...modelProblems(config, catalogue),
    ...templateProblems(config),
    ...conditionProblems(config),
    ...costProblems(config, catalogue),
    ...qualityProblems(config, catalogue),
  ];
}

function problem(code: ProblemCode, path: string, message: string): Problem {
  return { code, path, message };
}

/** A budget on what nobody can price would be no budget. */
function costProblems({ cost_controls: cost, ...config }: LlmConfig, catalogue: ModelCatalogue): readonly Problem[] {
  if (cost === undefined || Object.keys(cost).length === 0) return [];
  const unpriced = reachableModels(config).filter((name) => catalogue.models[name] !== undefined && !catalogue.models[name].prices);
  const { alert_threshold_usd: alert, daily_budget_usd: budget, per_request_limit_usd: limit } = cost;
  const unlimited = reachableModels(config).filter(
    (name) => catalogue.models[name] !== undefined && !catalogue.models[name].max_output_tokens,
  );
  return [
    ...(limit === undefined ? [] : unlimited).map((name) =>
      problem(
        'cost-budget',
        '/cost_controls/per_request_limit_usd',
        `Model "${name}" has no max_output_tokens in models.yaml, so nobody knows what its longest answer costs; add it.`,
      ),
    ),
    ...unpriced.map((name) =>
      problem('cost-budget', '/cost_controls', `Model "${name}" has no prices in models.yaml, so its cost can't be limited; add them.`),
    ),
    ...(alert !== undefined && budget !== undefined && alert > budget
      ? [
          problem(
            'cost-budget',
            '/cost_controls/alert_threshold_usd',
            `The alert at ${alert} would never come: the budget ends at ${budget}.`,
          ),
        ]
      : []),
  ];
}

function qualityProblems({ quality_controls: quality }: LlmConfig, catalogue: ModelCatalogue): readonly Problem[] {
  if (quality === undefined) return [];
  if (quality.enable_quality_monitoring === true && catalogue.quality_judge === undefined) {
    const message = 'Name the model that scores answers, in models.yaml: quality_judge: { model: ... }.';
    return [problem('missing', '/quality_controls/enable_quality_monitoring', message)];
  }
  if (quality.enable_quality_monitoring !== true && quality.quality_check_sample_rate !== undefined) {
    const message = 'A sample rate needs enable_quality_monitoring: true; without it nothing is scored.';
    return [problem('missing', '/quality_controls/quality_check_sample_rate', message)];
  }
  return [];
}

function modelProblems(config: LlmConfig, catalogue: ModelCatalogue): readonly Problem[] {
  const { llm = {}, routing = {} } = config;
  const rules = routing.rules ?? [];
  const main = routing.default_model ?? llm.model;
  const named = [
    { model: llm.model, path: '/llm/model' },
    { model: routing.default_model, path: '/routing/default_model' },
    ...rules.map((rule, index) => ({ model: rule.model, path: `/routing/rules/${index}/model` })),
  ];
  return [
    ...(main === undefined
      ? [problem('missing', '/llm', 'The configuration names no model. Set llm.model to a model of models.yaml.')]
      : []),
    ...named.flatMap(({ model, path }) => (model === undefined ? [] : unknownModel(model, path, catalogue))),
    ...(main === undefined ? [] : parameterProblems(llm.parameters ?? {}, main, catalogue, '/llm/parameters')),
    ...rules.flatMap((rule, index) =>
      parameterProblems(rule.parameters ?? {}, rule.model, catalogue, `/routing/rules/${index}/parameters`),
    ),
    ...providerProblems(config, catalogue),
  ];
}

function unknownModel(model: string, path: string, catalogue: ModelCatalogue): readonly Problem[] {
  if (Object.hasOwn(catalogue.models, model)) return [];
  const hint = suggestion(model, Object.keys(catalogue.models));
  return [problem('unknown-model', path, `Model "${model}" is not in models.yaml.${hint}`)];
}

function providerProblems(config: LlmConfig, catalogue: ModelCatalogue): readonly Problem[] {
  const { model, provider } = config.llm ?? {};
  if (provider === undefined || model === undefined || !Object.hasOwn(catalogue.models, model)) return [];
  const actual = catalogue.models[model]?.provider ?? '';
  if (actual === provider) return [];
  return [problem('unknown-provider', '/llm/provider', `Model "${model}" is served by "${actual}" in models.yaml, not by "${provider}".`)];
}

function parameterProblems(
  parameters: LlmConfigParameters,
  modelName: string,
  catalogue: ModelCatalogue,
  path: string,
): readonly Problem[] {
  const model = Object.hasOwn(catalogue.models, modelName) ? catalogue.models[modelName] : undefined;
  if (model === undefined) return [];
  const problems: Problem[] = [];
  const most = model.max_output_tokens;
  if (parameters.max_tokens !== undefined && most !== undefined && parameters.max_tokens > most) {
    problems.push(
      problem('parameter-range', `${path}/max_tokens`, `max_tokens is ${parameters.max_tokens}, and "${modelName}" gives at most ${most}.`),
    );
  }
  for (const [key, range] of Object.entries(model.parameters ?? {})) {
    const value = parameters[key as 'temperature'];
    if (value === undefined || (value >= range.min && value <= range.max)) continue;
    problems.push(
      problem('parameter-range', path + pointerToken(key), `${key} is ${value}, and "${modelName}" takes ${range.min} to ${range.max}.`),
    );
  }
  return problems;
}

function templateProblems(config: LlmConfig): readonly Problem[] {
  const parsed = parseTemplate(config.llm?.prompt_template ?? '');
  if (parsed.ok) return [];
  return parsed.error.map((message) =>
    problem('template-variable', '/llm/prompt_template', `Unknown: ${message}`.replace('Unknown: t', 'T')),
  );
}

function conditionProblems(config: LlmConfig): readonly Problem[] {
  return (config.routing?.rules ?? []).flatMap((rule, index) => {
    const compiled = compileCondition(rule.condition);
    return compiled.ok ? [] : [problem('condition', `/routing/rules/${index}/condition`, `Bad condition: ${compiled.error}`)];
  });
}

/** The catalogue's own consistency. */
export function catalogueProblems(catalogue: ModelCatalogue): readonly Problem[] {
  const providers = Object.keys(catalogue.providers);
  const problems: Problem[] = [];
  for (const [name, provider] of Object.entries(catalogue.providers)) {
    if (!provider.base_url.startsWith('http://') || isLoopback(provider.base_url)) continue;
    problems.push(problem('schema', `/providers${pointerToken(name)}/base_url`, 'Plain http is allowed on loopback only; use https.'));
  }
  const scorer = catalogue.quality_judge?.model;
  if (scorer !== undefined && !Object.hasOwn(catalogue.models, scorer)) {
    const message = `Model "${scorer}" is not under models.${suggestion(scorer, Object.keys(catalogue.models))}`;
    problems.push(problem('unknown-model', '/quality_judge/model', message));
  }
  for (const [name, model] of Object.entries(catalogue.models)) {
    if (providers.includes(model.provider)) continue;
    problems.push(
      problem(
        'unknown-provider',
        `/models${pointerToken(name)}/provider`,
        `Provider "${model.provider}" is not under providers.${suggestion(model.provider, providers)}`,
      ),
    );
  }
  return problems;
}

function isLoopback(url: string): boolean {
  return /^http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?(\/|$)/.test(url);
}

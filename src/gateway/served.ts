/** An assignment, compiled: what a request needs is looked up, parsed and joined once, not at every request. */
import { refuse, ok, type Result } from '../base/result.ts';
import { shortDigest } from '../domain/config/digest.ts';
import { parseTemplate, type Template } from '../domain/config/template.ts';
import { compileCondition, type Condition } from '../domain/routing/conditions.ts';
import type { Variants } from '../domain/traffic/split.ts';
import type {
  Assignment,
  AssignmentCostControls,
  AssignmentQualityJudge,
  AssignmentRetry,
  AssignmentServedModel,
  AssignmentServing,
  AssignmentVariant,
} from '../generated/types.ts';
import { revisionCode } from './request-id.ts';
import type { BucketKey } from './recorder.ts';

export interface ServedModel extends AssignmentServedModel {
  readonly name: string;
  readonly origin: string;
  /** Path of the base URL, without a slash at its end. */
  readonly basePath: string;
  /** With a question mark, or empty. */
  readonly queryString: string;
  /** Key included: never shown to anybody but the provider. */
  readonly requestHeaders: Readonly<Record<string, string>>;
  /** The same, as they are written. */
  readonly headerText: string;
}

export interface ServedRoute {
  /** `default`, or `rule-1` and so on. */
  readonly name: string;
  readonly condition: Condition | null;
  readonly model: ServedModel;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What its measurements are kept under; one object for the life of the assignment. */
  readonly series: BucketKey;
  /** First part of the request ids: says all that feedback needs to know. */
  readonly revisionCode: string;
  /** What each reply says of itself, name, value, name, value ...; the request id comes besides. */
  readonly replyHeaders: readonly string[];
}

export interface ServedVariant {
  readonly name: 'stable' | 'canary';
  /** Of an A/B test; null outside one. */
  readonly arm: string | null;
  readonly weight: number;
  readonly commit: string;
  readonly digest: string;
  readonly timeoutMs: number;
  readonly retry: AssignmentRetry;
  readonly maxConcurrentRequests: number | null;
  readonly costControls: AssignmentCostControls;
  readonly clientOverrides: ReadonlySet<string>;
  readonly qualitySampleRate: number;
  readonly template: Template | null;
  /** As written, for applications that fill it in themselves. */
  readonly promptTemplate: string | null;
  /** In order; the last one has no condition. */
  readonly routes: readonly [...ServedRoute[], ServedRoute];
}

export interface Scorer extends Omit<AssignmentQualityJudge, 'model'> {
  readonly model: ServedModel;
}

export interface Compiled {
  readonly variants: Variants<ServedVariant>;
  /** Null: no answers of this service are scored. */
  readonly scorer: Scorer | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Or every reason why it can't be served here. */
export function compileAssignment(assignment: Assignment, environment: Environment): Result<Compiled, readonly string[]> {
  const problems: string[] = [];
  const variants = assignment.variants.map((variant) => compileVariant(assignment, variant, environment, problems));
  const judge = assignment.variants.map(({ serving }) => serving.quality_judge).find((candidate) => candidate !== null) ?? null;
  const scorer = judge === null ? null : { ...judge, model: prepareModel(judge.name, judge.model, environment, problems) };
  const [first, ...rest] = variants;
  if (first === undefined || problems.length > 0) return refuse(problems.length > 0 ? problems : ['the assignment has no variant']);
  return ok({ variants: [first, ...rest], scorer });
}

function compileVariant(assignment: Assignment, variant: AssignmentVariant, environment: Environment, problems: string[]): ServedVariant {
  const { serving } = variant;
  const template = serving.prompt_template === null ? null : parseTemplate(serving.prompt_template);
  if (template?.ok === false) problems.push(...template.error.map((message) => `${variant.name}: ${message}`));
  // Users are on stable only, so all that such a canary answers are copies.
  const copies = variant.name === 'canary' && assignment.mirror != null ? { isMirrored: true } : {};
  const route = (name: string, condition: Condition | null, modelName: string, parameters: ServedRoute['parameters']): ServedRoute => {
    const model = modelOf(modelName, serving, environment, problems);
    const { service, deployment_id: deploymentId, generation } = assignment;
    const series = {
      service,
      variant: variant.name,
      ...(variant.arm === undefined ? {} : { arm: variant.arm }),
      digest: variant.digest,
      deploymentId,
      generation,
      model: modelName,
      route: name,
      ...copies,
    };
    const revision = `${variant.commit.slice(0, 12)}+${shortDigest(variant.digest)}`;
    const replyHeaders = Object.entries({
      'x-actuator-service': service,
      'x-actuator-variant': variant.name,
      ...(variant.arm === undefined ? {} : { 'x-actuator-arm': variant.arm }),
      'x-actuator-revision': revision,
      'x-actuator-model': modelName,
    }).flat();
    return { name, condition, model, parameters, series, revisionCode: revisionCode(series), replyHeaders };
  };
  const rules = serving.rules.map((rule, index): ServedRoute => {
    const condition = compileCondition(rule.condition);
    if (!condition.ok) problems.push(`${variant.name}: rule ${index + 1}: ${condition.error}`);
    return route(`rule-${index + 1}`, condition.ok ? condition.value : null, rule.model, { ...serving.parameters, ...rule.parameters });
  });
  const fallback = route('default', null, serving.default_model, serving.parameters);
  return {
    name: variant.name,
    arm: variant.arm ?? null,
    weight: variant.weight,
    commit: variant.commit,
    digest: variant.digest,
    timeoutMs: serving.timeout_ms,
    retry: serving.retry,
    maxConcurrentRequests: serving.max_concurrent_requests,
    costControls: serving.cost_controls,
    clientOverrides: new Set(serving.client_overrides),
    qualitySampleRate: serving.quality_sample_rate,
    template: template?.ok === true ? template.value : null,
    promptTemplate: serving.prompt_template,
    routes: [...rules, fallback],
  };
}

function modelOf(name: string, serving: AssignmentServing, environment: Environment, problems: string[]): ServedModel {
  const model = Object.hasOwn(serving.models, name) ? serving.models[name] : undefined;
  if (model !== undefined) return prepareModel(name, model, environment, problems);
  problems.push(`model "${name}" is not in the assignment`);
  return prepareModel(name, noModel, environment, problems);
}

const noModel: AssignmentServedModel = {
  provider: '',
  base_url: 'http://127.0.0.1',
  api_key_env: null,
  upstream_model: '',
  limits: {},
  prices: null,
  auth_header: null,
  headers: {},
  query: {},
  token_limit_parameter: 'max_tokens',
};

function prepareModel(name: string, model: AssignmentServedModel, environment: Environment, problems: string[]): ServedModel {
  const base = new URL(model.base_url);
  const key = model.api_key_env === null ? null : (environment[model.api_key_env] ?? '');
  if (key === '') problems.push(`provider "${model.provider}" needs ${model.api_key_env} in the gateway's environment, which is not set`);
  else if (key !== null && !/^[\x21-\x7e]+$/.test(key))
    problems.push(
      `${model.api_key_env} in the gateway's environment is no key: it has spaces, line ends or other characters that no header takes`,
    );
  const query = new URLSearchParams(model.query).toString();
  const requestHeaders: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': 'actuator-gateway',
    ...model.headers,
    ...(key === null ? {} : model.auth_header === null ? { authorization: `Bearer ${key}` } : { [model.auth_header]: key }),
  };
  return {
    ...model,
    name,
    origin: base.origin,
    basePath: base.pathname.replace(/\/$/, ''),
    queryString: query === '' ? '' : `?${query}`,
    requestHeaders,
    headerText: Object.entries(requestHeaders)
      .map(([header, value]) => `${header}: ${value}\r\n`)
      .join(''),
  };
}

/** The digest names a configuration by its content. This is its only definition (docs/adr/0003). */
import { sha256Hex } from '../../base/hash.ts';
import { canonicalJson, isObject } from '../../base/json.ts';
import type { AssignmentServedModel, LlmConfig, ModelCatalogue } from '../../generated/types.ts';
import { armsOf } from './arms.ts';
import { collapse } from './collapse.ts';
import { reachableModels, servedModel } from './serving.ts';

/**
 * sha256 of the canonical JSON of what serves requests: the configuration without `version`, `metadata`, `deployment_strategy` and
 * thresholds of alerts and of the judge, with `green` of a blue-green rollout in its place, plus provider, endpoint, key reference and limits of each catalogue model it can reach. Not prices: a new price list
 * changes no answer. Comments, key order and layout never count, nor does an empty section.
 * Form: `sha256:` and 64 hexadecimal digits.
 */
export function digestOf(written: LlmConfig, catalogue: ModelCatalogue): string {
  return written.variants === undefined ? digestOfOne(written, catalogue) : digestOfTest(written, catalogue);
}

/** Of a test: what its arms serve, their names and shares, and how they are compared. */
function digestOfTest(written: LlmConfig, catalogue: ModelCatalogue): string {
  const arms = armsOf(written).map(({ name, share, config }) => ({ name, share, digest: digestOfOne(config, catalogue) }));
  return `sha256:${sha256Hex(canonicalJson({ arms, ab_test: written.ab_test ?? {} }))}`;
}

function digestOfOne(written: LlmConfig, catalogue: ModelCatalogue): string {
  const config = collapse(written);
  const { metadata: _metadata, deployment_strategy: _strategy, version: _version, ...rest } = config;
  const serves = { ...rest, ...withoutAlerts(rest) };
  const models = reachableModels(config).map((name) => {
    const model = servedModel(name, catalogue);
    return model === undefined ? { name } : { name, ...withoutDefaults(model), prices: undefined };
  });
  return `sha256:${sha256Hex(canonicalJson({ config: withoutEmpty(serves), models }))}`;
}

/** Keys that came after the first version, where they say nothing: a new version of ours must not make every digest new. */
function withoutDefaults(model: AssignmentServedModel): Partial<AssignmentServedModel> {
  const { auth_header: auth, headers, query, token_limit_parameter: limit, ...rest } = model;
  return {
    ...rest,
    ...(auth === null ? {} : { auth_header: auth }),
    ...(isEmpty(headers) ? {} : { headers }),
    ...(isEmpty(query) ? {} : { query }),
    ...(limit === 'max_tokens' ? {} : { token_limit_parameter: limit }),
  };
}

/** Thresholds that tell people something, or judge a canary: no request is served otherwise because of them. */
function withoutAlerts({
  cost_controls: cost,
  quality_controls: quality,
  performance,
}: LlmConfig): Pick<LlmConfig, 'cost_controls' | 'quality_controls' | 'performance'> {
  const { alert_threshold_usd: _alert, ...limits } = cost ?? {};
  const { min_quality_score: _floor, ...scoring } = quality ?? {};
  const { target_latency_p95_ms: _p95, target_latency_p99_ms: _p99, ...performing } = performance ?? {};
  return { cost_controls: limits, quality_controls: scoring, performance: performing };
}

/** `routing: {}` and no `routing` serve the same. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, member]) => [key, withoutEmpty(member)] as const);
  return Object.fromEntries(entries.filter(([, member]) => member !== undefined && !isEmpty(member)));
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/** Of the file alone, whatever the catalogue says by now. */
export function ownDigest(config: LlmConfig): string {
  return digestOf(config, { providers: {}, models: {} });
}

/** Twelve digits, for people. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

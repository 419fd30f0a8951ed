/* Generated from schemas/ by `npm run generate`. Do not edit. */
/**
 * Percent of traffic.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsPercentage".
 */
export type WrittenSettingsPercentage = number;
/**
 * A time: a number of minutes, or text such as 90s, 5m or 24h.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsMinutes".
 */
export type WrittenSettingsMinutes = number | string;
/**
 * Weights in rising order; each is held for its duration, and longer until there is evidence.
 *
 * @minItems 1
 * @maxItems 50
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsSteps".
 */
export type WrittenSettingsSteps = {
  percentage: WrittenSettingsPercentage;
  duration_minutes: WrittenSettingsMinutes;
}[];
/**
 * A key of `models` in models.yaml.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "LlmConfigModelName".
 */
export type LlmConfigModelName = string;
/**
 * Lower-case letters, digits, dots, dashes and underscores.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "LlmConfigServiceName".
 */
export type LlmConfigServiceName = string;
/**
 * One line of a .pub file, or that with the time in which it counts.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsSshKey".
 */
export type SectionsSshKey =
  | string
  | {
      /**
       * One line of a .pub file.
       */
      key: string;
      /**
       * From that day on, by our clock, nothing new is believed by it; such as 2027-01-31. A stolen key must be revoked: dates in commits are the signer's.
       */
      valid_before?: string;
      /**
       * true: no commit signed by it is believed.
       */
      revoked?: boolean;
    };
/**
 * A revision.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "StatusFileRevision".
 */
export type StatusFileRevision = null | {
  /**
   * Commit.
   */
  commit: string;
  /**
   * Digest.
   */
  digest: string;
};

export interface Bundle {}
/**
 * POST /api/v1/actuator/ab-tests/:id/promote: ends an A/B test by promoting one of its arms.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AbTestPromotion".
 */
export interface AbTestPromotion {
  /**
   * Name of an arm, or auto: the one that is proven to be the best.
   */
  winner: string;
  /**
   * Why.
   */
  reason?: string;
}
/**
 * POST /api/v1/actuator/ab-tests: commits variants and how they are compared to one service's configuration.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AbTestRequest".
 */
export interface AbTestRequest {
  /**
   * Service; where left out, metadata.service of the configuration, or the only service.
   */
  service?: string;
  /**
   * YAML with variants and ab_test, merged (RFC 7396) onto the service's config.yaml.
   */
  config: string;
  /**
   * Written as ab_test.strategy.
   */
  strategy?: 'fixed' | 'thompson-sampling';
  /**
   * Why, for the commit message.
   */
  reason?: string;
}
/**
 * A gateway's answer to an assignment: it serves it, or says why it can't.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "Acknowledgement".
 */
export interface Acknowledgement {
  /**
   * Name of the gateway.
   */
  gateway: string;
  /**
   * Service.
   */
  service: string;
  /**
   * Term of the assignment.
   */
  term: number;
  /**
   * Generation of the assignment.
   */
  generation: number;
  /**
   * true: new requests are served by it. false: refused, the one before stays in force.
   */
  applied: boolean;
  /**
   * Why it was refused.
   *
   * @maxItems 50
   */
  problems: string[];
}
/**
 * POST /api/v1/actuator/approve and /reject.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "ApprovalRequest".
 */
export interface ApprovalRequest {
  /**
   * Service; where left out, that of the deployment, or the only one that is active.
   */
  service?: string;
  /**
   * Deployment; refused when another one is in force.
   */
  deployment_id?: string;
  /**
   * Name or address of the approver; must be the one that the API key belongs to.
   */
  approver?: string;
  /**
   * approve: what the approver has to say.
   */
  comment?: string;
  /**
   * reject: why. approve: the same as comment.
   */
  reason?: string;
  /**
   * approve: what was reviewed; refused when something else waits by now.
   */
  digest?: string;
  /**
   * Number of an open pull request, in the place of a deployment: what its head holds is approved, and a review says so there.
   */
  pull_request?: number;
}
/**
 * What a gateway must serve for one service. Of two assignments the one with the higher (term, generation) holds.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "Assignment".
 */
export interface Assignment {
  /**
   * Service; also the value of the request's `model` field.
   */
  service: string;
  /**
   * Term of the leader that assigned.
   */
  term: number;
  /**
   * Rises with each change of this service.
   */
  generation: number;
  /**
   * Deployment on trial.
   */
  deployment_id: string | null;
  split: AssignmentSplit;
  /**
   * Canary first, stable last; weights add up to 100. In an A/B test there are several canaries, one for each arm.
   *
   * @minItems 1
   * @maxItems 11
   */
  variants: AssignmentVariant[];
  /**
   * Percent of stable's requests that are copied to the canary; the answers are measured and thrown away. Null or absent: none.
   */
  mirror?: number | null;
  /**
   * Gateways that serve the canary and nothing else, whatever the weights say, while all others serve stable. Null or absent: each serves by the weights.
   */
  canary_gateways?: string[] | null;
}
/**
 * How requests are divided between the variants.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentSplit".
 */
export interface AssignmentSplit {
  /**
   * weighted_random: each request is drawn by itself. consistent_hash: by the hash of its key. round_robin: evenly spaced.
   */
  method: 'weighted_random' | 'consistent_hash' | 'round_robin';
  /**
   * Where the key of a request comes from: user_id, session_id, request_id, client_key, header:<name> or metadata.<field>.
   */
  hash_key: string;
  /**
   * Put before the key when it is hashed, so that each deployment divides anew.
   */
  salt: string;
  /**
   * How long after its last request a key keeps its variant, in milliseconds; null: not sticky.
   */
  sticky_ms: number | null;
}
/**
 * One variant.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentVariant".
 */
export interface AssignmentVariant {
  /**
   * Variant.
   */
  name: 'canary' | 'stable';
  /**
   * Name of the arm of an A/B test; absent outside one.
   */
  arm?: string;
  /**
   * Percent of requests.
   */
  weight: number;
  /**
   * Commit that brought the configuration.
   */
  commit: string;
  /**
   * Digest of the configuration.
   */
  digest: string;
  serving: AssignmentServing;
}
/**
 * A configuration with defaults and catalogue entries filled in.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentServing".
 */
export interface AssignmentServing {
  /**
   * Model where no rule matches.
   */
  default_model: string;
  /**
   * Template of the system message.
   */
  prompt_template: string | null;
  /**
   * Parameters set on every request.
   */
  parameters: {
    [k: string]: unknown;
  };
  /**
   * Upstream time-out, in milliseconds.
   */
  timeout_ms: number;
  /**
   * Routing rules.
   */
  rules: {
    /**
     * CEL.
     */
    condition: string;
    /**
     * Model of the rule.
     */
    model: string;
    /**
     * Parameters of the rule.
     */
    parameters: {
      [k: string]: unknown;
    };
  }[];
  /**
   * The catalogue's entries for each model it can reach.
   */
  models: {
    [k: string]: AssignmentServedModel;
  };
  /**
   * Further names of the service.
   */
  aliases: string[];
  /**
   * Parameters for which the client's value wins.
   */
  client_overrides: string[];
  retry: AssignmentRetry;
  /**
   * Most requests of the service in flight in one gateway; null: no limit.
   */
  max_concurrent_requests: number | null;
  cost_controls: AssignmentCostControls;
  /**
   * Share of answers that the judge model scores.
   */
  quality_sample_rate: number;
  /**
   * Model that scores sampled answers; null: none. The first variant that has one decides for all, so that scores can be compared.
   */
  quality_judge: null | AssignmentQualityJudge;
  /**
   * Mean quality score below which people are told; null: none.
   */
  min_quality_score: number | null;
}
/**
 * A model as a gateway calls it.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentServedModel".
 */
export interface AssignmentServedModel {
  /**
   * Provider.
   */
  provider: string;
  /**
   * Base URL.
   */
  base_url: string;
  /**
   * Variable of the gateway's environment that holds the key.
   */
  api_key_env: string | null;
  /**
   * Name at the provider.
   */
  upstream_model: string;
  /**
   * Limits of the catalogue.
   */
  limits: {
    [k: string]: unknown;
  };
  /**
   * Prices; null when unknown.
   */
  prices: null | AssignmentPrices;
  /**
   * Header that carries the bare key; null: Authorization: Bearer.
   */
  auth_header: string | null;
  /**
   * Further headers of each request.
   */
  headers: {
    [k: string]: string;
  };
  /**
   * Query parameters of each request.
   */
  query: {
    [k: string]: string;
  };
  /**
   * What the model calls the limit on a chat completion's tokens.
   */
  token_limit_parameter: 'max_tokens' | 'max_completion_tokens';
}
/**
 * Prices in US dollars.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentPrices".
 */
export interface AssignmentPrices {
  /**
   * US dollars per million prompt tokens.
   */
  input_per_million_usd: number;
  /**
   * US dollars per million completion tokens.
   */
  output_per_million_usd: number;
}
/**
 * Retries towards the provider.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentRetry".
 */
export interface AssignmentRetry {
  /**
   * Further attempts.
   */
  max_retries: number;
  /**
   * Pause before the first retry, doubled for each further one, in milliseconds.
   */
  delay_ms: number;
}
/**
 * Spending limits, in US dollars.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentCostControls".
 */
export interface AssignmentCostControls {
  /**
   * Most that may be spent in a UTC day by the whole service; null: no limit.
   */
  daily_budget_usd: number | null;
  /**
   * Most that one request may cost; null: no limit.
   */
  per_request_limit_usd: number | null;
  /**
   * Spending of a day that raises an alert; null: none.
   */
  alert_threshold_usd: number | null;
}
/**
 * Model that scores sampled answers.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "AssignmentQualityJudge".
 */
export interface AssignmentQualityJudge {
  /**
   * Model of the catalogue.
   */
  name: string;
  model: AssignmentServedModel;
  /**
   * Most answers scored in a minute by one gateway.
   */
  max_per_minute: number;
  /**
   * What a good answer is; null: the built-in text.
   */
  instructions: string | null;
}
/**
 * What a gateway ships each second. (gateway, epoch, seq) names a batch: a repeated one is ignored.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "BucketBatch".
 */
export interface BucketBatch {
  /**
   * Name of the gateway.
   */
  gateway: string;
  /**
   * Random for each start of the gateway process.
   */
  epoch: string;
  /**
   * 1, 2, 3 ... within the epoch.
   */
  seq: number;
  /**
   * One for each key that saw a request.
   *
   * @maxItems 10000
   */
  buckets: Bucket[];
  /**
   * What people wrote about answers.
   *
   * @maxItems 200
   */
  comments: BucketBatchComment[];
}
/**
 * What one gateway measured in one interval for one service, variant, revision, model and route. Buckets of one key can be added.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "Bucket".
 */
export interface Bucket {
  /**
   * Service.
   */
  service: string;
  /**
   * Variant that served.
   */
  variant: 'stable' | 'canary';
  /**
   * Digest of the configuration that served.
   */
  digest: string;
  /**
   * Deployment on trial when the request arrived; null when none was.
   */
  deployment_id: string | null;
  /**
   * Model of the catalogue that answered.
   */
  model: string;
  /**
   * `rule-N`, counted from 1, or `default`.
   */
  route: string;
  /**
   * Requests that count: finished, and neither refused by us nor abandoned by the client.
   */
  requests: number;
  /**
   * Requests whose first attempt failed, by class, also those that a retry saved.
   */
  errors: {
    [k: string]: number;
  };
  /**
   * Requests outside `requests`, by reason.
   */
  excluded: {
    [k: string]: number;
  };
  latency_ms: BucketHistogram;
  first_token_ms: BucketHistogram;
  cost_usd: BucketMoments;
  /**
   * Answered requests whose cost is unknown.
   */
  unpriced: number;
  input_tokens: BucketMoments;
  output_tokens: BucketMoments;
  /**
   * Requests counted in `errors` that a retry saved: their first attempt failed, and the client had a complete answer.
   */
  recovered: number;
  /**
   * Attempts beyond the first.
   */
  retries: number;
  /**
   * Requests without the key that the split asks for; they were drawn at random.
   */
  unkeyed: number;
  /**
   * Hashes of keys that entered this gateway's sample of distinct keys (the smallest ones); their union counts users.
   */
  new_keys: number[];
  /**
   * Sums for each of 64 shards of the keys: shard, requests, errors, latency_ms, cost_usd, priced, tokens, shard ... Where routing is sticky, requests of one key are no independent sample.
   */
  shards: number[];
  /**
   * Feedback by metric: quality_score (people and applications), judged_quality (the judge model), and custom ones.
   */
  scores: {
    [k: string]: BucketMoments;
  };
  scoring_cost_usd: BucketMoments;
  /**
   * Scorings by the judge model that gave no score.
   */
  scoring_failures: number;
  /**
   * Of the assignment that the requests were served under; null for feedback, which comes later.
   */
  generation: number | null;
  /**
   * What requests outside `requests` have cost, partly estimated: a client that leaves before the end is answered all the same. Part of the day's spending only.
   */
  excluded_cost_usd: number;
  cost_micro_usd?: BucketHistogram;
  tokens?: BucketMoments;
  tokens_histogram?: BucketHistogram;
  /**
   * quality_score and judged_quality on a hundred equal bins: bin i holds scores in ((i - 1)/100, i/100], 0 is `zero`. Left out by older gateways.
   */
  score_histograms?: {
    [k: string]: BucketHistogram;
  };
  /**
   * true: copies of stable's requests, whose answers nobody got.
   */
  mirrored?: boolean;
}
/**
 * Logarithmic histogram: bin i holds values in (gamma^(i-1), gamma^i], gamma 1.02; values up to 0.001 are in `zero`.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "BucketHistogram".
 */
export interface BucketHistogram {
  /**
   * Values up to 0.001.
   */
  zero: number;
  /**
   * Pairs: bin, count, bin, count ... in rising order.
   */
  bins: number[];
}
/**
 * Count, sum and sum of squares about a pivot, which keeps the digits that plain sums lose.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "BucketMoments".
 */
export interface BucketMoments {
  /**
   * Values.
   */
  n: number;
  /**
   * The first value.
   */
  pivot: number;
  /**
   * Sum of value - pivot.
   */
  sum: number;
  /**
   * Sum of (value - pivot) squared.
   */
  sum_squares: number;
}
/**
 * A comment on an answer.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "BucketBatchComment".
 */
export interface BucketBatchComment {
  /**
   * Service.
   */
  service: string;
  /**
   * Variant that answered.
   */
  variant: 'stable' | 'canary';
  /**
   * Deployment on trial then.
   */
  deployment_id: string | null;
  /**
   * The request that was answered.
   */
  request_id: string;
  /**
   * The comment.
   */
  text: string;
}
/**
 * POST /api/v1/actuator/deploy: commits a change of one service's configuration to the branch.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "DeployRequest".
 */
export interface DeployRequest {
  /**
   * Service; where left out, metadata.service of the configuration, or the only service.
   */
  service?: string;
  /**
   * YAML that is merged (RFC 7396) onto the service's config.yaml.
   */
  config: string;
  strategy?: LlmConfigDeploymentStrategy;
  /**
   * Why, for the commit message.
   */
  reason?: string;
  /**
   * Incident that this answers.
   */
  incident_reference?: string;
}
/**
 * One-off overrides of how this revision is rolled out. No part of the digest.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "LlmConfigDeploymentStrategy".
 */
export interface LlmConfigDeploymentStrategy {
  /**
   * Strategy: canary, blue-green, rolling, shadow, immediate or auto.
   */
  type?: string;
  initial_percentage?: WrittenSettingsPercentage;
  steps?: WrittenSettingsSteps;
  rollout_duration_minutes?: WrittenSettingsMinutes;
  /**
   * Roll back by itself when the verdict is fail; false pauses and alerts.
   */
  auto_rollback?: boolean;
  success_criteria?: WrittenSettingsSuccessCriteria;
  /**
   * What is in force, for people; refused when it is not.
   */
  blue?: {
    model?: LlmConfigModelName;
    parameters?: LlmConfigParameters;
    /**
     * Prompt template.
     */
    prompt_template?: string;
  };
  /**
   * What takes its place: merged onto `llm`.
   */
  green?: {
    model?: LlmConfigModelName;
    parameters?: LlmConfigParameters;
    /**
     * Prompt template.
     */
    prompt_template?: string;
  };
  cutover?: WrittenSettingsCutover;
  keep_blue_duration?: WrittenSettingsMinutes;
  /**
   * What the author expects of the change, for safety checks.
   */
  expected_improvement?: {
    /**
     * Fraction by which cost falls; negative: it rises.
     */
    cost_reduction?: number;
    /**
     * Change of the quality score as a fraction.
     */
    quality_change?: number;
    /**
     * Change of latency as a fraction.
     */
    latency_change?: number;
  };
}
/**
 * What the canary must meet to go on.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsSuccessCriteria".
 */
export interface WrittenSettingsSuccessCriteria {
  /**
   * Allowed increase of the error rate over stable, in points as a fraction: 0.02 is two points (default).
   */
  max_error_rate_increase?: number;
  /**
   * Confidence that the canary is within its margins before it gets all traffic: 0.95 where left out. Higher asks for more data at each gate; what a rollback needs is `statistical_validation.alpha`.
   */
  confidence_level?: number;
  /**
   * Canary requests that each step needs; 1000 where left out.
   */
  min_sample_size?: number;
  /**
   * Error rate, as a fraction, that the canary must not exceed while stable does not.
   */
  absolute_max_error_rate?: number;
  /**
   * Allowed increase of the 50th percentile of latency over stable, as a fraction; 0.10 where left out.
   */
  max_latency_p50_increase?: number;
  /**
   * Allowed increase of the 95th percentile of latency over stable, as a fraction; 0.15 where left out.
   */
  max_latency_p95_increase?: number;
  /**
   * Allowed increase of the 99th percentile of latency over stable, as a fraction; 0.20 where left out.
   */
  max_latency_p99_increase?: number;
  /**
   * Short for all three percentiles of latency; a percentile's own key wins.
   */
  max_latency_increase?: number;
  /**
   * Allowed increase of the 95th percentile of the time to the first token, as a fraction; not judged where left out.
   */
  max_first_token_p95_increase?: number;
  /**
   * 95th percentile of latency, in milliseconds, that the canary must not exceed while stable does not.
   */
  absolute_max_latency_p95?: number;
  /**
   * 99th percentile of latency, in milliseconds, that the canary must not exceed while stable does not.
   */
  absolute_max_latency_p99?: number;
  /**
   * Allowed increase of the cost per request over stable, as a fraction; 0.10 where left out.
   */
  max_cost_increase?: number;
  /**
   * Allowed increase of the tokens per request over stable, as a fraction; not judged where left out.
   */
  max_tokens_increase?: number;
  /**
   * Mean quality score, from 0 to 1, that the canary must reach where stable does; none where left out. Holds for people's scores and for the judge model's.
   */
  min_quality_score?: number;
  /**
   * Allowed decrease of the mean quality score below stable's, as a fraction of it; 0.05 where left out.
   */
  max_quality_degradation?: number;
  /**
   * true: every gate, not only the last, asks for significance at `p_value_threshold` that each metric is within its margin.
   */
  require_statistical_significance?: boolean;
  /**
   * One-sided p-value of that; 0.05 where left out. Needs `require_statistical_significance`.
   */
  p_value_threshold?: number;
  /**
   * Metrics that must have data, whether stable had any lately or not; without them nothing is promoted.
   *
   * @maxItems 50
   */
  required_metrics?: string[];
  comparison_window_minutes?: WrittenSettingsMinutes;
  /**
   * Metrics that applications report by feedback.
   *
   * @maxItems 20
   */
  custom_metrics?: {
    /**
     * metric_name of the feedback.
     */
    name: string;
    /**
     * Least mean of the canary, where stable reaches it.
     */
    min_value?: number;
    /**
     * Largest mean of the canary, where stable keeps it.
     */
    max_value?: number;
    /**
     * Allowed decrease of the mean below stable's, as a fraction of it; a decrease is then the bad side.
     */
    max_decrease?: number;
  }[];
}
/**
 * Generation parameters. This file wins over what the client sends, save for those under `llm.client_overrides`. An endpoint gets those that it knows.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "LlmConfigParameters".
 */
export interface LlmConfigParameters {
  /**
   * Sampling temperature.
   */
  temperature?: number;
  /**
   * Nucleus sampling mass.
   */
  top_p?: number;
  /**
   * Most tokens in the answer.
   */
  max_tokens?: number;
  /**
   * Penalty for frequent tokens.
   */
  frequency_penalty?: number;
  /**
   * Penalty for tokens already present.
   */
  presence_penalty?: number;
  /**
   * Seed for repeatable sampling where the provider has it.
   */
  seed?: number;
  /**
   * Sequences that end the answer.
   *
   * @maxItems 4
   */
  stop?: string[];
  /**
   * Same as `retry_config.timeout_ms`, which it overrides; never sent to the provider.
   */
  timeout_ms?: number;
}
/**
 * From blue to green.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsCutover".
 */
export interface WrittenSettingsCutover {
  validation_duration_minutes?: WrittenSettingsMinutes;
  /**
   * Time in which traffic moves over; 0, at once, where left out.
   */
  traffic_shift_duration_seconds?: number;
  /**
   * true: goes over when green is validated. false, where left out: a person runs `actuator cutover`.
   */
  automatic?: boolean;
}
/**
 * POST /v1/feedback of a gateway: what an application or a person says about one answer.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "Feedback".
 */
export interface Feedback {
  /**
   * The answer's x-actuator-request-id, or `request_id` in the metadata of an OFREP evaluation.
   */
  request_id: string;
  /**
   * quality_score where left out (0 to 1, or a thumb: true, false); `error` (a boolean) counts a request that the application made itself after an OFREP evaluation; any other name is a custom metric.
   */
  metric_name?: string;
  /**
   * true and false count as 1 and 0.
   */
  value?: boolean | number;
  /**
   * What a person wrote, kept for people to read.
   */
  comment?: string;
  /**
   * With `error`: how long the application's request took, in milliseconds.
   */
  latency_ms?: number;
  /**
   * With `error`: prompt tokens of that request.
   */
  input_tokens?: number;
  /**
   * With `error`: completion tokens of that request.
   */
  output_tokens?: number;
}
/**
 * Of GitHub's webhook event `push`, what we read.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "GithubPush".
 */
export interface GithubPush {
  /**
   * Full name of what was pushed to.
   */
  ref: string;
  /**
   * Commit that it points to now; zeros when it was deleted.
   */
  after: string;
  /**
   * Repository that the event is about.
   */
  repository: {
    /**
     * owner/name.
     */
    full_name: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * Of GitHub's webhook event `pull_request_review`, what we read.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "GithubReview".
 */
export interface GithubReview {
  /**
   * submitted, edited or dismissed.
   */
  action: string;
  /**
   * Pull request that was reviewed.
   */
  pull_request: {
    /**
     * Its number.
     */
    number: number;
    /**
     * Where it is merged to.
     */
    base: {
      /**
       * Branch.
       */
      ref: string;
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  /**
   * Repository that the event is about.
   */
  repository: {
    /**
     * owner/name.
     */
    full_name: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
/**
 * One line of deployments/<yyyy>/<mm>/<id>/events.jsonl: one transition, with all that a replay needs.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "PublishedEvent".
 */
export interface PublishedEvent {
  /**
   * Order over all services.
   */
  position: number;
  /**
   * Order within the service.
   */
  seq: number;
  /**
   * When it was decided.
   */
  at: string;
  /**
   * Service.
   */
  service: string;
  /**
   * Deployment.
   */
  deployment_id: string;
  /**
   * Who or what caused it.
   */
  actor: string;
  /**
   * The transition in one sentence.
   */
  message: string;
  /**
   * Phase after it.
   */
  phase: string;
  /**
   * Percent of traffic on the canary after it.
   */
  weight: number;
  /**
   * The event that the reducer took.
   */
  event: {
    /**
     * Kind of event.
     */
    type:
      | 'adopted'
      | 'revision-seen'
      | 'revision-rejected'
      | 'service-removed'
      | 'slot-granted'
      | 'applied'
      | 'gateway-refused'
      | 'judged'
      | 'watch-failed'
      | 'woken'
      | 'paused'
      | 'resumed'
      | 'rollback-requested'
      | 'revert-settled'
      | 'catalogue-changed'
      | 'gates-checked'
      | 'held-up'
      | 'released'
      | 'mirror-exhausted'
      | 'recovery-judged'
      | 'promotion-requested'
      | 'cutover-requested'
      | 'traffic-set'
      | 'phase-extended'
      | 'auto-rollback-paused'
      | 'auto-rollback-armed'
      | 'rebalanced'
      | 'monitoring-restarted'
      | 'approved'
      | 'turned-down'
      | 'retried'
      | 'frozen'
      | 'unfrozen'
      | 'arms-allocated'
      | 'winner-chosen';
    [k: string]: unknown;
  };
}
/**
 * POST /api/v1/actuator/keys: a new API key.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "KeyRequest".
 */
export interface KeyRequest {
  /**
   * Whose it is; the journal names it, and `people` in actuator.yaml.
   */
  name: string;
  /**
   * What it may do.
   */
  role: 'viewer' | 'operator' | 'approver' | 'admin' | 'gateway';
}
/**
 * services/<name>/config.yaml: the LLM configuration of one service, as a person writes it. Templates and the files given to `deploy --config` have the same shape.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "LlmConfig".
 */
export interface LlmConfig {
  /**
   * Version of this file format.
   */
  version?: '1.0';
  /**
   * Tells people what this is. Never serves a request, so it is no part of the digest.
   */
  metadata?: {
    /**
     * Name of this configuration.
     */
    name?: string;
    service?: LlmConfigServiceName;
    /**
     * What the configuration is for.
     */
    description?: string;
    /**
     * When it was written.
     */
    created_at?: string;
    /**
     * Who or what wrote it.
     */
    created_by?: string;
    /**
     * Free words to find it by.
     */
    tags?: string[];
    /**
     * Name of the template it was copied from.
     */
    template?: string;
    /**
     * What the template is good for.
     */
    use_case?: string;
  };
  /**
   * The model and how it is asked.
   */
  llm?: {
    model?: LlmConfigModelName;
    /**
     * Provider of the catalogue; must be the one the catalogue gives for the model.
     */
    provider?: string;
    /**
     * With `{question}` (the last user message) it takes the place of that message's text; otherwise it is the system message. `{context}`, `{language}` and any other `{metadata.<field>}` come from the request's `template_variables` or `metadata`; `{user_id}` and `{session_id}` from where the split finds them; `{date}` is today in UTC. `{{` is a brace.
     */
    prompt_template?: string;
    parameters?: LlmConfigParameters;
    /**
     * Retries and time-out towards the provider.
     */
    retry_config?: {
      /**
       * Further attempts after a failed one, before anything of an answer was sent. All attempts stay within the variant, and the first one's failure counts against it.
       */
      max_retries?: number;
      /**
       * Pause before the first retry, in milliseconds; doubled for each further one (at most 30 s), with jitter. A provider's Retry-After goes before. 1000 where left out.
       */
      retry_delay_ms?: number;
      /**
       * Longest wait of one attempt for the provider's first byte, and between two chunks of a stream, in milliseconds. A whole answer may take twenty times as long.
       */
      timeout_ms?: number;
    };
    /**
     * Parameters for which the client's value wins over this file's, where the client sends one. For all others this file wins.
     */
    client_overrides?: ('temperature' | 'top_p' | 'max_tokens' | 'frequency_penalty' | 'presence_penalty' | 'seed' | 'stop')[];
  };
  /**
   * Which model answers which request.
   */
  routing?: {
    default_model?: LlmConfigModelName;
    /**
     * Tried in order; the first whose condition is true decides.
     *
     * @maxItems 100
     */
    rules?: {
      /**
       * CEL over task, request, user and cost_budget; must give a bool. A missing field means no match.
       */
      condition: string;
      model: LlmConfigModelName;
      parameters?: LlmConfigParameters;
    }[];
  };
  /**
   * Spending limits of the service. Every model it can reach needs prices in models.yaml.
   */
  cost_controls?: {
    /**
     * Most that may be spent in a UTC day over all gateways, in US dollars. Beyond it requests are refused with 429 budget_exhausted.
     */
    daily_budget_usd?: number;
    /**
     * Most that one request may cost, in US dollars. The answer's token limit is lowered so that it holds; a request whose prompt alone goes beyond it is refused.
     */
    per_request_limit_usd?: number;
    /**
     * Spending of a UTC day that tells people, once, in US dollars.
     */
    alert_threshold_usd?: number;
  };
  /**
   * Quality of answers.
   */
  quality_controls?: {
    /**
     * Mean quality score over five minutes (30 scores or more) below which people are told. From 0 to 1.
     */
    min_quality_score?: number;
    /**
     * Have a sample of the answers scored by the model under quality_judge in models.yaml.
     */
    enable_quality_monitoring?: boolean;
    /**
     * Share of answers that is scored; 0.1 where left out. Needs enable_quality_monitoring.
     */
    quality_check_sample_rate?: number;
  };
  /**
   * Performance limits.
   */
  performance?: {
    /**
     * Target for the 95th percentile of latency, in milliseconds: a canary of this revision is not promoted above it while stable keeps it. Beside absolute_max_latency of settings, the stricter one holds.
     */
    target_latency_p95_ms?: number;
    /**
     * Target for the 99th percentile of latency, in milliseconds: a canary of this revision is not promoted above it while stable keeps it. Beside absolute_max_latency of settings, the stricter one holds.
     */
    target_latency_p99_ms?: number;
    /**
     * Most requests of the service in flight in one gateway; beyond it requests are refused with 429 concurrency_limit, which counts as an error of the variant.
     */
    max_concurrent_requests?: number;
  };
  deployment_strategy?: LlmConfigDeploymentStrategy;
  /**
   * Variants of this configuration that are tested against each other. Needs ab_test. The winner takes the place of `llm`, and these keys leave the file.
   *
   * @minItems 2
   * @maxItems 10
   */
  variants?: {
    /**
     * Name of the variant, as it stands in results, headers and metrics; not stable, canary or auto.
     */
    name: string;
    /**
     * What is tried; for people.
     */
    description?: string;
    model?: LlmConfigModelName;
    parameters?: LlmConfigParameters;
    /**
     * Prompt template.
     */
    prompt_template?: string;
    /**
     * Share of the test's traffic. All variants have one, and they add up to 1; without any all get the same. With `strategy: thompson-sampling` shares move with the evidence.
     */
    weight?: number;
  }[];
  /**
   * How the variants are compared. Needs variants.
   */
  ab_test?: {
    /**
     * What decides: error_rate, latency_p50, latency_p95, latency_p99, first_token_p95 (less is better; quantiles are compared by the share of requests that take longer than stable's), cost_per_request, tokens_per_request (less is better), quality_score, judged_quality, or a custom metric of the feedback (more is better).
     */
    metric: string;
    /**
     * Values of the metric that each variant needs before a winner may be named. 1000 where left out.
     */
    min_sample_size?: number;
    /**
     * Chance, over the whole test and however often one looks, that a variant which is not the best is named the winner. 0.05 where left out.
     */
    significance_level?: number;
    /**
     * When it ends without a winner, in hours or as text with a unit. 48 where left out.
     */
    max_duration_hours?: number | string;
    /**
     * fixed: shares stay as written. thompson-sampling: more of the traffic goes to those that may be the best. fixed where left out.
     */
    strategy?: 'fixed' | 'thompson-sampling';
    /**
     * Percent of the traffic that takes part; the rest is the control group, on stable. 95, or what control_group_size leaves, where left out.
     */
    traffic_percentage?: number;
    /**
     * Promote the winner as soon as it is proven; otherwise the test waits for `ab-test-promote`. True where left out.
     */
    auto_promote?: boolean;
  };
  /**
   * Further values of the request's `model` field that mean this service.
   *
   * @maxItems 20
   */
  aliases?: LlmConfigServiceName[];
}
/**
 * models.yaml: the models that configurations may name, with provider, limits and prices.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "ModelCatalogue".
 */
export interface ModelCatalogue {
  /**
   * Providers by name.
   */
  providers: {
    [k: string]: {
      /**
       * OpenAI-compatible base URL, without credentials; plain http only on loopback. Anthropic: https://api.anthropic.com/v1. Azure: https://<resource>.openai.azure.com/openai/v1.
       */
      base_url: string;
      /**
       * Reference to the gateway's environment, such as ${OPENAI_API_KEY}. Never the key itself.
       */
      api_key?: string;
      /**
       * Header that carries the bare key, such as api-key for Azure; Authorization: Bearer where left out.
       */
      auth_header?: string;
      /**
       * Further headers of each request, such as anthropic-version. Never a key.
       */
      headers?: {
        [k: string]: string;
      };
      /**
       * Query parameters of each request, such as api-version for Azure. Never a key.
       */
      query?: {
        [k: string]: string;
      };
    };
  };
  /**
   * Models by the name that configurations use.
   */
  models: {
    [k: string]: {
      /**
       * A key of `providers`.
       */
      provider: string;
      /**
       * Name the provider knows it by; the key where left out.
       */
      upstream_model?: string;
      /**
       * Size of the context window, in tokens.
       */
      context_tokens?: number;
      /**
       * Most tokens of one answer; `max_tokens` may not be larger.
       */
      max_output_tokens?: number;
      /**
       * Ranges that the model takes, narrower than the general ones.
       */
      parameters?: {
        [k: string]: {
          /**
           * Least value.
           */
          min: number;
          /**
           * Greatest value.
           */
          max: number;
        };
      };
      /**
       * Prices in US dollars per million tokens. Left out: cost is unknown, which is counted and never taken for free.
       */
      prices?: {
        /**
         * A million prompt tokens.
         */
        input_per_million_usd: number;
        /**
         * A million completion tokens.
         */
        output_per_million_usd: number;
      };
      /**
       * What the model calls the limit on the tokens of a chat completion; max_tokens where left out. Reasoning models of OpenAI take max_completion_tokens only.
       */
      token_limit_parameter?: 'max_tokens' | 'max_completion_tokens';
    };
  };
  /**
   * The model that scores sampled answers of services with quality_controls.enable_quality_monitoring. One for all variants, so that their scores can be compared.
   */
  quality_judge?: {
    /**
     * A key of `models`.
     */
    model: string;
    /**
     * Most answers of one service that a gateway has scored in a minute; 30 where left out.
     */
    max_per_minute?: number;
    /**
     * What a good answer is, told to the judge model.
     */
    instructions?: string;
  };
}
/**
 * Orders of operators: POST /api/v1/actuator/{pause, resume, abort, promote, cutover, adjust-traffic, reduce-traffic, extend-phase, pause-auto-rollback, arm-auto-rollback, rebalance, restart-monitoring, retry, freeze, unfreeze}. Each takes the fields that it needs, and refuses the others.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "OperatorCommand".
 */
export interface OperatorCommand {
  /**
   * Service; where left out, that of the deployment, or the only one that is active.
   */
  service?: string;
  /**
   * Deployment; refused when another one is in force.
   */
  deployment_id?: string;
  /**
   * Why, for the journal.
   */
  reason?: string;
  percentage?: WrittenSettingsPercentage;
  additional_minutes?: WrittenSettingsMinutes;
  duration_minutes?: WrittenSettingsMinutes;
  /**
   * promote: to the end, not only to the next step.
   */
  full?: boolean;
  /**
   * retry: content whose quarantine is lifted; what the branch holds where left out.
   */
  digest?: string;
}
/**
 * A file for `actuator rollback --config`.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "RollbackFile".
 */
export interface RollbackFile {
  /**
   * Service; where left out, that of the deployment, or the only one that is active.
   */
  service?: string;
  /**
   * Deployment; refused when another one is in force.
   */
  deployment_id?: string;
  /**
   * Why. Goes into the revert commit.
   */
  reason: string;
  /**
   * Commit, digest or deployment that was in force, to go back to; the one before where left out.
   */
  to_version?: string;
  /**
   * How.
   */
  options?: {
    /**
     * true, the default: all traffic at once.
     */
    immediate?: boolean;
    /**
     * true: traffic goes back in ten parts over `duration_minutes`, and at once if the judge finds it bad.
     */
    gradual?: boolean;
    duration_minutes?: WrittenSettingsMinutes;
    /**
     * all, the default; canary refuses to undo what was promoted already.
     */
    scope?: 'all' | 'canary';
    /**
     * Who is told besides the usual.
     *
     * @maxItems 10
     */
    notify_channels?: string[];
    /**
     * true: only somebody with the role approver or admin may send it.
     */
    approval_required?: boolean;
  };
}
/**
 * POST /api/v1/actuator/rollback: back to the stable configuration, to the one before it, or to a named version.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "RollbackRequest".
 */
export interface RollbackRequest {
  /**
   * Service; where left out, that of the deployment, or the only one that is active.
   */
  service?: string;
  /**
   * Deployment; refused when another one is in force.
   */
  deployment_id?: string;
  /**
   * Why. Goes into the revert commit.
   */
  reason: string;
  /**
   * Commit, digest or deployment that was in force, to go back to; the one before where left out.
   */
  to_version?: string;
  /**
   * true, the default: all traffic at once.
   */
  immediate?: boolean;
  /**
   * true: traffic goes back in ten parts over `duration_minutes`, and at once if the judge finds it bad.
   */
  gradual?: boolean;
  duration_minutes?: WrittenSettingsMinutes;
  /**
   * all, the default; canary refuses to undo what was promoted already.
   */
  scope?: 'all' | 'canary';
  /**
   * Who is told besides the usual.
   *
   * @maxItems 10
   */
  notify_channels?: string[];
  /**
   * true: only somebody with the role approver or admin may send it.
   */
  approval_required?: boolean;
}
/**
 * Sections of settings files. Those marked as not yet in effect are checked and reported, and change nothing.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "Sections".
 */
export interface Sections {}
/**
 * Versions and who must agree to them.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsVersioning".
 */
export interface SectionsVersioning {
  /**
   * true: a change needs a reason: a body below the subject of its commit message, or a `Change-Reason:` trailer.
   */
  require_change_reason?: boolean;
  /**
   * true: a deployment starts when enough people other than its author have approved its digest.
   */
  require_approver?: boolean;
  /**
   * Roles of which an approver needs one: by `people`, by `code_host.role_teams`, or, for the role code-owner, by CODEOWNERS. Any person with the right to approve where left out.
   *
   * @maxItems 20
   */
  approval_roles?: string[];
  /**
   * Approvals needed with `require_approver`; 1 where left out.
   */
  min_approvals?: number;
  /**
   * What becomes of a commit that no pull request brought: refuse it, hold it for an approval, or allow it. refuse where left out and a code host is connected. Ways back to what was promoted lately, and commits that `deploy` pushes for somebody, are exempt.
   */
  direct_pushes?: 'refuse' | 'hold' | 'allow';
  /**
   * Versions are commits; there is nothing to turn on.
   */
  auto_version?: boolean;
  /**
   * Name of a version.
   */
  version_scheme?: 'semantic' | 'timestamp' | 'sequential';
  /**
   * Every change is kept as a JSON Patch with its commit.
   */
  track_diffs?: boolean;
  /**
   * Form of differences.
   */
  diff_format?: 'json_patch' | 'yaml_diff' | 'full_snapshot';
  /**
   * Where versions are kept: always Git.
   */
  storage_backend?: 'postgresql' | 's3' | 'git';
  /**
   * How long versions are kept; Git keeps them all.
   */
  retention_policy?: {
    /**
     * Versions.
     */
    max_versions?: number;
    /**
     * Days.
     */
    retention_days?: number;
    /**
     * Compress older ones.
     */
    compress_old_versions?: boolean;
  };
}
/**
 * Names and retention of versions.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsVersionControl".
 */
export interface SectionsVersionControl {
  /**
   * Versions kept.
   */
  max_versions?: number;
  /**
   * Days.
   */
  retention_days?: number;
  /**
   * Tag each promoted version.
   */
  auto_tag?: boolean;
  /**
   * Name of the tags.
   */
  tag_format?: string;
  /**
   * Keep metadata with the tag.
   */
  include_metadata?: boolean;
  /**
   * What is kept.
   *
   * @maxItems 50
   */
  metadata_fields?: string[];
}
/**
 * What is checked before anything is tried.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsValidation".
 */
export interface SectionsValidation {
  /**
   * Files are always checked against the schema; it can't be turned off.
   */
  schema_validation?: true;
  /**
   * The schemas are those of this program.
   */
  schema_path?: string;
  /**
   * All of them are always made.
   *
   * @maxItems 4
   */
  compatibility_checks?: ('model_availability' | 'parameter_ranges' | 'cost_budget' | 'performance_targets')[];
  /**
   * true: each canary begins with copies of live requests, whose answers nobody gets.
   */
  enable_dry_run?: boolean;
  dry_run_duration_minutes?: WrittenSettingsMinutes;
  dry_run_traffic_percentage?: WrittenSettingsPercentage;
  /**
   * What a change may be expected to cost, by the catalogue's prices and what its author says (`deployment_strategy.expected_improvement`); beyond it the change is refused.
   *
   * @maxItems 3
   *
   * Items: Cost_explosion with max_cost_increase, quality_degradation with max_quality_drop, or latency_spike with max_latency_increase.
   */
  safety_checks?: (
    | {
        /**
         * Name of the check.
         */
        name: 'cost_explosion';
        /**
         * Largest expected change, as a fraction.
         */
        max_cost_increase: number;
      }
    | {
        /**
         * Name of the check.
         */
        name: 'quality_degradation';
        /**
         * Largest expected change, as a fraction.
         */
        max_quality_drop: number;
      }
    | {
        /**
         * Name of the check.
         */
        name: 'latency_spike';
        /**
         * Largest expected change, as a fraction.
         */
        max_latency_increase: number;
      }
  )[];
}
/**
 * When deployments may start. Rollbacks never wait for a window.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsDeploymentWindows".
 */
export interface SectionsDeploymentWindows {
  /**
   * Deployments start only while one of these is open.
   *
   * @maxItems 50
   *
   * Items: One window.
   */
  allow?: {
    /**
     * When it opens: five fields, minute to weekday.
     */
    cron: string;
    duration_minutes: WrittenSettingsMinutes;
    /**
     * IANA time zone; UTC where left out.
     */
    timezone?: string;
  }[];
  /**
   * None starts while one of these is open, whatever `allow` says.
   *
   * @maxItems 50
   *
   * Items: One window.
   */
  deny?: {
    /**
     * When it opens: five fields, minute to weekday.
     */
    cron: string;
    duration_minutes: WrittenSettingsMinutes;
    /**
     * IANA time zone; UTC where left out.
     */
    timezone?: string;
  }[];
  /**
   * A deployment that is under way when its window ends: finish (where left out), or pause until the next one opens.
   */
  overrun?: 'finish' | 'pause';
}
/**
 * While it is there, nothing starts. `actuator freeze` does the same without a commit.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsFreeze".
 */
export interface SectionsFreeze {
  /**
   * Why.
   */
  reason: string;
}
/**
 * A person, under all names that we meet.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsPerson".
 */
export interface SectionsPerson {
  /**
   * Name.
   */
  name: string;
  /**
   * Addresses of Git commits.
   *
   * @maxItems 20
   */
  emails?: string[];
  /**
   * Logins at the code host.
   *
   * @maxItems 20
   */
  logins?: string[];
  /**
   * Names of API keys.
   *
   * @maxItems 20
   */
  keys?: string[];
  /**
   * Public SSH keys that sign Git commits.
   *
   * @maxItems 20
   */
  ssh_keys?: SectionsSshKey[];
  /**
   * Public OpenPGP keys that sign Git commits, in ASCII armour.
   *
   * @maxItems 20
   */
  gpg_keys?: string[];
  /**
   * Roles for `approval_roles`.
   *
   * @maxItems 20
   */
  roles?: string[];
}
/**
 * What a rollback must be followed by before it counts as done.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsRecoveryValidation".
 */
export interface SectionsRecoveryValidation {
  /**
   * Each must hold. Where left out: no more errors than critical_error_rate.
   *
   * @maxItems 20
   *
   * Items: One of http (endpoint), metrics (metric, max_value) or latency (percentile, max_ms).
   */
  health_checks?: (
    | {
        /**
         * Kind.
         */
        type: 'http';
        /**
         * URL, or /health for our own gateways.
         */
        endpoint: string;
        /**
         * HTTP status; 200 where left out.
         */
        expected_status?: number;
        /**
         * Time-out; 10 where left out.
         */
        timeout_seconds?: number;
      }
    | {
        /**
         * Kind.
         */
        type: 'metrics';
        /**
         * Metric.
         */
        metric: 'error_rate';
        /**
         * Largest value.
         */
        max_value: number;
        window_minutes?: WrittenSettingsMinutes;
      }
    | {
        /**
         * Kind.
         */
        type: 'latency';
        /**
         * Percentile.
         */
        percentile: 50 | 95 | 99;
        /**
         * Largest value in milliseconds.
         */
        max_ms: number;
        window_minutes?: WrittenSettingsMinutes;
      }
  )[];
  validation_duration_minutes?: WrittenSettingsMinutes;
  /**
   * What counts as recovered.
   */
  success_criteria?: {
    /**
     * false: checks are reported and decide nothing.
     */
    all_health_checks_pass?: boolean;
    /**
     * false: metrics and latency checks decide nothing.
     */
    metrics_within_bounds?: boolean;
    /**
     * true: stable's error rate must not be higher than before the deployment.
     */
    no_new_errors?: boolean;
  };
  /**
   * What happens if not.
   */
  on_failure?: {
    /**
     * alert_and_hold (where left out): stable stays in force and people are told. rollback_further: back to the revision before it, once.
     */
    action?: 'alert_and_hold' | 'rollback_further';
    /**
     * Who is told.
     *
     * @maxItems 10
     */
    escalation_channels?: string[];
  };
}
/**
 * Health of the service and of what it depends on.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsHealthMonitoring".
 */
export interface SectionsHealthMonitoring {
  /**
   * Endpoints that are asked again and again.
   *
   * @maxItems 50
   *
   * Items: One endpoint.
   */
  endpoints?: {
    /**
     * Name.
     */
    name: string;
    /**
     * Kind; http where left out.
     */
    type?: 'http' | 'postgres';
    /**
     * URL.
     */
    url?: string;
    /**
     * HTTP method.
     */
    method?: 'GET' | 'HEAD';
    /**
     * Time-out.
     */
    timeout_seconds?: number;
    /**
     * Interval.
     */
    interval_seconds?: number;
    /**
     * HTTP statuses.
     *
     * @maxItems 20
     */
    success_codes?: number[];
    /**
     * Database; a reference such as ${DATABASE_URL}.
     */
    connection_string?: string;
  }[];
  /**
   * Limits for every canary, beside its own triggers: warning pauses it, critical rolls it back.
   */
  thresholds?: {
    /**
     * Error rate.
     */
    error_rate?: {
      /**
       * Fraction.
       */
      warning?: number;
      /**
       * Fraction.
       */
      critical?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * 95th percentile of latency.
     */
    latency_p95?: {
      /**
       * Milliseconds.
       */
      warning_ms?: number;
      /**
       * Milliseconds.
       */
      critical_ms?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * Mean quality score.
     */
    quality_score?: {
      /**
       * Least score.
       */
      warning?: number;
      /**
       * Least score.
       */
      critical?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
  };
  /**
   * Who is told.
   */
  alerts?: {
    /**
     * Channels.
     *
     * @maxItems 20
     *
     * Items: One channel.
     */
    channels?: {
      /**
       * Kind.
       */
      type: 'slack' | 'pagerduty' | 'email';
      /**
       * Address; a reference.
       */
      webhook_url?: string;
      /**
       * Key; a reference.
       */
      integration_key?: string;
      /**
       * Addresses.
       *
       * @maxItems 100
       */
      recipients?: string[];
      /**
       * Severities.
       *
       * @maxItems 3
       */
      severity_levels?: ('info' | 'warning' | 'critical')[];
    }[];
  };
}
/**
 * One metric.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsMetric".
 */
export interface SectionsMetric {
  /**
   * Name.
   */
  name: string;
  /**
   * Kind.
   */
  type: 'counter' | 'histogram' | 'gauge';
  /**
   * Labels.
   *
   * @maxItems 20
   */
  labels?: string[];
  /**
   * Upper bounds.
   *
   * @maxItems 100
   */
  buckets?: number[];
}
/**
 * Where metrics go.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsExport".
 */
export interface SectionsExport {
  /**
   * Prometheus.
   */
  prometheus?: {
    /**
     * On.
     */
    enabled?: boolean;
    /**
     * Port.
     */
    port?: number;
    /**
     * Path.
     */
    path?: string;
  };
  /**
   * OpenTelemetry.
   */
  otlp?: {
    /**
     * On.
     */
    enabled?: boolean;
    /**
     * Collector.
     */
    endpoint?: string;
  };
  /**
   * Webhook.
   */
  webhook?: {
    /**
     * On.
     */
    enabled?: boolean;
    /**
     * Address; a reference.
     */
    url?: string;
    /**
     * Interval.
     */
    interval_seconds?: number;
  };
}
/**
 * What the decision engine is told.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsFeedbackLoop".
 */
export interface SectionsFeedbackLoop {
  /**
   * On.
   */
  enable_feedback?: boolean;
  /**
   * Interval.
   */
  feedback_interval_seconds?: number;
  /**
   * Metrics.
   *
   * @maxItems 50
   */
  feedback_metrics?: string[];
  aggregation_window_minutes?: WrittenSettingsMinutes;
  /**
   * Address.
   */
  decision_engine_endpoint?: string;
  /**
   * Context.
   *
   * @maxItems 50
   */
  include_context?: string[];
}
/**
 * What the dashboard shows.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsDashboardRequirements".
 */
export interface SectionsDashboardRequirements {
  /**
   * Interval.
   */
  refresh_interval_seconds?: number;
  /**
   * Panels.
   *
   * @maxItems 100
   */
  panels?: string[];
}
/**
 * Logging of the daemon; its level is `--log-level` at present.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsObservability".
 */
export interface SectionsObservability {
  /**
   * Level.
   */
  log_level?: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  /**
   * As JSON lines.
   */
  json_logging?: boolean;
  /**
   * By component.
   */
  component_log_levels?: {
    [k: string]: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  };
}
/**
 * Backups of the store.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsBackup".
 */
export interface SectionsBackup {
  /**
   * On.
   */
  enabled?: boolean;
  /**
   * Cron.
   */
  schedule?: string;
  /**
   * How many are kept.
   */
  retention?: {
    /**
     * Daily.
     */
    daily?: number;
    /**
     * Weekly.
     */
    weekly?: number;
    /**
     * Monthly.
     */
    monthly?: number;
  };
  /**
   * What.
   *
   * @maxItems 4
   */
  include?: ('deployments' | 'configurations' | 'rollback_history' | 'audit_logs')[];
  /**
   * Where.
   */
  storage?: {
    /**
     * Kind.
     */
    type?: 's3' | 'file';
    /**
     * Bucket.
     */
    bucket?: string;
    /**
     * Prefix.
     */
    prefix?: string;
    /**
     * Encrypt.
     */
    encryption?: boolean;
  };
}
/**
 * Export of the audit trail. The trail itself, every event, is on the status branch.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsAudit".
 */
export interface SectionsAudit {
  /**
   * On.
   */
  enabled?: boolean;
  /**
   * Events.
   *
   * @maxItems 50
   */
  events?: string[];
  /**
   * Where.
   */
  storage?: {
    /**
     * Kind.
     */
    type?: 'postgresql' | 'sqlite' | 'git';
    /**
     * Days.
     */
    retention_days?: number;
  };
  /**
   * Export.
   */
  export?: {
    /**
     * On.
     */
    enabled?: boolean;
    /**
     * Form.
     */
    format?: 'json' | 'csv';
    /**
     * Where.
     */
    destination?: string;
    /**
     * Cron.
     */
    schedule?: string;
  };
}
/**
 * How we work at the code host.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsCodeHost".
 */
export interface SectionsCodeHost {
  /**
   * Role of `approval_roles` -> teams (organisation/team) whose members have it.
   */
  role_teams?: {
    /**
     * Teams.
     *
     * @minItems 1
     * @maxItems 20
     */
    [k: string]: string[];
  };
  /**
   * How `deploy` and tests of variants bring their change: push it to the branch, or open a pull request. push where left out; a branch that refuses the push gets a pull request.
   */
  deploys?: 'push' | 'pull_request';
  /**
   * How reverts of failed changes come: pushed to the branch (a pull request where it refuses that), or always by a pull request. push where left out.
   */
  reverts?: 'push' | 'pull_request';
  /**
   * Labels of our pull requests; actuator, and rollback for reverts, where left out.
   *
   * @maxItems 10
   */
  labels?: string[];
  /**
   * Ask the code host to merge revert pull requests as soon as its rules allow it; true where left out.
   */
  auto_merge?: boolean;
  /**
   * Commit statuses; true where left out.
   */
  statuses?: boolean;
  /**
   * A commit that touches more services than this gets one status, and no deployments at the host, for the rest of them; 20 where left out.
   */
  aggregate_above?: number;
  /**
   * A deployment at the code host for each of ours; true where left out.
   */
  deployments?: boolean;
  /**
   * One comment on the pull request, kept up to date; true where left out.
   */
  comments?: boolean;
}
/**
 * Commits that must be signed.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "SectionsSignatures".
 */
export interface SectionsSignatures {
  /**
   * The last rule whose paths match counts.
   *
   * @minItems 1
   * @maxItems 50
   *
   * Items: Who must sign what.
   */
  rules: {
    /**
     * Patterns as in .gitignore, such as /services/ or *.yaml.
     *
     * @minItems 1
     * @maxItems 50
     */
    paths: string[];
    /**
     * Names of `people` with ssh_keys or gpg_keys, or code-host for commits that the code host made and signed itself, as its merge button does.
     *
     * @minItems 1
     * @maxItems 100
     */
    signers: string[];
  }[];
}
/**
 * actuator.yaml, policies/<name>.yaml and services/<name>/rollout.yaml: how the actuator behaves. Later files override earlier ones: defaults, actuator.yaml, policy, rollout.yaml.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettings".
 */
export interface WrittenSettings {
  /**
   * Named rollout policy, policies/<name>.yaml, applied between actuator.yaml and rollout.yaml.
   */
  policy?: string;
  /**
   * The rollout engine.
   */
  actuator?: {
    /**
     * Strategy for changes that name none: canary, blue-green, rolling, shadow, immediate, or auto (chosen by what has changed).
     */
    default_strategy?: string;
    /**
     * Deployments that may shift traffic at once, over all services (actuator.yaml only). Rollbacks never wait.
     */
    max_concurrent_deployments?: number;
    canary?: WrittenSettingsCanary;
    /**
     * Health checks at once.
     */
    max_concurrent_health_checks?: number;
    /**
     * Metrics a batch.
     */
    metrics_batch_size?: number;
    /**
     * Interval.
     */
    metrics_flush_interval_seconds?: number;
    /**
     * Caching.
     */
    cache?: {
      /**
       * On.
       */
      enabled?: boolean;
      /**
       * Age.
       */
      ttl_seconds?: number;
      /**
       * Entries.
       */
      max_entries?: number;
    };
    /**
     * Database.
     */
    database?: {
      /**
       * Connections.
       */
      connection_pool_size?: number;
      /**
       * Time-out.
       */
      connection_timeout_seconds?: number;
    };
    /**
     * Orchestrator.
     */
    orchestrator?: {
      /**
       * Connections.
       */
      connection_pool_size?: number;
      /**
       * Time-out.
       */
      request_timeout_seconds?: number;
    };
  };
  canary?: WrittenSettingsCanary;
  /**
   * Measurement.
   */
  metrics?: {
    /**
     * Least length of a comparison block, and the tick of the judge, in seconds.
     */
    collection_interval_seconds?: number;
    /**
     * Metrics that are exported.
     *
     * @maxItems 100
     */
    metrics?: SectionsMetric[];
    export?: SectionsExport;
  };
  success_criteria?: WrittenSettingsSuccessCriteria;
  auto_rollback?: WrittenSettingsAutoRollback;
  statistical_validation?: WrittenSettingsStatisticalValidation;
  versioning?: SectionsVersioning;
  version_control?: SectionsVersionControl;
  validation?: SectionsValidation;
  deployment_windows?: SectionsDeploymentWindows;
  freeze?: SectionsFreeze;
  recovery_validation?: SectionsRecoveryValidation;
  health_monitoring?: SectionsHealthMonitoring;
  feedback_loop?: SectionsFeedbackLoop;
  dashboard_requirements?: SectionsDashboardRequirements;
  observability?: SectionsObservability;
  backup?: SectionsBackup;
  audit?: SectionsAudit;
  /**
   * Who is who (actuator.yaml only): for approvals, which never count from the author.
   *
   * @maxItems 1000
   */
  people?: SectionsPerson[];
  code_host?: SectionsCodeHost;
  signatures?: SectionsSignatures;
  /**
   * Services whose deployments must be done before one of this service starts (rollout.yaml only).
   *
   * @maxItems 50
   */
  depends_on?: string[];
  traffic_split?: WrittenSettingsTrafficSplit;
  monitoring?: WrittenSettingsMonitoring;
  /**
   * The blue-green strategy.
   */
  blue_green?: {
    validation_percentage?: WrittenSettingsPercentage;
    /**
     * What the copies may cost; 10 where left out.
     */
    max_validation_cost_usd?: number;
    cutover?: WrittenSettingsCutover;
    keep_blue_duration?: WrittenSettingsMinutes;
  };
  /**
   * The rolling strategy: over the gateways in batches.
   */
  rolling?: {
    batch_percentage?: WrittenSettingsPercentage;
    batch_duration_minutes?: WrittenSettingsMinutes;
    /**
     * Gateways that may be away while it goes on; 1 where left out.
     */
    max_unavailable?: number;
  };
  /**
   * The shadow strategy: copies of live requests, whose answers nobody gets.
   */
  shadow?: {
    percentage?: WrittenSettingsPercentage;
    duration_minutes?: WrittenSettingsMinutes;
    /**
     * What the copies may cost; 10 where left out. Then they end, and a person decides.
     */
    max_cost_usd?: number;
    /**
     * When it has passed: promote (where left out), canary (its steps follow), or pause for a person.
     */
    next?: 'promote' | 'canary' | 'pause';
  };
  stabilization_minutes?: WrittenSettingsMinutes;
}
/**
 * The canary strategy.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsCanary".
 */
export interface WrittenSettingsCanary {
  initial_percentage?: WrittenSettingsPercentage;
  steps?: WrittenSettingsSteps;
  success_criteria?: WrittenSettingsSuccessCriteria;
  max_total_duration_minutes?: WrittenSettingsMinutes;
  traffic_split?: WrittenSettingsTrafficSplit;
  /**
   * true: a control group of 5 percent stays on stable to the last step. false: none, whatever `control_group_size` says.
   */
  ab_test_mode?: boolean;
  /**
   * Share of requests (or users, by hash) that stays on stable until promotion, so that also the last step has something to compare with.
   */
  control_group_size?: number;
  auto_rollback?: WrittenSettingsAutoRollback;
  statistical_validation?: WrittenSettingsStatisticalValidation;
  monitoring?: WrittenSettingsMonitoring;
  low_traffic?: WrittenSettingsLowTraffic;
  /**
   * At max_total_duration_minutes: pause for a person (where left out), or roll back.
   */
  deadline_action?: 'pause' | 'rollback';
  /**
   * How the weights rise where no steps are written. The holds share `max_total_duration_minutes` evenly, two thirds of it.
   */
  rollout_strategy?: {
    /**
     * linear: equal distances. exponential: each weight is `base` times the one before. custom: `steps`.
     */
    type: 'linear' | 'exponential' | 'custom';
    /**
     * Factor; 2 where left out.
     */
    base?: number;
    /**
     * Percentages.
     *
     * @maxItems 50
     */
    steps?: WrittenSettingsPercentage[];
  };
}
/**
 * How requests are divided between canary and stable.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsTrafficSplit".
 */
export interface WrittenSettingsTrafficSplit {
  /**
   * weighted_random (each request is drawn by itself), consistent_hash (by the hash of `hash_key`; users in 5 % stay in at 25 %) or round_robin (evenly spaced).
   */
  method?: string;
  /**
   * What is hashed: user_id (where left out), session_id, request_id, client_key (the client's API key), header:<name> or metadata.<field>. A request without it is drawn at random and counted as unkeyed.
   */
  hash_key?: string;
  /**
   * A key that was served keeps its variant while its deployment lasts, also when the weight rises, until it was idle for `sticky_duration_minutes`. Ends with a rollback, a lowered weight, or 100 percent.
   */
  sticky_sessions?: boolean;
  sticky_duration_minutes?: WrittenSettingsMinutes;
}
/**
 * When to roll back without asking.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsAutoRollback".
 */
export interface WrittenSettingsAutoRollback {
  /**
   * false: a failing canary is paused and people are told.
   */
  enabled?: boolean;
  /**
   * Short for critical_triggers.error_rate.threshold; 0.1 where left out.
   */
  critical_error_rate?: number;
  /**
   * Short for critical_triggers.latency_p95.threshold_ms; 10000 where left out.
   */
  critical_latency_p95_ms?: number;
  /**
   * Short for critical_triggers.quality_score.degradation_pct; 0.3 where left out.
   */
  critical_quality_drop?: number;
  /**
   * Short for warning_triggers.error_rate.threshold; 0.05 where left out.
   */
  warning_error_rate?: number;
  /**
   * Short for warning_triggers.latency_p95.increase_pct; 0.5 where left out.
   */
  warning_latency_increase?: number;
  /**
   * Roll back at once. A metric named here replaces what the decision matrix says of it.
   */
  critical_triggers?: {
    /**
     * Error rate of the canary.
     */
    error_rate?: {
      /**
       * Error rate, as a fraction.
       */
      threshold?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * 95th percentile of latency.
     */
    latency_p95?: {
      /**
       * In milliseconds.
       */
      threshold_ms?: number;
      /**
       * Increase over stable, as a fraction: 2.0 is three times stable.
       */
      increase_pct?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * Mean quality score.
     */
    quality_score?: {
      /**
       * Least score, from 0 to 1.
       */
      min_threshold?: number;
      /**
       * Decrease below stable, as a fraction.
       */
      degradation_pct?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * Mean cost of a request.
     */
    cost_per_request?: {
      /**
       * In US dollars.
       */
      threshold_usd?: number;
      /**
       * Increase over stable, as a fraction: 2.0 is three times stable.
       */
      increase_pct?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * A check fails when requests came to the canary and every one of them failed.
     */
    service_health?: {
      /**
       * Failed checks in a row that end the canary; 3 where left out.
       */
      consecutive_failures?: number;
      /**
       * Time that one check looks at; 30 seconds where left out.
       */
      health_check_interval_seconds?: number;
    };
  };
  /**
   * Take `warning_action`. A metric named here replaces what the decision matrix says of it.
   */
  warning_triggers?: {
    /**
     * Error rate of the canary.
     */
    error_rate?: {
      /**
       * Error rate, as a fraction.
       */
      threshold?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * 95th percentile of latency.
     */
    latency_p95?: {
      /**
       * In milliseconds.
       */
      threshold_ms?: number;
      /**
       * Increase over stable, as a fraction: 2.0 is three times stable.
       */
      increase_pct?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * Mean quality score.
     */
    quality_score?: {
      /**
       * Least score, from 0 to 1.
       */
      min_threshold?: number;
      /**
       * Decrease below stable, as a fraction.
       */
      degradation_pct?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
    /**
     * Mean cost of a request.
     */
    cost_per_request?: {
      /**
       * In US dollars.
       */
      threshold_usd?: number;
      /**
       * Increase over stable, as a fraction: 2.0 is three times stable.
       */
      increase_pct?: number;
      window_minutes?: WrittenSettingsMinutes;
    };
  };
  /**
   * pause (where left out): the weight stays, and people are told. alert_only: people are told. continue: it is noted.
   */
  warning_action?: 'pause' | 'continue' | 'alert_only';
  warning_pause_duration_minutes?: WrittenSettingsMinutes;
  /**
   * true: a person must resume it.
   */
  require_manual_approval_after_warning?: boolean;
  violation_duration_minutes?: WrittenSettingsMinutes;
}
/**
 * How differences from stable are tested.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsStatisticalValidation".
 */
export interface WrittenSettingsStatisticalValidation {
  /**
   * What decides on means (cost, tokens, scores) and on the median of latency. welch_t_test: means alone. mann_whitney: ranks alone. bootstrap, and where left out: both; bootstrap also reports resampled intervals of means and quantiles. Rates and tails are judged by exact counts whatever this says.
   */
  test_method?: 'welch_t_test' | 'mann_whitney' | 'bootstrap';
  /**
   * Error of a rollback, over all metrics and looks; 0.05 where left out.
   */
  alpha?: number;
  /**
   * How metrics share alpha; bonferroni where left out.
   */
  correction?: 'bonferroni' | 'holm' | 'none';
  /**
   * Difference of means, in standard deviations (Cohen's d), below which none fails a canary; 0 where left out.
   */
  min_effect_size?: number;
  /**
   * Resamples of a reported interval; 10000 where left out. Written, it has intervals of quantiles reported by any test_method.
   */
  bootstrap_iterations?: number;
  /**
   * Confidence of a resampled interval; 0.95 where left out. Written, it has intervals of quantiles reported by any test_method.
   */
  bootstrap_confidence_level?: number;
}
/**
 * What is looked at.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsMonitoring".
 */
export interface WrittenSettingsMonitoring {
  /**
   * Metrics that are judged; all with a criterion where left out. error_rate always is.
   *
   * @minItems 1
   * @maxItems 50
   */
  metrics?: string[];
  baseline_window_minutes?: WrittenSettingsMinutes;
  comparison_window_minutes?: WrittenSettingsMinutes;
  /**
   * true: an anomaly in a variant's own series (error rate, latency) warns and holds the step; it rolls nothing back.
   */
  enable_anomaly_detection?: boolean;
  /**
   * medium where left out. Needs enable_anomaly_detection.
   */
  anomaly_sensitivity?: 'low' | 'medium' | 'high';
  warm_up_minutes?: WrittenSettingsMinutes;
}
/**
 * What happens when a hold is over and samples are missing.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "WrittenSettingsLowTraffic".
 */
export interface WrittenSettingsLowTraffic {
  /**
   * extend (where left out): wait. widen: double the weight, up to max_percentage and to less than the next step. hold: pause for a person.
   */
  policy?: 'extend' | 'widen' | 'hold';
  max_percentage?: WrittenSettingsPercentage;
}
/**
 * status/<xx>/<service>.yaml on the branch actuator/status: what is in force and what is going on. A projection of the journal.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "StatusFile".
 */
export interface StatusFile {
  /**
   * Service.
   */
  service: string;
  /**
   * When the transition was decided.
   */
  updated_at: string;
  /**
   * What the branch holds.
   */
  desired: null | {
    /**
     * Newest commit that touched the service.
     */
    commit: string;
    /**
     * Its digest; null when it can't be served.
     */
    digest: string | null;
  };
  stable: StatusFileRevision;
  canary: StatusFileRevision;
  /**
   * Deployment under way.
   */
  deployment_id: string | null;
  /**
   * Its phase.
   */
  phase: 'idle' | 'pending' | 'progressing' | 'paused' | 'promoting' | 'rolling-back' | 'recovering';
  /**
   * Where it is in its plan.
   */
  step: null | {
    /**
     * Present step, from 1.
     */
    number: number;
    /**
     * Steps of the plan.
     */
    of: number;
  };
  /**
   * Percent of traffic on the canary.
   */
  weight: number;
  /**
   * The deployment that ended last.
   */
  last_deployment: null | {
    /**
     * Deployment.
     */
    id: string;
    /**
     * How it ended.
     */
    phase: 'completed' | 'rolled-back' | 'superseded' | 'rejected' | 'held' | 'failed';
    /**
     * Why, in one sentence.
     */
    reason: string;
    /**
     * Commit that brought it.
     */
    commit: string;
    /**
     * When it ended.
     */
    finished_at: string;
    /**
     * Commit that took it back on the branch.
     */
    revert_commit: string | null;
  };
  /**
   * The verdict that decided last.
   */
  last_verdict: null | {
    /**
     * Verdict of the judge.
     */
    verdict: 'pass' | 'fail' | 'warn' | 'inconclusive' | 'no-data' | 'error' | 'incident';
    /**
     * Why, with the numbers.
     */
    reason: string;
    /**
     * sha256 of the canonical JSON of `judgement` in the deployment's evidence.json.
     */
    evidence: string;
  };
  /**
   * Ready always; Reconciling and Stalled only while true.
   */
  conditions: {
    /**
     * Condition.
     */
    type: 'Ready' | 'Reconciling' | 'Stalled';
    /**
     * Whether it holds.
     */
    status: 'True' | 'False';
    /**
     * Why.
     */
    reason: string;
  }[];
  /**
   * Why what the branch holds is not tried.
   */
  rejection: null | {
    /**
     * Commit that is refused.
     */
    commit: string;
    /**
     * file:line:column and what is wrong.
     */
    problems: string[];
  };
  /**
   * Digests that were rolled back and are not tried again.
   */
  quarantine: {
    /**
     * Digest.
     */
    digest: string;
    /**
     * Deployment that tried it.
     */
    deployment_id: string;
    /**
     * Why it was rolled back.
     */
    reason: string;
    /**
     * When.
     */
    at: string;
  }[];
  /**
   * Traffic of the service at that time; null when unknown.
   */
  requests_per_second: number | null;
}
/**
 * status/<xx>/<service>.traffic.yaml on the branch actuator/status: what stable measured lately, which plans are reckoned with. Written when it has changed, once an hour at the most.
 *
 * This interface was referenced by `Bundle`'s JSON-Schema
 * via the `definition` "TrafficFile".
 */
export interface TrafficFile {
  /**
   * Service.
   */
  service: string;
  /**
   * When.
   */
  measured_at: string;
  /**
   * Requests of the whole service.
   */
  requests_per_second: number;
  /**
   * Share of failed requests; null without any.
   */
  error_rate: number | null;
  /**
   * By metric.
   */
  metrics: {
    /**
     * A metric.
     */
    [k: string]: {
      /**
       * Values per second over the last hour.
       */
      per_second: number;
      /**
       * Mean; null for quantiles and rates.
       */
      mean: number | null;
      /**
       * Standard deviation over the mean; null where it is not known.
       */
      relative_sd: number | null;
    };
  };
}

/** Ties the name of a schema to the type of what it accepts. */
export interface SchemaTypes {
  'ab-test-promotion': AbTestPromotion;
  'ab-test-request': AbTestRequest;
  acknowledgement: Acknowledgement;
  'approval-request': ApprovalRequest;
  assignment: Assignment;
  'bucket-batch': BucketBatch;
  bucket: Bucket;
  'deploy-request': DeployRequest;
  feedback: Feedback;
  'github-push': GithubPush;
  'github-review': GithubReview;
  'journal-event': PublishedEvent;
  'key-request': KeyRequest;
  'llm-config': LlmConfig;
  models: ModelCatalogue;
  'operator-command': OperatorCommand;
  'rollback-file': RollbackFile;
  'rollback-request': RollbackRequest;
  'settings-sections': Sections;
  settings: WrittenSettings;
  'status-file': StatusFile;
  'traffic-file': TrafficFile;
}

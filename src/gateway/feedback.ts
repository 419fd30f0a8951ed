/** POST /v1/feedback: scores and comments on answers. The request id says what they are about, and can't be forged. */
import { ok, refuse, type Result } from '../base/result.ts';
import { isUsableName } from '../domain/analysis/metric.ts';
import type { AssignmentPrices, BucketBatchComment, Feedback } from '../generated/types.ts';
import type { Refusal } from './failure.ts';
import { anonymous, type Recorder } from './recorder.ts';
import type { IssuedRequest, RequestIds } from './request-id.ts';
import { priceOf } from './usage.ts';

export const longestFeedbackAgeMs: number = 24 * 3_600_000;
/** Repeats are told from each other for so many of the last answers. */
const remembered = 100_000;
const mostComments = 200;

export interface FeedbackDesk {
  /** `value` must have passed the schema. */
  take(value: Feedback, now: number): Result<'taken', Refusal>;
  /** The comments since the last call. */
  takeComments(): BucketBatchComment[];
}

export interface FeedbackDeps {
  readonly ids: RequestIds;
  readonly recorder: Recorder;
  /** Null: unknown. */
  readonly prices: (service: string, model: string) => AssignmentPrices | null;
}

export function createFeedbackDesk({ ids, recorder, prices }: FeedbackDeps): FeedbackDesk {
  const given = new Set<string>();
  let comments: BucketBatchComment[] = [];

  /** One value of each metric for an answer, and one comment. */
  function isRepeat(feedback: Feedback): boolean {
    const whats = [
      ...(feedback.value === undefined ? [] : [`${feedback.request_id}\n${metricOf(feedback)}`]),
      ...(feedback.comment === undefined ? [] : [`${feedback.request_id}\n#`]),
    ];
    if (whats.some((what) => given.has(what))) return true;
    for (const what of whats) given.add(what);
    for (const oldest of given) {
      if (given.size <= remembered) break;
      given.delete(oldest);
    }
    return false;
  }

  return {
    take(feedback, now) {
      const issued = ids.read(feedback.request_id);
      if (!issued.ok) return refuse(refusal(400, 'unknown_request_id', `The request_id can't be used: ${issued.error}.`));
      const problem = problemOf(feedback, issued.value, now);
      if (problem !== null) return refuse(problem);
      if (isRepeat(feedback)) return refuse(refusal(409, 'already_given', 'This feedback was taken before.'));
      if (!keep(recorder, feedback, issued.value, prices))
        return refuse(refusal(429, 'too_many_metrics', 'Too many different metrics at once; send fewer names.'));
      if (feedback.comment !== undefined && comments.length < mostComments) {
        const { service, variant, deploymentId } = issued.value.key;
        comments.push({ service, variant, deployment_id: deploymentId, request_id: feedback.request_id, text: feedback.comment });
      }
      return ok('taken');
    },
    takeComments() {
      const taken = comments;
      comments = [];
      return taken;
    },
  };
}

function metricOf(feedback: Feedback): string {
  return feedback.metric_name ?? 'quality_score';
}

function refusal(status: number, code: string, message: string): Refusal {
  return { status, code, message, source: 'client' };
}

function problemOf(feedback: Feedback, issued: IssuedRequest, now: number): Refusal | null {
  const metric = metricOf(feedback);
  const { value } = feedback;
  if (value === undefined && feedback.comment === undefined) return refusal(400, 'empty_feedback', 'Give a value, a comment, or both.');
  if (now - issued.at > longestFeedbackAgeMs) return refusal(400, 'feedback_too_late', 'The answer is more than 24 hours old.');
  if (metric === 'judged_quality') return refusal(400, 'reserved_metric', 'judged_quality is what the judge model says; use another name.');
  if (!isUsableName(metric)) return refusal(400, 'reserved_metric', `"${metric}" can't name a metric; use another name.`);
  return metric === 'error' ? errorProblem(feedback, issued) : valueProblem(feedback);
}

function valueProblem(feedback: Feedback): Refusal | null {
  const { value } = feedback;
  if (metricOf(feedback) === 'quality_score' && typeof value === 'number' && (value < 0 || value > 1))
    return refusal(400, 'out_of_range', `quality_score goes from 0 to 1, and is ${value}.`);
  const stray = feedback.latency_ms ?? feedback.input_tokens ?? feedback.output_tokens;
  return stray === undefined ? null : refusal(400, 'stray_field', 'latency_ms and tokens go with metric_name "error" only.');
}

function errorProblem({ value }: Feedback, issued: IssuedRequest): Refusal | null {
  if (typeof value !== 'boolean') return refusal(400, 'out_of_range', 'error is true or false.');
  if (issued.kind !== 'o') return refusal(400, 'measured_here', 'This request went through a gateway, which has counted it already.');
  return null;
}

function keep(recorder: Recorder, feedback: Feedback, { key }: IssuedRequest, prices: FeedbackDeps['prices']): boolean {
  const { value } = feedback;
  if (value === undefined) return true;
  if (metricOf(feedback) !== 'error') return recorder.score(key, metricOf(feedback), Number(value));
  const { input_tokens: input, output_tokens: output = 0, latency_ms: latencyMs } = feedback;
  const usage = input === undefined ? null : { inputTokens: input, outputTokens: output };
  recorder.record(
    key,
    {
      failure: value === true ? 'reported' : null,
      recovered: false,
      retries: 0,
      latencyMs: latencyMs ?? null,
      firstTokenMs: null,
      usage,
      costUsd: priceOf(prices(key.service, key.model), usage),
    },
    anonymous,
  );
  return true;
}

/** What a rollback must be followed by before it counts as done (guide 4.4). */
import type { Problem } from '../../base/problem.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import type { SectionsRecoveryValidation } from '../../generated/types.ts';

export type RecoveryCheck =
  | { readonly kind: 'http'; readonly url: string; readonly status: number; readonly timeoutMs: number }
  /** Every gateway with a lease is connected. */
  | { readonly kind: 'gateways' }
  | { readonly kind: 'error_rate'; readonly max: number; readonly windowMs: number }
  | { readonly kind: 'latency'; readonly percentile: 50 | 95 | 99; readonly maxMs: number; readonly windowMs: number };

export interface RecoveryPolicy {
  /** 0: a rollback is done when traffic and branch are. */
  readonly durationMs: number;
  readonly checks: readonly RecoveryCheck[];
  /** Checks of these kinds decide; the others are reported. */
  readonly decides: { readonly http: boolean; readonly metrics: boolean };
  /** Stable must fail no more often than before the deployment. */
  readonly noNewErrors: boolean;
  readonly onFailure: 'alert_and_hold' | 'rollback_further';
  readonly channels: readonly string[];
}

const defaultDurationMs = 15 * 60_000;
const defaultWindowMinutes = 5;
const defaultTimeoutSeconds = 10;

/** `criticalErrorRate`: the limit where no check is written; null: none. */
export function resolveRecovery(written: SectionsRecoveryValidation, criticalErrorRate: number | null): RecoveryPolicy {
  const { success_criteria: criteria = {}, on_failure: failure = {}, health_checks: checks } = written;
  const duration = written.validation_duration_minutes;
  const all = criteria.all_health_checks_pass !== false;
  return {
    durationMs: duration === undefined ? defaultDurationMs : writtenMinutesToMs(duration),
    checks: checks === undefined ? defaultChecks(criticalErrorRate) : checks.map(mean),
    decides: { http: all, metrics: all && criteria.metrics_within_bounds !== false },
    noNewErrors: criteria.no_new_errors ?? false,
    onFailure: failure.action ?? 'alert_and_hold',
    channels: failure.escalation_channels ?? [],
  };
}

/** Measurements of stable are kept for so long. */
const longestWindowMs = 5 * 60_000;

/** What could never hold, or that we could not ask. */
export function recoveryProblems({ health_checks: checks = [] }: SectionsRecoveryValidation): readonly Problem[] {
  return checks.flatMap((check, index): readonly Problem[] => {
    const path = `/recovery_validation/health_checks/${index}`;
    if (check.type === 'http')
      return check.endpoint === '/health' || isAskable(check.endpoint)
        ? []
        : [
            {
              code: 'plan',
              path,
              message: `An endpoint is /health, for our own gateways, or a URL with http or https; link-local addresses are not asked. It is "${check.endpoint}".`,
            },
          ];
    const windowMs = writtenMinutesToMs(check.window_minutes ?? defaultWindowMinutes);
    return windowMs <= longestWindowMs
      ? []
      : [
          {
            code: 'plan',
            path,
            message: 'window_minutes of a recovery check is 5 at the most: measurements of stable are kept for so long.',
          },
        ];
  });
}

/** No metadata services and their like: a settings file must not make us ask those. */
function isAskable(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { protocol, hostname } = new URL(endpoint);
  const isLinkLocal = /^(169\.254\.|\[fe[89ab][0-9a-f]:|metadata\.)/i.test(hostname);
  return (protocol === 'http:' || protocol === 'https:') && !isLinkLocal;
}

function defaultChecks(max: number | null): readonly RecoveryCheck[] {
  return max === null ? [] : [{ kind: 'error_rate', max, windowMs: defaultWindowMinutes * 60_000 }];
}

function mean(written: NonNullable<SectionsRecoveryValidation['health_checks']>[number]): RecoveryCheck {
  switch (written.type) {
    case 'http':
      if (written.endpoint === '/health') return { kind: 'gateways' };
      return {
        kind: 'http',
        url: written.endpoint,
        status: written.expected_status ?? 200,
        timeoutMs: 1000 * (written.timeout_seconds ?? defaultTimeoutSeconds),
      };
    case 'metrics':
      return { kind: 'error_rate', max: written.max_value, windowMs: writtenMinutesToMs(written.window_minutes ?? defaultWindowMinutes) };
    case 'latency':
      return {
        kind: 'latency',
        percentile: written.percentile,
        maxMs: written.max_ms,
        windowMs: writtenMinutesToMs(written.window_minutes ?? defaultWindowMinutes),
      };
  }
}

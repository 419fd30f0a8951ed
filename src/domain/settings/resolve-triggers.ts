/** auto_rollback: the short form (guide 3.3), the long form (4.1), and the decision matrix (9.3) where neither says anything. */
import { writtenMinutesToMs } from '../../base/time.ts';
import type { SectionsHealthMonitoring, WrittenSettingsAutoRollback } from '../../generated/types.ts';
import type { Trigger, TriggerLevel } from './policy.ts';

type WrittenTriggers = NonNullable<WrittenSettingsAutoRollback['critical_triggers']>;

const longestWindowMs = 3_600_000;

type Written = Pick<Trigger, 'metric' | 'kind' | 'threshold'>;

/** The decision matrix of the guide (9.3), by level and metric. */
const matrix: Readonly<Record<TriggerLevel, readonly Written[]>> = {
  critical: [
    { metric: 'error_rate', kind: 'above', threshold: 0.1 },
    { metric: 'latency_p95', kind: 'above', threshold: 10_000 },
    { metric: 'latency_p95', kind: 'increase', threshold: 2 },
    { metric: 'quality_score', kind: 'decrease', threshold: 0.3 },
  ],
  severe: [
    { metric: 'error_rate', kind: 'above', threshold: 0.05 },
    { metric: 'latency_p95', kind: 'above', threshold: 5000 },
    { metric: 'latency_p95', kind: 'increase', threshold: 0.5 },
    { metric: 'quality_score', kind: 'decrease', threshold: 0.2 },
  ],
  caution: [
    { metric: 'error_rate', kind: 'above', threshold: 0.02 },
    { metric: 'latency_p95', kind: 'increase', threshold: 0.25 },
    { metric: 'quality_score', kind: 'decrease', threshold: 0.1 },
  ],
};

/** `windowMs`: of those that name none. */
export function resolveTriggers(rollback: WrittenSettingsAutoRollback, windowMs: number): readonly Trigger[] {
  const critical = [
    ...short('error_rate', 'above', rollback.critical_error_rate),
    ...short('latency_p95', 'above', rollback.critical_latency_p95_ms),
    ...short('quality_score', 'decrease', rollback.critical_quality_drop),
  ];
  const severe = [
    ...short('error_rate', 'above', rollback.warning_error_rate),
    ...short('latency_p95', 'increase', rollback.warning_latency_increase),
  ];
  return [
    ...levelOf('critical', rollback.critical_triggers, critical, windowMs),
    ...levelOf('severe', rollback.warning_triggers, severe, windowMs),
    ...matrix.caution.flatMap((entry) => both({ ...entry, level: 'caution', windowMs, isDefault: true })),
  ];
}

function short(metric: string, kind: Trigger['kind'], threshold: number | undefined): readonly Written[] {
  return threshold === undefined ? [] : [{ metric, kind, threshold }];
}

/** The long form of a metric replaces all others of it; a short form replaces the matrix's entry of its kind. */
function levelOf(level: TriggerLevel, long: WrittenTriggers | undefined, shorts: readonly Written[], windowMs: number): readonly Trigger[] {
  const longs = longOf(long ?? {});
  const named = new Set(longs.map(({ metric }) => metric));
  const others = shorts.filter(({ metric }) => !named.has(metric));
  const isReplaced = (entry: Written): boolean =>
    named.has(entry.metric) || others.some(({ metric, kind }) => metric === entry.metric && kind === entry.kind);
  return [
    ...longs.map((entry): Trigger => ({ level, isDefault: false, ...entry, windowMs: entry.windowMs ?? windowMs })),
    ...others.map((entry): Trigger => ({ level, isDefault: false, windowMs, ...entry })),
    ...matrix[level].filter((entry) => !isReplaced(entry)).map((entry): Trigger => ({ level, isDefault: true, windowMs, ...entry })),
  ].flatMap(both);
}

type LongTrigger = Written & { readonly windowMs: number | null };

/** The keys of the long form: what each threshold means. */
const longKeys = {
  error_rate: { threshold: 'above' },
  latency_p95: { threshold_ms: 'above', increase_pct: 'increase' },
  quality_score: { min_threshold: 'below', degradation_pct: 'decrease' },
  cost_per_request: { threshold_usd: 'above', increase_pct: 'increase' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Trigger['kind']>>>>;

function longOf(long: WrittenTriggers): readonly LongTrigger[] {
  return Object.entries(longKeys).flatMap(([metric, kinds]) => {
    const written: Readonly<Record<string, number | string | undefined>> = long[metric as keyof typeof longKeys] ?? {};
    const window = written['window_minutes'];
    const windowMs = window === undefined ? null : writtenMinutesToMs(window);
    return Object.entries(kinds).flatMap(([key, kind]): readonly LongTrigger[] => {
      const threshold = written[key];
      return typeof threshold === 'number' ? [{ metric, kind, threshold, windowMs }] : [];
    });
  });
}

/** What holds for people's scores holds for the judge model's. */
function both(trigger: Trigger): readonly Trigger[] {
  return trigger.metric === 'quality_score' ? [trigger, { ...trigger, metric: 'judged_quality' }] : [trigger];
}

/** What is wrong, in sentences. */
export function triggerProblems(rollback: WrittenSettingsAutoRollback, windowMs: number): readonly string[] {
  const windows = resolveTriggers(rollback, windowMs).map((trigger) => trigger.windowMs);
  return [
    ...(hasIdleTrigger(rollback) ? ['A trigger needs a threshold; a window alone does nothing.'] : []),
    ...(Math.max(...windows) > longestWindowMs ? ['A window of a trigger is an hour at the most.'] : []),
  ];
}

function hasIdleTrigger({ critical_triggers: critical = {}, warning_triggers: warning = {} }: WrittenSettingsAutoRollback): boolean {
  const { service_health: _health, ...triggers } = critical;
  return [...Object.values(triggers), ...Object.values(warning)].some((trigger) =>
    Object.keys(trigger).every((key) => key === 'window_minutes'),
  );
}

/** Thresholds of `health_monitoring` (guide 6.1): further limits of every canary, beside its own triggers. */
export function healthTriggers({ thresholds = {} }: SectionsHealthMonitoring): readonly Trigger[] {
  const { error_rate: errors, latency_p95: latency, quality_score: quality } = thresholds;
  const windowMs = (written: number | string | undefined): number => writtenMinutesToMs(written ?? 5);
  const both = (
    metric: string,
    kind: Trigger['kind'],
    [warning, critical]: readonly [number | undefined, number | undefined],
    window: number | string | undefined,
  ): readonly Trigger[] =>
    (
      [
        ['severe', warning],
        ['critical', critical],
      ] as const
    ).flatMap(([level, threshold]) =>
      threshold === undefined ? [] : [{ level, metric, kind, threshold, windowMs: windowMs(window), isDefault: false }],
    );
  return [
    ...both('error_rate', 'above', [errors?.warning, errors?.critical], errors?.window_minutes),
    ...both('latency_p95', 'above', [latency?.warning_ms, latency?.critical_ms], latency?.window_minutes),
    ...both('quality_score', 'below', [quality?.warning, quality?.critical], quality?.window_minutes),
  ];
}

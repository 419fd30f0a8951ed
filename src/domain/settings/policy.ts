/** How a canary is judged: the meant form of success_criteria, statistical_validation, auto_rollback and monitoring. Frozen into each deployment. */

/** One metric that is held to something. */
export interface Criterion {
  readonly metric: string;
  /** Allowed distance from stable to the bad side: points of the error rate as a fraction, a fraction of stable's value elsewhere. Null: none is set. */
  readonly margin: number | null;
  /** Absolute limits in the metric's unit: rate, milliseconds, US dollars, score. */
  readonly max: number | null;
  readonly min: number | null;
  /** Must have data, whether stable had any or not. */
  readonly required: boolean;
}

export type TriggerLevel = 'critical' | 'severe' | 'caution';

export interface Trigger {
  readonly level: TriggerLevel;
  readonly metric: string;
  /** `above`, `below`: an absolute threshold. `increase`, `decrease`: a fraction of stable's value, to the bad side. */
  readonly kind: 'above' | 'below' | 'increase' | 'decrease';
  readonly threshold: number;
  readonly windowMs: number;
  /** Nobody wrote it: it is the decision matrix's. */
  readonly isDefault: boolean;
}

export type TestMethod = 'combined' | 'welch_t_test' | 'mann_whitney' | 'bootstrap';
export type LowTrafficPolicy = 'extend' | 'widen' | 'hold';
export type DeadlineAction = 'pause' | 'rollback';
export type AnomalySensitivity = 'low' | 'medium' | 'high';

export interface AnalysisPolicy {
  readonly criteria: readonly Criterion[];
  /** Canary requests that each step needs. */
  readonly minSampleSize: number;
  /** That the margins are kept, before the canary has all traffic. */
  readonly confidence: number;
  /** Every gate asks for this one-sided p-value of "within the margin"; null: gates tighten with the weight. */
  readonly gatePValue: number | null;
  /** Error of a rollback over all metrics and looks. */
  readonly alpha: number;
  readonly correction: 'bonferroni' | 'holm' | 'none';
  /** Metrics that share alpha. */
  readonly family: number;
  readonly testMethod: TestMethod;
  /** In standard deviations (Cohen's d): a smaller difference of means fails nothing. */
  readonly minEffectSize: number;
  /** Resampled intervals, reported beside the evidence; of quantiles also when another method is asked for. */
  readonly bootstrap: { readonly isAsked: boolean; readonly iterations: number; readonly confidence: number };
  readonly triggers: readonly Trigger[];
  /** Null: not looked at. */
  readonly health: { readonly failures: number; readonly intervalMs: number } | null;
  /** How long a trigger must hold before it acts. */
  readonly violationMs: number;
  readonly warning: { readonly action: 'pause' | 'continue' | 'alert_only'; readonly pauseMs: number; readonly requiresApproval: boolean };
  readonly lowTraffic: { readonly policy: LowTrafficPolicy; readonly maxWeight: number };
  readonly deadline: DeadlineAction;
  /** Null: off. */
  readonly anomaly: AnomalySensitivity | null;
  /** Traffic of a deployment's first moments that no criterion counts: caches are cold. Triggers act all the same. */
  readonly warmUpMs: number;
  /** A metric that stable had within this time is watched. */
  readonly watchedMs: number;
  /** Requests of one key go to one variant, so they are no independent samples. */
  readonly clustered: boolean;
  /** Least length of a block. */
  readonly blockMs: number;
}

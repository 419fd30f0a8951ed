const quick = (criteria: string): string => `actuator:
  canary:
    steps:
      - { percentage: 20, duration_minutes: 1s }
      - { percentage: 50, duration_minutes: 1s }
      - { percentage: 100, duration_minutes: 1s }
    max_total_duration_minutes: 2m
    success_criteria: { max_error_rate_increase: 0.05, ${criteria}min_sample_size: 20 }
recovery_validation:
  validation_duration_minutes: 0s
metrics:
  collection_interval_seconds: 0.5
`;

/** As in production, with holds of a second. */
export const latencySettings: string = quick('');

/** The same, deaf to latency: otherwise what else runs on the machine would decide. */
export const quickSettings: string = `${quick('max_latency_increase: 10, ')}auto_rollback: { warning_latency_increase: 100 }\n`;

/** With a first step that lasts until the test ends it. */
export const slowSettings: string = quickSettings
  .replace('percentage: 20, duration_minutes: 1s', 'percentage: 20, duration_minutes: 10m')
  .replace('2m', '1h');

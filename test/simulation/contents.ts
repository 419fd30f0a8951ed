/** What people of the simulated world write into the configuration repository. */

export const catalogue = (price: number): string =>
  `providers: { p: { base_url: "https://p.example.com/v1" } }
models:
${['m0', 'm1', 'm2', 'b1', 'b2', 'x1'].map((model) => `  ${model}: { provider: p, prices: { input_per_million_usd: ${price}, output_per_million_usd: ${price} } }`).join('\n')}
`;

/** Requests that fail, by model: good ones, bad ones, and one at the margin. */
export const errorRates: Readonly<Record<string, number>> = { m0: 0.01, m1: 0.01, m2: 0.005, b1: 0.4, b2: 0.15, x1: 0.05 };

const abTest = (variants: string, rest: string): string =>
  `llm: { model: m0, parameters: { temperature: 0.7 } }
variants: ${variants}
ab_test: { metric: error_rate, min_sample_size: 40, significance_level: 0.2, max_duration_hours: 20s${rest === '' ? '' : `, ${rest}`} }
`;

export const contents: Readonly<Record<string, string>> = {
  m0: 'llm: { model: m0 }\n',
  m1: 'llm: { model: m1 }\n',
  m2: 'llm: { model: m2 }\n',
  b1: 'llm: { model: b1 }\n',
  b2: 'llm: { model: b2 }\n',
  x1: 'llm: { model: x1 }\n',
  'at-once': 'llm: { model: m1, parameters: { temperature: 0.5 } }\ndeployment_strategy: { type: immediate }\n',
  'bad-at-once': 'llm: { model: b1, parameters: { temperature: 0.5 } }\ndeployment_strategy: { type: immediate }\n',
  'blue-green': 'llm: { model: m0, parameters: { temperature: 0.2 } }\ndeployment_strategy: { type: blue-green, green: { model: m2 } }\n',
  'bad-green': 'llm: { model: m0, parameters: { temperature: 0.2 } }\ndeployment_strategy: { type: blue-green, green: { model: b1 } }\n',
  rolling: 'llm: { model: m2, parameters: { temperature: 0.3 } }\ndeployment_strategy: { type: rolling }\n',
  'bad-rolling': 'llm: { model: b2, parameters: { temperature: 0.3 } }\ndeployment_strategy: { type: rolling }\n',
  shadow: 'llm: { model: m1, parameters: { temperature: 0.4 } }\ndeployment_strategy: { type: shadow }\n',
  'bad-shadow': 'llm: { model: b1, parameters: { temperature: 0.4 } }\ndeployment_strategy: { type: shadow }\n',
  auto: 'llm: { model: m1, parameters: { temperature: 0.6 } }\ndeployment_strategy: { type: auto, rollout_duration_minutes: 20s }\n',
  'ab-test': abTest('[{ name: a, model: m2 }, { name: b, model: x1 }]', 'strategy: thompson-sampling'),
  'equal-arms': abTest('[{ name: a, model: m1, weight: 0.7 }, { name: b, model: m0, weight: 0.3 }]', 'strategy: thompson-sampling'),
  'ab-by-hand': abTest('[{ name: a, model: m2 }, { name: b, model: x1 }, { name: c, model: m1 }]', 'auto_promote: false'),
  'bad-arm': abTest('[{ name: a, model: m2 }, { name: b, model: b1 }]', 'traffic_percentage: 40'),
  invalid: 'llm: { model: nobody-knows-it }\n',
  broken: 'llm: [ {\n',
};

/** Written for the content that is there: a comment, or what was there before. */
export const edits = ['comment', 'undo'] as const;

const canary = (rest: string): string => `actuator:
  max_concurrent_deployments: 2
  canary:
    steps: [{ percentage: 10, duration_minutes: 8s }, { percentage: 50, duration_minutes: 8s }, { percentage: 100, duration_minutes: 6s }]
    max_total_duration_minutes: 90s
    success_criteria: { min_sample_size: 20, max_error_rate_increase: 0.05 }
${rest}blue_green: { validation_percentage: 50, max_validation_cost_usd: 2, cutover: { validation_duration_minutes: 5s, traffic_shift_duration_seconds: 3 } }
rolling: { batch_percentage: 34, batch_duration_minutes: 5s, max_unavailable: 1 }
shadow: { percentage: 50, duration_minutes: 6s, max_cost_usd: 1 }
recovery_validation: { validation_duration_minutes: 6s }
metrics: { collection_interval_seconds: 1 }
`;

export const settings: Readonly<Record<string, string>> = {
  standard: canary(''),
  'one-at-a-time': canary('').replace('deployments: 2', 'deployments: 1'),
  'by-hand': canary('    auto_rollback: { enabled: false }\n'),
  deadline: canary('    deadline_action: rollback\n'),
  approvals: canary('') + 'versioning: { require_approver: true, min_approvals: 2 }\n',
  'dry-run': canary('') + 'validation: { enable_dry_run: true, dry_run_duration_minutes: 3s, dry_run_traffic_percentage: 20 }\n',
  // Open for 40 seconds of each minute.
  windows: canary('') + 'deployment_windows: { allow: [{ cron: "* * * * *", duration_minutes: 40s }], overrun: pause }\n',
  'further-back': canary('').replace('duration_minutes: 6s }', 'duration_minutes: 6s, on_failure: { action: rollback_further } }'),
  widening: canary('    low_traffic: { policy: widen, max_percentage: 25 }\n'),
  frozen: canary('') + 'freeze: { reason: holidays }\n',
  invalid: 'actuator: { canary: { stepz: [] } }\n',
};

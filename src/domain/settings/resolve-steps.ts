/** The canary's steps, from what is written to weights and times. */
import type { Problem } from '../../base/problem.ts';
import { formatDuration, writtenMinutesToMs } from '../../base/time.ts';
import type { LlmConfig, WrittenSettingsCanary } from '../../generated/types.ts';
import { risingWeights } from './strategies.ts';

export interface Stage {
  /** Percent of traffic on the canary, above 0 to 100. */
  readonly weight: number;
  readonly holdMs: number;
}

/** Written steps, started at the initial percentage and scaled to the asked duration. */
/** Steps of 3.5 of the guide, for each pace that the planner chooses. */
export const paces = {
  conservative: {
    steps: [
      [1, 30],
      [5, 30],
      [10, 30],
      [25, 60],
      [50, 60],
      [75, 60],
      [100, 30],
    ],
    max_total_duration_minutes: 360,
  },
  standard: {
    steps: [
      [5, 15],
      [25, 30],
      [50, 30],
      [75, 30],
      [100, 15],
    ],
    max_total_duration_minutes: 180,
  },
  aggressive: {
    steps: [
      [10, 10],
      [50, 20],
      [100, 10],
    ],
    max_total_duration_minutes: 60,
  },
} as const;

export function stepsOfPace(pace: keyof typeof paces): Pick<WrittenSettingsCanary, 'steps' | 'max_total_duration_minutes'> {
  const { steps, max_total_duration_minutes } = paces[pace];
  return { steps: steps.map(([percentage, duration_minutes]) => ({ percentage, duration_minutes })), max_total_duration_minutes };
}

const linearSteps = 5;
const defaultInitial = { linear: 20, exponential: 5, custom: 0 } as const;

/** Of what is planned, the share that holds take where no step names its own. */
const holdShare = 2 / 3;

/** Started at the initial percentage and scaled to the asked duration. */
export function meanSteps(canary: WrittenSettingsCanary, maxTotalMs: number, oneOff: LlmConfig['deployment_strategy']): readonly Stage[] {
  const started = startedAt(canary, maxTotalMs);
  const asked = oneOff?.rollout_duration_minutes;
  if (asked === undefined) return started;
  const total = started.reduce((sum, step) => sum + step.holdMs, 0);
  return started.map((step) => ({ ...step, holdMs: Math.round((step.holdMs * writtenMinutesToMs(asked)) / total) }));
}

function startedAt(canary: WrittenSettingsCanary, maxTotalMs: number): readonly Stage[] {
  const { initial_percentage: initial, rollout_strategy: rising } = canary;
  if (rising != null) {
    const weights = risingWeights(rising, isNumber(initial) ? initial : defaultInitial[rising.type], linearSteps);
    return weights.map((weight) => ({ weight, holdMs: Math.floor((maxTotalMs * holdShare) / weights.length) }));
  }
  const written = (canary.steps ?? []).map((step) => ({ weight: step.percentage, holdMs: writtenMinutesToMs(step.duration_minutes) }));
  const first = written[0];
  if (first === undefined || !isNumber(initial)) return written;
  return [{ weight: initial, holdMs: first.holdMs }, ...written.filter((step) => step.weight > initial)];
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

export function stepProblems(steps: readonly Stage[]): readonly Problem[] {
  const path = '/canary/steps';
  const weights = steps.map((step) => step.weight);
  if (weights.some((weight, index) => index > 0 && weight <= (weights[index - 1] ?? 0))) {
    return [{ code: 'plan', path, message: `The steps' percentages must rise, and are ${weights.join(', ')}.` }];
  }
  if (weights.at(-1) !== 100) {
    return [
      { code: 'plan', path, message: `The last step must be 100 percent, and is ${weights.at(-1) ?? 'missing'}; add a step of 100.` },
    ];
  }
  if (weights.length < 2) {
    return [
      {
        code: 'plan',
        path,
        message: 'A canary needs a step below 100 percent, where it can be compared with stable. For none, use the strategy "immediate".',
      },
    ];
  }
  return [];
}

export function deadlineProblems(steps: readonly Stage[], maxTotalMs: number): readonly Problem[] {
  const holds = steps.reduce((sum, step) => sum + step.holdMs, 0);
  if (holds <= maxTotalMs) return [];
  const message = `The holds add up to ${formatDuration(holds)}, and max_total_duration_minutes ends the rollout after ${formatDuration(maxTotalMs)}; raise it or shorten the holds.`;
  return [{ code: 'plan', path: '/canary/max_total_duration_minutes', message }];
}

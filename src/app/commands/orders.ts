/** The orders of operators to a service: which fields each takes, and the event that it becomes. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import type { Order } from '../../domain/rollout/event.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { OperatorCommand } from '../../generated/types.ts';
import type { Role } from '../../ports/store.ts';

type Field = Exclude<keyof OperatorCommand, 'service' | 'deployment_id' | 'reason'>;

export type OrderName =
  | 'pause'
  | 'resume'
  | 'abort'
  | 'promote'
  | 'cutover'
  | 'adjust-traffic'
  | 'reduce-traffic'
  | 'extend-phase'
  | 'pause-auto-rollback'
  | 'arm-auto-rollback'
  | 'rebalance'
  | 'restart-monitoring'
  | 'retry'
  | 'freeze'
  | 'drain'
  | 'unfreeze';

export interface OrderKind {
  readonly role: Role;
  /** For help and API reference. */
  readonly summary: string;
  readonly required: readonly Field[];
  readonly optional: readonly Field[];
  readonly needsReason: boolean;
  readonly toOrder: (request: OperatorCommand, state: ServiceState) => Result<Order, readonly Problem[]>;
}

const none: readonly Field[] = [];

function simple(summary: string, order: Order, needsReason = false): OrderKind {
  return { role: 'operator', summary, required: none, optional: none, needsReason, toOrder: () => ok(order) };
}

function traffic(summary: string, pauses: boolean): OrderKind {
  return {
    role: 'operator',
    summary,
    required: ['percentage'],
    optional: none,
    needsReason: false,
    toOrder: ({ percentage = 0 }) => ok({ type: 'traffic-set', percentage, pauses }),
  };
}

/** Longer than this nobody watches a canary in place of the judge. */
const longestDisarmedMs = 4 * 3_600_000;

/** By the name of the verb and of the route. */
export const orders: Readonly<Record<OrderName, OrderKind>> = {
  pause: simple('hold a deployment at its present weight', { type: 'paused' }),
  resume: simple('go on with a paused deployment', { type: 'resumed' }),
  abort: simple(
    'stop a deployment that is not promoted yet, and return to stable',
    { type: 'rollback-requested', gradualMs: null, target: null },
    true,
  ),
  promote: {
    role: 'operator',
    summary: 'go on to the next step without waiting for the judge, or with full to the end',
    required: none,
    optional: ['full'],
    needsReason: false,
    toOrder: ({ full }) => ok({ type: 'promotion-requested', full: full ?? false }),
  },
  cutover: simple('move the traffic from blue to green', { type: 'cutover-requested' }),
  'adjust-traffic': traffic("set the canary's weight and go on from there", false),
  'reduce-traffic': traffic("lower the canary's weight and wait", true),
  'extend-phase': {
    role: 'operator',
    summary: 'hold the present step, and the deadline, for longer',
    required: ['additional_minutes'],
    optional: none,
    needsReason: false,
    toOrder: ({ additional_minutes: minutes = 0 }) => ok({ type: 'phase-extended', byMs: writtenMinutesToMs(minutes) }),
  },
  'pause-auto-rollback': {
    role: 'operator',
    summary: 'let verdicts roll nothing back for a while, four hours at the most',
    required: ['duration_minutes'],
    optional: none,
    needsReason: false,
    toOrder({ duration_minutes: minutes = 0 }) {
      const forMs = writtenMinutesToMs(minutes);
      if (forMs > 0 && forMs <= longestDisarmedMs) return ok({ type: 'auto-rollback-paused', forMs });
      return refuse([
        { code: 'bad-request', path: '/duration_minutes', message: 'Automatic rollback can be paused for up to 240 minutes at a time.' },
      ]);
    },
  },
  'arm-auto-rollback': simple('let verdicts roll back again, also what is watched after its promotion', { type: 'auto-rollback-armed' }),
  rebalance: simple('draw anew which requests or users go to the canary', { type: 'rebalanced' }),
  'restart-monitoring': simple('let the judge begin anew with what comes from now on', { type: 'monitoring-restarted' }),
  retry: {
    role: 'operator',
    summary: 'lift the quarantine of a content that was rolled back, so that it is tried again',
    required: none,
    optional: ['digest'],
    needsReason: true,
    toOrder: ({ digest }, state) => retried(digest, state),
  },
  freeze: simple('let nothing start, and hold up what is under way', { type: 'frozen', drains: false }, true),
  drain: simple('let nothing start, and what is under way come to its end', { type: 'frozen', drains: true }),
  unfreeze: simple('end a freeze', { type: 'unfrozen' }),
};

/** What the branch holds, where nothing is named. */
function retried(digest: string | undefined, { seen, quarantine }: ServiceState): Result<Order, readonly Problem[]> {
  const wanted = digest ?? seen?.digest ?? '';
  const found = quarantine.filter((entry) => entry.digest === wanted || entry.digest.startsWith(`sha256:${wanted}`));
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return ok({ type: 'retried', digest: only.digest });
  const there = quarantine.map((entry) => entry.digest.slice(7, 19)).join(', ');
  const message =
    there === ''
      ? 'Nothing is in quarantine.'
      : `${digest === undefined ? 'What the branch holds' : `"${digest}"`} is not in quarantine; there is ${there}.`;
  return refuse([{ code: 'not-applicable', path: '/digest', message }]);
}

/** Fields that the order does not take, and those that it lacks. */
export function fieldProblems(name: OrderName, request: OperatorCommand): readonly Problem[] {
  const kind = orders[name];
  const given = (Object.keys(request) as (keyof OperatorCommand)[]).filter((key) => request[key] !== undefined);
  const known: readonly string[] = ['service', 'deployment_id', 'reason', ...kind.required, ...kind.optional];
  const problems = given
    .filter((key) => !known.includes(key))
    .map((key): Problem => ({ code: 'unknown-key', path: `/${key}`, message: `${name} does not take "${key}".` }));
  const missing: readonly string[] = [...kind.required, ...(kind.needsReason ? ['reason'] : [])];
  const lacking = missing
    .filter((key) => request[key as keyof OperatorCommand] === undefined)
    .map((key): Problem => ({ code: 'missing', path: `/${key}`, message: `${name} needs "${key}".` }));
  return [...problems, ...lacking];
}

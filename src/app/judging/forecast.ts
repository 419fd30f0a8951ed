/** Warns people when a deployment is planned that today's traffic can not bring to its end in time. */
import { predict } from '../../domain/planning/prediction.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Notifier } from '../../ports/notifier.ts';
import type { TransitionNotice } from '../engine/engine.ts';
import type { Judging } from './judging.ts';

export interface ForecastDeps {
  readonly judging: Judging;
  readonly notifier: Notifier;
  readonly clock: Clock;
}

/** Resolves when whoever must be told has been told. */
export async function warnOfForecast({ judging, notifier, clock }: ForecastDeps, { before, row }: TransitionNotice): Promise<void> {
  const { active, service } = row.stateAfter;
  if (active === null || active.id === before.active?.id || active.plan.steps.length === 0) return;
  const measured = judging.traffic(service).requestsPerSecond(clock.now());
  // No traffic at this moment is no forecast of none.
  const requestsPerSecond = measured > 0 ? Math.round(measured * 10) / 10 : null;
  for (const warning of predict(active.plan, { requestsPerSecond, summary: judging.summary(service) }).warnings)
    await notifier.notify({ key: `${active.id}/forecast`, severity: 'warning', message: `${service}: ${active.id}: ${warning}` });
}

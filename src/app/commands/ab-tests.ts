/** Ends an A/B test by promoting one of its arms. */
import type { Problem } from '../../base/problem.ts';
import { refuse, type Result } from '../../base/result.ts';
import { chooseWinner, type AbTestVerdict } from '../../domain/analysis/ab-test.ts';
import type { Deployment } from '../../domain/rollout/state.ts';
import type { AbTestPromotion } from '../../generated/types.ts';
import type { Judging } from '../judging/judging.ts';
import { dispatchOrder, target, type OperateDeps, type Ordered } from './operate.ts';

export interface PromoteWinnerDeps extends OperateDeps {
  readonly judging: Pick<Judging, 'comparison'>;
}

/** The decision that a deployment waits with; otherwise what was found up to now. */
export function comparisonOf(active: Deployment | null, present: AbTestVerdict | null): AbTestVerdict | null {
  const isDecided = active?.phase.name === 'paused' && (active.phase.reason === 'winner' || active.phase.reason === 'no-winner');
  return isDecided ? (active.comparison ?? present) : (present ?? active?.comparison ?? null);
}

export async function promoteWinner(
  deps: PromoteWinnerDeps,
  testId: string,
  request: AbTestPromotion,
  actor: string,
): Promise<Result<Ordered, readonly Problem[]>> {
  const found = target(deps.engine, { deployment_id: testId });
  if (!found.ok) return found;
  const { active, service } = found.value;
  const comparison = comparisonOf(active, deps.judging.comparison(service));
  if (comparison === null && request.winner === 'auto')
    return refuse([
      { code: 'not-applicable', message: `Cannot promote an arm of ${service}: nothing is compared yet; name the arm yourself, or wait.` },
    ]);
  const arm = comparison === null ? null : chooseWinner(comparison, request.winner);
  if (arm?.ok === false) return refuse([{ code: 'not-applicable', message: `Cannot promote an arm of ${service}: ${arm.error}` }]);
  // Nothing is compared yet: a person may name an arm all the same.
  const order = { type: 'winner-chosen', arm: arm?.value ?? request.winner, comparison } as const;
  const by = { request: { deployment_id: testId }, reason: request.reason ?? `${request.winner} chosen by ${actor}`, actor };
  return dispatchOrder(deps, found.value, order, by);
}

/** Ends an A/B test by promoting one of its arms. */
import type { Problem } from '../../base/problem.ts';
import { refuse, type Result } from '../../base/result.ts';
import { chooseWinner } from '../../domain/analysis/ab-test.ts';
import type { AbTestPromotion } from '../../generated/types.ts';
import type { Judging } from '../judging/judging.ts';
import { dispatchOrder, target, type OperateDeps, type Ordered } from './operate.ts';

export interface PromoteWinnerDeps extends OperateDeps {
  readonly judging: Pick<Judging, 'comparison'>;
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
  const comparison = active?.comparison ?? deps.judging.comparison(service);
  const arm = comparison === null ? null : chooseWinner(comparison, request.winner);
  if (arm?.ok === false) return refuse([{ code: 'not-applicable', message: `Cannot promote an arm of ${service}: ${arm.error}` }]);
  // Nothing is compared yet: a person may name an arm all the same.
  const order = { type: 'winner-chosen', arm: arm?.value ?? request.winner, comparison } as const;
  const by = { request: { deployment_id: testId }, reason: request.reason ?? `${request.winner} chosen by ${actor}`, actor };
  return dispatchOrder(deps, found.value, order, by);
}

/** Which service an order without a name means: the only one, or it is refused. */
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { suggestion } from '../../base/text.ts';

export function chooseService(known: readonly string[], asked: string | undefined): Result<string, readonly Problem[]> {
  if (asked !== undefined) {
    if (known.includes(asked)) return ok(asked);
    return refuse([{ code: 'not-found', message: `There is no service "${asked}".${suggestion(asked, known)}` }]);
  }
  const [only, ...others] = known;
  if (only !== undefined && others.length === 0) return ok(only);
  const list = known.slice(0, 10).join(', ') + (known.length > 10 ? ` and ${known.length - 10} more` : '');
  const which = known.length === 0 ? 'There is no service yet.' : `Say which service with --service: ${list}.`;
  return refuse([{ code: 'ambiguous-service', message: which }]);
}

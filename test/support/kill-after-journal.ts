/**
 * Loaded by --import into a control plane under test: kills it in the moment when a revert was journaled, and nothing has been
 * done about it. A real SIGKILL at an exact place, without a hook in the product.
 */
import { StatementSync } from 'node:sqlite';

const prototype = StatementSync.prototype as unknown as Record<
  'run' | 'all',
  (this: { sourceSQL: string }, ...values: unknown[]) => unknown
>;
let revertIsJournaled = false;

for (const method of ['run', 'all'] as const) {
  const original = prototype[method];
  prototype[method] = function (...values) {
    const result = original.apply(this, values);
    if (this.sourceSQL.includes('insert into "effects"') && values.some((value) => String(value).includes('commit-revert')))
      revertIsJournaled = true;
    if (revertIsJournaled && this.sourceSQL.startsWith('commit')) process.kill(process.pid, 'SIGKILL');
    return result;
  };
}

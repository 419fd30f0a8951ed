/** Properties of the reducer, over any history. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Order, ServiceEvent } from '../../../src/domain/rollout/event.ts';
import { fold, reduce } from '../../../src/domain/rollout/reduce.ts';
import { assignedVariants, canaryWeight } from '../../../src/domain/rollout/shares.ts';
import type { ServiceState } from '../../../src/domain/rollout/state.ts';
import { aPlan, aService, granted, judged, ordered, rollbackOrder, seen } from '../../builders/service.ts';

function aCanaryJudgement(): Extract<ServiceEvent, { type: 'judged' }>['judgement'] {
  const event = judged('fail', 100);
  if (event.type !== 'judged') throw new Error('unreachable');
  return event.judgement;
}

/** Any event at all, in any order: most do not apply, and none may break what must always hold. */
const digests = fc.constantFrom('good', 'a', 'b', 'c');
const anyEvent: fc.Arbitrary<ServiceEvent> = fc.oneof(
  fc.tuple(digests, fc.nat(5)).map(([digest, n]) => seen(digest, `deploy-${n}`)),
  fc.tuple(digests, fc.nat(5)).map(([digest, n]) => seen(digest, `deploy-${n}`, aPlan({ kind: 'immediate', steps: [] }))),
  fc.constant<ServiceEvent>(granted()),
  fc
    .tuple(fc.constantFrom('pass', 'fail', 'inconclusive', 'no-data', 'incident'), fc.constantFrom(5, 50, 100))
    .map(([v, w]) => judged(v, w)),
  fc.nat(30).map((generation): ServiceEvent => ({ type: 'applied', generation })),
  fc.constant<ServiceEvent>({ type: 'woken' }),
  fc
    .constantFrom<Order>(
      { type: 'paused' },
      { type: 'resumed' },
      rollbackOrder,
      { ...rollbackOrder, gradualMs: 1000 } as Order,
      { type: 'promotion-requested', full: false },
      { type: 'promotion-requested', full: true },
      { type: 'cutover-requested' },
      { type: 'traffic-set', percentage: 30, pauses: false },
      { type: 'traffic-set', percentage: 1, pauses: true },
      { type: 'phase-extended', byMs: 1000 },
      { type: 'auto-rollback-paused', forMs: 1000 },
      { type: 'rebalanced' },
      { type: 'frozen', drains: false },
      { type: 'unfrozen' },
      { type: 'turned-down' },
    )
    .map((order): ServiceEvent => ordered(order, 'an order', 'me')),
  fc
    .nat(5)
    .map((n): ServiceEvent => ({ type: 'revert-settled', deploymentId: `deploy-${n}`, outcome: { kind: 'committed', commit: 'r' } })),
  fc.constant<ServiceEvent>({ type: 'watch-failed', judgement: aCanaryJudgement(), arrivedAt: 0 }),
  fc.nat(30).map((generation): ServiceEvent => ({ type: 'gateway-refused', generation, gateway: 'g', problems: ['no key'] })),
  fc.constant<ServiceEvent>({ type: 'revision-rejected', commit: 'x', deploymentId: 'deploy-9', problems: [] }),
  fc.constant<ServiceEvent>({ type: 'service-removed', commit: 'x' }),
  fc.constant<ServiceEvent>({ type: 'catalogue-changed' }),
);
const histories = fc.array(fc.tuple(anyEvent, fc.nat(2000)), { maxLength: 60, size: 'max' });
const often = { numRuns: 3000 };

function walk(
  history: readonly (readonly [ServiceEvent, number])[],
  look: (state: ServiceState, before: ServiceState, event: ServiceEvent) => void,
): ServiceState {
  let state = aService().state;
  let now = 1_000_000;
  for (const [event, ms] of history) {
    now += ms;
    const before = state;
    [state] = reduce(state, event, now);
    look(state, before, event);
  }
  return state;
}

describe('whatever happens', () => {
  it('the weights add up to 100, and the canary has no more than its plan says', () => {
    fc.assert(
      fc.property(histories, (history) => {
        walk(history, (state, before, event) => {
          const variants = assignedVariants(state);
          assert.equal(
            variants.reduce((sum, variant) => sum + variant.weight, 0),
            variants.length === 0 ? 0 : 100,
          );
          const phase = state.active?.phase;
          const planned =
            phase?.name === 'progressing' || phase?.name === 'paused' ? (state.active?.plan.steps[phase.step]?.weight ?? 0) : 0;
          // More only when a person says so, and less and less on the way back.
          const kept = state.active?.id === before.active?.id ? canaryWeight(before) : 0;
          const goesBackFrom = phase?.name === 'rolling-back' && state.active?.id === before.watch?.deploymentId ? 100 : 0;
          const byHand = event.type === 'traffic-set' ? event.percentage : 0;
          assert.ok(canaryWeight(state) <= Math.max(planned, kept, byHand, goesBackFrom));
        });
      }),
      often,
    );
  });

  it('a failing verdict on a running canary leaves no traffic on it, and its content in quarantine', () => {
    fc.assert(
      fc.property(histories, (history) => {
        walk(history, (state, before, event) => {
          const { active } = before;
          if (event.type !== 'judged' || event.judgement.verdict !== 'fail' || active?.phase.name !== 'progressing') return;
          if (active.autoRollbackPausedUntil !== null) return;
          assert.equal(canaryWeight(state), 0);
          assert.ok(state.quarantine.some((entry) => entry.digest === active.revision.digest));
        });
      }),
      often,
    );
  });

  it('what is stable is never in quarantine, and quarantined content never gets traffic', () => {
    fc.assert(
      fc.property(histories, (history) => {
        walk(history, (state) => {
          // What goes back gradually still has traffic for a while; stable never has such content.
          const goesBack = state.active?.phase.name === 'rolling-back' && canaryWeight(state) > 0;
          for (const { revision } of assignedVariants(state).slice(goesBack ? 1 : 0)) {
            assert.ok(!state.quarantine.some((entry) => entry.digest === revision.digest), `${revision.digest} is served from quarantine`);
          }
        });
      }),
      often,
    );
  });

  it('what is served changes only together with the generation', () => {
    fc.assert(
      fc.property(histories, (history) => {
        walk(history, (state, before) => {
          if (JSON.stringify(assignedVariants(state)) === JSON.stringify(assignedVariants(before))) return;
          assert.ok(state.generation > before.generation);
        });
      }),
      often,
    );
  });

  it('folding the history gives the state', () => {
    fc.assert(
      fc.property(histories, (history) => {
        let now = 1_000_000;
        const rows = history.map(([event, ms]) => ({ event, at: (now += ms) }));
        assert.deepEqual(
          fold(aService().state, rows),
          walk(history, () => undefined),
        );
      }),
      often,
    );
  });

  it('from every state a deployment ends when the world answers', () => {
    fc.assert(
      fc.property(histories, (history) => {
        let state = walk(history, () => undefined);
        let now = 10_000_000;
        for (let round = 0; round < 100 && state.active !== null; round++) {
          now += 5000;
          for (const event of helpfulEvents(state)) [state] = reduce(state, event, now);
        }
        assert.equal(state.active, null);
      }),
      often,
    );
  });
});

function helpfulEvents(state: ServiceState): readonly ServiceEvent[] {
  const { active } = state;
  if (active === null) return [];
  return [
    granted(),
    ordered({ type: 'unfrozen' }, 'thaw'),
    ordered({ type: 'resumed' }, 'go on'),
    judged('pass', canaryWeight(state)),
    { type: 'woken' },
    { type: 'applied', generation: state.generation },
    { type: 'revert-settled', deploymentId: active.id, outcome: { kind: 'committed', commit: 'r' } },
  ];
}

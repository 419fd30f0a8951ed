import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ServiceEvent } from '../../../src/domain/rollout/event.ts';
import { fold, reduce } from '../../../src/domain/rollout/reduce.ts';
import { assignedVariants, canaryWeight, newService, type ServiceState } from '../../../src/domain/rollout/state.ts';
import { aCanary, aPlan, aService, judged, seen } from '../../builders/service.ts';

describe('going forward', () => {
  it('adopts what is there as stable, without a deployment', () => {
    const { state, effects } = aService();

    assert.equal(state.stable?.digest, 'good');
    assert.equal(state.active, null);
    assert.deepEqual(effects, [{ kind: 'assign', generation: 1 }]);
  });

  it('waits for a slot before it shifts any traffic', () => {
    const { state } = aService().take(seen('new', 'deploy-1'));

    assert.equal(state.active?.phase.name, 'pending');
    assert.equal(canaryWeight(state), 0);
  });

  it('advances only after the hold, and only with a pass', () => {
    const bench = aCanary().after(500).take(judged('pass', 5));
    assert.equal(canaryWeight(bench.state), 5);

    bench.after(600).take({ type: 'woken' });
    assert.equal(canaryWeight(bench.state), 50);

    bench.after(5000).take(judged('inconclusive', 50)).take({ type: 'woken' });
    assert.equal(canaryWeight(bench.state), 50);
  });

  it('ignores a pass that was judged at the weight before', () => {
    const bench = aCanary().after(1100).take(judged('pass', 5)).take(judged('pass', 5));

    bench.after(5000).take({ type: 'woken' });

    assert.equal(canaryWeight(bench.state), 50);
  });

  it('makes the canary stable at once, and completes when every gateway has it', () => {
    const bench = aCanary();
    for (const weight of [5, 50, 100]) bench.after(1100).take(judged('pass', weight));
    assert.equal(bench.state.active?.phase.name, 'promoting');
    assert.equal(bench.state.stable?.digest, 'new');
    assert.equal(bench.state.previous?.digest, 'good');

    bench.take({ type: 'applied', generation: bench.state.generation - 1 });
    assert.equal(bench.state.active.phase.name, 'promoting');
    bench.take({ type: 'applied', generation: bench.state.generation });

    assert.equal(bench.state.active, null);
    assert.equal(bench.state.last?.phase, 'completed');
    assert.notEqual(bench.state.watch, null);
  });

  it('serves an immediate change to all at once', () => {
    const bench = aService().take(seen('new', 'deploy-1', aPlan({ kind: 'immediate', steps: [] })));

    bench.take({ type: 'slot-granted', stableIsBreaching: false, stableErrorRate: 0.01 });

    assert.deepEqual(
      assignedVariants(bench.state).map(({ weight, revision }) => [weight, revision.digest]),
      [[100, 'new']],
    );
  });

  it('pauses at the deadline with its weight, and resume gives it as long again', () => {
    const bench = aCanary().after(61_000).take({ type: 'woken' });
    assert.equal(bench.state.active?.phase.name === 'paused' && bench.state.active.phase.reason, 'deadline');
    assert.equal(canaryWeight(bench.state), 5);

    bench.take({ type: 'resumed', deploymentId: null, reason: 'go on' }).after(30_000).take({ type: 'woken' });

    assert.equal(bench.state.active?.phase.name, 'progressing');
  });

  it('starts the first revision of a new service without a canary', () => {
    const first = { ...newService('fresh') };
    const [pending] = reduce(first, seen('one', 'deploy-1'), 0);
    const [promoting] = reduce(pending, { type: 'slot-granted', stableIsBreaching: false, stableErrorRate: 0.01 }, 0);

    assert.equal(promoting.active?.plan.kind, 'first');
    assert.equal(promoting.stable?.digest, 'one');
  });
});

describe('going back', () => {
  it('returns traffic and quarantines in the transition that decides it', () => {
    const bench = aCanary().take(judged('fail', 5));

    assert.equal(bench.state.active?.phase.name, 'rolling-back');
    assert.equal(canaryWeight(bench.state), 0);
    assert.deepEqual(
      bench.state.quarantine.map((entry) => entry.digest),
      ['new'],
    );
    assert.deepEqual(
      bench.effects.slice(-3).map((effect) => effect.kind),
      ['assign', 'commit-revert', 'notify'],
    );
  });

  it('ends when traffic is back and the revert is settled, in either order', () => {
    const settled: ServiceEvent = { type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'committed', commit: 'r1' } };
    for (const gitFirst of [true, false]) {
      const bench = aCanary().take(judged('fail', 5));
      const applied: ServiceEvent = { type: 'applied', generation: bench.state.generation };
      for (const event of gitFirst ? [settled, applied] : [applied, settled]) bench.take(event);
      assert.equal(bench.state.last?.phase, 'rolled-back');
      assert.equal(bench.state.last.revertCommit, 'r1');
      assert.equal(bench.state.active, null);
    }
  });

  it('says that a person must act when the branch can not be reverted, until somebody does', () => {
    const bench = aCanary().take(judged('fail', 5));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'blocked', message: 'protected' } });
    assert.equal(bench.state.last?.phase, 'rolled-back');
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /could not be reverted: protected/);

    bench.take(seen('good', 'deploy-2'));

    assert.equal(bench.state.rejection, null);
  });

  it('refuses quarantined content, whoever brings it back', () => {
    const bench = aCanary().take(judged('fail', 5));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'not-needed' } });

    bench.take(seen('new', 'deploy-2'));

    assert.equal(bench.state.active, null);
    assert.equal(bench.state.last?.phase, 'rejected');
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /quarantine/);
  });

  it('aborts without quarantine when a person reverts in mid-canary', () => {
    const bench = aCanary().take(seen('good', 'deploy-2'));

    assert.equal(canaryWeight(bench.state), 0);
    assert.deepEqual(bench.state.quarantine, []);
    bench.take({ type: 'applied', generation: bench.state.generation });
    assert.equal(bench.state.last?.phase, 'rolled-back');
    assert.match(bench.state.last.reason, /taken back in Git by Ada/);
  });

  it('goes on undisturbed when the same content comes with a new commit', () => {
    const bench = aCanary();
    const { generation, active } = bench.state;

    bench.take(seen('new', 'deploy-2'));

    assert.equal(bench.state.generation, generation);
    assert.deepEqual(bench.state.active, active);
  });

  it('takes the fast path back to what was promoted not long ago', () => {
    const bench = aCanary(aPlan({ kind: 'immediate', steps: [] }));
    bench.take({ type: 'applied', generation: bench.state.generation });

    bench.after(1000).take(seen('good', 'deploy-2'));

    assert.equal(bench.state.active?.plan.kind, 'fast-path');
    assert.equal(bench.state.stable?.digest, 'good');
  });

  it('supersedes a canary by a newer revision against the same stable', () => {
    const bench = aCanary().take(seen('newer', 'deploy-2'));

    assert.equal(bench.state.last?.phase, 'superseded');
    assert.equal(bench.state.active?.revision.digest, 'newer');
    assert.equal(bench.state.active.base?.digest, 'good');
    assert.equal(canaryWeight(bench.state), 0);
  });

  it('keeps only the newest revision waiting while it rolls back', () => {
    const bench = aCanary().take(judged('fail', 5)).take(seen('b', 'deploy-2')).take(seen('c', 'deploy-3'));
    bench.take({ type: 'applied', generation: bench.state.generation });

    bench.take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'not-needed' } });

    assert.equal(bench.state.active?.revision.digest, 'c');
    assert.equal(bench.state.waiting, null);
  });

  it('pauses with weight 0 in an incident, and does not blame the change', () => {
    const bench = aCanary().take(judged('incident', 5));

    assert.equal(canaryWeight(bench.state), 0);
    assert.deepEqual(bench.state.quarantine, []);
    bench.take({ type: 'resumed', deploymentId: null, reason: 'over' });
    assert.equal(canaryWeight(bench.state), 5);
  });

  it('pauses instead of rolling back when that is switched off', () => {
    const bench = aCanary(aPlan({ autoRollback: false })).take(judged('fail', 5));

    assert.equal(bench.state.active?.phase.name === 'paused' && bench.state.active.phase.reason, 'auto-rollback-disabled');
  });

  it('rolls a promoted revision back while it is watched', () => {
    const bench = aCanary(aPlan({ kind: 'immediate', steps: [] }));
    bench.take({ type: 'applied', generation: bench.state.generation });

    bench.after(1000).take({ type: 'watch-failed', judgement: { ...aCanaryJudgement() }, arrivedAt: bench.now });

    assert.equal(bench.state.stable?.digest, 'good');
    assert.equal(bench.state.active?.phase.name, 'rolling-back');
    assert.equal(bench.state.active.id, 'deploy-1');
    assert.deepEqual(
      bench.state.quarantine.map((entry) => entry.digest),
      ['new'],
    );
  });

  it('goes on watching what is stable when a later canary fails, and can still roll it back', () => {
    const bench = aCanary(aPlan({ kind: 'immediate', steps: [] }));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench
      .take(seen('worse', 'deploy-2'))
      .take({ type: 'slot-granted', stableIsBreaching: false, stableErrorRate: 0.01 })
      .take(judged('fail', 5));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-2', outcome: { kind: 'not-needed' } });
    assert.equal(bench.state.stable?.digest, 'new');
    assert.equal(bench.state.watch?.deploymentId, 'deploy-1');

    bench.take({ type: 'rollback-requested', deploymentId: null, reason: 'worse in other ways', actor: 'Ada' });

    assert.equal(bench.state.stable.digest, 'good');
    const revert = bench.effects.findLast((effect) => effect.kind === 'commit-revert');
    assert.equal(revert?.kind === 'commit-revert' && revert.actor, 'Ada');
  });

  it('blames no revision for an outage that it can not know about', () => {
    const bench = aCanary(aPlan({ kind: 'immediate', steps: [] }));
    bench.take({ type: 'applied', generation: bench.state.generation }).after(1000).take(seen('good', 'deploy-2'));
    bench.take({ type: 'applied', generation: bench.state.generation });

    bench.take({ type: 'watch-failed', judgement: aCanaryJudgement(), arrivedAt: bench.now });

    assert.equal(bench.state.stable?.digest, 'good');
    assert.notEqual(bench.state.held, null);
    assert.deepEqual(bench.state.quarantine, []);
  });

  it('ends at once what was only planned, without waiting for gateways', () => {
    const bench = aService().take(seen('new', 'deploy-1'));
    const { generation } = bench.state;

    bench.take({ type: 'rollback-requested', deploymentId: null, reason: 'no', actor: 'Ada' });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'committed', commit: 'r' } });

    assert.equal(bench.state.last?.phase, 'rolled-back');
    assert.equal(bench.state.active, null);
    assert.ok(bench.state.generation >= generation);
  });

  it('holds a first revision that fails, since there is nothing to go back to', () => {
    let [state] = reduce(newService('fresh'), seen('one', 'deploy-1'), 0);
    [state] = reduce(state, { type: 'slot-granted', stableIsBreaching: false, stableErrorRate: 0.01 }, 0);
    [state] = reduce(state, { type: 'applied', generation: state.generation }, 0);

    const [held, effects] = reduce(state, { type: 'watch-failed', judgement: aCanaryJudgement(), arrivedAt: 0 }, 1);

    assert.notEqual(held.held, null);
    assert.equal(held.stable?.digest, 'one');
    assert.equal(effects[0]?.kind, 'notify');
  });

  it('rejects what a gateway can not serve in its first step, without quarantine', () => {
    for (const plan of [aPlan(), aPlan({ kind: 'immediate', steps: [] })]) {
      const bench = aCanary(plan);

      bench.take({ type: 'gateway-refused', generation: bench.state.generation, gateway: 'g1', problems: ['OPENAI_API_KEY is not set'] });

      assert.equal(bench.state.last?.phase, 'rejected');
      assert.match(bench.state.rejection?.problems[0]?.message ?? '', /OPENAI_API_KEY is not set/);
      assert.equal(bench.state.stable?.digest, 'good');
      assert.deepEqual(bench.state.quarantine, []);
      assert.equal(assignedVariants(bench.state).length, 1);
    }
  });

  it('keeps what an immediate promotion displaced when a gateway refuses to serve it', () => {
    const bench = aCanary(aPlan({ kind: 'immediate', steps: [] }));
    bench.take({ type: 'applied', generation: bench.state.generation });
    const { previous, watch } = bench.state;
    bench
      .take(seen('next', 'deploy-2', aPlan({ kind: 'immediate', steps: [] })))
      .take({ type: 'slot-granted', stableIsBreaching: false, stableErrorRate: null });

    bench.take({ type: 'gateway-refused', generation: bench.state.generation, gateway: 'g1', problems: ['no key'] });

    assert.equal(bench.state.stable?.digest, 'new');
    assert.deepEqual([bench.state.previous, bench.state.watch], [previous, watch]);
  });

  it('lets no single gateway undo the way back of a person', () => {
    const bench = aCanary(aPlan({ kind: 'immediate', steps: [] }));
    bench.take({ type: 'applied', generation: bench.state.generation }).after(1000).take(seen('good', 'deploy-2'));

    bench.take({ type: 'gateway-refused', generation: bench.state.generation, gateway: 'g1', problems: ['no key'] });

    assert.equal(bench.state.stable?.digest, 'good');
    assert.equal(bench.state.active?.phase.name, 'promoting');
  });

  it('leaves a canary without traffic when a gateway refuses it in a later step', () => {
    const bench = aCanary().after(1100).take(judged('pass', 5));

    bench.take({ type: 'gateway-refused', generation: bench.state.generation, gateway: 'g1', problems: ['OPENAI_API_KEY is not set'] });

    assert.equal(canaryWeight(bench.state), 0);
    assert.equal(bench.state.active?.phase.name === 'paused' && bench.state.active.phase.reason, 'refused');
  });

  it('keeps stable and says why when the branch holds something invalid', () => {
    const problems = [{ code: 'unknown-model', message: 'no such model', file: 'services/chat/config.yaml', line: 3 } as const];
    const bench = aService().take({ type: 'revision-rejected', commit: 'bad', deploymentId: 'deploy-1', problems });

    assert.equal(bench.state.stable?.digest, 'good');
    assert.equal(bench.state.last?.phase, 'rejected');
    assert.match(bench.state.last.reason, /config\.yaml:3/);
  });

  it('goes on serving when the folder is gone', () => {
    const { state } = aService().take({ type: 'service-removed', commit: 'gone' });

    assert.equal(state.orphaned, true);
    assert.equal(assignedVariants(state).length, 1);
  });
});

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
  fc.constant<ServiceEvent>({ type: 'slot-granted', stableIsBreaching: false, stableErrorRate: 0.01 }),
  fc
    .tuple(fc.constantFrom('pass', 'fail', 'inconclusive', 'no-data', 'incident'), fc.constantFrom(5, 50, 100))
    .map(([v, w]) => judged(v, w)),
  fc.nat(30).map((generation): ServiceEvent => ({ type: 'applied', generation })),
  fc.constant<ServiceEvent>({ type: 'woken' }),
  fc
    .constantFrom<'paused' | 'resumed' | 'rollback-requested'>('paused', 'resumed', 'rollback-requested')
    .map((type): ServiceEvent => ({ type, deploymentId: null, reason: 'an order', actor: 'me' })),
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
        walk(history, (state) => {
          const variants = assignedVariants(state);
          assert.equal(
            variants.reduce((sum, variant) => sum + variant.weight, 0),
            variants.length === 0 ? 0 : 100,
          );
          const phase = state.active?.phase;
          const planned =
            phase?.name === 'progressing' || phase?.name === 'paused' ? (state.active?.plan.steps[phase.step]?.weight ?? 0) : 0;
          assert.ok(canaryWeight(state) <= planned);
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
          for (const { revision } of assignedVariants(state)) {
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
    { type: 'slot-granted', stableIsBreaching: false, stableErrorRate: 0.01 },
    { type: 'resumed', deploymentId: null, reason: 'go on' },
    judged('pass', canaryWeight(state)),
    { type: 'woken' },
    { type: 'applied', generation: state.generation },
    { type: 'revert-settled', deploymentId: active.id, outcome: { kind: 'committed', commit: 'r' } },
  ];
}

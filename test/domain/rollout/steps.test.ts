import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { analyse, batch, mirror, pause, shift, type Step } from '../../../src/domain/planning/step.ts';
import { assignedVariants, canaryWeight, fleetShare, judgedShare, mirrorShare } from '../../../src/domain/rollout/shares.ts';
import type { Phase } from '../../../src/domain/rollout/state.ts';
import { aCanary, aPlan, granted, judged, ordered, aService, seen, type Bench } from '../../builders/service.ts';

function aRollout(kind: 'blue-green' | 'rolling' | 'shadow' | 'canary', steps: readonly Step[]): Bench {
  return aService()
    .take(seen('new', 'deploy-1', aPlan({ kind, steps })))
    .take(granted());
}

function phaseOf(bench: Bench): Phase['name'] | undefined {
  return bench.state.active?.phase.name;
}

const blueGreen = [mirror(20, 1000, 5), pause(0), ...shift(0, 4000)];

describe('a mirror step', () => {
  it('copies requests to the canary and gives it no user', () => {
    const bench = aRollout('blue-green', blueGreen);

    assert.equal(canaryWeight(bench.state), 0);
    assert.equal(mirrorShare(bench.state), 20);
    assert.equal(judgedShare(bench.state), 20);
    assert.deepEqual(
      assignedVariants(bench.state).map(({ name, weight }) => [name, weight]),
      [
        ['canary', 0],
        ['stable', 100],
      ],
    );
  });

  it('is rolled back when the judge finds the copies bad', () => {
    const bench = aRollout('blue-green', blueGreen).take(judged('fail', 20));

    assert.equal(phaseOf(bench), 'rolling-back');
    assert.equal(mirrorShare(bench.state), 0);
    assert.equal(bench.state.quarantine[0]?.digest, 'new');
  });

  it('ends for a person when the copies have cost what they may, and not before', () => {
    const bench = aRollout('blue-green', blueGreen).take({ type: 'mirror-exhausted', spentUsd: 4.99 });
    assert.equal(phaseOf(bench), 'progressing');

    bench.take({ type: 'mirror-exhausted', spentUsd: 5 });

    const phase = bench.state.active?.phase;
    assert.equal(phase?.name === 'paused' && phase.reason, 'mirror-budget');
    assert.equal(mirrorShare(bench.state), 0);
  });
});

describe('blue-green', () => {
  it('waits for its cutover when green is validated, then shifts and promotes, and writes down what it promoted', () => {
    const bench = aRollout('blue-green', blueGreen).after(1000).take(judged('pass', 20));
    const phase = bench.state.active?.phase;
    assert.equal(phase?.name === 'paused' && phase.reason, 'planned');
    assert.equal(assignedVariants(bench.state).length, 1);

    const weights = [];
    bench.take(ordered({ type: 'cutover-requested' }));
    for (let second = 0; second < 4; second++) {
      weights.push(canaryWeight(bench.state));
      bench.after(1000).take({ type: 'woken' });
    }
    bench.take({ type: 'applied', generation: bench.state.generation });

    assert.deepEqual(weights, [25, 50, 75, 0]);
    assert.equal(bench.state.stable?.digest, 'new');
    assert.equal(bench.state.last?.phase, 'completed');
    assert.ok(bench.effects.some((effect) => effect.kind === 'write-config' && effect.revision.digest === 'new'));
  });

  it('refuses a cutover while green is still being validated', () => {
    const bench = aRollout('blue-green', blueGreen).take(ordered({ type: 'cutover-requested' }));
    assert.equal(phaseOf(bench), 'progressing');
    assert.equal(mirrorShare(bench.state), 20);
  });

  it('goes on with a resume as with a cutover', () => {
    const bench = aRollout('blue-green', [mirror(20, 1000, null), pause(0)])
      .after(1000)
      .take(judged('pass', 20));
    bench.take(ordered({ type: 'resumed' }));
    assert.equal(phaseOf(bench), 'promoting');
  });

  it('is rolled back in the middle of the shift', () => {
    const bench = aRollout('blue-green', [...shift(0, 4000)]).take(judged('fail', 25));
    assert.equal(phaseOf(bench), 'rolling-back');
    assert.equal(canaryWeight(bench.state), 0);
  });
});

describe('rolling', () => {
  const steps = [batch(25, 1000), batch(50, 1000), batch(100, 1000)];

  it('goes over the gateways in batches, each of which the judge lets pass', () => {
    const bench = aRollout('rolling', steps);
    assert.deepEqual(fleetShare(bench.state), ['g1']);

    bench.after(1000).take({ type: 'woken' });
    assert.deepEqual(fleetShare(bench.state), ['g1']);

    bench.take(judged('pass', 25));
    assert.deepEqual(fleetShare(bench.state), ['g1', 'g2']);
    bench.after(1000).take(judged('pass', 50));
    assert.deepEqual(fleetShare(bench.state), ['g1', 'g2', 'g3', 'g4']);
  });

  it('has one gateway in its first batch at the least, and none after a rollback', () => {
    const bench = aRollout('rolling', [batch(1, 1000), batch(100, 1000)]);
    assert.deepEqual(fleetShare(bench.state), ['g1']);
    assert.equal(fleetShare(bench.take(judged('fail', 1)).state), null);
  });

  it('is held up and goes on as the world does', () => {
    const bench = aRollout('rolling', steps).take({ type: 'held-up', message: '2 gateways are away' });
    assert.equal(phaseOf(bench), 'paused');
    assert.deepEqual(fleetShare(bench.state), ['g1']);
    assert.equal(phaseOf(bench.take({ type: 'released' })), 'progressing');
  });
});

describe('a person at the wheel', () => {
  it('sets a weight, and the step begins anew', () => {
    const bench = aCanary()
      .after(999)
      .take(ordered({ type: 'traffic-set', percentage: 20, pauses: false }));
    assert.equal(canaryWeight(bench.state), 20);

    bench.after(1).take(judged('pass', 20));
    assert.equal(canaryWeight(bench.state), 20);
    bench.after(999).take(judged('pass', 20));
    assert.equal(canaryWeight(bench.state), 50);
  });

  it('goes ahead of the plan, and what lies behind is not done again', () => {
    const bench = aCanary().take(ordered({ type: 'traffic-set', percentage: 60, pauses: false }));
    bench.take(ordered({ type: 'promotion-requested', full: false }));
    assert.equal(canaryWeight(bench.state), 100);
  });

  it('never gives it more than the plan ever would', () => {
    const bench = aCanary(aPlan({ steps: [analyse(5, 1000), analyse(50, 1000)] })).take(
      ordered({ type: 'traffic-set', percentage: 51, pauses: false }),
    );
    assert.equal(canaryWeight(bench.state), 5);
  });

  it('lowers the weight and waits, and a resume keeps what was set', () => {
    const bench = aCanary().take(ordered({ type: 'traffic-set', percentage: 1, pauses: true }));
    assert.equal(phaseOf(bench), 'paused');
    assert.equal(canaryWeight(bench.state), 1);
    assert.equal(canaryWeight(bench.take(ordered({ type: 'resumed' })).state), 1);
  });

  it('extends a step and the deadline with it', () => {
    const bench = aCanary().take(ordered({ type: 'phase-extended', byMs: 5000 }));
    bench.after(1000).take(judged('pass', 5));
    assert.equal(canaryWeight(bench.state), 5);
    bench.after(5000).take({ type: 'woken' });
    assert.equal(canaryWeight(bench.state), 50);
    assert.equal(bench.state.active?.plan.maxTotalMs, 65_000);
  });

  it('takes the rollback on themselves for a while, loudly, and no longer', () => {
    const bench = aCanary().take(ordered({ type: 'auto-rollback-paused', forMs: 10_000 }));
    bench.take(judged('fail', 5)).take(judged('fail', 5));
    assert.equal(phaseOf(bench), 'progressing');
    const told = bench.effects.filter((effect) => effect.kind === 'notify' && effect.severity === 'critical');
    assert.equal(told.length, 2);

    bench.after(10_000).take(judged('fail', 5));
    assert.equal(phaseOf(bench), 'rolling-back');
  });

  it('arms it again, also for what is watched after a promotion', () => {
    const bench = aCanary(aPlan({ steps: [], autoRollback: false })).take({ type: 'applied', generation: 2 });
    assert.equal(bench.state.watch?.plan.autoRollback, false);
    assert.equal(bench.take(ordered({ type: 'auto-rollback-armed' })).state.watch?.plan.autoRollback, true);
  });

  it('promotes to the end at once', () => {
    const bench = aCanary().take(ordered({ type: 'promotion-requested', full: true }));
    assert.equal(phaseOf(bench), 'promoting');
    assert.equal(bench.state.stable?.digest, 'new');
  });

  it('makes the split draw anew, which gateways are told of', () => {
    const bench = aCanary();
    const { generation } = bench.state;
    bench.take(ordered({ type: 'rebalanced' }));
    assert.equal(bench.state.active?.resalted, 1);
    assert.equal(bench.state.generation, generation + 1);
  });
});

describe('gates', () => {
  const gated = (approvals: number): Bench => aService().take(seen('new', 'deploy-1', aPlan({ gates: { ...aPlan().gates, approvals } })));

  it('stay shut until there are approvals enough of different people, for what they have seen', () => {
    const bench = gated(2).take(granted());
    assert.equal(phaseOf(bench), 'pending');

    bench.take(ordered({ type: 'approved', digest: 'new' }, '', 'Bea')).take(ordered({ type: 'approved', digest: 'new' }, '', 'Bea'));
    bench.take(ordered({ type: 'approved', digest: 'another' }, '', 'Cem'));
    assert.equal(bench.state.active?.approvals.length, 1);
    assert.equal(phaseOf(bench.take(granted())), 'pending');

    bench.take(ordered({ type: 'approved', digest: 'new' }, '', 'Cem')).take(granted());
    assert.equal(phaseOf(bench), 'progressing');
  });

  it('forget approvals of what was superseded', () => {
    const bench = gated(1).take(ordered({ type: 'approved', digest: 'new' }, '', 'Bea'));
    bench.take(seen('newer', 'deploy-2', aPlan({ gates: { ...aPlan().gates, approvals: 1 } }))).take(granted());
    assert.equal(bench.state.active?.id, 'deploy-2');
    assert.equal(phaseOf(bench), 'pending');
  });

  it('end what a person turns down, without quarantine and without traffic', () => {
    const bench = gated(1).take(ordered({ type: 'turned-down' }, 'too dear', 'Bea'));
    assert.equal(bench.state.active, null);
    assert.equal(bench.state.last?.phase, 'rejected');
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /turned down by Bea: too dear/);
    assert.deepEqual(bench.state.quarantine, []);
  });

  it('let nothing start while frozen, and never hold back a rollback', () => {
    const bench = gated(0)
      .take(ordered({ type: 'frozen', drains: false }))
      .take(granted());
    assert.equal(phaseOf(bench), 'pending');

    const running = aCanary()
      .take(ordered({ type: 'frozen', drains: false }))
      .take(judged('fail', 5));
    assert.equal(phaseOf(running), 'rolling-back');
  });
});

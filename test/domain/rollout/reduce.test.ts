import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ServiceEvent } from '../../../src/domain/rollout/event.ts';
import { reduce } from '../../../src/domain/rollout/reduce.ts';
import { assignedVariants, canaryWeight } from '../../../src/domain/rollout/shares.ts';
import { newService } from '../../../src/domain/rollout/state.ts';
import { aCanary, aPlan, aService, judged, seen, granted, ordered, rollbackOrder } from '../../builders/service.ts';

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

  it('counts attempts of a content, and forgets what was tried long ago', () => {
    const bench = aService();
    for (let round = 0; round < 300; round++) bench.take(seen(`new-${round % 250}`, `deploy-${round}`));
    const { attempts, active } = bench.state;
    assert.deepEqual([Object.keys(attempts).length, active?.attempt, attempts['new-49']], [200, 1, 1]);
    bench.take(seen('new-48', 'deploy-again'));
    assert.equal(bench.state.active?.attempt, 2);
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

    bench.take(granted());

    assert.deepEqual(
      assignedVariants(bench.state).map(({ weight, revision }) => [weight, revision.digest]),
      [[100, 'new']],
    );
  });

  it('pauses at the deadline with its weight, and resume gives it as long again', () => {
    const bench = aCanary().after(61_000).take({ type: 'woken' });
    assert.equal(bench.state.active?.phase.name === 'paused' && bench.state.active.phase.reason, 'deadline');
    assert.equal(canaryWeight(bench.state), 5);

    bench
      .take(ordered({ type: 'resumed' }, 'go on'))
      .after(30_000)
      .take({ type: 'woken' });

    assert.equal(bench.state.active?.phase.name, 'progressing');
  });

  it('starts the first revision of a new service without a canary', () => {
    const first = { ...newService('fresh') };
    const [pending] = reduce(first, seen('one', 'deploy-1'), 0);
    const [promoting] = reduce(pending, granted(), 0);

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
    bench.take(ordered({ type: 'resumed' }, 'over'));
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
    bench.take(seen('worse', 'deploy-2')).take(granted()).take(judged('fail', 5));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-2', outcome: { kind: 'not-needed' } });
    assert.equal(bench.state.stable?.digest, 'new');
    assert.equal(bench.state.watch?.deploymentId, 'deploy-1');

    bench.take(ordered(rollbackOrder, 'worse in other ways', 'Ada'));

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

    bench.take(ordered(rollbackOrder, 'no', 'Ada'));
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'committed', commit: 'r' } });

    assert.equal(bench.state.last?.phase, 'rolled-back');
    assert.equal(bench.state.active, null);
    assert.ok(bench.state.generation >= generation);
  });

  it('holds a first revision that fails, since there is nothing to go back to', () => {
    let [state] = reduce(newService('fresh'), seen('one', 'deploy-1'), 0);
    [state] = reduce(state, granted(), 0);
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
      .take(granted({ stableIsBreaching: false, stableErrorRate: null }));

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

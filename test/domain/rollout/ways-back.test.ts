import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assignedVariants, canaryWeight } from '../../../src/domain/rollout/shares.ts';
import { aCanary, aPlan, aRecovery, granted, judged, ordered, aService, rollbackOrder, seen, type Bench } from '../../builders/service.ts';

const gradually = { type: 'rollback-requested', gradualMs: 10_000, target: null } as const;

function settled(bench: Bench): Bench {
  const id = bench.state.active?.id ?? '';
  return bench
    .take({ type: 'applied', generation: bench.state.generation })
    .take({ type: 'revert-settled', deploymentId: id, outcome: { kind: 'committed', commit: 'reverted' } });
}

/** Promoted, one after the other. */
function promoted(...digests: readonly string[]): Bench {
  const bench = aService();
  for (const [index, digest] of digests.entries()) {
    bench.take(seen(digest, `deploy-${index + 1}`, aPlan({ kind: 'immediate', steps: [] }))).take(granted());
    bench.take({ type: 'applied', generation: bench.state.generation }).after(1000);
  }
  return bench;
}

describe('a gradual rollback', () => {
  it('takes traffic away in ten parts, and ends on stable', () => {
    const bench = aCanary().after(1000).take(judged('pass', 5)).take(ordered(gradually));
    const weights = [canaryWeight(bench.state)];
    while (canaryWeight(bench.state) > 0) weights.push(canaryWeight(bench.after(1000).take({ type: 'woken' }).state));

    assert.deepEqual(weights.map(Math.round), [45, 40, 35, 30, 25, 20, 15, 10, 5, 0]);
    assert.equal(settled(bench).state.last?.phase, 'rolled-back');
    assert.equal(bench.state.stable?.digest, 'good');
  });

  it('goes at once when the judge finds it bad on its way', () => {
    const bench = aCanary()
      .take(ordered(gradually))
      .take(judged('fail', canaryWeight(aCanary().state)));
    assert.equal(canaryWeight(bench.state), 0);
    assert.deepEqual(
      assignedVariants(bench.state).map(({ revision }) => revision.digest),
      ['good'],
    );
  });

  it('of what was promoted begins with all traffic', () => {
    const bench = promoted('new').take(ordered(gradually));
    assert.deepEqual(
      assignedVariants(bench.state).map(({ revision, weight }) => [revision.digest, weight]),
      [
        ['new', 90],
        ['good', 10],
      ],
    );
    assert.ok(bench.effects.some((effect) => effect.kind === 'commit-revert' && effect.restore.digest === 'good'));
  });

  it('does not end because gateways have acknowledged a part of it', () => {
    const bench = aCanary().take(ordered(gradually));
    settled(bench);
    assert.equal(bench.state.active?.phase.name, 'rolling-back');
  });
});

describe('a rollback to a version', () => {
  const to = (digest: string): typeof rollbackOrder => ({
    type: 'rollback-requested',
    gradualMs: null,
    target: { revision: { commit: `commit-${digest}`, digest }, plan: aPlan() },
  });

  it('puts an older version in force, and what was stable in quarantine', () => {
    const bench = promoted('one', 'two', 'three').take(ordered(to('one')));
    assert.equal(bench.state.stable?.digest, 'one');
    assert.equal(settled(bench).state.last?.phase, 'rolled-back');
    assert.deepEqual(
      bench.state.quarantine.map(({ digest }) => digest),
      ['three'],
    );
  });

  it('takes a canary back as well, and both contents go to quarantine', () => {
    const bench = promoted('one', 'two')
      .take(seen('three', 'deploy-9'))
      .take(granted())
      .take(ordered(to('one')));
    assert.equal(bench.state.stable?.digest, 'one');
    assert.deepEqual(bench.state.quarantine.map(({ digest }) => digest).sort(), ['three', 'two']);
    assert.equal(canaryWeight(bench.state), 0);
  });

  it('is refused for what is in quarantine, until a person lifts that', () => {
    const bench = settled(promoted('one', 'two').take(ordered(rollbackOrder)));
    assert.equal(bench.state.stable?.digest, 'one');
    bench.take(ordered(to('two')));
    assert.equal(bench.state.stable.digest, 'one');

    bench.take(ordered({ type: 'retried', digest: 'two' })).take(ordered(to('two')));
    assert.equal(bench.state.stable.digest, 'two');
  });

  it('works long after the watch has ended', () => {
    const bench = promoted('one', 'two')
      .after(30 * 3_600_000)
      .take({ type: 'woken' });
    assert.equal(bench.state.watch, null);
    assert.equal(bench.take(ordered(rollbackOrder)).state.stable?.digest, 'two');
    assert.equal(bench.take(ordered(to('one'))).state.stable?.digest, 'one');
    assert.equal(bench.state.active?.id, 'deploy-2');
  });
});

describe('recovery', () => {
  const recovering = (change: Parameters<typeof aRecovery>[0] = {}): Bench =>
    settled(aCanary(aPlan({ recovery: aRecovery({ durationMs: 60_000, ...change }) })).take(judged('fail', 5)));

  it('is watched before a rollback counts as done', () => {
    const bench = recovering();
    assert.equal(bench.state.active?.phase.name, 'recovering');
    assert.deepEqual([bench.state.last], [null]);

    bench.take({ type: 'recovery-judged', outcome: 'recovered', reason: 'stable was well' });
    assert.equal(bench.state.last?.phase, 'rolled-back');
    assert.equal(bench.state.last.revertCommit, 'reverted');
  });

  it('that can not be seen is said to be so', () => {
    const bench = recovering().take({ type: 'recovery-judged', outcome: 'unverified', reason: 'no request came' });
    assert.match(bench.state.last?.reason ?? '', /recovery could not be verified: no request came/);
  });

  it('that fails holds the service and calls people, on the channels that are named', () => {
    const bench = recovering({ channels: ['pagerduty'] }).take({ type: 'recovery-judged', outcome: 'failed', reason: 'error rate 40 %' });
    assert.equal(bench.state.last?.phase, 'held');
    assert.match(bench.state.held ?? '', /not recovered: error rate 40 %/);
    const call = bench.effects.find((effect) => effect.kind === 'notify' && effect.key.endsWith('/not-recovered'));
    assert.deepEqual(call?.kind === 'notify' && [call.severity, call.channels], ['critical', ['pagerduty']]);
  });

  it('that fails goes further back once, to what nobody has rolled back, and holds after that', () => {
    const plan = aPlan({ recovery: aRecovery({ durationMs: 60_000, onFailure: 'rollback_further' }) });
    const bench = settled(
      promoted('one', 'two')
        .take(seen('three', 'deploy-9', plan))
        .take(granted())
        .take(judged('fail', 5)),
    );
    bench.take({ type: 'recovery-judged', outcome: 'failed', reason: 'error rate 40 %' });

    assert.equal(bench.state.stable?.digest, 'one');
    assert.equal(bench.state.active?.phase.name, 'recovering');
    assert.ok(
      bench.effects.some((effect) => effect.kind === 'commit-revert' && effect.bad.digest === 'two' && effect.restore.digest === 'one'),
    );
    bench.take({ type: 'recovery-judged', outcome: 'failed', reason: 'error rate 40 %' });
    assert.equal(bench.state.last?.phase, 'held');
    assert.equal(bench.state.stable.digest, 'one');
  });

  it('is cut short by a fix, which starts at once', () => {
    const bench = recovering().take(seen('fix', 'deploy-2'));
    assert.equal(bench.state.last?.phase, 'rolled-back');
    assert.match(bench.state.last.reason, /newer change came/);
    assert.equal(bench.state.active?.id, 'deploy-2');
  });

  it('is not cut short by our own revert commit, nor by the bad content once more', () => {
    const bench = recovering().take(seen('good', 'deploy-2'));
    assert.equal(bench.state.active?.phase.name, 'recovering');
    bench.take(seen('new', 'deploy-3'));
    assert.equal(bench.state.active.phase.name, 'recovering');
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /quarantine/);
  });

  it('is not waited for by what had not started', () => {
    const bench = aService().take(seen('new', 'deploy-1', aPlan({ recovery: aRecovery({ durationMs: 60_000 }) })));
    bench
      .take(ordered(rollbackOrder))
      .take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'committed', commit: 'r' } });
    assert.equal(bench.state.last?.phase, 'rolled-back');
  });
});

describe('what ends while another waits', () => {
  it('stays the last one when the other is refused', () => {
    const bench = aCanary().take(judged('fail', 5)).take(seen('new', 'deploy-2'));
    settled(bench);
    assert.deepEqual([bench.state.last?.id, bench.state.last?.phase], ['deploy-1', 'rolled-back']);
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /quarantine/);
  });
});

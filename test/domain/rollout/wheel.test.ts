/** What a hostile review found: orders that come at an awkward moment. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { analyse, mirror, pause } from '../../../src/domain/planning/step.ts';
import { assignedVariants, canaryWeight } from '../../../src/domain/rollout/shares.ts';
import {
  aCanary,
  aJudgement,
  aPlan,
  aRecovery,
  aService,
  granted,
  judged,
  ordered,
  rollbackOrder,
  seen,
  type Bench,
} from '../../builders/service.ts';

const immediate = aPlan({ kind: 'immediate', steps: [] });
const gated = aPlan({ gates: { ...aPlan().gates, approvals: 1 } });
const to = (digest: string): typeof rollbackOrder => ({
  type: 'rollback-requested',
  gradualMs: null,
  target: { revision: { commit: `commit-${digest}`, digest }, plan: aPlan() },
});

function promoted(...digests: readonly string[]): Bench {
  const bench = aService();
  for (const [index, digest] of digests.entries()) {
    bench.take(seen(digest, `deploy-${index + 1}`, immediate)).take(granted());
    bench.take({ type: 'applied', generation: bench.state.generation }).after(1000);
  }
  return bench;
}

const stableOf = (bench: Bench): string | undefined => bench.state.stable?.digest;

describe('a slot', () => {
  it('is for the deployment whose gates were looked at, not for what has taken its place', () => {
    const bench = aService().take(seen('one', 'deploy-1')).take(seen('two', 'deploy-2'));
    const pending = bench.state;
    assert.equal(bench.take(granted({ deploymentId: 'deploy-1' })).state, pending);
    assert.equal(bench.take(granted({ deploymentId: 'deploy-2' })).state.active?.phase.name, 'progressing');
  });

  it('is not taken without the approval that a held push needs', () => {
    const held = aPlan({ gates: { ...aPlan().gates, directPushes: 'hold' } });
    const origin = { kind: 'push', notes: [] } as const;
    const found = {
      type: 'origin-found',
      deploymentId: 'deploy-1',
      origin,
      authors: [],
      withdrawn: [],
      reviews: [],
      refusal: null,
    } as const;
    const bench = aService()
      .take(seen('one', 'deploy-1', held))
      .take(found);
    assert.equal(bench.take(granted()).state.active?.phase.name, 'pending');
  });
});

describe('a rollback', () => {
  it('takes back what is being promoted, also when a gateway never answers', () => {
    const bench = aService()
      .take(seen('new', 'deploy-1', immediate))
      .take(granted());
    assert.equal(bench.state.active?.phase.name, 'promoting');
    bench.take(ordered(rollbackOrder));
    assert.deepEqual([stableOf(bench), bench.state.active.phase.name], ['good', 'rolling-back']);
  });

  it('of the watch does so too', () => {
    const bench = aCanary(aPlan({ steps: [analyse(50, 1)] }))
      .after(1)
      .take(judged('pass', 50));
    bench.take({ type: 'watch-failed', judgement: aJudgement('fail', 100), arrivedAt: 0 });
    assert.deepEqual([stableOf(bench), bench.state.active?.phase.name], ['good', 'rolling-back']);
  });

  it('means what was promoted, not what waits beside it for an approval; that one waits on', () => {
    const bench = promoted('bad')
      .take(seen('fix', 'deploy-2', gated))
      .take(ordered(rollbackOrder));
    assert.equal(stableOf(bench), 'good');
    assert.equal(bench.state.waiting?.revision.digest, 'fix');
    assert.deepEqual(
      bench.state.quarantine.map(({ digest }) => digest),
      ['bad'],
    );
  });

  it('that goes gradually goes at once when a person says so', () => {
    const bench = aCanary()
      .after(1000)
      .take(judged('pass', 5))
      .take(ordered({ ...rollbackOrder, gradualMs: 14_400_000 } as typeof rollbackOrder));
    assert.equal(canaryWeight(bench.state), 45);
    bench.take(ordered(rollbackOrder, 'now'));
    assert.equal(canaryWeight(bench.state), 0);
    assert.equal(assignedVariants(bench.state).length, 1);
  });

  it('to another version is possible while recovery is watched, and while Git is away', () => {
    const plan = aPlan({ recovery: aRecovery({ durationMs: 60_000 }) });
    const bench = promoted('one', 'two')
      .take(seen('three', 'deploy-9', plan))
      .take(granted())
      .take(judged('fail', 5));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take(ordered(to('one')));
    assert.deepEqual([stableOf(bench), bench.state.last?.id, bench.state.last?.phase], ['one', 'deploy-9', 'rolled-back']);
    assert.equal(bench.state.active?.id, 'deploy-2');
  });

  it('to what is being rolled out is none', () => {
    const bench = aCanary().take(ordered(to('new')));
    assert.deepEqual([stableOf(bench), bench.state.active?.phase.name], ['good', 'progressing']);
  });

  it('that goes on further back never goes forward', () => {
    const plan = aPlan({ recovery: aRecovery({ durationMs: 60_000, onFailure: 'rollback_further' }) });
    const bench = promoted('one', 'two', 'three').take(
      ordered({ ...to('one'), target: { revision: { commit: 'c', digest: 'one' }, plan } } as typeof rollbackOrder),
    );
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-3', outcome: { kind: 'committed', commit: 'r' } });
    bench.take({ type: 'recovery-judged', outcome: 'failed', reason: 'it is bad' });
    assert.equal(stableOf(bench), 'good');
    assert.deepEqual(bench.state.quarantine.map(({ digest }) => digest).sort(), ['one', 'three']);
  });

  it('that went further back says when the branch could not follow, and does not bring back what failed', () => {
    const plan = aPlan({ recovery: aRecovery({ durationMs: 60_000, onFailure: 'rollback_further' }) });
    const bench = promoted('base')
      .take(seen('new', 'deploy-9', plan))
      .take(granted())
      .take(judged('fail', 5));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-9', outcome: { kind: 'committed', commit: 'r' } });
    bench.take({ type: 'recovery-judged', outcome: 'failed', reason: 'it is bad' });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-9', outcome: { kind: 'blocked', message: 'protected' } });
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /protected; a pull request that takes it back/);
    bench.take(seen('base', 'deploy-10', aPlan()));
    assert.equal(stableOf(bench), 'good');
    assert.notEqual(bench.state.active?.phase.name, 'promoting');
  });
});

describe('a step at which a person decides', () => {
  it('is not passed by ending another pause', () => {
    const bench = aService()
      .take(seen('new', 'deploy-1', aPlan({ kind: 'blue-green', steps: [mirror(20, 1000, null), pause(0)] })))
      .take(granted());
    bench
      .after(1000)
      .take(judged('pass', 20))
      .take(judged('incident', 0))
      .take(ordered({ type: 'resumed' }));
    const phase = bench.state.active?.phase;
    assert.equal(phase?.name === 'paused' && phase.reason, 'planned');
    bench.take(ordered({ type: 'cutover-requested' }));
    assert.equal(bench.state.active?.phase.name, 'promoting');
  });

  it('is not passed by a resume where copies have cost what they may', () => {
    const bench = aService()
      .take(seen('new', 'deploy-1', aPlan({ kind: 'shadow', steps: [mirror(20, 1000, 5)] })))
      .take(granted());
    bench.take({ type: 'mirror-exhausted', spentUsd: 5 }).take(ordered({ type: 'resumed' }));
    assert.equal(bench.state.active?.phase.name, 'paused');
  });
});

describe('what was turned down', () => {
  it('is not asked about again for the same commit', () => {
    const bench = aService()
      .take(seen('new', 'deploy-1', gated))
      .take(ordered({ type: 'turned-down' }));
    bench.take({ ...seen('new', 'deploy-2', gated), revision: { commit: 'commit-new-deploy-1', digest: 'new' } } as ReturnType<
      typeof seen
    >);
    assert.equal(bench.state.active, null);
    assert.equal(bench.state.rejection?.problems[0]?.code, 'forbidden');
  });
});

describe('a drain', () => {
  it('can be tightened to a freeze', () => {
    const bench = aService()
      .take(ordered({ type: 'frozen', drains: true }))
      .take(ordered({ type: 'frozen', drains: false }, 'incident'));
    assert.deepEqual([bench.state.freeze?.drains, bench.state.freeze?.reason], [false, 'incident']);
  });
});

describe('a widened step', () => {
  it('stays within the plan', () => {
    const policy = { ...aPlan().policy, lowTraffic: { policy: 'widen', maxWeight: 100 } } as const;
    const bench = aCanary(aPlan({ policy, steps: [analyse(60, 1000), analyse(95, 1000)] })).after(1000);
    bench
      .take(judged('inconclusive', 60, { remedy: 'weight' }))
      .after(1000)
      .take(judged('inconclusive', 95, { remedy: 'weight' }));
    assert.equal(canaryWeight(bench.state), 95);
  });
});

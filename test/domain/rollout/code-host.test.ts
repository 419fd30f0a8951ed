/** What the reducer makes of origins, reviews, and reverts that the branch refuses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settleFurther } from '../../../src/domain/rollout/recovering.ts';
import type { Approval, Deployment, PullRequestRef, Unreverted } from '../../../src/domain/rollout/state.ts';
import type { ServiceEvent } from '../../../src/domain/rollout/event.ts';
import { aCanary, aPlan, aRecovery, aService, granted, judged, ordered, rollbackOrder, seen, type Bench } from '../../builders/service.ts';

const needs = (approvals: number): ReturnType<typeof aPlan> => aPlan({ gates: { ...aPlan().gates, approvals } });
const review = (approver: string): Approval => ({ approver, comment: null, at: 0, review: true });
const pull: PullRequestRef = { number: 7, url: 'https://example.com/7' };

const approvers = ({ state }: Bench): readonly string[] => (state.active?.approvals ?? []).map(({ approver }) => approver);

function origin(change: Partial<Extract<ServiceEvent, { type: 'origin-found' }>> = {}): ServiceEvent {
  return {
    type: 'origin-found',
    deploymentId: 'd1',
    origin: { kind: 'pull-request', ...pull, notes: [] },
    authors: [],
    withdrawn: [],
    reviews: [],
    refusal: null,
    ...change,
  };
}

describe('an origin', () => {
  it('brings reviews, which take the place of those before them, and leaves what was given to us', () => {
    const bench = aService().take(seen('new', 'd1', needs(3)));
    bench.take(ordered({ type: 'approved', digest: 'new' }, '', 'Zoe')).take(origin({ reviews: [review('Bob'), review('Cleo')] }));
    assert.deepEqual(approvers(bench), ['Zoe', 'Bob', 'Cleo']);
    bench.take(origin({ reviews: [review('Cleo')], authors: ['@zoe'], withdrawn: ['Zoe'] }));
    assert.deepEqual(approvers(bench), ['Cleo']);
    assert.equal(bench.state.active?.author, 'Ada; @zoe');
  });

  it('that is refused ends it, and the same commit is not asked about again', () => {
    const bench = aService()
      .take(seen('new', 'd1'))
      .take(origin({ refusal: 'pushed' }));
    assert.deepEqual(
      [bench.state.active, bench.state.last?.phase, bench.state.rejection?.problems[0]?.code],
      [null, 'rejected', 'forbidden'],
    );
    const before = bench.state;
    bench.take({
      ...(seen('new', 'd2') as Extract<ServiceEvent, { type: 'revision-seen' }>),
      revision: { commit: 'commit-new-d1', digest: 'new' },
    });
    assert.equal(bench.state.active, before.active);
  });

  it('of another deployment, or of one that has begun, says nothing', () => {
    const bench = aService().take(seen('new', 'd1'));
    const pending = bench.state;
    assert.equal(bench.take(origin({ deploymentId: 'd0' })).state, pending);
    const begun = bench.take(granted()).state;
    assert.equal(bench.take(origin({ refusal: 'pushed' })).state, begun);
  });
});

describe('the trail', () => {
  const trail = ({ state }: Bench): readonly string[] => state.trail.entries.map(({ commit }) => commit);

  it('grows with what was never tried, also with what could not be read, and names everybody', () => {
    const bench = aService().take(seen('one', 'd1'));
    bench.take({ type: 'revision-rejected', commit: 'broken', deploymentId: 'd2', problems: [], author: 'Eve', passedOver: ['between'] });
    bench.take({ ...(seen('two', 'd3') as Extract<ServiceEvent, { type: 'revision-seen' }>), author: 'Bob' });
    assert.deepEqual(trail(bench), ['commit-one-d1', 'between', 'broken', 'commit-two-d3']);
    assert.equal(bench.state.active?.author, 'Ada; Eve; Bob');
  });

  it('keeps what came after what begins', () => {
    const bench = aService().take(seen('one', 'd1'));
    bench.take({ type: 'revision-rejected', commit: 'later', deploymentId: 'd2', problems: [], author: 'Mallory' });
    bench.take(granted());
    assert.deepEqual(trail(bench), ['later']);
    bench.take(seen('two', 'd3'));
    assert.equal(bench.state.active?.author, 'Mallory; Ada');
  });

  it('does not grow by a second look, and says so when it was cut', () => {
    const bench = aService().take(seen('one', 'd1'));
    bench.take({ type: 'revision-rejected', commit: 'tip', deploymentId: 'd2', problems: [], isOld: true });
    assert.deepEqual(trail(bench), ['commit-one-d1']);
    const many = Array.from({ length: 250 }, (_, index) => `c${index}`);
    bench.take({ type: 'revision-rejected', commit: 'last', deploymentId: 'd3', problems: [], passedOver: many });
    assert.deepEqual([trail(bench).length, bench.state.trail.isCut], [200, true]);
  });

  it('ends with the folder, and so does what waits', () => {
    const bench = aService().take(seen('one', 'd1')).take({ type: 'service-removed', commit: 'gone' });
    assert.deepEqual([trail(bench), bench.state.active, bench.state.last?.phase], [[], null, 'superseded']);
  });

  it('ends when something of it begins, and when the branch holds stable again', () => {
    const bench = aService().take(seen('one', 'd1')).take(granted());
    assert.deepEqual(trail(bench), []);
    bench.take(seen('two', 'd2'));
    assert.deepEqual(trail(bench), ['commit-two-d2']);
    bench.take(seen('good', 'd3'));
    assert.deepEqual(trail(bench), []);
  });
});

describe('a revert that the branch refuses', () => {
  const blocked = { kind: 'blocked', message: 'protected' } as const;
  const settled = (deploymentId = 'deploy-1'): ServiceEvent => ({ type: 'revert-settled', deploymentId, outcome: blocked });

  const standing = ({ state }: Bench): Unreverted | null => state.unreverted;

  function refused(plan = aPlan()): Bench {
    const bench = aCanary(plan).take(judged('fail', 5));
    return bench.take(settled()).take({ type: 'applied', generation: bench.state.generation });
  }

  it('stands until the branch holds something else, and its pull request is named', () => {
    const bench = refused();
    assert.equal(standing(bench)?.bad.digest, 'new');
    bench.take({ type: 'revert-proposed', deploymentId: 'deploy-1', pullRequest: pull });
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /merge pull request #7/);
    bench.take(seen('good', 'd3'));
    assert.deepEqual([bench.state.unreverted, bench.state.last?.revertCommit], [null, 'commit-good-d3']);
  });

  it('stands while the file is broken for a moment', () => {
    const bench = refused();
    bench.take({ type: 'revision-rejected', commit: 'broken', deploymentId: 'd2', problems: [{ code: 'schema', message: 'x' }] });
    assert.equal(standing(bench)?.bad.digest, 'new');
  });

  it('is settled without a revert commit by a newer change', () => {
    const bench = refused().take(seen('fix', 'd2'));
    assert.deepEqual([bench.state.unreverted, bench.state.active?.revision.digest], [null, 'fix']);
  });

  it('becomes its commit also while recovery is watched', () => {
    const bench = refused(aPlan({ recovery: aRecovery({ durationMs: 1000 }) }));
    assert.equal(bench.state.active?.phase.name, 'recovering');
    bench.take(seen('good', 'd2')).take({ type: 'recovery-judged', outcome: 'recovered', reason: 'well' });
    assert.equal(bench.state.last?.revertCommit, 'commit-good-d2');
  });

  it('is proposed anew when it goes further back', () => {
    const plan = aPlan({ recovery: aRecovery({ durationMs: 1000, onFailure: 'rollback_further' }) });
    const bench = aCanary(plan).take(ordered({ type: 'promotion-requested', full: true }));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench
      .take(seen('worse', 'deploy-2', plan))
      .take(granted())
      .take(judged('fail', 5))
      .take(settled('deploy-2'));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-proposed', deploymentId: 'deploy-2', pullRequest: pull });
    assert.equal(standing(bench)?.restore.digest, 'new');
    bench.take({ type: 'recovery-judged', outcome: 'failed', reason: 'still ill' });
    assert.deepEqual([standing(bench)?.bad.digest, standing(bench)?.restore.digest, standing(bench)?.pullRequest], ['worse', 'good', null]);
    bench.take(settled('deploy-2'));
    assert.deepEqual([standing(bench)?.bad.digest, standing(bench)?.restore.digest], ['worse', 'good']);
  });

  it('is not named by a pull request that is about something else by now', () => {
    const bench = refused();
    const stale = {
      type: 'revert-proposed',
      deploymentId: 'deploy-1',
      pullRequest: pull,
      change: { bad: 'new', restore: 'older' },
    } as const;
    assert.equal(standing(bench.take(stale))?.pullRequest, null);
    assert.equal(standing(bench.take({ ...stale, change: { bad: 'new', restore: 'good' } }))?.pullRequest?.number, 7);
  });

  it('is about what its old pull request has brought, where that was rolled back meanwhile', () => {
    const bench = refused();
    const entry = { digest: 'older', deploymentId: 'deploy-0', reason: 'bad as well', at: 0 };
    bench.state = { ...bench.state, quarantine: [entry, ...bench.state.quarantine] };
    bench.take({ type: 'revert-proposed', deploymentId: 'deploy-1', pullRequest: pull }).take(seen('older', 'd2'));
    assert.deepEqual([standing(bench)?.bad.digest, standing(bench)?.restore.digest, standing(bench)?.pullRequest], ['older', 'good', null]);
  });

  it('stays what it is when the branch also refuses the revert of something that it does not hold', () => {
    const { state } = refused();
    const revision = { commit: 'c', digest: 'promoted' };
    const recovering = {
      name: 'recovering',
      reason: 'x',
      detectedBy: 'operator',
      revert: { kind: 'pending' },
      since: 0,
      round: 2,
    } as const;
    const base = { commit: 'b', digest: 'before' };
    const active = { ...aCanary().state.active, id: 'deploy-7', revision, base, phase: recovering } as Deployment;
    const [next] = settleFurther({ ...state, active }, { type: 'revert-settled', deploymentId: 'deploy-7', outcome: blocked }, 1);
    assert.deepEqual(next.unreverted, state.unreverted);
  });

  it('is forgotten with an order to go elsewhere that the branch follows', () => {
    const bench = refused().take(seen('good', 'd2'));
    bench.take(ordered(rollbackOrder));
    assert.equal(bench.state.unreverted, null);
  });
});

/** Which settings a change comes under: those accepted before its commit, however many commits one look finds. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { aHistory, base, bootControlPlane, service, type ControlPlaneWorld } from '../support/control-plane-world.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { until } from '../support/fake-control-plane.ts';
import { aPullRequestWorld, file, settings, text, type PullRequestWorld } from '../support/pull-request-world.ts';

const strict = `${base['actuator.yaml']}versioning: { require_approver: true, approval_roles: [sre], direct_pushes: allow }\n`;
const loose = base['actuator.yaml'];

describe('a change', () => {
  let bench: ControlPlaneWorld;
  let files: Record<string, string>;

  const commit = (changed: Readonly<Record<string, string>>): void => {
    files = { ...files, ...changed };
    bench.history.push(files);
  };
  const chat = 'services/chat/config.yaml';
  const needed = (name = 'chat'): number | undefined => bench.state(name).active?.plan.gates.approvals;
  const look = (): Promise<void> => bench.controlPlane.reconciler.reconcile();

  async function start(actuatorYaml: string): Promise<void> {
    const history = aHistory();
    files = { ...base, 'actuator.yaml': actuatorYaml, [chat]: service('m'), 'services/other/config.yaml': service('m') };
    history.push(files);
    bench = await bootControlPlane(await openSqliteStore(':memory:'), history, fakeClock());
    await until('adopted', () => bench.controlPlane.engine.state('chat')?.stable);
  }

  afterEach(async () => {
    await bench.controlPlane.stop();
    await bench.store.close();
  });

  it('comes under settings that came before it in the same look', async () => {
    await start(loose);
    commit({ 'actuator.yaml': strict });
    commit({ [chat]: service('n') });
    await look();
    assert.equal(needed(), 1);
  });

  it('does not come under those that came with it or after it', async () => {
    await start(strict);
    commit({ 'actuator.yaml': loose, [chat]: service('n') });
    await look();
    assert.equal(needed(), 1);
    commit({ 'services/other/config.yaml': service('n') });
    commit({ 'actuator.yaml': strict });
    await look();
    assert.equal(needed('other'), 0);
  });

  it('comes under what stood between two other changes of settings', async () => {
    await start(loose);
    commit({ 'actuator.yaml': strict });
    commit({ [chat]: service('n') });
    commit({ 'actuator.yaml': loose });
    commit({ 'services/other/config.yaml': service('n') });
    await look();
    assert.deepEqual([needed('chat'), needed('other')], [1, 0]);
    assert.equal(bench.controlPlane.reconciler.accepted()?.repository.versioning, undefined);
  });

  it('comes under the last valid ones where those in between are not', async () => {
    await start(strict);
    commit({ 'actuator.yaml': 'versioning: { require_approver: perhaps }\n' });
    commit({ [chat]: service('n') });
    commit({ 'actuator.yaml': loose });
    await look();
    assert.equal(needed(), 1);
    assert.deepEqual(bench.controlPlane.problems().settings, []);
  });

  it('comes under overrides of its own that came before it', async () => {
    await start(loose);
    commit({ 'services/chat/rollout.yaml': 'versioning: { require_approver: true }\n' });
    commit({ [chat]: service('n'), 'services/other/config.yaml': service('n') });
    await look();
    assert.deepEqual([needed('chat'), needed('other')], [1, 0]);
  });
});

describe('with a code host', () => {
  let w: PullRequestWorld;

  afterEach(() => w.close());

  /** A pull request of settings, and one of the service, both merged while the host does not say where the first comes from. */
  async function bothMerged(): Promise<void> {
    w = await aPullRequestWorld(settings());
    const first = await w.open('settings', {
      'actuator.yaml': settings('versioning: { require_approver: true, approval_roles: [sre] }\n'),
    });
    await w.merge(first.number);
    const { number } = await w.open('topic', { [file]: text(0.5) });
    w.github.fail({ of: '/commits/', status: 503 });
    const commit = await w.merge(number);
    await w.eventually('seen', () => w.chat().seen?.commit === commit);
    assert.deepEqual([w.chat().active, w.chat().last, w.chat().rejection?.problems[0]?.code], [null, null, 'unavailable']);
    assert.match(w.chat().rejection?.problems[0]?.message ?? '', /Settings that came to the branch before this/);
  }

  it('a change waits while it is not known whether the settings before it are admitted', async () => {
    await bothMerged();
    const commit = w.chat().seen?.commit ?? '';
    w.github.fail(null);
    await w.eventually('seen again', () => w.chat().active);
    assert.deepEqual([w.chat().active?.plan.gates.approvals, w.chat().active?.revision.commit], [1, commit]);
    await w.eventually('said', () => w.statuses(commit)['actuator/chat'] === 'pending');
    assert.deepEqual([...new Set(w.statusLog(commit).map(({ state }) => state))], ['pending']);
  });

  it('what is served by now is not waited for', async () => {
    await bothMerged();
    w.world.remote.git('pull', '-q', '--ff-only', 'origin', 'main');
    const commit = w.world.remote.commit({ [file]: text(0.1) }, 'taken back');
    await w.eventually('taken back', () => w.chat().seen?.commit === commit);
    assert.equal(w.chat().rejection, null);
  });

  it('settings that wait are looked at again after a restart', async () => {
    await bothMerged();
    const head = w.bench.controlPlane.reconciler.head();
    w.github.fail(null);
    const again = await w.restart();
    await until('admitted', () => again.controlPlane.reconciler.accepted()?.repository.versioning?.require_approver);
    assert.equal(again.controlPlane.reconciler.head(), head);
    await until('on its way', () => again.state('chat').active?.plan.gates.approvals === 1);
  });
});

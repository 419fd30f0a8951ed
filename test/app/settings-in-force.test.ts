/** Which settings a change comes under: those accepted before its commit, however many commits one look finds. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { aHistory, base, bootControlPlane, service, type ControlPlaneWorld } from '../support/control-plane-world.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { until } from '../support/fake-control-plane.ts';
import { aHostedWorld, type HostedWorld } from '../support/hosted-history.ts';
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

  it('comes under newer ones where it was refused by the older', async () => {
    await start(`${loose}versioning: { require_change_reason: true }\n`);
    commit({ [chat]: service('n') });
    commit({ 'actuator.yaml': strict });
    commit({ [chat]: `# with a reason\n${service('n')}` });
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

describe('while settings wait', () => {
  const people = 'people: [{ name: Ada, emails: [ada@example.com], logins: [ada], roles: [sre] }]\n';
  const demanding = `${loose}${people}versioning: { require_approver: true, approval_roles: [sre] }\n`;
  const chat = 'services/chat/config.yaml';
  const first = { ...base, 'actuator.yaml': demanding, [chat]: service('m'), 'services/other/config.yaml': service('m') };
  const overrides = { 'services/chat/rollout.yaml': 'versioning: {}\n' };
  let w: HostedWorld;

  afterEach(() => w.close());

  const code = (): string | undefined => w.bench.state('chat').rejection?.problems[0]?.code;
  const lastStatus = (commit: string): string | undefined => w.statuses.findLast((status) => status.commit === commit)?.state;

  it('a change that loosens them waits, and gains nothing by it', async () => {
    w = await aHostedWorld(first);
    w.push({ ...first, ...overrides }, 'push');
    w.push({ ...first, ...overrides, [chat]: service('n'), 'actuator.yaml': `${loose}${people}` });
    await w.look();
    assert.equal(code(), 'unavailable');
    w.clock.advance(31 * 60_000);
    await w.look();
    assert.equal(w.bench.state('chat').active?.plan.gates.approvals, 1);
  });

  it('a change waits also when a push has taken them back: they may be admitted, and the push may not', async () => {
    w = await aHostedWorld({ ...first, 'actuator.yaml': `${loose}${people}` });
    const tightened = { ...first, 'actuator.yaml': demanding };
    w.push(tightened, 'away');
    w.push({ ...first, 'actuator.yaml': `${loose}${people}` }, 'push');
    w.push({ ...first, 'actuator.yaml': `${loose}${people}`, [chat]: service('n') });
    await w.look();
    assert.equal(code(), 'unavailable');
    w.back();
    for (let round = 0; round < 2; round++) {
      await w.look();
      w.clock.advance(31 * 60_000);
    }
    await w.look();
    assert.equal(w.bench.state('chat').active?.plan.gates.approvals, 1);
  });

  it('what was refused stays out, also when the look that saw it taken back has failed', async () => {
    w = await aHostedWorld(first);
    const open = { ...first, 'actuator.yaml': `${loose}versioning: { direct_pushes: allow }\n` };
    w.push(open, 'push');
    await w.look();
    w.clock.advance(31 * 60_000);
    await w.look();
    const { [chat]: _chat, 'services/other/config.yaml': _other, ...gone } = { ...first };
    w.push(gone, 'push');
    await assert.rejects(w.look(), /services are gone/);
    w.push(open, 'push');
    await w.look();
    w.clock.advance(31 * 60_000);
    await w.look();
    assert.equal(w.bench.controlPlane.reconciler.accepted()?.repository.versioning?.require_approver, true);
  });

  it('what was admitted since then stays in force, also when the host is away again, and after a restart', async () => {
    w = await aHostedWorld(first);
    const waiting = { ...first, ...overrides };
    w.push(waiting, 'push');
    w.push({ ...waiting, 'actuator.yaml': `${demanding}freeze: { reason: release }\n` });
    const frozen = (): string | undefined => w.bench.controlPlane.reconciler.accepted()?.repository.freeze?.reason;
    await w.look();
    assert.equal(frozen(), 'release');
    w.away();
    await w.look();
    assert.equal(frozen(), 'release');
    await w.restart();
    await w.look();
    assert.equal(frozen(), 'release');
  });

  it('what is built on a refused push is refused, also while the host is away, and nothing waits for it', async () => {
    w = await aHostedWorld(first);
    const pushed = { ...first, 'actuator.yaml': `${loose}${people}` };
    w.push(pushed, 'push');
    await w.look();
    w.clock.advance(31 * 60_000);
    await w.look();
    w.away();
    const more = { ...pushed, 'actuator.yaml': `${loose}${people}# more\n` };
    w.push(more, 'away');
    w.push({ ...more, [chat]: service('n') });
    await w.look();
    assert.equal(w.bench.controlPlane.problems().settings[0]?.code, 'forbidden');
    assert.equal(w.bench.state('chat').active?.plan.gates.approvals, 1);
  });

  it('what a person has turned down stays so', async () => {
    w = await aHostedWorld(first);
    const changed = { ...first, [chat]: service('n') };
    w.push(changed);
    await w.look();
    const order = { type: 'turned-down', deploymentId: null, reason: 'no', actor: 'bob' } as const;
    await w.bench.controlPlane.engine.dispatch('chat', order, 'bob');
    const models = { ...changed, 'models.yaml': `${base['models.yaml']}# more\n` };
    w.push(models, 'away');
    w.push({ ...models, ...overrides }, 'away');
    await w.look();
    assert.equal(code(), 'forbidden');
    w.back();
    await w.look();
    assert.deepEqual([code(), w.bench.state('chat').active], ['forbidden', null]);
  });

  it('a change that is replaced or removed meanwhile gets its end, and looks get done', async () => {
    w = await aHostedWorld(first);
    w.push({ ...first, 'actuator.yaml': loose }, 'away');
    const one = w.push({ ...first, 'actuator.yaml': loose, [chat]: service('n') });
    await w.look();
    await until('waits', () => lastStatus(one) === 'pending');
    const other = w.push({ ...first, 'actuator.yaml': loose, [chat]: 'llm: { model: n, parameters: { max_tokens: 9 } }\n' });
    await w.look();
    await until('superseded', () => lastStatus(one) === 'error' && lastStatus(other) === 'pending');
    const { [chat]: _gone, ...rest } = { ...first, 'actuator.yaml': loose };
    w.push(rest);
    await w.look();
    await until('superseded by its removal', () => lastStatus(other) === 'error');
    assert.equal(w.bench.state('chat').rejection, null);
  });

  it('a change that can only be served with them is not called rejected', async () => {
    w = await aHostedWorld(first);
    const models = { ...first, 'models.yaml': base['models.yaml'].replace('n: { provider: p }', 'n: { provider: p }, o: { provider: p }') };
    w.push(models, 'away');
    const commit = w.push({ ...models, [chat]: service('o') });
    await w.look();
    assert.deepEqual([code(), w.bench.state('chat').last], ['unavailable', null]);
    w.back();
    await w.look();
    assert.equal(w.bench.state('chat').active?.revision.commit, commit);
  });

  it('models that have waited are rolled out as what they are: another commit', async () => {
    w = await aHostedWorld(first);
    const models = { ...first, 'models.yaml': base['models.yaml'].replace('p.example', 'q.example') };
    const commit = w.push(models, 'away');
    await w.look();
    assert.equal(w.bench.state('chat').active, null);
    w.push({ ...models, 'actuator.yaml': loose });
    await w.look();
    w.back();
    await w.look();
    const { active, trail } = w.bench.state('chat');
    assert.deepEqual([active?.revision.commit, active?.plan.gates.approvals], [commit, 1]);
    assert.deepEqual(
      trail.entries.map((entry) => entry.commit),
      [commit],
    );
  });

  it('what is taken back after a look that failed half-way is not rolled out', async () => {
    w = await aHostedWorld(first);
    w.push({ ...first, [chat]: service('n'), 'services/other/config.yaml': service('n') });
    w.fail(1);
    await assert.rejects(w.look());
    w.fail(null);
    w.push(first);
    await w.look();
    assert.deepEqual([w.bench.state('chat').active, w.bench.state('other').active], [null, null]);
  });

  it('the same of another service alone holds nothing up', async () => {
    w = await aHostedWorld(first);
    w.push({ ...first, 'services/other/rollout.yaml': 'versioning: {}\n' }, 'away');
    w.push({
      ...first,
      'services/other/rollout.yaml': 'versioning: {}\n',
      [chat]: service('n'),
      'services/other/config.yaml': service('n'),
    });
    await w.look();
    assert.deepEqual([w.bench.state('chat').active?.plan.gates.approvals, w.bench.state('other').active], [1, null]);
  });
});

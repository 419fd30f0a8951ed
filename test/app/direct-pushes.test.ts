/** Direct pushes where pull requests are wanted, and everything that is built on them. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { base } from '../support/control-plane-world.ts';
import { aPullRequestWorld, file, needsApproval, settings, text, type PullRequestWorld } from '../support/pull-request-world.ts';

let w: PullRequestWorld;

afterEach(() => w.close());

describe('a direct push', () => {
  it('is refused, and the same by a pull request is not', async () => {
    w = await aPullRequestWorld(settings());
    const commit = w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    await w.eventually('seen', w.isPending);
    assert.match(w.waitsFor(), /which pull request brought it is not known yet/);
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => w.chat().last?.phase === 'rejected');
    assert.match(w.chat().rejection?.problems[0]?.message ?? '', /without a pull request.*direct_pushes/);
    await w.eventually('reported', () => w.statuses(commit)['actuator/chat'] === 'failure');

    // What is built on it brings it along.
    const hidden = await w.open('hidden', { [file]: `# said better\n${text(0.5)}` });
    await w.merge(hidden.number);
    await w.eventually('seen', w.isPending);
    w.bench.clock.advance(301_000);
    await w.eventually('refused as well', () => /this is built on it: take it back/.test(w.chat().rejection?.problems[0]?.message ?? ''));

    w.world.remote.git('pull', '-q', '--ff-only', 'origin', 'main');
    w.world.remote.commit({ [file]: text(0.1) }, 'taken back');
    await w.eventually('taken back', () => w.chat().rejection === null);
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.merge(number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('is not hidden by a pull request that is merged before anybody looks', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    const { number } = await w.open('hidden', { [file]: `# said better\n${text(0.5)}` }, 'cleo');
    await w.review(number, 'bob');
    await w.merge(number);
    await w.eventually('seen', w.isPending);
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => /this is built on it/.test(w.chat().last?.reason ?? ''));
  });

  it('is not hidden by a change of models.yaml', async () => {
    w = await aPullRequestWorld(settings());
    w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    const { number } = await w.open('models', { 'models.yaml': `# prices\n${base['models.yaml']}` });
    await w.merge(number);
    await w.eventually('seen', w.isPending);
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => /this is built on it/.test(w.chat().last?.reason ?? ''));
  });

  it('makes its author one of those who had a hand in what is built on it', async () => {
    w = await aPullRequestWorld(settings(needsApproval, 'code_host: {}\n').replace('versioning: {', 'versioning: { direct_pushes: allow,'));
    const { git, write } = w.world.remote;
    write({ [file]: text(0.5) });
    git('commit', '-q', '-a', '-m', 'pushed', '--author=Bob <bob@corp.example>');
    git('push', '-q', 'origin', 'HEAD:main');
    await w.eventually('seen', w.isPending);
    const { number } = await w.open('more', { [file]: text(0.6) });
    await w.review(number, 'bob');
    const commit = await w.merge(number);
    await w.eventually('seen', () => w.chat().active?.revision.commit === commit);
    w.bench.clock.advance(61_000);
    await w.assertHeld(/was pushed, so only approvals of the deployment itself count/);
    assert.match(w.chat().active?.author ?? '', /bob@corp\.example/);
  });

  it('is held for an approval where settings say so', async () => {
    w = await aPullRequestWorld(settings('versioning: { direct_pushes: hold }\n'));
    w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    await w.eventually('seen', w.isPending);
    w.bench.clock.advance(301_000);
    await w.eventually('held', () => /1 approval/.test(w.waitsFor()));
    const digest = w.chat().active?.revision.digest ?? '';
    await w.bench.controlPlane.engine.dispatch('chat', { type: 'approved', digest, deploymentId: null, reason: '', actor: 'Zoe' }, 'Zoe');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('is a change like any other where settings allow it', async () => {
    w = await aPullRequestWorld(settings('versioning: { direct_pushes: allow }\n'));
    w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('of settings is refused as well: the first push would allow the second', async () => {
    w = await aPullRequestWorld(settings());
    const loose = settings('versioning: { direct_pushes: allow }\n');
    w.world.remote.commit({ 'actuator.yaml': loose });
    const said = (): string => w.bench.controlPlane.problems().settings[0]?.message ?? '';
    await w.eventually('not known yet', () => /not known yet to come from a pull request/.test(said()));
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => /came to main without a pull request/.test(said()));
    assert.equal(w.bench.controlPlane.reconciler.accepted()?.repository.versioning, undefined);

    // A pull request on top of it shows what that changes, and no more.
    const hidden = await w.open('hidden', { 'actuator.yaml': `# hidden\n${loose}` });
    await w.merge(hidden.number);
    await w.eventually('looked at', () => w.bench.controlPlane.reconciler.head() === hidden.mergeCommit);
    assert.match(said(), /came to main without a pull request/);

    w.world.remote.git('pull', '-q', '--ff-only', 'origin', 'main');
    w.world.remote.commit({ 'actuator.yaml': settings() }, 'taken back');
    await w.eventually('taken back', () => w.bench.controlPlane.problems().settings.length === 0);
    const { number } = await w.open('settings', { 'actuator.yaml': loose });
    await w.merge(number);
    await w.eventually('accepted', () => w.bench.controlPlane.reconciler.accepted()?.repository.versioning?.direct_pushes === 'allow');
    assert.deepEqual(w.bench.controlPlane.problems().settings, []);
  });

  it('of a policy is refused whatever its name is', async () => {
    w = await aPullRequestWorld(settings('policy: config\n'), { 'policies/config.yaml': needsApproval });
    w.world.remote.commit({ 'policies/config.yaml': 'versioning: { require_approver: false }\n' }, 'pushed');
    await w.eventually('waits', () => w.bench.controlPlane.problems().settings[0]?.file === 'policies/config.yaml');
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => /without a pull request/.test(w.bench.controlPlane.problems().settings[0]?.message ?? ''));
    assert.equal(w.bench.controlPlane.reconciler.accepted()?.policies['config']?.versioning?.require_approver, true);
  });

  it('of settings stays out although they were invalid first, and became valid without being touched', async () => {
    w = await aPullRequestWorld(settings());
    w.world.remote.commit({ 'actuator.yaml': settings('versioning: { direct_pushes: allow }\n'), 'policies/x.yaml': 'nonsense: 1\n' });
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => w.bench.controlPlane.problems().settings.length > 0);
    w.world.remote.commit({ 'policies/x.yaml': null });
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => /came to main without/.test(w.bench.controlPlane.problems().settings[0]?.message ?? ''));
    assert.equal(w.bench.controlPlane.reconciler.accepted()?.repository.versioning, undefined);
  });

  it('of something else does not count as a part of what waits', async () => {
    w = await aPullRequestWorld(settings());
    const broken = await w.open('broken', { [file]: 'llm: {' });
    await w.merge(broken.number);
    await w.eventually('refused', () => w.chat().rejection !== null);
    w.world.remote.git('pull', '-q', '--ff-only', 'origin', 'main');
    const readme = w.world.remote.commit({ 'README.md': 'x\n' });
    await w.eventually('looked at', () => w.bench.controlPlane.reconciler.head() === readme);
    const { number } = await w.open('mended', { [file]: text(0.5) });
    await w.merge(number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('after it does not end what waits, and is looked at for itself', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    const merged = await w.merge(number);
    await w.eventually('known', () => w.chat().active?.origin);
    w.world.remote.git('pull', '-q', '--ff-only', 'origin', 'main');
    const later = w.world.remote.commit({ [file]: `# the same\n${text(0.5)}` });
    await w.eventually('looked at', () => w.bench.controlPlane.reconciler.head() === later);
    w.bench.clock.advance(301_000);
    await w.review(number, 'bob');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    assert.equal(w.chat().active?.revision.commit, merged);
  });

  it('that is held is not let through by a review of what came on top of it', async () => {
    w = await aPullRequestWorld(settings(needsApproval.replace('versioning: {', 'versioning: { direct_pushes: hold,')));
    w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    const { number } = await w.open('more', { [file]: `${text(0.5)}metadata: { description: more }\n` }, 'cleo');
    await w.review(number, 'bob');
    await w.merge(number);
    await w.eventually('seen', w.isPending);
    w.bench.clock.advance(301_000);
    await w.assertHeld(/1 approval.*which this is built on, was pushed, so only approvals of the deployment itself count/);
  });

  it('that is held keeps who made what it is built on from approving it', async () => {
    w = await aPullRequestWorld(settings(needsApproval.replace('versioning: {', 'versioning: { direct_pushes: hold,')));
    const { number } = await w.open('first', { [file]: text(0.5) }, 'cleo');
    await w.merge(number);
    await w.eventually('waits', w.isPending);
    w.world.remote.git('pull', '-q', '--ff-only', 'origin', 'main');
    const commit = w.world.remote.commit({ [file]: text(0.6) }, 'pushed');
    await w.eventually('seen', () => w.chat().active?.revision.commit === commit);
    w.bench.clock.advance(301_000);
    await w.eventually('held', () => w.chat().active?.origin?.kind === 'push');
    assert.match(w.chat().active?.author ?? '', /@cleo/);
  });

  it('of a new service is forgotten with its folder', async () => {
    w = await aPullRequestWorld(settings());
    const other = 'services/zed/config.yaml';
    w.world.remote.commit({ [other]: text(0.5) }, 'pushed');
    await w.eventually('seen', () => w.bench.controlPlane.engine.state('zed')?.active);
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => w.bench.state('zed').rejection);
    w.world.remote.commit({ [other]: null }, 'taken back');
    await w.eventually('gone', () => w.bench.state('zed').orphaned);
    const { number } = await w.open('zed', { [other]: text(0.5) });
    await w.merge(number);
    await w.eventually('in force', () => w.bench.state('zed').stable);
  });

  it('of settings waits while GitHub is away, and comes into force afterwards', async () => {
    w = await aPullRequestWorld(settings());
    const { number } = await w.open('settings', { 'actuator.yaml': settings('versioning: { direct_pushes: allow }\n') });
    w.github.fail({ of: '/commits/', status: 503 });
    await w.merge(number);
    await w.eventually('waits', () => /can't be traced/.test(w.bench.controlPlane.problems().settings[0]?.message ?? ''));
    w.github.fail(null);
    await w.eventually('accepted', () => w.bench.controlPlane.reconciler.accepted()?.repository.versioning?.direct_pushes === 'allow');
  });

  it('that takes back what was promoted is always taken', async () => {
    w = await aPullRequestWorld(settings());
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.merge(number);
    await w.promote();
    w.world.remote.git('pull', '-q', '--ff-only', 'origin', 'main');
    w.world.remote.commit({ [file]: text(0.1) }, 'back');
    await w.eventually('back', () => /back on a revision/.test(w.chat().last?.reason ?? ''));
  });

  it('whose commits a pull request has as well was reviewed there', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.world.remote.git('push', '-q', 'origin', 'topic:main');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });
});

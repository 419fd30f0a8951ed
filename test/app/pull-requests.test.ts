/** Reviews of pull requests as approvals, with real Git and the stand-in for GitHub. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { reviewPullRequest, type PullRequestApprovalDeps } from '../../src/app/commands/pull-request-approvals.ts';
import { openPullRequests } from '../../src/app/queries/attention.ts';
import { base } from '../support/control-plane-world.ts';
import { aPullRequestWorld, file, needsApproval, settings, text, type PullRequestWorld } from '../support/pull-request-world.ts';

let w: PullRequestWorld;

afterEach(() => w.close());

const isPending = (): boolean => w.chat().active?.phase.name === 'pending';
const approvers = (): readonly string[] => (w.chat().active?.approvals ?? []).map(({ approver }) => approver);

function waitsFor(): string {
  const phase = w.chat().active?.phase;
  return phase?.name === 'pending' ? phase.waitsFor.join('; ') : '';
}

/** The pull request is known, and what it has does not suffice. */
async function assertHeld(why: RegExp): Promise<void> {
  await w.eventually(`held because of ${String(why)}`, () => isPending() && why.test(waitsFor()));
  assert.deepEqual(approvers(), []);
}

describe('a review approves', () => {
  for (const method of ['merge', 'squash', 'rebase'] as const)
    it(`what a ${method} brings, of somebody with the role who is not the author`, async () => {
      w = await aPullRequestWorld(settings(needsApproval));
      const { number } = await w.open('topic', { [file]: text(0.5) });
      await w.review(number, 'bob');
      await w.merge(number, method);
      await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
      assert.deepEqual(approvers(), ['Bob']);
      const { origin, author } = w.chat().active ?? {};
      assert.equal(origin?.kind === 'pull-request' ? origin.number : null, number);
      assert.match(author ?? '', /@ada/);
    });

  it('that comes after the merge', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.merge(number);
    await assertHeld(/1 approval\(s\) of sre/);
    await w.review(number, 'bob');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('although a later push only changed its form', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.world.branch('topic', { [file]: `# said better\n${text(0.5)}` });
    await w.merge(number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('by membership of a team, or by CODEOWNERS', async () => {
    const roles = 'versioning: { require_approver: true, min_approvals: 2, approval_roles: [prompts, code-owner] }\n';
    const teams = 'code_host: { role_teams: { prompts: [acme/prompt-people] } }\n';
    w = await aPullRequestWorld(settings(roles, teams), { CODEOWNERS: '* @somebody\n/services/ @eve\n' });
    w.github.addUser({ login: 'dora', teams: ['acme/prompt-people'] });
    w.github.addUser({ login: 'eve' });
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'cleo');
    await w.review(number, 'dora');
    await w.merge(number);
    await w.eventually('one is missing', () => approvers().length === 1);
    assert.match(waitsFor(), /@cleo has not the role prompts or code-owner/);
    await w.review(number, 'eve');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    assert.deepEqual([...approvers()].sort(), ['@dora', '@eve']);
  });

  it('together with an approval through the API, each person once', async () => {
    w = await aPullRequestWorld(settings('versioning: { require_approver: true, min_approvals: 2 }\n'));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.github.addUser({ login: 'bob-second' });
    await w.review(number, 'bob-second');
    await w.merge(number);
    await w.eventually('counted', () => approvers().join() === 'Bob');
    const digest = w.chat().active?.revision.digest ?? '';
    const approval = { type: 'approved', digest, deploymentId: null, reason: '', actor: 'Zoe' } as const;
    await w.bench.controlPlane.engine.dispatch('chat', approval, 'Zoe');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });
});

describe('a review does not approve', () => {
  it('what was pushed after it', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.world.branch('topic', { [file]: text(0.9) });
    await w.merge(number);
    await assertHeld(/@bob has reviewed another content/);
  });

  it('what only the merge has put together', async () => {
    const long = (temperature: number, tokens: number): string =>
      `llm:\n  model: m\n  parameters:\n    temperature: ${temperature}\n    # one\n    # two\n    # three\n    # four\n    max_tokens: ${tokens}\n`;
    w = await aPullRequestWorld(settings(needsApproval), { [file]: long(0.1, 100) });
    const first = await w.open('topic', { [file]: long(0.5, 100) });
    const second = await w.open('other', { [file]: long(0.1, 200) }, 'cleo');
    for (const { number } of [first, second]) await w.review(number, 'bob');
    await w.merge(second.number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    await w.merge(first.number);
    await assertHeld(/@bob has reviewed another content/);
  });

  it('what a merge by hand has changed, which no pull request has brought', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    const { git } = w.world.remote;
    git('fetch', '-q', 'origin');
    git('merge', '-q', '--no-ff', '--no-commit', 'origin/topic');
    w.world.remote.commit({ [file]: text(0.9) }, 'Merge pull request #1 from acme/topic');
    await w.eventually('seen', isPending);
    w.bench.clock.advance(61_000);
    await w.eventually('refused', () => w.chat().last?.phase === 'rejected');
  });

  it('after it was dismissed, and when its reviewer wants changes by now', async () => {
    w = await aPullRequestWorld(settings('versioning: { require_approver: true, min_approvals: 2, approval_roles: [sre] }\n'));
    const { number, reviews } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    await w.merge(number);
    await w.eventually('counted', () => approvers().length === 1);
    await w
      .as('cleo')
      .pulls.dismissReview({ owner: 'acme', repo: 'prompts', pull_number: number, review_id: reviews[0]?.id ?? 0, message: 'no' });
    await w.eventually('taken back', () => approvers().length === 0);
    await w.review(number, 'bob');
    await w.eventually('counted', () => approvers().length === 1);
    await w.review(number, 'bob', 'COMMENT');
    await w.review(number, 'bob', 'REQUEST_CHANGES');
    await w.eventually('taken back', () => approvers().length === 0);
  });

  it('of somebody who has pushed to it, under whatever login', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    w.github.addUser({ login: 'bob-second' });
    const { number } = await w.open('topic', { [file]: text(0.4) });
    w.world.branch('topic', { [file]: text(0.5) }, 'bob-second');
    await w.review(number, 'bob');
    await w.merge(number, 'squash');
    await assertHeld(/@bob has a hand in it/);
  });

  it('of somebody without the role, of a bot, of somebody who may not write', async () => {
    w = await aPullRequestWorld(settings('versioning: { require_approver: true }\n'));
    w.github.addUser({ login: 'reader', permission: 'read' });
    w.github.addUser({ login: 'helper[bot]', type: 'Bot' });
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'reader');
    await w.review(number, 'helper[bot]');
    await w.merge(number);
    await assertHeld(/@reader may not write to the repository; @helper\[bot\] is a bot/);
  });

  it('under another login of theirs that the change itself takes from them', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    w.github.addUser({ login: 'bob-second' });
    const split = settings(needsApproval).replace('logins: [bob, bob-second]', 'logins: [bob-second]');
    const { number } = await w.open('topic', { [file]: text(0.5), 'actuator.yaml': split }, 'bob');
    await w.review(number, 'bob-second');
    await w.merge(number);
    await assertHeld(/@bob-second has a hand in it/);
  });

  it('of somebody whom only a co-author line of a commit names', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    w.world.remote.git('checkout', '-q', 'topic');
    w.world.remote.git('commit', '-q', '--amend', '-m', 'cooler\n\nCo-authored-by: Robert <bob@corp.example>');
    w.world.remote.git('push', '-q', '-f', 'origin', 'HEAD:topic');
    w.world.remote.git('checkout', '-q', 'main');
    await w.review(number, 'bob');
    await w.merge(number, 'squash');
    await assertHeld(/@bob has a hand in it/);
  });

  it('of another way to roll it out', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.world.branch('topic', { [file]: `${text(0.5)}deployment_strategy: { type: immediate }\n` });
    await w.merge(number);
    await assertHeld(/@bob has reviewed another rollout of it/);
  });

  it('when the change itself makes its reviewer an approver', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const widened = settings(needsApproval).replace('people:\n', 'people:\n  - { name: Mallory, logins: [mallory], roles: [sre] }\n');
    w.github.addUser({ login: 'mallory' });
    const { number } = await w.open('topic', { [file]: text(0.5), 'actuator.yaml': widened, CODEOWNERS: '* @mallory\n' });
    await w.review(number, 'mallory');
    await w.merge(number);
    await assertHeld(/@mallory has not the role sre/);
  });
});

describe('an approval through the API', () => {
  const deps = (): PullRequestApprovalDeps => ({
    engine: w.bench.controlPlane.engine,
    clock: w.bench.clock,
    people: w.bench.controlPlane.people,
    codeHost: w.world.host(),
    store: w.store,
    read: readDocument,
  });

  it('of an open pull request leaves a review there, and counts when the same is merged', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number, reviews } = await w.open('topic', { [file]: text(0.5) });
    const done = await reviewPullRequest(deps(), { pull_request: number, comment: 'looks *good*' }, 'bob-key', 'approved');
    assert.ok(done.ok);
    assert.deepEqual([done.value.services.map(({ service }) => service), done.value.review_left], [['chat'], true]);
    assert.deepEqual([reviews[0]?.author, reviews[0]?.state], ['actuator[bot]', 'APPROVED']);
    assert.equal(reviews[0]?.body, '**Bob** approves this, through Actuator: looks \\*good\\*');
    await w.merge(number, 'squash');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    assert.deepEqual(approvers(), ['Bob']);
  });

  it('does not count for what was pushed after it, nor after it was taken back', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number, reviews } = await w.open('topic', { [file]: text(0.5) });
    assert.ok((await reviewPullRequest(deps(), { pull_request: number }, 'bob-key', 'approved')).ok);
    w.world.branch('topic', { [file]: text(0.6) });
    assert.ok((await reviewPullRequest(deps(), { pull_request: number }, 'bob-key', 'approved')).ok);
    assert.ok((await reviewPullRequest(deps(), { pull_request: number, reason: 'no' }, 'bob-key', 'changes-requested')).ok);
    assert.equal(reviews.at(-1)?.state, 'CHANGES_REQUESTED');
    await w.merge(number);
    await assertHeld(/1 approval\(s\) of sre/);
  });

  it('is refused of an author, of what is merged, of what is not there, and without a code host', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    const say = async (caller: string, pull: number, more: object = {}): Promise<string> => {
      const answer = await reviewPullRequest({ ...deps(), ...more }, { pull_request: pull }, caller, 'approved');
      return answer.ok ? 'done' : (answer.error[0]?.message ?? '');
    };
    assert.match(await say('Ada', number), /nobody approves a change of their own/);
    assert.match(await say('bob-key', 9), /no pull request #9/);
    assert.match(await say('bob-key', number, { codeHost: null }), /No code host is connected/);
    const other = await w.open('readme', { 'README.md': 'x\n' });
    assert.match(await say('bob-key', other.number), /changes no service/);
    await w.merge(number);
    assert.match(await say('bob-key', number), /is merged/);
    assert.deepEqual(
      (await openPullRequests(w.world.host())).pull_requests.map(({ title }) => title),
      ['Try readme'],
    );
    w.github.fail({ status: 503 });
    assert.match((await openPullRequests(w.world.host())).code_host_problem ?? '', /made to fail/);
    w.github.fail(null);
  });
});

describe('a direct push', () => {
  it('is refused, and the same by a pull request is not', async () => {
    w = await aPullRequestWorld(settings());
    const commit = w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    await w.eventually('seen', isPending);
    assert.match(waitsFor(), /which pull request brought it is not known yet/);
    w.bench.clock.advance(61_000);
    await w.eventually('refused', () => w.chat().last?.phase === 'rejected');
    assert.match(w.chat().rejection?.problems[0]?.message ?? '', /without a pull request.*direct_pushes/);
    await w.eventually('reported', () => w.statuses(commit)['actuator/chat'] === 'failure');

    // What is built on it brings it along.
    const hidden = await w.open('hidden', { [file]: `# said better\n${text(0.5)}` });
    await w.merge(hidden.number);
    await w.eventually('seen', isPending);
    w.bench.clock.advance(61_000);
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
    await w.eventually('seen', isPending);
    w.bench.clock.advance(61_000);
    await w.eventually('refused', () => /this is built on it/.test(w.chat().last?.reason ?? ''));
  });

  it('is not hidden by a change of models.yaml', async () => {
    w = await aPullRequestWorld(settings());
    w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    const { number } = await w.open('models', { 'models.yaml': `# prices\n${base['models.yaml']}` });
    await w.merge(number);
    await w.eventually('seen', isPending);
    w.bench.clock.advance(61_000);
    await w.eventually('refused', () => /this is built on it/.test(w.chat().last?.reason ?? ''));
  });

  it('makes its author one of those who had a hand in what is built on it', async () => {
    w = await aPullRequestWorld(settings(needsApproval, 'code_host: {}\n').replace('versioning: {', 'versioning: { direct_pushes: allow,'));
    const { git, write } = w.world.remote;
    write({ [file]: text(0.5) });
    git('commit', '-q', '-a', '-m', 'pushed', '--author=Bob <bob@corp.example>');
    git('push', '-q', 'origin', 'HEAD:main');
    await w.eventually('seen', isPending);
    const { number } = await w.open('more', { [file]: text(0.6) });
    await w.review(number, 'bob');
    await w.merge(number);
    await assertHeld(/@bob has a hand in it/);
  });

  it('is held for an approval where settings say so', async () => {
    w = await aPullRequestWorld(settings('versioning: { direct_pushes: hold }\n'));
    w.world.remote.commit({ [file]: text(0.5) }, 'pushed');
    await w.eventually('seen', isPending);
    w.bench.clock.advance(61_000);
    await w.eventually('held', () => /1 approval/.test(waitsFor()));
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
    w.bench.clock.advance(61_000);
    await w.eventually('refused', () => /came to main without a pull request/.test(said()));
    assert.equal(w.bench.controlPlane.reconciler.accepted()?.repository.versioning, undefined);

    const { number } = await w.open('settings', { 'actuator.yaml': `# by a pull request\n${loose}` });
    await w.merge(number);
    await w.eventually('accepted', () => w.bench.controlPlane.reconciler.accepted()?.repository.versioning?.direct_pushes === 'allow');
    assert.deepEqual(w.bench.controlPlane.problems().settings, []);
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

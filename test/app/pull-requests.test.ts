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

describe('a review approves', () => {
  for (const method of ['merge', 'squash', 'rebase'] as const)
    it(`what a ${method} brings, of somebody with the role who is not the author`, async () => {
      w = await aPullRequestWorld(settings(needsApproval));
      const { number } = await w.open('topic', { [file]: text(0.5) });
      await w.review(number, 'bob');
      await w.merge(number, method);
      await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
      assert.deepEqual(w.approvers(), ['Bob']);
      const { origin, author } = w.chat().active ?? {};
      assert.equal(origin?.kind === 'pull-request' ? origin.number : null, number);
      assert.match(author ?? '', /@ada/);
    });

  for (const method of ['merge', 'squash', 'rebase'] as const)
    it(`although its reviewer pressed the button of a ${method}`, async () => {
      w = await aPullRequestWorld(settings(needsApproval));
      const { number } = await w.open('topic', { [file]: text(0.5) });
      await w.review(number, 'bob');
      await w.merge(number, method, 'bob');
      await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
      assert.deepEqual(w.approvers(), ['Bob']);
      assert.doesNotMatch(w.chat().active?.author ?? '', /bob/i);
    });

  it('of very many services, whose files are not asked for one by one', async () => {
    const many = Array.from({ length: 40 }, (_, index) => [`services/s${index}/config.yaml`, text(0.1)] as const);
    w = await aPullRequestWorld(settings(needsApproval), Object.fromEntries(many));
    const { number } = await w.open('topic', { 'models.yaml': base['models.yaml'].replace('.com/v1', '.com/v2') });
    await w.review(number, 'bob');
    await w.merge(number, 'squash');
    const asked = w.world.asked.length;
    await w.eventually(
      'all on trial',
      () => w.bench.controlPlane.engine.states().filter(({ active }) => active?.approvals.length === 1).length === 41,
    );
    const reads = w.world.asked.slice(asked).filter((each) => each.startsWith('GET /repos/{owner}/{repo}/contents'));
    assert.ok(reads.length < 10, String(reads.length));
  });

  it('although its branch is deleted after the merge', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    await w.merge(number, 'squash');
    await w.github.state.bare.deleteBranch('topic');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    assert.deepEqual(w.approvers(), ['Bob']);
  });

  it('that comes after the merge', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.merge(number);
    await w.assertHeld(/1 approval\(s\) of sre/);
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
    await w.eventually('one is missing', () => w.approvers().length === 1);
    assert.match(w.waitsFor(), /@cleo has not the role prompts or code-owner/);
    await w.review(number, 'eve');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    assert.deepEqual([...w.approvers()].sort(), ['@dora', '@eve']);
  });

  it('together with an approval through the API, each person once', async () => {
    w = await aPullRequestWorld(settings('versioning: { require_approver: true, min_approvals: 2 }\n'));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.github.addUser({ login: 'bob-second' });
    await w.review(number, 'bob-second');
    await w.merge(number);
    await w.eventually('counted', () => w.approvers().join() === 'Bob');
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
    await w.assertHeld(/@bob has reviewed another content/);
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
    await w.assertHeld(/@bob has reviewed another content/);
  });

  it('what a merge by hand has changed, which no pull request has brought', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    const { git } = w.world.remote;
    git('fetch', '-q', 'origin');
    git('merge', '-q', '--no-ff', '--no-commit', 'origin/topic');
    w.world.remote.commit({ [file]: text(0.9) }, 'Merge pull request #1 from acme/topic');
    await w.eventually('seen', w.isPending);
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => w.chat().last?.phase === 'rejected');
  });

  it('after it was dismissed, and when its reviewer wants changes by now', async () => {
    w = await aPullRequestWorld(settings('versioning: { require_approver: true, min_approvals: 2, approval_roles: [sre] }\n'));
    const { number, reviews } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    await w.merge(number);
    await w.eventually('counted', () => w.approvers().length === 1);
    await w
      .as('cleo')
      .pulls.dismissReview({ owner: 'acme', repo: 'prompts', pull_number: number, review_id: reviews[0]?.id ?? 0, message: 'no' });
    await w.eventually('taken back', () => w.approvers().length === 0);
    await w.review(number, 'bob');
    await w.eventually('counted', () => w.approvers().length === 1);
    await w.review(number, 'bob', 'COMMENT');
    await w.review(number, 'bob', 'REQUEST_CHANGES');
    await w.eventually('taken back', () => w.approvers().length === 0);
  });

  it('of somebody who has pushed to it, under whatever login', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    w.github.addUser({ login: 'bob-second' });
    const { number } = await w.open('topic', { [file]: text(0.4) });
    w.world.branch('topic', { [file]: text(0.5) }, 'bob-second');
    await w.review(number, 'bob');
    await w.merge(number, 'squash');
    await w.assertHeld(/@bob has a hand in it/);
  });

  it('of somebody without the role, of a bot, of somebody who may not write', async () => {
    w = await aPullRequestWorld(settings('versioning: { require_approver: true }\n'));
    w.github.addUser({ login: 'reader', permission: 'read' });
    w.github.addUser({ login: 'helper[bot]', type: 'Bot' });
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'reader');
    await w.review(number, 'helper[bot]');
    await w.merge(number);
    await w.assertHeld(/@reader may not write to the repository; @helper\[bot\] is a bot/);
  });

  it('under another login of theirs that the change itself takes from them', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    w.github.addUser({ login: 'bob-second' });
    const split = settings(needsApproval).replace('logins: [bob, bob-second]', 'logins: [bob-second]');
    const { number } = await w.open('topic', { [file]: text(0.5), 'actuator.yaml': split }, 'bob');
    await w.review(number, 'bob-second');
    await w.merge(number);
    await w.assertHeld(/@bob-second has a hand in it/);
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
    await w.assertHeld(/@bob has a hand in it/);
  });

  it('of what came on top of a pull request that nobody has approved', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const first = await w.open('first', { [file]: text(0.5) }, 'cleo');
    await w.merge(first.number);
    await w.eventually('waits', w.isPending);
    const second = await w.open('second', { [file]: text(0.5).replace('100', '200') });
    await w.review(second.number, 'bob');
    await w.merge(second.number);
    await w.assertHeld(/#1, which this is built on, has not been approved/);
    await w.review(first.number, 'bob');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('of another way to roll it out', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.world.branch('topic', { [file]: `${text(0.5)}deployment_strategy: { type: immediate }\n` });
    await w.merge(number);
    await w.assertHeld(/@bob has reviewed another rollout of it/);
  });

  it('of whoever had a hand in it by a suggestion, under the address that GitHub gives them', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    const { git } = w.world.remote;
    git('checkout', '-q', 'topic');
    git('commit', '-q', '--allow-empty', '-m', 'Suggest\n\nCo-authored-by: Robert S. <12345+bob@users.noreply.github.com>');
    git('push', '-q', 'origin', 'topic');
    git('checkout', '-q', 'main');
    await w.review(number, 'bob');
    await w.merge(number, 'squash');
    await w.assertHeld(/@bob has a hand in it/);
  });

  it('of whoever merged it by hand, since nobody else has made that merge', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    const { git } = w.world.remote;
    git('fetch', '-q', 'origin');
    git('-c', 'user.name=Bob', '-c', 'user.email=bob@example.com', 'merge', '-q', '--no-ff', '-m', 'by hand', 'origin/topic');
    git('commit', '-q', '--amend', '--no-edit', '--author', 'Bob <bob@example.com>');
    git('push', '-q', 'origin', 'HEAD:main');
    await w.eventually('seen', w.isPending);
    w.bench.clock.advance(301_000);
    await w.eventually('not on trial', () => w.chat().last?.phase === 'rejected' || /@bob has a hand in it/.test(w.waitsFor()));
  });

  it('when the change itself makes its reviewer an approver', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const widened = settings(needsApproval).replace('people:\n', 'people:\n  - { name: Mallory, logins: [mallory], roles: [sre] }\n');
    w.github.addUser({ login: 'mallory' });
    const { number } = await w.open('topic', { [file]: text(0.5), 'actuator.yaml': widened, CODEOWNERS: '* @mallory\n' });
    await w.review(number, 'mallory');
    await w.merge(number);
    await w.assertHeld(/@mallory has not the role sre/);
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
    accepted: w.bench.controlPlane.reconciler.accepted,
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
    assert.deepEqual(w.approvers(), ['Bob']);
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
    await w.assertHeld(/1 approval\(s\) of sre/);
  });

  it('is refused without the role, and lifts nobody\'s "no" at the code host', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number, reviews } = await w.open('topic', { [file]: text(0.5) });
    const answer = await reviewPullRequest(deps(), { pull_request: number }, 'zoe', 'approved');
    assert.match(answer.ok ? '' : (answer.error[0]?.message ?? ''), /needs the role sre, which zoe does not have/);
    assert.deepEqual(reviews, []);
    assert.ok((await reviewPullRequest(deps(), { pull_request: number, reason: 'too cold' }, 'zoe', 'changes-requested')).ok);
    const approved = await reviewPullRequest(deps(), { pull_request: number }, 'bob-key', 'approved');
    assert.deepEqual(
      [approved.ok && approved.value.review_left, reviews.map(({ state }) => state).join()],
      [false, 'CHANGES_REQUESTED,COMMENTED'],
    );
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

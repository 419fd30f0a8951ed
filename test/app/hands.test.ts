/** Who has a hand in a change although another one is merged over it, and so does not approve it. Real Git, and the stand-in for GitHub. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { approve } from '../../src/app/commands/approvals.ts';
import { proposedKey } from '../../src/app/code-host/parts.ts';
import { requesterKey } from '../../src/app/reconcile/commit-facts.ts';
import type { PullRequest } from '../../src/demo/github/state.ts';
import { aPullRequestWorld, file, needsApproval, settings, text, type PullRequestWorld } from '../support/pull-request-world.ts';

let w: PullRequestWorld;

afterEach(() => w.close());

const allowing = settings(needsApproval).replace('versioning: {', 'versioning: { direct_pushes: allow,');

async function approveAs(key: string): Promise<string> {
  const { engine, people } = w.bench.controlPlane;
  const answer = await approve({ engine, clock: w.bench.clock, people, store: w.store }, { service: 'chat' }, key);
  return answer.ok ? 'approved' : (answer.error[0]?.message ?? '');
}

/** As a host makes it for somebody who has resolved a conflict there: signed, and with whatever content they chose. */
async function mergedAtHost(pull: PullRequest, content: string, by: string, head = pull.head): Promise<string> {
  const { bare, verified } = w.github.state;
  const main = (await bare.tip('main')) ?? '';
  const tree = (await bare.writeTree(main, [{ path: file, mode: '100644', content }])) ?? '';
  const author = { name: by, email: `${by}@example.com` };
  const sha = (await bare.writeCommit({ tree, parents: [main, head], message: 'resolve', author })) ?? '';
  verified.add(sha);
  Object.assign(pull, { state: 'closed', mergedAt: new Date().toISOString(), mergeCommit: sha, merged: [sha] });
  await bare.moveBranch('main', sha);
  return sha;
}

describe('has a hand in it', () => {
  it('who pushed what a pull request is merged over, also when they press its button', async () => {
    w = await aPullRequestWorld(allowing);
    const { git, write } = w.world.remote;
    write({ [file]: text(0.5) });
    git('commit', '-q', '-a', '-m', 'pushed', '--author=bob <bob@example.com>');
    git('push', '-q', 'origin', 'HEAD:main');
    await w.eventually('seen', w.isPending);
    const { number } = await w.open('more', { [file]: text(0.6) }, 'cleo');
    await w.review(number, 'bob');
    const commit = await w.merge(number, 'merge', 'bob');
    await w.eventually('seen', () => w.chat().active?.revision.commit === commit);
    w.bench.clock.advance(61_000);
    await w.eventually('held', () => w.chat().active?.origin && w.isPending());
    assert.deepEqual(
      [w.approvers(), await approveAs('bob-key')],
      [[], 'bob-key has made this change, and nobody approves a change of their own.'],
    );
  });

  it('who made an earlier pull request that is not tried yet, also when they merge the next one', async () => {
    w = await aPullRequestWorld(allowing);
    const first = await w.open('first', { [file]: text(0.5) }, 'bob');
    await w.merge(first.number, 'merge', 'ada');
    await w.eventually('waits', w.isPending);
    const { number } = await w.open('more', { [file]: text(0.6) }, 'cleo');
    await w.review(number, 'bob');
    await w.merge(number, 'merge', 'bob');
    await w.eventually('held', () => w.chat().active?.revision.commit === w.github.state.pulls[1]?.mergeCommit && w.chat().active?.origin);
    assert.deepEqual(
      [w.approvers(), await approveAs('bob-key')],
      [[], 'bob-key has made this change, and nobody approves a change of their own.'],
    );
  });

  it('who put something of their own into a merge that the host has made and signed', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    await mergedAtHost(pull, text(0.9), 'bob');
    await w.eventually('origin', () => w.chat().active?.origin);
    assert.match(await approveAs('bob-key'), /nobody approves a change of their own/);
  });

  it('who had the host merge more than the pull request', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    const { bare } = w.github.state;
    const tree = (await bare.writeTree(pull.head, [{ path: file, mode: '100644', content: text(0.9) }])) ?? '';
    const author = { name: 'bob', email: 'bob@example.com' };
    const head = (await bare.writeCommit({ tree, parents: [pull.head], message: 'mine', author })) ?? '';
    await mergedAtHost(pull, text(0.9), 'bob', head);
    await w.eventually('origin', () => w.chat().active?.origin);
    assert.match(await approveAs('bob-key'), /nobody approves a change of their own/);
  });
});

describe('has no hand in it', () => {
  /** Somebody presses "Update branch", or resolves there what conflicts. */
  async function updated(pull: PullRequest, content: string, by: string): Promise<void> {
    w.world.remote.git('checkout', '-q', 'main');
    w.world.remote.git('reset', '-q', '--hard', 'origin/main');
    w.world.remote.commit({ 'README.md': 'moved on\n' }, 'meanwhile');
    const { bare, verified } = w.github.state;
    const main = (await bare.tip('main')) ?? '';
    const tree = (await bare.writeTree(main, [{ path: file, mode: '100644', content }])) ?? '';
    const author = { name: by, email: `${by}@example.com` };
    const sha = (await bare.writeCommit({ tree, parents: [pull.head, main], message: "Merge branch 'main'", author })) ?? '';
    verified.add(sha);
    await bare.moveBranch(pull.branch, sha);
  }

  for (const method of ['merge', 'squash', 'rebase'] as const)
    it(`who has only had the host bring it up to date (${method})`, async () => {
      w = await aPullRequestWorld(settings(needsApproval));
      const pull = await w.open('topic', { [file]: text(0.5) });
      await updated(pull, text(0.5), 'bob');
      await w.review(pull.number, 'bob');
      await w.merge(pull.number, method, 'bob');
      await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
      assert.deepEqual(w.approvers(), ['Bob']);
      assert.doesNotMatch(w.chat().active?.author ?? '', /bob/);
    });

  it('unless they have put something of their own into that', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    await updated(pull, text(0.9), 'bob');
    await w.review(pull.number, 'bob');
    await w.merge(pull.number);
    await w.assertHeld(/@bob/);
    assert.match(await approveAs('bob-key'), /nobody approves a change of their own/);
  });

  it('unless they then merge it by hand, or with something of their own', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    await updated(pull, text(0.5), 'bob');
    const head = (await w.github.state.bare.tip('topic')) ?? '';
    await mergedAtHost(pull, text(0.9), 'bob', head);
    await w.eventually('origin', () => w.chat().active?.origin);
    assert.match(await approveAs('bob-key'), /nobody approves a change of their own/);
  });

  it('unless they have made another commit of it', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    w.world.branch('topic', { [file]: text(0.6) }, 'bob');
    await updated(pull, text(0.6), 'bob');
    await w.review(pull.number, 'bob');
    await w.merge(pull.number);
    await w.assertHeld(/@bob/);
  });
});

describe('on a branch of ours', () => {
  const branch = 'actuator/deploy/chat-abc';

  async function ours(): Promise<PullRequest> {
    const pull = await w.open(branch, { [file]: text(0.4) }, 'actuator');
    Object.assign(pull, { author: 'actuator[bot]' });
    await w.store.put(proposedKey(branch), pull.head);
    return pull;
  }

  it('nobody approves what somebody has pushed, whatever name they gave themselves', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await ours();
    w.world.branch(branch, { [file]: text(0.9) }, 'actuator');
    await w.review(pull.number, 'bob');
    await w.merge(pull.number, 'squash', 'bob');
    await w.assertHeld(/on a branch of ours, which we have not made, so nobody is known to have no hand in it/);
    assert.match(await approveAs('bob-key'), /nobody is known to have no hand in it; bring it by a new pull request/);
  });

  it('nor what another app has put there, which the host has signed', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await ours();
    const author = { name: 'github-actions[bot]', email: 'actions@example.com' };
    w.github.addUser({ login: author.name, type: 'Bot', email: author.email });
    const { bare, verified } = w.github.state;
    const tree = (await bare.writeTree(pull.head, [{ path: file, mode: '100644', content: text(0.9) }])) ?? '';
    const sha = (await bare.writeCommit({ tree, parents: [pull.head], message: 'x', author })) ?? '';
    verified.add(sha);
    await bare.moveBranch(branch, sha);
    await w.review(pull.number, 'bob');
    await w.merge(pull.number, 'squash');
    await w.assertHeld(/nobody is known to have no hand in it/);
  });

  it("somebody else's review counts when GitHub has merged main into it", async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await ours();
    w.world.remote.commit({ 'README.md': 'moved on\n' }, 'meanwhile');
    const { bare, verified } = w.github.state;
    const main = (await bare.tip('main')) ?? '';
    const tree = (await bare.writeTree(main, [{ path: file, mode: '100644', content: text(0.4) }])) ?? '';
    const author = { name: 'cleo', email: 'cleo@example.com' };
    const sha = (await bare.writeCommit({ tree, parents: [pull.head, main], message: 'Update branch', author })) ?? '';
    verified.add(sha);
    await bare.moveBranch(branch, sha);
    await w.review(pull.number, 'bob');
    await w.merge(pull.number, 'squash');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });
});

describe('what is not approved yet holds up what is merged over it', () => {
  it('when its merge has another content than was reviewed', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    await w.review(pull.number, 'bob');
    await mergedAtHost(pull, text(0.9), 'mallory');
    await w.assertHeld(/@bob has reviewed another content/);
    const second = await w.open('second', { [file]: `# said better\n${text(0.91)}` }, 'cleo');
    await w.review(second.number, 'bob');
    await w.merge(second.number);
    await w.assertHeld(/#1, which this is built on, has not been approved as it is/);
  });

  it('also where pushes are allowed', async () => {
    w = await aPullRequestWorld(allowing);
    const first = await w.open('first', { [file]: text(0.9) }, 'cleo');
    await w.merge(first.number);
    await w.eventually('waits', w.isPending);
    const second = await w.open('second', { [file]: text(0.91) }, 'ada');
    await w.review(second.number, 'bob');
    await w.merge(second.number);
    await w.assertHeld(/#1, which this is built on, has not been approved as it is/);
  });

  it('when only a bot that settings do not name has approved it', async () => {
    w = await aPullRequestWorld(settings('versioning: { require_approver: true }\n'));
    w.github.addUser({ login: 'some[bot]', type: 'Bot' });
    const first = await w.open('first', { [file]: text(0.9) }, 'cleo');
    await w.review(first.number, 'some[bot]');
    await w.merge(first.number);
    await w.assertHeld(/bot that settings do not name/);
    const second = await w.open('second', { [file]: text(0.91) }, 'cleo');
    await w.review(second.number, 'bob');
    await w.merge(second.number);
    await w.assertHeld(/#1, which this is built on, has not been approved as it is/);
  });

  it('when `deploy` has pushed it', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { git, write } = w.world.remote;
    write({ [file]: text(0.9) });
    git('commit', '-q', '-a', '-m', 'chat: deploy');
    await w.store.put(requesterKey(git('rev-parse', 'HEAD').trim()), 'mallory-key');
    git('push', '-q', 'origin', 'HEAD:main');
    await w.eventually('waits', w.isPending);
    const second = await w.open('second', { [file]: text(0.91) }, 'cleo');
    await w.review(second.number, 'bob');
    await w.merge(second.number);
    await w.assertHeld(/which this is built on, has not been approved as it is/);
  });

  it('and not the earlier commits of the same pull request, which a rebase brings one by one', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    const { git, write } = w.world.remote;
    git('checkout', '-q', 'topic');
    write({ [file]: text(0.6) });
    git('commit', '-q', '-a', '-m', 'second', '--author=ada <ada@example.com>');
    git('push', '-q', 'origin', 'HEAD:topic');
    git('checkout', '-q', 'main');
    await w.review(pull.number, 'bob');
    await w.merge(pull.number, 'rebase');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    assert.deepEqual(w.approvers(), ['Bob']);
  });

  it('and not when it was approved as it is', async () => {
    w = await aPullRequestWorld(
      settings('versioning: { require_approver: true, approval_roles: [sre] }\nfreeze: { enabled: true, reason: Friday }\n'),
    );
    const first = await w.open('first', { [file]: text(0.5) });
    await w.review(first.number, 'bob');
    await w.merge(first.number);
    await w.eventually('approved', () => w.approvers().length === 1);
    const second = await w.open('second', { [file]: text(0.6) }, 'cleo');
    await w.review(second.number, 'bob');
    await w.merge(second.number);
    await w.eventually('approved', () => w.chat().active?.revision.commit === second.mergeCommit && w.approvers().length === 1);
  });
});

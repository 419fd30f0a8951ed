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
async function mergedAtHost(pull: PullRequest, content: string, by: string): Promise<string> {
  const { bare, verified } = w.github.state;
  const main = (await bare.tip('main')) ?? '';
  const tree = (await bare.writeTree(main, [{ path: file, mode: '100644', content }])) ?? '';
  const author = { name: by, email: `${by}@example.com` };
  const sha = (await bare.writeCommit({ tree, parents: [main, pull.head], message: 'resolve', author })) ?? '';
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
    await w.merge(number, 'merge', 'bob');
    await w.assertHeld(/@bob has a hand in it/);
  });

  it('who made an earlier pull request that is not tried yet, also when they merge the next one', async () => {
    w = await aPullRequestWorld(allowing);
    const first = await w.open('first', { [file]: text(0.5) }, 'bob');
    await w.merge(first.number, 'merge', 'ada');
    await w.eventually('waits', w.isPending);
    const { number } = await w.open('more', { [file]: text(0.6) }, 'cleo');
    await w.review(number, 'bob');
    await w.merge(number, 'merge', 'bob');
    await w.assertHeld(/@bob has a hand in it/);
  });

  it('who put something of their own into a merge that the host has made and signed', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const pull = await w.open('topic', { [file]: text(0.5) });
    await mergedAtHost(pull, text(0.9), 'bob');
    await w.eventually('origin', () => w.chat().active?.origin);
    assert.match(await approveAs('bob-key'), /nobody approves a change of their own/);
  });

  it('who pushed to a pull request of ours, whatever name they gave themselves', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const branch = 'actuator/deploy/chat-abc';
    const pull = await w.open(branch, { [file]: text(0.4) }, 'actuator');
    Object.assign(pull, { author: 'actuator[bot]' });
    await w.store.put(proposedKey(branch), pull.head);
    w.world.branch(branch, { [file]: text(0.9) }, 'actuator');
    await w.review(pull.number, 'bob');
    await w.merge(pull.number, 'squash', 'bob');
    await w.assertHeld(/on a branch of ours, which we have not made, so its reviews do not count/);
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

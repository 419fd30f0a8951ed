/** Commits that GitHub makes and signs for us: the stand-in for GitHub over a real bare repository, and a real mirror of it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createConfigurationWriter } from '../../../src/adapters/git/configuration-writer.ts';
import { createSignedPlacing } from '../../../src/adapters/github/commits.ts';
import type { GithubCredentials } from '../../../src/adapters/github/octokit.ts';
import { StalledError, TransientError } from '../../../src/base/failures.ts';
import type { ConfigurationWriter, EditOrder, Proposal, RevertOrder } from '../../../src/ports/repository.ts';
import { aGithubWorld, assertContract, type GithubWorld } from '../../support/github-world.ts';

const path = 'services/chat/config.yaml';
const at = { owner: 'acme', repo: 'prompts' };
let world: GithubWorld;
let writer: ConfigurationWriter;

async function openWriter(credentials?: GithubCredentials): Promise<ConfigurationWriter> {
  const { mirror } = await world.remote.open(`mirror-${Math.random()}.git`);
  await mirror.exclusively(() => mirror.fetch());
  return createConfigurationWriter(mirror, createSignedPlacing(world.client(credentials === undefined ? {} : { credentials }), at, 1));
}

function tip(branch = 'main'): Promise<string | null> {
  return world.github.state.bare.tip(branch);
}

async function isVerified(commit: string): Promise<boolean> {
  return (await world.host().verification(commit)).isVerified;
}

const edited = (text: string, message = 'an edit\n'): EditOrder => ({ path, edit: () => text, message });

const revert: RevertOrder = {
  service: 'chat',
  isBad: (text) => Promise.resolve(text === 'bad\n'),
  restoreText: 'good\n',
  message: 'chat: roll back\n\nActuator-Reverts: abc\n',
  marker: 'Actuator-Reverts: abc',
};

beforeEach(async () => {
  world = await aGithubWorld();
  world.remote.commit({ [path]: 'bad\n', 'README.md': 'stays\n', 'services/chat/notes.md': 'stays too\n' }, 'first');
  writer = await openWriter();
});

afterEach(async () => {
  await world.close();
  assertContract(world);
});

describe('a commit by GitHub', () => {
  it('changes its file alone, on top of the branch, signed, in our words', async () => {
    const before = await tip();
    const outcome = await writer.revert(revert);
    assert.ok(outcome.kind === 'committed');
    const { commit } = outcome;
    assert.equal(await tip(), commit);
    assert.equal(await isVerified(commit), true);
    const made = await world.github.state.bare.commit(commit);
    assert.deepEqual([made?.parents, made?.authorName], [[before], 'actuator[bot]']);
    assert.equal(made?.message, revert.message.trim());
    assert.deepEqual(await world.github.state.bare.changed(before ?? '', commit), [path]);
    assert.equal((await world.github.state.bare.file(commit, path))?.content.toString(), 'good\n');
  });

  it('is announced before the branch has it', async () => {
    const seen: (string | null)[] = [];
    const outcome = await writer.edit({ ...edited('new\n'), announce: async (commit) => void seen.push(commit, await tip()) });
    assert.ok(outcome.kind === 'committed');
    assert.equal(seen[0], outcome.commit);
    assert.notEqual(seen[1], outcome.commit);
  });

  it('is made again after somebody was faster, on what they brought', async () => {
    const theirs = world.remote.commit({ 'README.md': 'theirs\n' }, 'faster');
    const outcome = await writer.revert(revert);
    assert.ok(outcome.kind === 'committed');
    const made = await world.github.state.bare.commit(outcome.commit);
    assert.deepEqual(made?.parents, [theirs]);
    assert.equal((await world.github.state.bare.file(outcome.commit, 'README.md'))?.content.toString(), 'theirs\n');
  });

  it('is made again after somebody was faster while it was made', async () => {
    let theirs = '';
    const outcome = await writer.edit({
      ...edited('new\n'),
      announce() {
        if (theirs === '') theirs = world.remote.commit({ 'README.md': 'theirs\n' }, 'faster');
        return Promise.resolve();
      },
    });
    assert.ok(outcome.kind === 'committed');
    assert.deepEqual((await world.github.state.bare.commit(outcome.commit))?.parents, [theirs]);
  });

  it('brings nothing back that was taken off the branch meanwhile', async () => {
    const before = (await tip()) ?? '';
    const secret = world.remote.commit({ 'README.md': 'secret\n' }, 'secret');
    const late = await openWriter();
    await world.github.state.bare.moveBranch('main', before);
    const outcome = await late.revert(revert);
    assert.ok(outcome.kind === 'committed');
    assert.equal(await world.github.state.bare.isAncestor(secret, outcome.commit), false);
  });

  for (const message of ['Reference cannot be updated', 'Object does not exist'])
    it(`is tried again after a hiccup: ${message}`, async () => {
      world.github.fail({ of: 'PATCH', status: 422, message, times: 2 });
      assert.equal((await writer.revert(revert)).kind, 'committed');
    });

  it('is blocked by what looks like a hiccup and does not end', async () => {
    world.github.fail({ of: 'PATCH', status: 422, message: 'Reference cannot be updated' });
    assert.deepEqual(await writer.revert(revert), {
      kind: 'blocked',
      message: 'Reference cannot be updated - https://docs.github.com/rest',
    });
  });

  it('counts the hiccups of each branch by themselves', async () => {
    world.github.fail({ of: 'POST /repos/{owner}/{repo}/git/refs', status: 422, message: 'Reference update failed' });
    for (let index = 0; index < 4; index++) {
      const branch = `actuator/deploy/${index}`;
      const order = { branch, path, edit: () => Promise.resolve('x\n'), message: 'x\n', known: null, announce: () => Promise.resolve() };
      await assert.rejects(writer.propose(order), TransientError);
    }
    world.github.fail({ of: 'PATCH', status: 422, message: 'Object does not exist', times: 1 });
    assert.equal((await writer.revert(revert)).kind, 'committed');
  });

  it('is blocked, and no stalled work, where we are not authorized to push', async () => {
    world.github.fail({ of: 'PATCH', status: 403, message: "You're not authorized to push to this branch." });
    assert.equal((await writer.revert(revert)).kind, 'blocked');
    world.github.fail({ of: 'PATCH', status: 403, message: 'Resource not accessible by integration' });
    await assert.rejects(writer.revert(revert), StalledError);
  });

  it('is not needed when who was faster took it back', async () => {
    world.remote.commit({ [path]: 'other\n' }, 'faster');
    assert.deepEqual(await writer.revert(revert), { kind: 'not-needed' });
  });

  it('is found again when the answer was lost', async () => {
    world.github.fail({ of: 'PATCH /repos/{owner}/{repo}/git/refs/', status: 502, times: 1, afterwards: true });
    await assert.rejects(writer.revert(revert), TransientError);
    const made = await tip();
    assert.deepEqual(await writer.revert(revert), { kind: 'committed', commit: made });
    assert.equal(await tip(), made);
  });

  it('is blocked by the rules of the branch, in their words', async () => {
    await world.github.protect({ branch: 'main', approvals: 1 });
    const outcome = await writer.revert(revert);
    assert.ok(outcome.kind === 'blocked');
    assert.match(outcome.message, /through a pull request/);
  });
});

describe('a branch for a pull request', () => {
  let known: string | null = null;
  const proposal = (): Proposal => ({
    branch: 'actuator/revert/d-1',
    path,
    edit: () => Promise.resolve('good\n'),
    message: 'take back\n',
    known,
    announce(commit) {
      known = commit;
      return Promise.resolve();
    },
  });

  it('is made once, and made anew on a branch that moved on', async () => {
    await world.github.protect({ branch: 'main', approvals: 1 });
    const first = await writer.propose(proposal());
    assert.ok(first.kind === 'committed');
    assert.deepEqual([await tip(proposal().branch), await isVerified(first.commit)], [first.commit, true]);
    assert.deepEqual(await writer.propose(proposal()), first);

    await world.github.protect({ branch: null });
    const theirs = world.remote.commit({ 'README.md': 'moved on\n' }, 'meanwhile');
    const second = await writer.propose(proposal());
    assert.ok(second.kind === 'committed');
    assert.deepEqual((await world.github.state.bare.commit(second.commit))?.parents, [theirs]);
    assert.equal(await tip(proposal().branch), second.commit);
  });

  it('is made anew over what somebody else has put there, whatever it holds', async () => {
    world.branch(proposal().branch, { [path]: 'good\n', 'services/pay/config.yaml': 'evil\n' }, 'mallory');
    const outcome = await writer.propose(proposal());
    assert.ok(outcome.kind === 'committed');
    assert.deepEqual(await world.github.state.bare.changed((await tip()) ?? '', outcome.commit), [path]);
  });
});

describe('what GitHub does not sign', () => {
  it('moves no branch: on a server that signs nothing', async () => {
    const before = await tip();
    world.github.state.signsForApps = false;
    await assert.rejects(
      writer.revert(revert),
      (thrown) => thrown instanceof StalledError && /has not signed[\s\S]*unsigned/.test(thrown.message),
    );
    assert.equal(await tip(), before);
  });

  it('moves no branch: by the token of a person', async () => {
    const before = await tip();
    const tokenFile = join(world.remote.directory, 'ada.token');
    writeFileSync(tokenFile, world.github.tokenOf('ada'));
    const own = await openWriter({ kind: 'token', file: tokenFile });
    await assert.rejects(own.revert(revert), /has not signed/);
    assert.equal(await tip(), before);
  });
});

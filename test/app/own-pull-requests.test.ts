/** Pull requests of ours: reverts and changes that a branch does not let us push. Real Git, and the stand-in for GitHub. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { deploy } from '../../src/app/commands/deploy.ts';
import { mergeIntoYaml } from '../../src/adapters/documents/edit.ts';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { parseYaml } from '../../src/adapters/documents/yaml.ts';
import { mergePull, type PullRequest } from '../../src/demo/github/state.ts';
import { until } from '../support/fake-control-plane.ts';
import { aPullRequestWorld, file, needsApproval, settings, text, type PullRequestWorld } from '../support/pull-request-world.ts';

let w: PullRequestWorld;
const allowed = 'versioning: { direct_pushes: allow }\n';

afterEach(() => w.close());

describe('a protected branch', () => {
  const protect = (world: { readonly github: PullRequestWorld['github'] }): Promise<void> =>
    world.github.protect({ branch: 'main', approvals: 1 });

  async function failing(): Promise<string> {
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    const commit = await w.merge(number);
    await w.rollBack();
    return commit;
  }

  /** Of a change that was tried over one that was promoted: open, and known. */
  async function revertToPromoted(): Promise<PullRequest> {
    w = await aPullRequestWorld(settings(), {}, protect);
    const good = await w.open('good', { [file]: text(0.3) });
    await w.review(good.number, 'bob');
    await w.merge(good.number);
    await w.promote();
    await failing();
    const revert = await w.eventually('proposed', () => w.github.state.pulls[2]);
    await w.eventually('known', () => w.chat().unreverted?.pullRequest?.number === revert.number);
    return revert;
  }

  async function rollBackPromoted(): Promise<void> {
    const order = {
      type: 'rollback-requested',
      gradualMs: null,
      target: null,
      deploymentId: null,
      reason: 'also bad',
      actor: 'me',
    } as const;
    await w.bench.controlPlane.engine.dispatch('chat', order, 'me');
  }

  it('gets its revert by a pull request, with reasons, labels and code owners; quarantine holds until it is merged', async () => {
    w = await aPullRequestWorld(settings(), { CODEOWNERS: '/services/ @bob @acme/owners\n' }, protect);
    const bad = await failing();
    const revert = await w.eventually('proposed', () => w.github.state.pulls[1]);
    await w.eventually('known', () => w.chat().unreverted?.pullRequest?.number === revert.number);
    assert.deepEqual([revert.branch.replace(/\d{8}-\d+$/, 'ID'), revert.labels], ['actuator/revert/deploy-ID', ['actuator', 'rollback']]);
    assert.deepEqual([revert.requested, revert.autoMerge], [['bob', 'owners'], 'merge']);
    assert.match(revert.body, /it is bad/);
    assert.match(w.chat().rejection?.problems[0]?.message ?? '', /merge pull request #2/);
    await w.eventually('failure', () => w.statuses(bad)['actuator/chat'] === 'failure');
    const first = w.github.state.pulls[0];
    await w.eventually('told', () => /merge http\S+\/pull\/2, which takes it back/.test(first?.comments[0]?.body ?? ''));
    assert.equal(w.chat().quarantine.length, 1);

    // GitHub merges it as soon as its rules allow it.
    await w.review(revert.number, 'bob');
    await w.eventually('reverted', () => w.chat().unreverted === null);
    assert.deepEqual([w.chat().rejection, w.chat().last?.revertCommit], [null, revert.mergeCommit]);
    await w.eventually('told', () => (first?.comments[0]?.body ?? '').includes(`Taken back on the branch by ${revert.mergeCommit ?? ''}`));
    await w.eventually('every commit has its end', () => w.statuses(revert.mergeCommit ?? '')['actuator/chat'] === 'success');
    assert.equal(await w.github.state.bare.tip(revert.branch), null);
    assert.match((await w.github.state.bare.commit(revert.head))?.message ?? '', new RegExp(`This reverts commit ${bad}`));
  });

  it('closes the revert that a newer change has made needless', async () => {
    w = await aPullRequestWorld(settings(), {}, protect);
    await failing();
    const revert = await w.eventually('proposed', () => w.github.state.pulls[1]);
    await w.eventually('known', () => w.chat().unreverted?.pullRequest?.number === revert.number);
    const { number } = await w.open('fix', { [file]: text(0.7) });
    await w.review(number, 'bob');
    await w.merge(number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    await w.eventually('closed', () => revert.state === 'closed');
    assert.equal(revert.mergedAt, null);
    await until('its branch is gone', async () => (await w.github.state.bare.tip(revert.branch)) === null);
  });

  it('makes the revert anew when what it would restore is rolled back too', async () => {
    const revert = await revertToPromoted();
    const before = revert.head;
    await rollBackPromoted();
    await w.eventually('made anew', () => w.chat().unreverted?.pullRequest != null && w.github.state.pulls[2]?.head !== before);
    assert.equal((await w.github.state.bare.file(revert.branch, file))?.content.toString(), text(0.1));
    await w.review(revert.number, 'bob');
    await w.eventually('reverted', () => w.chat().unreverted === null && w.chat().rejection === null);
  });

  async function rolledBackBy(failure: Parameters<typeof w.github.fail>[0]): Promise<void> {
    w = await aPullRequestWorld(settings(allowed, 'code_host: { reverts: pull_request }\n'));
    w.world.remote.commit({ [file]: text(0.5) });
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    w.github.fail(failure);
    await w.rollBack();
  }

  async function ordersRetry(): Promise<void> {
    const digest = w.chat().unreverted?.bad.digest ?? '';
    const retry = { type: 'retried', digest, deploymentId: null, reason: 'the provider was ill', actor: 'me' } as const;
    await w.bench.controlPlane.engine.dispatch('chat', retry, 'me');
    await w.eventually('again on trial', () => w.chat().active?.phase.name === 'progressing');
  }

  async function assertKept(): Promise<void> {
    w.bench.clock.advance(2001);
    await w.promote();
    await w.eventually('none is open', () => w.github.state.pulls.every(({ state }) => state === 'closed'));
    await w.eventually('well', () => w.bench.controlPlane.problems().codeHost === null);
    assert.equal(w.chat().unreverted, null);
    assert.deepEqual(
      w.github.state.pulls.filter(({ mergedAt }) => mergedAt !== null),
      [],
    );
    assert.equal((await w.github.state.bare.file('main', file))?.content.toString(), text(0.5));
  }

  it('does not take back what a person has ordered to be tried again', async () => {
    await rolledBackBy({ status: 503 });
    await ordersRetry();
    w.github.fail(null);
    await assertKept();
  });

  it('does not merge a revert that was under way when that order came', async () => {
    // Opened, and the answer takes its time.
    await rolledBackBy({ of: 'pulls/create', status: 502, afterwards: true, times: 1, delayMs: 300 });
    await w.eventually('being opened', () => w.github.state.pulls.length === 1);
    await ordersRetry();
    await assertKept();
    assert.equal(w.github.state.pulls.length, 1);
  });

  it('takes back also what the old revert has brought before it was made anew', async () => {
    const revert = await revertToPromoted();
    w.github.fail({ status: 503 });
    await rollBackPromoted();
    await w.eventually('rolled back', () => w.chat().last?.reason === 'also bad; main had moved on already');
    // Its auto-merge was asked for when what it restores was good.
    revert.reviews.push({ id: 1, author: 'bob', body: '', state: 'APPROVED', commit: revert.head, at: new Date().toISOString() });
    await mergePull(w.github.state, revert, 'merge', 'actuator[bot]');
    w.github.fail(null);
    const next = await w.eventually('another', () => w.github.state.pulls[3]);
    // Before that is seen it would take back what is on the branch no more, and conflict.
    await w.eventually('merge seen', () => w.chat().unreverted?.bad.commit === revert.mergeCommit);
    await w.eventually('known', () => w.chat().unreverted?.pullRequest?.number === next.number);
    assert.equal((await w.github.state.bare.file(next.branch, file))?.content.toString(), text(0.1));
    await w.review(next.number, 'bob');
    await w.eventually('reverted', () => w.chat().unreverted === null && w.chat().rejection === null);
  });

  it('keeps the revert open while the file is broken for a moment', async () => {
    w = await aPullRequestWorld(settings(), {}, protect);
    await failing();
    await w.eventually('known', () => w.chat().unreverted?.pullRequest);
    for (const content of ['llm: {', text(0.5)]) {
      const { number: next } = await w.open(`next-${content.length}`, { [file]: content });
      await w.review(next, 'bob');
      const commit = await w.merge(next);
      await w.eventually('looked at', () => w.bench.controlPlane.reconciler.head() === commit);
      assert.ok(w.chat().unreverted?.pullRequest);
    }
  });

  it('closes a revert also when it was opened and its answer was lost', async () => {
    w = await aPullRequestWorld(settings(), {}, protect);
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    await w.merge(number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    w.github.fail({ of: 'POST /repos/{owner}/{repo}/pulls', status: 502, afterwards: true });
    await w.rollBack();
    const revert = await w.eventually('opened', () => w.github.state.pulls[1]);
    w.github.fail(null);
    const { number: fixed } = await w.open('fix', { [file]: text(0.7) });
    await w.review(fixed, 'bob');
    await w.merge(fixed);
    await w.eventually('on trial', () => w.chat().active?.revision.digest !== undefined && w.chat().unreverted === null);
    await w.eventually('closed', () => revert.state === 'closed');
    assert.equal(w.github.state.pulls.filter(({ branch }) => branch === revert.branch).length, 1);
  });

  it('is left to the person who closes the revert', async () => {
    w = await aPullRequestWorld(settings(), {}, protect);
    await failing();
    const revert = await w.eventually('proposed', () => w.github.state.pulls[1]);
    await w.eventually('known', () => w.chat().unreverted?.pullRequest?.number === revert.number);
    await w.as('cleo').pulls.update({ owner: 'acme', repo: 'prompts', pull_number: revert.number, state: 'closed' });
    for (let round = 0; round < 3; round++) await w.bench.controlPlane.tick();
    assert.equal(w.github.state.pulls.length, 2);
  });

  it('gets its revert when GitHub is back', async () => {
    w = await aPullRequestWorld(settings(), {}, protect);
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    await w.merge(number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    w.github.fail({ status: 503 });
    await w.rollBack();
    assert.equal(w.github.state.pulls.length, 1);
    w.github.fail(null);
    await w.eventually('proposed', () => w.chat().unreverted?.pullRequest?.number === 2);
  });

  it('gets reverts by pull request from the start where settings say so', async () => {
    w = await aPullRequestWorld(settings(allowed, 'code_host: { reverts: pull_request, labels: [ours], auto_merge: false }\n'));
    w.world.remote.commit({ [file]: text(0.5) });
    await w.rollBack();
    const revert = await w.eventually('proposed', () => w.github.state.pulls[0]);
    await w.eventually('labelled', () => revert.labels.join() === 'ours');
    assert.deepEqual([revert.autoMerge, revert.state], [null, 'open']);
  });

  it('gets what `deploy` is asked for by a pull request, which whoever asked does not approve', async () => {
    w = await aPullRequestWorld(settings(needsApproval), {}, protect);
    const deps = {
      clock: w.bench.clock,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      controlPlane: w.bench.controlPlane,
      writer: w.git.writer,
      codeHost: w.world.host(),
      store: w.store,
      read: readDocument,
      parseYaml,
      mergeYaml: mergeIntoYaml,
    };
    const request = { service: 'chat', config: 'llm: { parameters: { temperature: 0.5 } }\n', reason: 'cooler' };
    const [first, again] = [await deploy(deps, request, 'Bob'), await deploy(deps, request, 'Bob')];
    assert.ok(first.ok && again.ok);
    assert.deepEqual([first.value.pull_request?.number, again.value.pull_request?.number, first.value.deployment_id], [1, 1, null]);
    const [pull] = w.github.state.pulls;
    assert.deepEqual([pull?.author, pull?.title, pull?.labels], ['actuator[bot]', 'chat: cooler', ['actuator']]);
    await w.review(1, 'bob');
    await w.merge(1, 'squash');
    await w.eventually('held', () => {
      const phase = w.chat().active?.phase;
      return phase?.name === 'pending' && /@bob has a hand in it/.test(phase.waitsFor.join());
    });
    await w.review(1, 'ada');
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });
});

/** The port of the code host on the stand-in for GitHub, with every exchange held to GitHub's own description. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Octokit } from '@octokit/rest';
import { RefusedError, StalledError, TransientError } from '../../../src/base/failures.ts';
import type { CodeHost, HostDeploymentStatus, PullRequest } from '../../../src/ports/code-host.ts';
import { namesOf } from '../../../src/domain/safety/gates.ts';
import { operations } from '../../contract/github-contract.ts';
import { aGithubWorld, assertContract, type GithubWorld } from '../../support/github-world.ts';

const file = 'services/chat/config.yaml';
let world: GithubWorld;
let host: CodeHost;
let first: string;

function person(login: string): Octokit['rest'] {
  return new Octokit({ auth: world.github.tokenOf(login), baseUrl: world.github.baseUrl, userAgent: 'person' }).rest;
}

const at = { owner: 'acme', repo: 'prompts' };

async function open(branch: string, author = 'ada', text = 'llm: { model: n }\n'): Promise<PullRequest> {
  world.branch(branch, { [file]: text }, author);
  const { data } = await person(author).pulls.create({ ...at, head: branch, base: 'main', title: `Try ${branch}`, body: 'because' });
  const found = await host.pullRequest(data.number);
  assert.ok(found);
  return found;
}

beforeEach(async () => {
  world = await aGithubWorld();
  first = world.remote.commit({ [file]: 'llm: { model: m }\n' }, 'first');
  host = world.host();
});

afterEach(async () => {
  await world.close();
  assertContract(world);
});

describe('pull requests', () => {
  for (const method of ['merge', 'squash', 'rebase'] as const)
    it(`are found by the commit of a ${method}`, async () => {
      const { number, head } = await open('topic');
      world.remote.commit({ 'README.md': 'moved on\n' }, 'meanwhile');
      const { data } = await person('bob').pulls.merge({ ...at, pull_number: number, merge_method: method });
      const [found, ...others] = (await host.pullRequestsOf(data.sha)) ?? [];
      assert.deepEqual([found?.number, found?.state, found?.head, others], [number, 'merged', head, []]);
      assert.deepEqual([found?.author, found?.base, found?.branch], ['ada', 'main', 'topic']);
    });

  it('are none for a direct push, and for a commit that is not known yet', async () => {
    assert.deepEqual(await host.pullRequestsOf(first), []);
    assert.equal(await host.pullRequestsOf('0'.repeat(40)), null);
    assert.equal(await host.pullRequest(99), null);
  });

  it('tell who made and who reviewed them, at which head', async () => {
    const { number, head } = await open('topic');
    await person('bob').pulls.createReview({ ...at, pull_number: number, event: 'APPROVE', body: 'good' });
    world.branch('topic', { [file]: 'llm: { model: o }\n' }, 'cleo');
    await person('cleo').pulls.createReview({ ...at, pull_number: number, event: 'REQUEST_CHANGES', body: 'no' });
    const reviews = await host.reviews(number);
    assert.deepEqual(
      reviews.map(({ reviewer, verdict }) => [reviewer.login, verdict]),
      [
        ['bob', 'approved'],
        ['cleo', 'changes-requested'],
      ],
    );
    assert.equal(reviews[0]?.commit, head);
    assert.notEqual(reviews[1]?.commit, head);
    const { commits, isComplete } = await host.committers(number);
    // Written by one, and committed by the other.
    assert.deepEqual([commits.map(({ logins }) => logins), isComplete], [[['cleo', 'ada']], true]);
    assert.ok(commits[0]?.names.includes('cleo <cleo@example.com>'));
    assert.equal(commits[0]?.parents.length, 1);
    await person('bob').pulls.dismissReview({ ...at, pull_number: number, review_id: await idOfReview(number), message: 'old' });
    assert.equal((await host.reviews(number))[0]?.verdict, 'dismissed');
  });

  it('tell of co-authors by their logins, whatever address they use', async () => {
    world.github.addUser({ login: 'dora', email: 'dora@private.example' });
    const message = 'Try\n\nCo-authored-by: D. <dora@private.example>\nCo-authored-by: Bob <7+bob@users.noreply.github.com>\n';
    const pull = await open('topic');
    world.remote.git('checkout', '-q', 'topic');
    world.remote.git('commit', '-q', '--allow-empty', '-m', message);
    world.remote.git('push', '-q', 'origin', 'topic');
    const { commits } = await host.committers(pull.number);
    const { logins = [], names = [] } = commits.at(-1) ?? {};
    assert.ok(logins.includes('dora'), logins.join());
    assert.ok(!commits[0]?.logins.includes('dora'));
    assert.ok(names.flatMap(namesOf).includes('@bob'), names.join());
  });

  it('are read to the last page', async () => {
    const { number, head } = await open('topic');
    for (let index = 0; index < 101; index++)
      await person('bob').pulls.createReview({ ...at, pull_number: number, event: 'COMMENT', body: '' });
    await person('cleo').pulls.createReview({ ...at, pull_number: number, event: 'APPROVE', body: 'good', commit_id: head });
    assert.equal((await host.reviews(number)).at(-1)?.verdict, 'approved');
  });

  it('of ours say which of their labels and reviewers were refused', async () => {
    world.github.state.labels = ['bug'];
    world.branch('actuator/revert/x', { [file]: 'llm: { model: o }\n' });
    const { pullRequest, refused } = await host.openPullRequest({
      branch: 'actuator/revert/x',
      title: 'Revert',
      body: '',
      labels: ['rollback'],
      reviewers: [],
    });
    assert.equal(pullRequest.state, 'open');
    assert.match(refused.join(), /labels: You do not have permission to create labels/);
  });

  it('give files of any commit that they have', async () => {
    const { head } = await open('topic');
    assert.equal(await host.fileAt(head, file), 'llm: { model: n }\n');
    assert.equal(await host.fileAt(head, 'services/other/config.yaml'), null);
  });

  it('name all files of a commit', async () => {
    const { head } = await open('topic');
    const files = await host.filesAt(head);
    assert.equal(files?.get(file), (await world.github.state.bare.file(head, file))?.oid);
    assert.equal(await host.filesAt('0'.repeat(40)), null);
  });

  it('say who may write, and who is in a team', async () => {
    world.github.addUser({ login: 'dora', permission: 'read', teams: ['acme/owners'] });
    assert.deepEqual([await host.mayWrite('bob'), await host.mayWrite('dora'), await host.mayWrite('nobody')], [true, false, false]);
    assert.deepEqual([await host.isMember('acme/owners', 'dora'), await host.isMember('acme/owners', 'bob')], [true, false]);
  });

  it('of ours are opened once, labelled, with reviewers, and merged when the rules allow it', async () => {
    await world.github.protect({ branch: 'main', approvals: 1 });
    world.branch('actuator/revert/x', { [file]: 'llm: { model: o }\n' });
    const order = {
      branch: 'actuator/revert/x',
      title: 'Revert',
      body: 'why',
      labels: ['rollback'],
      reviewers: ['bob', 'acme/owners'],
    };
    const { pullRequest: opened, refused } = await host.openPullRequest(order);
    for (let round = 0; round < 2; round++) assert.equal(await host.mergeWhenAllowed(opened.number, opened.head), null);
    assert.deepEqual(refused, []);
    assert.match((await host.mergeWhenAllowed(opened.number, first)) ?? '', /as its head, and not our/);
    const { pullRequest: again } = await host.openPullRequest(order);
    assert.deepEqual([opened.state, opened.author, again.number], ['open', 'actuator[bot]', opened.number]);
    assert.equal(world.github.state.pulls.length, 1);
    assert.deepEqual(world.github.state.pulls[0]?.labels, ['rollback']);
    await person('bob').pulls.createReview({ ...at, pull_number: opened.number, event: 'APPROVE' });
    assert.equal((await host.pullRequest(opened.number))?.state, 'merged');
  });

  it('of ours are merged as the repository allows it, and at once where nothing is to be waited for', async () => {
    const order = (branch: string): Parameters<CodeHost['openPullRequest']>[0] => {
      world.branch(branch, { [file]: `llm: { model: ${branch} }\n` });
      return { branch, title: 'Revert', body: 'why', labels: [], reviewers: [] };
    };
    const tried = async (branch: string): Promise<readonly [string | undefined, string | null]> => {
      const { number, head } = (await host.openPullRequest(order(branch))).pullRequest;
      const why = await host.mergeWhenAllowed(number, head);
      return [(await host.pullRequest(number))?.state, why];
    };
    await world.github.protect({ branch: 'main', approvals: 1, methods: ['squash', 'rebase'] });
    assert.deepEqual(await tried('one'), ['open', null]);
    assert.deepEqual([world.github.state.pulls[0]?.autoMerge, world.github.state.pulls[0]?.state], ['squash', 'open']);

    await world.github.protect({ approvals: 0 });
    assert.deepEqual(await tried('two'), ['merged', null]);
    assert.equal((await world.github.state.bare.file('main', file))?.content.toString(), 'llm: { model: two }\n');

    await world.github.protect({ approvals: 1, allowsAutoMerge: false });
    const [state, why] = await tried('three');
    assert.equal(state, 'open');
    assert.match(why ?? '', /Auto merge is not allowed/);
  });

  it('of ours are closed with their branch', async () => {
    world.branch('actuator/revert/x', { [file]: 'llm: { model: o }\n' });
    const { pullRequest } = await host.openPullRequest({
      branch: 'actuator/revert/x',
      title: 'Revert',
      body: 'why',
      labels: [],
      reviewers: [],
    });
    const { number, branch } = pullRequest;
    await host.closePullRequest(number, branch);
    await host.deleteBranch(branch);
    assert.equal((await host.pullRequest(number))?.state, 'closed');
    assert.equal(await world.github.state.bare.tip(branch), null);
  });

  it('take our reviews, and of our own only our words', async () => {
    const { number, head } = await open('topic');
    assert.equal(await host.leaveReview(number, 'approved', head, 'Bob approves'), true);
    assert.equal(await world.as('ada').leaveReview(number, 'changes-requested', head, 'not so'), false);
    // Ours says what somebody told us, and is nobody's word for itself.
    assert.deepEqual(
      (await host.reviews(number)).map(({ verdict, reviewer }) => [verdict, reviewer.login]),
      [['commented', 'ada']],
    );
    assert.deepEqual(
      world.github.state.pulls[0]?.reviews.map(({ author, state }) => [author, state]),
      [
        ['actuator[bot]', 'APPROVED'],
        ['ada', 'COMMENTED'],
      ],
    );
  });
});

async function idOfReview(number: number): Promise<number> {
  return (await person('bob').pulls.listReviews({ ...at, pull_number: number })).data[0]?.id ?? 0;
}

describe('what is reported', () => {
  const status = { context: 'actuator/chat', state: 'pending', description: 'step 1', url: 'https://example.com/x' } as const;
  const working: HostDeploymentStatus = { state: 'in_progress', description: 'step 1', url: null, environmentUrl: null };

  it('stands there once, whoever asks how often', async () => {
    for (const reporter of [host, host, world.host()]) {
      await reporter.ensureStatus(first, status);
      await reporter.ensureDeployment({ id: 'deploy-1', commit: first, environment: 'chat', description: 'canary' }, working);
    }
    const { statuses, deployments } = world.github.state;
    assert.deepEqual([statuses.length, deployments.length, deployments[0]?.statuses.length], [1, 1, 1]);
    await host.ensureStatus(first, { ...status, state: 'success', description: 'x'.repeat(300) });
    await host.ensureDeployment(
      { id: 'deploy-1', commit: first, environment: 'chat', description: 'canary' },
      { ...working, state: 'success' },
    );
    await host.ensureDeployment({ id: 'deploy-2', commit: first, environment: 'chat', description: 'canary' }, working);
    assert.deepEqual([statuses.length, deployments.length, deployments[0]?.statuses.length], [2, 2, 2]);
    assert.equal(statuses[1]?.description?.length, 140);
  });

  it('stands there once although an answer was lost', async () => {
    world.github.fail({ of: 'POST /repos', status: 502, times: 1, afterwards: true });
    await assert.rejects(host.ensureStatus(first, status), TransientError);
    await host.ensureStatus(first, status);
    world.github.fail({ of: 'POST /repos', status: 502, times: 1, afterwards: true });
    await assert.rejects(
      host.ensureDeployment({ id: 'deploy-1', commit: first, environment: 'chat', description: 'canary' }, working),
      TransientError,
    );
    await host.ensureDeployment({ id: 'deploy-1', commit: first, environment: 'chat', description: 'canary' }, working);
    const { number } = await open('topic');
    world.github.fail({ of: 'POST /repos', status: 502, times: 1, afterwards: true });
    await assert.rejects(host.ensureComment(number, '<!-- m -->', 'one'), TransientError);
    await host.ensureComment(number, '<!-- m -->', 'one');
    const { statuses, deployments, pulls } = world.github.state;
    assert.deepEqual([statuses.length, deployments.length, pulls[0]?.comments.length], [1, 1, 1]);
  });

  it("is one comment, edited, and never somebody else's", async () => {
    const { number } = await open('topic');
    await person('cleo').issues.createComment({ ...at, issue_number: number, body: '<!-- m --> mine' });
    await host.ensureComment(number, '<!-- m -->', 'one');
    await world.host().ensureComment(number, '<!-- m -->', 'two');
    assert.deepEqual(
      world.github.state.pulls[0]?.comments.map(({ author, body }) => [author, body]),
      [
        ['cleo', '<!-- m --> mine'],
        ['actuator[bot]', '<!-- m -->\ntwo'],
      ],
    );
  });

  it('leaves the deployment that GitHub shows as active in its place after a restart', async () => {
    const [older, newer] = ['deploy-1', 'deploy-2'].map((id) => ({ id, commit: first, environment: 'chat', description: '' }));
    assert.ok(older && newer);
    const success = { ...working, state: 'success' } as const;
    for (const deployment of [older, newer]) await host.ensureDeployment(deployment, success);
    await world.host().ensureDeployment(older, success);
    assert.deepEqual(
      world.github.state.deployments.map(({ statuses }) => statuses.map(({ state }) => state).join()),
      ['success,inactive', 'success'],
    );
  });

  it('is refused for good by a conversation that people have locked', async () => {
    const { number } = await open('topic');
    const [pull] = world.github.state.pulls;
    assert.ok(pull);
    pull.isLocked = true;
    await assert.rejects(host.ensureComment(number, '<!-- m -->', 'one'), RefusedError);
  });

  it('tells of a commit that GitHub does not have', async () => {
    await assert.rejects(host.ensureStatus('0'.repeat(40), status), RefusedError);
  });

  it('names the record on the status branch as people see it', () => {
    assert.match(host.recordUrl('deployments/x'), /\/acme\/prompts\/blob\/actuator\/status\/deployments\/x$/);
  });
});

describe('failures', () => {
  it('of GitHub are tried again, a few times and then later', async () => {
    world.github.fail({ status: 502, of: '/pulls', times: 2 });
    assert.equal(await host.pullRequest(99), null);
    world.github.fail({ status: 503, of: '/pulls' });
    await assert.rejects(host.pullRequest(99), TransientError);
  });

  it('of its secondary limit are waited for', async () => {
    world.github.fail({
      status: 403,
      of: '/pulls',
      times: 1,
      headers: { 'retry-after': '1' },
      message: 'You have exceeded a secondary rate limit',
    });
    assert.equal(await host.pullRequest(99), null);
    world.github.fail({
      status: 403,
      of: '/pulls',
      headers: { 'retry-after': '600' },
      message: 'You have exceeded a secondary rate limit',
    });
    await assert.rejects(host.pullRequest(99), TransientError);
    // Nothing is asked before the time that it has named.
    const before = world.github.exchanges();
    await assert.rejects(host.pullRequest(98), /wants to be asked nothing before \d{4}-/);
    assert.equal(world.github.exchanges(), before);
  });

  it('of permission need a person, and say where to look', async () => {
    world.github.fail({ status: 403, of: '/statuses', message: 'Resource not accessible by integration' });
    await assert.rejects(
      host.ensureStatus(first, { context: 'c', state: 'pending', description: '', url: null }),
      (thrown) => thrown instanceof StalledError && /docs\/github\.md/.test(thrown.message),
    );
  });

  it('to answer in time are no answer', async () => {
    const hasty = world.host({ timeoutMs: 200 });
    await hasty.pullRequest(99);
    world.github.fail({ status: 500, of: '/pulls', delayMs: 1000 });
    await assert.rejects(hasty.pullRequest(99), /within 200 ms/);
  });

  it('to be there at all are transient', async () => {
    const away = world.host({ baseUrl: 'http://127.0.0.1:9/api/v3' });
    await assert.rejects(away.pullRequest(1), TransientError);
  });

  it('after a rotated key are over as soon as the file holds the new one', async () => {
    const key = world.github.rotateKey();
    const late = world.host();
    await assert.rejects(late.pullRequest(99), StalledError);
    writeFileSync(world.keyFile, key);
    assert.equal(await late.pullRequest(99), null);
    // A token that was withdrawn before its time.
    for (const token of world.github.state.tokens.keys()) world.github.state.tokens.delete(token);
    assert.equal(await late.pullRequest(98), null);
  });

  it('of a repository that was renamed, or taken from us, need a person, and give nothing up', async () => {
    await host.pullRequest(99);
    world.github.fail({ of: '/repos/', status: 404 });
    const renamed = /no repository acme\/prompts: it was renamed/;
    await assert.rejects(host.pullRequestsOf(first), (thrown) => thrown instanceof StalledError && renamed.test(thrown.message));
    const status = { context: 'c', state: 'pending', description: '', url: null } as const;
    await assert.rejects(host.ensureStatus(first, status), StalledError);
  });

  it('of an app that was installed anew are over by themselves', async () => {
    await host.pullRequest(99);
    const renewed = world.host();
    world.github.fail({ status: 404, of: '/access_tokens', times: 1 });
    const { number } = await open('topic');
    assert.equal((await renewed.pullRequest(number))?.number, number);
    world.github.fail({ status: 404, of: '/access_tokens' });
    await assert.rejects(
      world.host().pullRequest(97),
      (thrown) => thrown instanceof StalledError && /not installed on acme\/prompts any more/.test(thrown.message),
    );
  });

  it('of an app that is not installed say so', async () => {
    world.github.fail({ status: 404, of: '/installation' });
    await assert.rejects(world.host().pullRequest(1), /not installed on acme\/prompts/);
  });
});

it('asks again only for what has changed', async () => {
  const { number } = await open('topic');
  await host.reviews(number);
  await host.reviews(number);
  assert.deepEqual(
    world.asked.filter((one) => one.includes('/reviews')),
    ['GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews 200', 'GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews 304'],
  );
});

it('can be used with a token, and by git', async () => {
  const ada = world.as('ada');
  await ada.ensureStatus(first, { context: 'c', state: 'success', description: 'd', url: null });
  assert.equal(world.github.state.statuses[0]?.author, 'ada');
  const [app, token] = [
    await world.client().gitToken(),
    await world.client({ credentials: { kind: 'token', file: `${world.remote.directory}/ada.token` } }).gitToken(),
  ];
  assert.deepEqual([world.github.state.tokens.get(app), world.github.state.tokens.get(token)], ['actuator[bot]', 'ada']);
});

it('knows what GitHub says of signatures', async () => {
  assert.deepEqual(await host.verification(first), { isVerified: false, isMadeByHost: false, reason: 'unsigned' });
  world.github.state.verified.add(first);
  assert.deepEqual(await world.host().verification(first), { isVerified: true, isMadeByHost: false, reason: 'valid' });
});

it('has a contract for every operation that the stand-in has', async () => {
  const { routes } = await import('../../../src/demo/github/routes.ts');
  assert.deepEqual(
    Object.keys(routes).filter((route) => !operations.includes(route)),
    [],
  );
});

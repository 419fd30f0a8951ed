/** What GitHub shows: statuses, deployments, comments, and what becomes of them while it is away. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { until } from '../support/fake-control-plane.ts';
import { findIssues } from '../../src/app/queries/attention.ts';
import { aPullRequestWorld, file, needsApproval, settings, text, type PullRequestWorld } from '../support/pull-request-world.ts';

let w: PullRequestWorld;
const allowed = 'versioning: { direct_pushes: allow }\n';

afterEach(() => w.close());

const states = (commit: string): readonly string[] => w.statusLog(commit).map(({ state }) => state);

describe('reports', () => {
  it('follow a change from pending to its promotion', async () => {
    w = await aPullRequestWorld(settings());
    const pull = await w.open('topic', { [file]: text(0.5) });
    const commit = await w.merge(pull.number);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    await w.eventually('pending', () => w.statuses(commit)['actuator/chat'] === 'pending');
    await w.promote();
    await w.eventually('success', () => w.statuses(commit)['actuator/chat'] === 'success');
    assert.equal(states(commit).filter((state) => state === 'success').length, 1);
    const [deployment] = w.github.state.deployments;
    await w.eventually('deployed', () => deployment?.statuses.at(-1)?.state === 'success');
    assert.deepEqual([deployment?.environment, deployment?.sha], ['chat', commit]);
    assert.match(deployment?.statuses.at(-1)?.logUrl ?? '', /\/blob\/actuator\/status\/deployments\/\d{4}\/\d\d\/deploy-/);
    assert.equal(pull.comments.length, 1);
    await w.eventually('told', () => /✅ `chat`: completed: promoted after/.test(pull.comments[0]?.body ?? ''));
  });

  it('tell each commit what became of it', async () => {
    w = await aPullRequestWorld(settings(allowed));
    const { commit: commitAs } = w.world.remote;
    const comment = commitAs({ [file]: `# the same\n${text(0.1)}` });
    await w.eventually('skipped', () => w.statuses(comment)['actuator/chat'] === 'success');
    // Three in one push: the last one counts.
    const { git, write } = w.world.remote;
    const passed = [0.2, 0.3].map((temperature) => {
      write({ [file]: text(temperature) });
      git('commit', '-q', '-a', '-m', 'on the way');
      return git('rev-parse', 'HEAD').trim();
    });
    const last = commitAs({ [file]: text(0.4) });
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    const next = commitAs({ [file]: text(0.6) });
    await w.eventually('replaced', () => w.chat().active?.revision.commit === next);
    const wrong = commitAs({ [file]: 'llm: { model: unheard-of }\n' });
    await w.eventually('refused', () => w.statuses(wrong)['actuator/chat'] === 'failure');
    assert.deepEqual(
      [...passed, last].map((one) => w.statuses(one)['actuator/chat']),
      ['error', 'error', 'error'],
    );
    assert.match(w.statusLog(last).at(-1)?.description ?? '', /superseded: replaced by deploy-/);
    assert.match(w.statusLog(wrong).at(-1)?.description ?? '', /unheard-of/);
  });

  it('of many services in one commit are one status for the rest of them', async () => {
    const many = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`services/${name}/config.yaml`, text(0.1)]));
    const { 'services/d/config.yaml': _d, ...three } = many;
    w = await aPullRequestWorld(settings(allowed, 'code_host: { aggregate_above: 2 }\n'), many);
    await w.eventually('adopted', () => w.bench.controlPlane.engine.states().length === 5);
    const commit = w.world.remote.commit(Object.fromEntries(Object.keys(three).map((path) => [path, text(0.5)])));
    await w.eventually('aggregated', () => w.statuses(commit)['actuator/services'] === 'pending');
    assert.equal(Object.keys(w.statuses(commit)).length, 3);
    for (const name of ['a', 'b', 'c']) await w.promote(name);
    await w.eventually('done', () => Object.values(w.statuses(commit)).join() === 'success,success,success');
    assert.match(
      w.statusLog(commit).findLast(({ context }) => context === 'actuator/services')?.description ?? '',
      /^3 services: 3 completed/,
    );
    assert.deepEqual(
      w.github.state.deployments.map(({ environment }) => environment),
      ['a', 'b'],
    );
  });

  it('can be turned off one by one', async () => {
    w = await aPullRequestWorld(settings('code_host: { deployments: false, comments: false }\n'));
    const pull = await w.open('topic', { [file]: text(0.5) });
    const commit = await w.merge(pull.number);
    await w.promote();
    await w.eventually('success', () => w.statuses(commit)['actuator/chat'] === 'success');
    assert.deepEqual([w.github.state.deployments, pull.comments], [[], []]);
  });

  it('end for a deployment that is refused while it waits', async () => {
    w = await aPullRequestWorld(settings());
    const commit = w.world.remote.commit({ [file]: text(0.5) });
    await w.eventually('queued', () => w.github.state.deployments[0]?.statuses.at(-1)?.state === 'queued');
    w.bench.clock.advance(301_000);
    await w.eventually('refused', () => w.statuses(commit)['actuator/chat'] === 'failure');
    await w.eventually('ended', () => w.github.state.deployments[0]?.statuses.at(-1)?.state === 'failure');
  });

  it('escape what others have written', async () => {
    w = await aPullRequestWorld(settings(allowed));
    const pull = await w.open('topic', { [file]: 'llm: { model: "<img src=x> @everyone [x](y)" }\n' });
    await w.merge(pull.number);
    await w.eventually('told', () => pull.comments.length === 1);
    assert.match(pull.comments[0]?.body ?? '', /\\<img src=x\\> @\u200beveryone \\\[x\\\]\\\(y/);
  });
});

describe('while GitHub is away', () => {
  it('rollouts go on, and reports catch up without saying anything twice', async () => {
    w = await aPullRequestWorld(settings(allowed));
    w.github.fail({ status: 503 });
    const commit = w.world.remote.commit({ [file]: text(0.5) });
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
    await w.eventually('a problem', () => /made to fail/.test(w.bench.controlPlane.problems().codeHost ?? ''));
    await w.promote();
    assert.deepEqual(states(commit), []);
    w.github.fail(null);
    await w.eventually('caught up', () => w.statuses(commit)['actuator/chat'] === 'success');
    w.bench.clock.advance(2001);
    await w.eventually('well again', () => w.bench.controlPlane.problems().codeHost === null);
    // What was being said when GitHub came back may have been older.
    assert.deepEqual([[...new Set(states(commit))], w.github.state.deployments.length], [states(commit), 1]);
  });

  it('answers that get lost double nothing', async () => {
    w = await aPullRequestWorld(settings());
    const pull = await w.open('topic', { [file]: text(0.5) });
    w.github.fail({ of: 'POST /repos', status: 502, afterwards: true, times: 3 });
    const commit = await w.merge(pull.number);
    await w.promote();
    await w.eventually('success', () => w.statuses(commit)['actuator/chat'] === 'success');
    await w.eventually('told', () => pull.comments.length > 0 && w.github.state.deployments[0]?.statuses.at(-1)?.state === 'success');
    const said = w.statusLog(commit).map(({ state, description }) => `${state} ${description ?? ''}`);
    assert.deepEqual([said, w.github.state.deployments.length, pull.comments.length], [[...new Set(said)], 1, 1]);
  });

  it('a missing permission for one kind of report keeps neither the others away nor those of later commits', async () => {
    w = await aPullRequestWorld(settings(allowed));
    w.github.fail({ of: '/deployments', status: 403, message: 'Resource not accessible by integration' });
    for (const temperature of [0.5, 0.6]) {
      const commit = w.world.remote.commit({ [file]: text(temperature) });
      await w.eventually('seen', () => w.chat().active?.revision.commit === commit);
      await w.promote();
      await w.eventually('success', () => w.statuses(commit)['actuator/chat'] === 'success');
    }
    await w.eventually('a problem', () => /permissions/.test(w.bench.controlPlane.problems().codeHost ?? ''));
  });

  it('a team that may not be asked about holds up its own service only', async () => {
    const roles =
      'versioning: { require_approver: true, approval_roles: [prompts, sre] }\ncode_host: { role_teams: { prompts: [acme/x] } }\n';
    const other = 'services/zed/config.yaml';
    w = await aPullRequestWorld(settings(roles).replace('max_concurrent_deployments: 1', 'max_concurrent_deployments: 9'), {
      [other]: text(0.1),
    });
    await w.eventually('adopted', () => w.bench.controlPlane.engine.states().length === 2);
    w.github.fail({ of: '/memberships', status: 403 });
    const stuck = await w.open('stuck', { [file]: text(0.5) });
    await w.review(stuck.number, 'cleo');
    await w.merge(stuck.number);
    const free = await w.open('free', { [other]: text(0.5) });
    await w.review(free.number, 'bob');
    await w.merge(free.number);
    await w.eventually('on trial', () => w.bench.state('zed').active?.phase.name === 'progressing');
    assert.equal(w.chat().active?.phase.name, 'pending');
  });

  it('a merge that GitHub shows late is no direct push', async () => {
    w = await aPullRequestWorld(settings());
    const { number } = await w.open('topic', { [file]: text(0.5) });
    w.github.fail({ of: '/commits/{commit_sha}/pulls', status: 422 });
    await w.merge(number);
    await w.eventually('seen', () => w.chat().active?.phase.name === 'pending');
    w.bench.clock.advance(300_000);
    for (let round = 0; round < 3; round++) await w.bench.controlPlane.tick();
    assert.equal(w.chat().active?.phase.name, 'pending');
    w.github.fail(null);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('records of long ago are forgotten', async () => {
    w = await aPullRequestWorld(settings(allowed));
    const commit = w.world.remote.commit({ [file]: text(0.5) });
    await w.promote();
    await w.eventually('success', () => w.statuses(commit)['actuator/chat'] === 'success');
    assert.notEqual(await w.store.get(`report/${commit}`), null);
    w.bench.clock.advance(9 * 24 * 3_600_000);
    await w.eventually('forgotten', () => w.bench.controlPlane.problems().codeHost === null);
    await until('forgotten', async () => (await w.store.get(`report/${commit}`)) === null);
  });

  it('nothing starts that needs a review, and it starts when GitHub is back', async () => {
    w = await aPullRequestWorld(settings(needsApproval));
    const { number } = await w.open('topic', { [file]: text(0.5) });
    await w.review(number, 'bob');
    w.github.fail({ of: '/commits/', status: 503 });
    await w.merge(number);
    await w.eventually('waits', () => {
      const phase = w.chat().active?.phase;
      return phase?.name === 'pending' && /not known yet/.test(phase.waitsFor.join());
    });
    w.bench.clock.advance(301_000);
    for (let round = 0; round < 3; round++) {
      await w.bench.controlPlane.tick();
      assert.equal(w.chat().active?.phase.name, 'pending');
    }
    // Told until it is over, whatever is due meanwhile.
    const isTold = (): boolean =>
      findIssues(w.bench.controlPlane, w.bench.clock.now()).some(({ issue }) => /^GitHub, pull requests of/.test(issue));
    await w.eventually('told', isTold);
    for (let round = 0; round < 5; round++) {
      w.bench.clock.advance(1000);
      await w.bench.controlPlane.tick();
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.ok(isTold());
    }
    w.github.fail(null);
    await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  });

  it('a commit that a force-push took away holds up no report', async () => {
    w = await aPullRequestWorld(settings(allowed));
    const lost = w.world.remote.commit({ [file]: text(0.5) });
    w.github.failCommit(lost);
    await w.eventually('on trial', () => w.chat().active?.revision.commit === lost);
    const commit = w.world.remote.commit({ [file]: text(0.6) });
    await w.eventually('replaced', () => w.chat().active?.revision.commit === commit);
    await w.promote();
    await w.eventually('success', () => w.statuses(commit)['actuator/chat'] === 'success');
    assert.deepEqual(states(lost), []);
    w.bench.clock.advance(601_000);
    await w.eventually('given up', () => w.bench.controlPlane.problems().codeHost === null);
  });
});

it('a limit that reports run into keeps no approval waiting', async () => {
  w = await aPullRequestWorld(settings(needsApproval));
  const limited = { status: 403, headers: { 'retry-after': '600' }, message: 'You have exceeded a secondary rate limit' };
  w.github.fail({ of: 'POST /repos/{owner}/{repo}/statuses', ...limited });
  const { number } = await w.open('topic', { [file]: text(0.5) });
  const commit = await w.merge(number);
  await w.eventually('limited', () => /before \d{4}-/.test(w.bench.controlPlane.problems().codeHost ?? ''));
  w.github.fail(null);
  await w.review(number, 'bob');
  await w.eventually('on trial', () => w.chat().active?.phase.name === 'progressing');
  assert.deepEqual(w.statuses(commit), {});
});

it('what is wrong with our access is told at the start, and not by the first change', async () => {
  w = await aPullRequestWorld(settings(), {}, ({ github }) => {
    github.state.permissions['statuses'] = 'read';
    return Promise.resolve();
  });
  await w.eventually('told', () => /may not write statuses of acme\/prompts/.test(w.bench.controlPlane.problems().codeHost ?? ''));
  w.github.state.permissions['statuses'] = 'write';
  w.bench.clock.advance(61_000);
  await w.eventually('mended', () => w.bench.controlPlane.problems().codeHost === null);
});

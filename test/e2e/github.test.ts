/** The whole way by pull requests: a real daemon, real Git over HTTP, and the stand-in for GitHub with a protected branch. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { GithubForge } from '../../src/demo/github/forge.ts';
import type { PullRequest } from '../../src/demo/github/state.ts';
import { startLoad, type Load } from '../../src/demo/load.ts';
import { status, untilEnded } from '../../src/demo/story.ts';
import { createWorld, type World } from '../../src/demo/world.ts';
import { contractProblem } from '../contract/github-contract.ts';
import { runActionStep } from '../support/action.ts';
import { until } from '../support/fake-control-plane.ts';
import { quickSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
const config = `services/${service}/config.yaml`;
const context = `actuator/${service}`;
let world: World;
let github: GithubForge;
let load: Load;
const problems: string[] = [];

before(async () => {
  world = await createWorld({
    directory: await mkdtemp(join(tmpdir(), 'actuator-github-')),
    seed: 5,
    settings: `${quickSettings}versioning: { require_approver: true, approval_roles: [sre] }
people:
  - { name: Bob, logins: [bob], roles: [sre] }
`,
    // Only webhooks can be that fast.
    pollInterval: '1h',
    github: { approvals: 1, environment: { ACTUATOR_GITHUB_SIGNED_COMMITS: 'true' } },
  });
  assert.ok(world.github);
  github = world.github;
  github.fake.onExchange((exchange) => {
    const problem = contractProblem(exchange);
    if (problem !== null) problems.push(problem);
  });
  await world.startControlPlane();
  await until('adopted', async () => (await status(world, service).catch(() => null))?.stable, 10_000);
  load = startLoad({ gateway: world.gatewayUrl, service, plain: 60, streamed: 5, sdk: 5, longestMs: 100_000 });
});

after(async () => {
  // First, since what goes on would keep this process alive when the set-up has failed.
  await world.close();
  await load.stop();
  await rm(world.directory, { recursive: true, force: true });
});

/** What the workflow of the example repository does on a pull request. */
async function runWorkflow(): Promise<string> {
  const { code, out, err } = runActionStep('Validate and plan', join(world.directory, 'clone'), world.directory, { BASE: 'origin/main' });
  assert.equal(code, 0, out + err);
  return readFile(join(world.directory, 'actuator-plan.md'), 'utf8');
}

async function propose(branch: string, edit: (text: string) => string): Promise<PullRequest> {
  await world.commit(`${service}: ${branch}`, { [config]: edit }, branch);
  return github.open('ada', branch, `Try ${branch}`, 'because');
}

describe('a pull request', () => {
  it('is validated, reviewed, merged, and its webhook starts a canary that is promoted', async () => {
    const pull = await propose('cooler', (text) => text.replace('temperature: 0.7', 'temperature: 0.5'));
    assert.match(await runWorkflow(), /`support-chat`: rollout by canary[\s\S]*Approvals\*\*: 1 of sre/);
    await assert.rejects(github.merge(pull.number, 'ada'), /approving review is required/);
    await github.approve(pull.number, 'bob', 'go');
    const commit = await github.merge(pull.number, 'ada');
    const { phase } = await untilEnded(world, service, commit, 60_000);
    assert.equal(phase, 'completed');
    await until('success', () => github.statuses(commit)[context] === 'success', 10_000);
    await until('told', () => /✅ `support-chat`: completed/.test(pull.comments[0]?.body ?? ''), 10_000);
    assert.deepEqual([pull.comments.length, github.fake.state.deployments[0]?.statuses.at(-1)?.state], [1, 'success']);
  });

  it('that fails is rolled back, and reverted by a pull request that its reviewers merge', async () => {
    world.provider.set('gpt-next', { errorRate: 0.4 });
    const pull = await propose('next', (text) =>
      text.replace('  model: gpt-4-turbo', '  model: gpt-next').replace('default_model: gpt-4-turbo', 'default_model: gpt-next'),
    );
    await github.approve(pull.number, 'bob', 'go');
    const bad = await github.merge(pull.number, 'ada');
    const { phase } = await untilEnded(world, service, bad, 60_000);
    assert.equal(phase, 'rolled-back');
    const revert = await until('a revert', () => github.fake.state.pulls[2], 15_000);
    await until('open', () => revert.labels.includes('rollback') && revert.autoMerge !== null, 10_000);
    assert.match(revert.body, /Verdict \*\*fail\*\*[\s\S]*evidence\.json/);
    assert.ok(github.fake.state.verified.has(revert.head), 'GitHub signs what it makes for us');
    // Nothing of it is tried again while the branch still holds it.
    assert.equal((await status(world, service)).phase, 'idle');
    await github.approve(revert.number, 'bob', 'take it back');
    await until('merged', () => revert.mergeCommit, 10_000);
    await until('reverted', async () => (await status(world, service)).last_deployment?.revert_commit === revert.mergeCommit, 10_000);
    const restored = await world.git('fetch', '-q', 'origin').then(() => world.git('show', `origin/main:${config}`));
    assert.match(restored, /temperature: 0\.5/);
    await until(
      'every commit has its end',
      () => {
        const ends = [bad, revert.mergeCommit ?? ''].map((commit) => github.statuses(commit)[context]);
        return ends.join() === 'failure,success';
      },
      10_000,
    );
    await until(
      'told',
      () => /❌ `support-chat`: rolled back[\s\S]*Taken back on the branch by/.test(pull.comments[0]?.body ?? ''),
      10_000,
    );
  });

  it('whatever happened, clients saw no failure of ours, and GitHub nothing that it does not describe', async () => {
    await load.stop();
    assert.deepEqual([load.counts.failedByUs, problems], [0, []]);
    const pending = github.fake.state.statuses.filter(({ sha }) => github.statuses(sha)[context] === 'pending');
    assert.deepEqual(pending, []);
  });
});

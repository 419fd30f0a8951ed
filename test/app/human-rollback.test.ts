/** How people take a change back in Git, each way with real Git: what counts is the content that the branch holds, never what a message says. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import type { ConfigurationRepository } from '../../src/ports/repository.ts';
import { ordered } from '../builders/service.ts';
import { base, bootControlPlane, type ControlPlaneWorld } from '../support/control-plane-world.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { until } from '../support/fake-control-plane.ts';
import { aRepository, type TestRepository } from '../support/repositories.ts';

const file = 'services/chat/config.yaml';
const text = (temperature: number): string => `llm:\n  model: m\n  parameters: { temperature: ${temperature}, max_tokens: 100 }\n`;
/** Nothing may start by these: only a way back is exempt. */
const strict = `${base['actuator.yaml']}versioning: { require_approver: true, min_approvals: 2 }
deployment_windows: { deny: [{ cron: "* * * * *", duration_minutes: 1m }] }
`;
const dayMs = 24 * 3_600_000;

let remote: TestRepository;
let bench: ControlPlaneWorld<ConfigurationRepository>;
let good: string;
let bad: string;

function git(...args: readonly string[]): string {
  return remote.git(...args).trim();
}

function push(): void {
  git('push', '-q', '-f', 'origin', 'HEAD:main');
}

/** What the reconciler makes of the branch as it is. */
async function look(): Promise<void> {
  const tip = git('rev-parse', 'HEAD');
  bench.controlPlane.poll();
  await until('seen', () => bench.controlPlane.reconciler.head() === tip || bench.controlPlane.problems().repository !== null);
  await bench.controlPlane.tick();
}

async function promoteActive(): Promise<void> {
  await until('it has started', () => bench.state('chat').active?.phase.name === 'progressing');
  await bench.controlPlane.engine.dispatch('chat', ordered({ type: 'promotion-requested', full: true }), 'me');
  await bench.controlPlane.tick();
  await until('promoted', () => bench.state('chat').active === null);
}

async function stableText(): Promise<string> {
  return (await bench.store.configuration('chat', bench.state('chat').stable?.digest ?? ''))?.text ?? '';
}

/** Stable is 0.1 again at once, without approvals, in spite of windows; nothing is in quarantine, and a promotion ended it. */
async function assertTakenBack(): Promise<void> {
  await look();
  await until('back', () => bench.state('chat').active === null);
  const { quarantine, last } = bench.state('chat');
  assert.equal(await stableText(), text(0.1));
  assert.deepEqual([quarantine, last?.phase, last?.reason], [[], 'completed', 'back on a revision that was promoted not long ago']);
  assert.deepEqual(bench.reverts, []);
}

/** It waits for its approvals as any change does. */
async function assertNormalChange(): Promise<void> {
  await look();
  const { active } = bench.state('chat');
  assert.deepEqual([active?.phase.name, active?.plan.kind], ['pending', 'canary']);
}

beforeEach(async () => {
  remote = await aRepository();
  good = remote.commit({ ...base, [file]: text(0.1) }, 'good');
  const { repository } = await remote.open();
  bench = await bootControlPlane(await openSqliteStore(':memory:'), repository, fakeClock());
  await until('adopted', () => bench.controlPlane.engine.state('chat')?.stable);
  bad = remote.commit({ [file]: text(0.9) }, 'bad');
  await look();
  await promoteActive();
  remote.commit({ 'actuator.yaml': strict }, 'strict');
  await look();
});

afterEach(async () => {
  await bench.controlPlane.stop();
  await bench.store.close();
  await remote.close();
});

describe('a promoted change is taken back', () => {
  it('by git revert', async () => {
    git('revert', '--no-edit', bad);
    push();
    await assertTakenBack();
  });

  it('by the Revert button, merged with a merge commit', async () => {
    git('checkout', '-q', '-b', 'revert-7-topic');
    git('revert', '--no-edit', bad);
    git('checkout', '-q', 'main');
    git('merge', '-q', '--no-ff', '-m', 'Merge pull request #8 from acme/revert-7-topic', 'revert-7-topic');
    push();
    await assertTakenBack();
  });

  it('by the Revert button, squashed, with a message that says nothing', async () => {
    git('checkout', '-q', '-b', 'revert-7-topic');
    git('revert', '--no-edit', bad);
    git('checkout', '-q', 'main');
    git('merge', '-q', '--squash', 'revert-7-topic');
    git('commit', '-q', '-m', 'Cooler answers (#8)');
    push();
    await assertTakenBack();
  });

  it('by the Revert button, rebased onto what came meanwhile', async () => {
    git('checkout', '-q', '-b', 'revert-7-topic');
    git('revert', '--no-edit', bad);
    git('checkout', '-q', 'main');
    remote.commit({ 'README.md': 'meanwhile\n' }, 'meanwhile');
    git('rebase', '-q', 'main', 'revert-7-topic');
    git('checkout', '-q', 'main');
    git('merge', '-q', '--ff-only', 'revert-7-topic');
    push();
    await assertTakenBack();
  });

  it('by restoring the file', async () => {
    git('checkout', '-q', good, '--', file);
    git('commit', '-q', '-m', 'restore');
    push();
    await assertTakenBack();
  });

  it('by writing the same again in another form', async () => {
    remote.commit({ [file]: '# as it was\nllm:\n  parameters:\n    max_tokens: 100\n    temperature: 0.10\n  model: "m"\n' }, 'by hand');
    await look();
    const { active, last } = bench.state('chat');
    assert.deepEqual([active, last?.phase, last?.reason], [null, 'completed', 'back on a revision that was promoted not long ago']);
    assert.match(await stableText(), /as it was/);
  });

  it('by a force-push to before it', async () => {
    git('reset', '-q', '--hard', good);
    push();
    await look();
    assert.equal(bench.controlPlane.problems().repository, null);
    await assertTakenBack();
  });
});

describe('a change is a change like any other', () => {
  it('when the revert has an edit beside it', async () => {
    git('revert', '--no-edit', bad);
    remote.commit({ [file]: text(0.1).replace('100', '200') }, 'Revert "bad"\n\nThis reverts commit of old, nearly.');
    await assertNormalChange();
  });

  it('when only its message says that it reverts something', async () => {
    remote.commit({ [file]: text(0.5) }, `Revert "bad"\n\nThis reverts commit ${bad}.`);
    await assertNormalChange();
  });

  it('when what it goes back to is too long ago', async () => {
    bench.clock.advance(8 * dayMs);
    git('revert', '--no-edit', bad);
    push();
    await assertNormalChange();
  });
});

describe('a canary under way', () => {
  it('that is reverted is aborted, and may be tried again: a person took it back, not we', async () => {
    remote.commit({ 'actuator.yaml': base['actuator.yaml'] }, 'lenient');
    await look();
    const next = remote.commit({ [file]: text(0.5) }, 'next');
    await look();
    await until('on trial', () => bench.state('chat').active?.phase.name === 'progressing');
    git('revert', '--no-edit', next);
    push();
    await look();
    await until('aborted', () => bench.state('chat').active === null);
    assert.deepEqual([bench.state('chat').last?.phase, bench.state('chat').quarantine], ['rolled-back', []]);
    assert.match(bench.state('chat').last?.reason ?? '', /taken back in Git by Ada/);

    git('revert', '--no-edit', 'HEAD');
    push();
    await look();
    await until('again', () => bench.state('chat').active?.phase.name === 'progressing');
  });

  it('that we rolled back is not tried again by a revert of our revert', async () => {
    remote.commit({ 'actuator.yaml': base['actuator.yaml'] }, 'lenient');
    await look();
    remote.commit({ [file]: text(0.5) }, 'next');
    await look();
    await until('on trial', () => bench.state('chat').active?.phase.name === 'progressing');
    await bench.controlPlane.engine.dispatch('chat', ordered({ type: 'rollback-requested', gradualMs: null, target: null }), 'me');
    await bench.controlPlane.tick();
    await until('rolled back', () => bench.state('chat').last?.phase === 'rolled-back');
    // What our revert would have written, and then somebody's revert of it.
    git('revert', '--no-edit', 'HEAD');
    git('revert', '--no-edit', 'HEAD');
    push();
    await look();
    assert.equal(bench.state('chat').active, null);
    assert.match(bench.state('chat').rejection?.problems[0]?.message ?? '', /in quarantine/);
  });
});

describe('a decided A/B test that the branch still holds', () => {
  const tested = `${text(0.9)}variants: [{ name: cool, parameters: { temperature: 0.3 } }, { name: mild, parameters: { temperature: 0.4 } }]
ab_test: { metric: quality_score, max_duration_hours: 1 }
`;

  beforeEach(async () => {
    remote.commit({ 'actuator.yaml': base['actuator.yaml'] }, 'lenient');
    await look();
    remote.commit({ [file]: tested }, 'which one');
    await look();
    await until('it compares', () => bench.state('chat').active?.phase.name === 'progressing');
    await bench.controlPlane.engine.dispatch('chat', ordered({ type: 'winner-chosen', arm: 'mild', comparison: null }), 'me');
    await bench.controlPlane.tick();
    await until('promoted', () => bench.state('chat').active === null);
  });

  it('means the arm that has won it, and is not begun again by a comment', async () => {
    assert.match(await stableText(), /temperature: 0.4/);
    assert.doesNotMatch(await stableText(), /variants|ab_test/);
    remote.commit({ [file]: `# still\n${tested}` }, 'comment');
    await look();
    assert.equal(bench.state('chat').active, null);
  });

  it('under another endpoint rolls out the arm there, and runs no test', async () => {
    remote.commit({ 'models.yaml': base['models.yaml'].replace('p.example.com', 'q.example.com') }, 'moved');
    await look();
    await until('it is tried', () => bench.state('chat').active !== null);
    assert.equal(bench.state('chat').active?.plan.kind, 'canary');
  });

  it('is gone back to as the arm, when what came after it is reverted', async () => {
    const next = remote.commit({ [file]: text(0.6) }, 'next');
    await look();
    await promoteActive();
    git('revert', '--no-edit', next);
    push();
    await look();
    await until('back', () => bench.state('chat').active === null);
    assert.match(await stableText(), /temperature: 0.4/);
    assert.equal(bench.state('chat').last?.reason, 'back on a revision that was promoted not long ago');
    remote.commit({ [file]: `# still\n${tested}` }, 'comment');
    await look();
    assert.equal(bench.state('chat').active, null, 'nor is it begun again after that');
  });

  it('may be run anew by who has gone back to before it, with the approvals that any change needs', async () => {
    git('revert', '--no-edit', 'HEAD');
    push();
    await look();
    await until('back', () => bench.state('chat').active === null);
    assert.match(await stableText(), /temperature: 0.9/);
    remote.commit({ 'actuator.yaml': strict }, 'strict');
    await look();
    remote.commit({ [file]: tested }, 'once more');
    await look();
    const { active, stable } = bench.state('chat');
    assert.deepEqual([active?.phase.name, active?.plan.kind], ['pending', 'ab-test']);
    assert.match((await bench.store.configuration('chat', stable?.digest ?? ''))?.text ?? '', /temperature: 0.9/);
  });
});

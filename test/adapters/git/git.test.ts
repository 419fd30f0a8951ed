import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as isomorphic from 'isomorphic-git';
import { checkRemoteUrl } from '../../../src/adapters/git/git-command.ts';
import { readFileAt } from '../../../src/adapters/git/status-branch.ts';
import { openCheckout } from '../../../src/adapters/checkout/checkout.ts';
import { aRepository, type Opened, type TestRepository } from '../../support/repositories.ts';

let remote: TestRepository;

beforeEach(async () => {
  remote = await aRepository();
});
afterEach(() => remote.close());

async function head(opened: Opened): Promise<string> {
  const commit = await opened.repository.fetch();
  assert.ok(commit !== null);
  return commit;
}

const revert = (text: string, message = 'roll back\n\nActuator-Deployment: deploy-1\n'): Parameters<Opened['writer']['revert']>[0] => ({
  service: 'a',
  isBad: (present) => Promise.resolve(present.startsWith('bad')),
  restoreText: text,
  message,
  marker: 'Actuator-Deployment: deploy-1',
});

describe('reading', () => {
  it('finds the files that mean something, and no others', async () => {
    const commit = remote.commit({
      'actuator.yaml': 's',
      'models.yaml': 'm',
      'policies/standard.yaml': 'p',
      'policies/notes.txt': 'x',
      'services/a/config.yaml': 'one',
      'services/a/rollout.yaml': 'r',
      'services/b/other.txt': 'x',
      'services/Bad Name/config.yaml': 'x',
      'README.md': 'x',
    });
    const opened = await remote.open();
    assert.equal(await head(opened), commit);

    const tree = await opened.repository.tree(commit);

    assert.deepEqual([...tree.policies.keys()], ['standard']);
    assert.deepEqual([...tree.services.keys()], ['a', 'b']);
    assert.equal(tree.services.get('b')?.config, null);
    assert.match(tree.problems.get('')?.[0]?.message ?? '', /lower-case/);
    const config = tree.services.get('a')?.config;
    assert.ok(config);
    assert.deepEqual(await opened.repository.read(config), { text: 'one' });
  });

  it('refuses links and large files, and says so', async () => {
    remote.commit({ 'services/a/config.yaml': 'x', 'services/big/config.yaml': `x: ${'y'.repeat(300_000)}` });
    remote.link('services/evil/config.yaml', '/etc/passwd');
    remote.link('actuator.yaml', '../secrets.yaml');
    const commit = remote.commit({});
    const opened = await remote.open();
    await head(opened);

    const tree = await opened.repository.tree(commit);

    assert.equal(tree.services.get('evil')?.config, null);
    assert.match(tree.problems.get('evil')?.[0]?.message ?? '', /no symbolic links/);
    assert.equal(tree.settings, null);
    assert.equal(tree.problems.get('')?.[0]?.file, 'actuator.yaml');
    const big = tree.services.get('big')?.config;
    assert.ok(big);
    assert.match(JSON.stringify(await opened.repository.read(big)), /too-large/);
  });

  it('walks first parents over merges, and knows a rewritten history', async () => {
    const first = remote.commit({ 'services/a/config.yaml': '1' });
    remote.git('checkout', '-q', '-b', 'side');
    remote.git('commit', '-q', '--allow-empty', '-m', 'side');
    remote.git('checkout', '-q', 'main');
    const second = remote.commit({ 'services/a/config.yaml': '2' });
    remote.git('merge', '-q', '--no-ff', '-m', 'merge', 'side');
    const third = remote.commit({ 'services/a/config.yaml': '3' });
    const opened = await remote.open();
    await head(opened);

    const merge = remote.git('rev-parse', 'HEAD~1').trim();
    assert.deepEqual(await opened.repository.firstParents(first, third, 100), [second, merge, third]);
    assert.deepEqual(await opened.repository.firstParents(third, third, 100), []);

    remote.git('reset', '-q', '--hard', first);
    const rewritten = remote.commit({ 'services/a/config.yaml': 'x' });
    await head(opened);
    assert.equal(await opened.repository.firstParents(third, rewritten, 100), null);
  });

  it('says null for a branch that is gone, and an error that helps for a forge that is down', async () => {
    remote.commit({ 'services/a/config.yaml': '1' });
    const opened = await remote.open();
    await head(opened);
    remote.git('--git-dir', join(remote.directory, 'remote.git'), 'update-ref', '-d', 'refs/heads/main');
    assert.equal(await opened.repository.fetch(), null);

    remote.forge.setFailure(503);
    await assert.rejects(opened.repository.fetch(), (error: Error) => error.name === 'TransientError' && error.message.includes('503'));
    remote.forge.setFailure(404);
    await assert.rejects(opened.repository.fetch(), (error: Error) => error.name === 'StalledError');
  });

  it('agrees with isomorphic-git on every tree of a history of edits', async () => {
    const opened = await remote.open();
    const commits = Array.from({ length: 8 }, (_, index) =>
      remote.commit({
        [`services/s${index % 3}/config.yaml`]: `v: ${index}`,
        [`services/t${index}/config.yaml`]: 'x',
        ...(index > 4 ? { [`services/t${index - 4}/config.yaml`]: null } : {}),
      }),
    );
    await head(opened);
    for (const commit of commits) {
      const ours = await opened.repository.tree(commit);
      const theirs = await openCheckout(join(remote.directory, 'clone')).at(commit);
      assert.deepEqual(
        [...ours.services].map(([name, files]) => [name, files.config !== null]).sort(),
        [...theirs.services].map(([name, files]) => [name, files.config !== null]).sort(),
      );
      for (const [name, files] of ours.services) {
        if (files.config !== null)
          assert.deepEqual(await opened.repository.read(files.config), { text: theirs.services.get(name)?.config });
      }
    }
    // And the objects that we write are what isomorphic-git reads from disk.
    await opened.branch.publish(
      [{ message: 'm\n', files: [{ path: 'a/b.txt', text: 'hello' }], appends: [], cursor: { instance: 'i', position: 1 } }],
      false,
    );
    const { blob } = await isomorphic.readBlob({
      fs,
      gitdir: join(remote.directory, 'remote.git'),
      oid: remote.git('ls-remote', 'origin', 'actuator/status').slice(0, 40),
      filepath: 'a/b.txt',
      cache: {},
    });
    assert.equal(Buffer.from(blob).toString(), 'hello');
    assert.equal(remote.git('--git-dir', join(remote.directory, 'remote.git'), 'fsck', '--strict'), '');
  });
});

describe('a revert', () => {
  it('restores one file on top of what others have pushed meanwhile', async () => {
    remote.commit({ 'services/a/config.yaml': 'good', 'services/b/config.yaml': '1' });
    remote.commit({ 'services/a/config.yaml': 'bad' });
    const opened = await remote.open();
    await head(opened);
    const theirs = remote.commit({ 'services/b/config.yaml': '2' });

    const outcome = await opened.writer.revert(revert('good'));

    assert.equal(outcome.kind, 'committed');
    remote.git('fetch', '-q', 'origin');
    assert.equal(remote.git('show', 'origin/main:services/a/config.yaml'), 'good');
    assert.equal(remote.git('show', 'origin/main:services/b/config.yaml'), '2');
    assert.equal(remote.git('rev-parse', 'origin/main~1').trim(), theirs);
    assert.match(remote.git('log', '-1', '--format=%an', 'origin/main'), /actuator/);
  });

  it('does nothing when a person was faster, or it was done before', async () => {
    remote.commit({ 'services/a/config.yaml': 'good' });
    remote.commit({ 'services/a/config.yaml': 'bad' });
    const opened = await remote.open();
    await head(opened);
    const first = await opened.writer.revert(revert('good'));
    const second = await opened.writer.revert(revert('good'));
    assert.deepEqual(second, first);

    remote.git('fetch', '-q', 'origin');
    remote.git('reset', '-q', '--hard', 'origin/main');
    remote.commit({ 'services/a/config.yaml': 'newer' });
    assert.deepEqual(await opened.writer.revert({ ...revert('good'), marker: 'Actuator-Deployment: deploy-2' }), { kind: 'not-needed' });
  });

  it('says when the branch is protected', async () => {
    remote.commit({ 'services/a/config.yaml': 'bad' });
    const hook = join(remote.directory, 'remote.git', 'hooks', 'update');
    fs.writeFileSync(hook, '#!/bin/sh\n[ "$1" = refs/heads/main ] || exit 0\necho "main is protected" >&2\nexit 1\n', { mode: 0o755 });
    const opened = await remote.open();
    await head(opened);

    const outcome = await opened.writer.revert(revert('good'));

    assert.equal(outcome.kind, 'blocked');
    assert.match(outcome.message, /hook declined.*protected/);
  });

  it('wins or loses a race as a whole: of two writers none is lost', async () => {
    remote.commit({ 'services/a/config.yaml': '0', 'services/b/config.yaml': '0' });
    const [one, two] = [await remote.open('one.git'), await remote.open('two.git')];
    await Promise.all([head(one), head(two)]);

    const outcomes = await Promise.all([
      ...Array.from({ length: 4 }, (_, i) => one.writer.edit({ path: 'services/a/config.yaml', edit: () => `a${i}`, message: `a${i}\n` })),
      ...Array.from({ length: 4 }, (_, i) => two.writer.edit({ path: 'services/b/config.yaml', edit: () => `b${i}`, message: `b${i}\n` })),
    ]);

    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      outcomes.map(() => 'committed'),
    );
    remote.git('fetch', '-q', 'origin');
    assert.equal(remote.git('show', 'origin/main:services/a/config.yaml'), 'a3');
    assert.equal(remote.git('show', 'origin/main:services/b/config.yaml'), 'b3');
    assert.equal(remote.git('rev-list', '--count', 'origin/main').trim(), '9');
  });
});

describe('the status branch', () => {
  const commit = (position: number, instance = 'ours'): Parameters<Opened['branch']['publish']>[0][number] => ({
    message: `transition ${position}\n`,
    files: [{ path: 'status/aa/a.yaml', text: `at: ${position}\n` }],
    appends: [{ path: 'deployments/x/events.jsonl', text: `${position}\n` }],
    cursor: { instance, position },
  });

  it('grows by one commit for each transition, and publishes none twice', async () => {
    remote.commit({ 'README.md': 'x' });
    const opened = await remote.open();
    await head(opened);
    assert.equal(await opened.branch.cursor(), null);

    await opened.branch.publish([commit(1), commit(2)], false);
    await opened.branch.publish([commit(2), commit(3)], false);

    assert.deepEqual(await opened.branch.cursor(), { instance: 'ours', position: 3 });
    remote.git('fetch', '-q', 'origin');
    assert.equal(remote.git('log', '--format=%s', 'origin/actuator/status'), 'transition 3\ntransition 2\ntransition 1\n');
    assert.equal(remote.git('show', 'origin/actuator/status:deployments/x/events.jsonl'), '1\n2\n3\n');
  });

  it('keeps to the remote after a push that it did not make', async () => {
    remote.commit({ 'README.md': 'x' });
    const [one, two] = [await remote.open('one.git'), await remote.open('two.git')];
    await Promise.all([head(one), head(two)]);
    await one.branch.publish([commit(1)], false);
    await two.branch.publish([commit(1), commit(2)], false);
    await one.branch.publish([commit(2), commit(3)], false);

    remote.git('fetch', '-q', 'origin');
    assert.equal(remote.git('show', 'origin/actuator/status:deployments/x/events.jsonl'), '1\n2\n3\n');
  });

  it('is not written by two control planes, unless one takes over', async () => {
    remote.commit({ 'README.md': 'x' });
    const opened = await remote.open();
    await head(opened);
    await opened.branch.publish([commit(5, 'theirs')], false);

    await assert.rejects(opened.branch.publish([commit(1)], false), /another control plane/);
    await opened.branch.publish([commit(1)], true);

    const tip = await (await remote.open('again.git')).repository.fetch();
    assert.ok(tip);
    assert.deepEqual(await opened.branch.cursor(), { instance: 'ours', position: 1 });
  });

  it('holds files that a later reader finds', async () => {
    remote.commit({ 'README.md': 'x' });
    const opened = await remote.open();
    await head(opened);
    await opened.branch.publish([commit(1)], false);
    await opened.mirror.exclusively(() => opened.mirror.fetch());
    const tip = await opened.mirror.tip('actuator/status');
    assert.ok(tip);

    assert.equal(await readFileAt(opened.mirror, tip, 'status/aa/a.yaml'), 'at: 1\n');
    assert.equal(await readFileAt(opened.mirror, tip, 'status/none'), null);
  });
});

describe('a remote', () => {
  it('is https or ssh, without credentials in the URL; loopback and files only when allowed', () => {
    const check = (url: string, allowLocal = false): void => checkRemoteUrl({ url, token: null, allowLocal });
    for (const good of ['https://github.com/a/b.git', 'ssh://git@host/a.git', 'git@host:a/b.git']) check(good);
    for (const bad of [
      'http://github.com/a',
      'ext::sh -c x',
      'file:///tmp/x',
      'ssh://-oProxyCommand=x',
      'https://u:p@host/a',
      '--upload-pack=x',
      '/tmp/x',
    ])
      assert.throws(() => check(bad), /must be https/, bad);
    check('http://127.0.0.1:1/a.git', true);
    assert.throws(() => check('http://10.0.0.1/a.git', true));
  });
});

describe('the author of a change', () => {
  it('is named with the address, and of a merge everybody whose commits it brings', async () => {
    remote.commit({ 'services/a/config.yaml': 'llm: { model: m }\n' });
    remote.git('checkout', '-q', '-b', 'topic');
    remote.git('-c', 'user.name=Bea', 'commit', '-q', '--allow-empty', '-m', 'by Bea', '--author', 'Bea <bea@example.com>');
    remote.git('checkout', '-q', 'main');
    remote.git('commit', '-q', '--allow-empty', '-m', 'beside it', '--author', 'Cem <cem@example.com>');
    remote.git('merge', '-q', '--no-ff', '-m', 'merge', 'topic');
    remote.git('push', '-q', 'origin', 'main');
    const { repository } = await remote.open();
    const tip = (await repository.fetch()) ?? '';
    assert.equal(await repository.author(tip), 'Ada <ada@example.com>; Bea <bea@example.com>');
    assert.match(await repository.message(tip), /^merge/);
    await repository.close();
  });
});

/** What signatures of commits are worth: real ssh-keygen, real gpg, real git. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createCommitBuilder } from '../../../src/adapters/git/commit-builder.ts';
import { createSignatureChecker } from '../../../src/adapters/git/signatures.ts';
import { createSshSigner } from '../../../src/adapters/git/ssh-signer.ts';
import { StalledError } from '../../../src/base/failures.ts';
import type { Signature, Signer, SshKey } from '../../../src/domain/safety/signatures.ts';
import { aRepository, type Opened, type TestRepository } from '../../support/repositories.ts';
import { aGpgKey, anSshKey, commitSigned, missingTools, type GpgKey, type SshKeyPair } from '../../support/signing.ts';

const lacks = missingTools('ssh-keygen', 'gpg');
let remote: TestRepository;
let opened: Opened;
let ada: SshKeyPair;
let eve: SshKeyPair;

before(async () => {
  if (lacks !== false) return;
  remote = await aRepository();
  ada = anSshKey(remote.directory, 'ada');
  eve = anSshKey(remote.directory, 'eve');
  opened = await remote.open();
});

after(async () => {
  if (lacks === false) await remote.close();
});

function signer(name: string, keys: { readonly ssh?: readonly Partial<SshKey>[]; readonly gpg?: readonly GpgKey[] }): Signer {
  const sshKeys = (keys.ssh ?? []).map((key) => ({ key: '', validBefore: null, revoked: false, ...key }));
  return { name, emails: [], sshKeys, gpgKeys: (keys.gpg ?? []).map(({ publicKey }) => publicKey) };
}

async function check(commit: string, ...signers: readonly Signer[]): Promise<Signature> {
  await opened.repository.fetch();
  return createSignatureChecker(opened.mirror).check(commit, signers, Date.now());
}

async function stateOf(commit: string, ...signers: readonly Signer[]): Promise<readonly unknown[]> {
  const { state, signer: by } = await check(commit, ...signers);
  return [state, by];
}

describe('a commit', { skip: lacks }, () => {
  it('without a signature has none', async () => {
    assert.deepEqual(await stateOf(remote.commit({ a: '1' }), signer('Ada', { ssh: [{ key: ada.publicKey }] })), ['none', null]);
  });

  it('is good by an SSH key that is listed, and tells whose it is', async () => {
    const commit = commitSigned(remote, { a: '2' }, ada, 'ceo@example.com');
    const signers = [signer('Eve', { ssh: [{ key: eve.publicKey }] }), signer('Ada', { ssh: [{ key: ada.publicKey }] })];
    const found = await check(commit, ...signers);
    assert.deepEqual([found.state, found.signer, found.committerEmail], ['good', 'Ada', 'ceo@example.com']);
    assert.match(found.fingerprint, /^SHA256:/);
  });

  it('is unknown by one that is not, or whose time is over', async () => {
    const commit = commitSigned(remote, { a: '3' }, ada);
    assert.deepEqual(await stateOf(commit, signer('Eve', { ssh: [{ key: eve.publicKey }] })), ['unknown', null]);
    assert.deepEqual(await stateOf(commit, signer('Ada', { ssh: [{ key: ada.publicKey, validBefore: '2020-01-01' }] })), [
      'expired',
      'Ada',
    ]);
    assert.equal((await check(commit, signer('Ada', { ssh: [{ key: ada.publicKey, validBefore: '2999-01-01' }] }))).state, 'good');
  });

  it('is revoked by a key that was', async () => {
    const commit = commitSigned(remote, { a: '4' }, ada);
    assert.equal((await check(commit, signer('Ada', { ssh: [{ key: ada.publicKey, revoked: true }] }))).state, 'revoked');
  });

  it('is bad when it was changed afterwards', async () => {
    const commit = commitSigned(remote, { a: '5' }, ada);
    const text = remote.git('cat-file', 'commit', commit).replace('signed', 'other words');
    writeFileSync(join(remote.directory, 'changed'), text);
    const changed = remote.git('hash-object', '-t', 'commit', '-w', join(remote.directory, 'changed')).trim();
    remote.git('push', '-q', '-f', 'origin', `${changed}:main`);
    assert.equal((await check(changed, signer('Ada', { ssh: [{ key: ada.publicKey }] }))).state, 'bad');
  });

  it('is good by an OpenPGP key, unverifiable without it, and expired after its time', async () => {
    const key = aGpgKey(remote.directory, 'gpg');
    const commit = commitSigned(remote, { a: '6' }, key);
    assert.deepEqual(await stateOf(commit, signer('Ada', { gpg: [key] })), ['good', 'Ada']);
    assert.equal((await check(commit, signer('Ada', {}))).state, 'unverifiable');
    const short = aGpgKey(remote.directory, 'short', 'seconds=2');
    const late = commitSigned(remote, { a: '7' }, short);
    await new Promise((resolve) => setTimeout(resolve, 3100));
    assert.equal((await check(late, signer('Ada', { gpg: [short] }))).state, 'expired');
  });

  it('of ours is signed with our key', async () => {
    const parent = remote.commit({ a: '8' });
    await opened.repository.fetch();
    const builder = createCommitBuilder(opened.mirror, { name: 'actuator', email: 'a@example.com' }, await createSshSigner(ada.file));
    const commit = await builder.commit({
      parent,
      files: new Map([['b/c', '1\n']]),
      message: 'ours\n\nTrailer: x\n',
      timestamp: 1_790_000_000,
    });
    const found = await createSignatureChecker(opened.mirror).check(commit, [signer('us', { ssh: [{ key: ada.publicKey }] })], Date.now());
    assert.deepEqual([found.state, found.signer], ['good', 'us']);
    assert.equal(await opened.repository.message(commit), 'ours\n\nTrailer: x\n');
  });
});

describe('a key of ours', { skip: lacks }, () => {
  it('that others can read, that is none, or that is missing is refused at once', async () => {
    const file = join(remote.directory, 'open.key');
    writeFileSync(file, 'x', { mode: 0o644 });
    await assert.rejects(createSshSigner(file), /can be read by others/);
    writeFileSync(join(remote.directory, 'none.key'), 'x', { mode: 0o600 });
    await assert.rejects(createSshSigner(join(remote.directory, 'none.key')), StalledError);
    await assert.rejects(createSshSigner(join(remote.directory, 'missing.key')), StalledError);
  });
});

it('believes nothing by an OpenPGP key that is none, nor by the name in one', { skip: lacks }, async () => {
  const broken = { ...signer('Ada', { ssh: [{ key: ada.publicKey }] }), gpgKeys: ['-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n'] };
  assert.equal((await check(commitSigned(remote, { a: '9' }, ada), broken)).state, 'good');
  const liar = aGpgKey(remote.directory, 'signer-0');
  const commit = commitSigned(remote, { a: '10' }, liar);
  assert.deepEqual(await stateOf(commit, broken, signer('Eve', { gpg: [liar] })), ['good', 'Eve']);
});

/** Settings that demand signed commits, with real Git and real keys. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { checkSettings } from '../../src/domain/config/service-definition.ts';
import { refusalOf } from '../../src/domain/safety/signatures.ts';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import type { CodeHost } from '../../src/ports/code-host.ts';
import type { ConfigurationRepository } from '../../src/ports/repository.ts';
import { RefusedError, TransientError } from '../../src/base/failures.ts';
import { base, bootControlPlane, type ControlPlaneWorld } from '../support/control-plane-world.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { until } from '../support/fake-control-plane.ts';
import { aRepository, type TestRepository } from '../support/repositories.ts';
import { anSshKey, commitSigned, missingTools, type SshKeyPair } from '../support/signing.ts';

const file = 'services/chat/config.yaml';
const text = (temperature: number): string => `llm:\n  model: m\n  parameters: { temperature: ${temperature}, max_tokens: 100 }\n`;

const lacks = missingTools('ssh-keygen');
let remote: TestRepository;
let bench: ControlPlaneWorld<ConfigurationRepository>;
let ada: SshKeyPair;
let bob: SshKeyPair;
let strict: string;
let hostSays: (commit: string) => Promise<{ isVerified: boolean; reason: string }>;

const push = (): string => remote.git('push', '-q', '-f', 'origin', 'HEAD:main');

async function look(): Promise<void> {
  const tip = remote.git('rev-parse', 'HEAD').trim();
  bench.controlPlane.poll();
  await until('seen', () => bench.controlPlane.reconciler.head() === tip);
}

const refusal = (): string => bench.state('chat').rejection?.problems[0]?.message ?? '';
const isTried = (commit: string): boolean => bench.state('chat').active?.revision.commit === commit;

beforeEach(async () => {
  if (lacks !== false) return;
  remote = await aRepository();
  [ada, bob] = [anSshKey(remote.directory, 'ada'), anSshKey(remote.directory, 'bob')];
  strict = `${base['actuator.yaml']}people:
  - { name: Ada, emails: [ada@example.com], ssh_keys: ["${ada.publicKey}"] }
  - { name: Bob, ssh_keys: [{ key: "${bob.publicKey}" }] }
signatures:
  rules:
    - { paths: ["*"], signers: [Bob] }
    - { paths: [/services/], signers: [Ada, code-host] }
`;
  remote.commit({ ...base, 'actuator.yaml': strict, [file]: text(0.1) }, 'first');
  const { repository, writer } = await remote.open();
  hostSays = () => Promise.resolve({ isVerified: false, reason: 'unsigned' });
  const host = {
    verification: async (commit: string) => ({
      isMadeByHost: remote.git('show', '-s', '--format=%ce', commit).startsWith('noreply@github.com'),
      ...(await hostSays(commit)),
    }),
    pullRequestsOf: () => Promise.resolve([{ state: 'merged', base: 'main', number: 1, url: '', author: 'x' }]),
    reviews: () => Promise.resolve([]),
    committers: () => Promise.resolve({ commits: [], isComplete: true }),
  } as unknown as CodeHost;
  bench = await bootControlPlane(await openSqliteStore(':memory:'), repository, fakeClock(), null, writer, host);
  await until('adopted', () => bench.controlPlane.engine.state('chat')?.stable);
});

afterEach(async () => {
  if (lacks !== false) return;
  await bench.controlPlane.stop();
  await bench.store.close();
  await remote.close();
});

describe('a change of a service', { skip: lacks }, () => {
  it('is tried when somebody signed it who may', async () => {
    const commit = commitSigned(remote, { [file]: text(0.5) }, ada);
    await look();
    assert.ok(isTried(commit));
  });

  it('is refused without a signature, and tried when it is brought again with one', async () => {
    remote.commit({ [file]: text(0.5) });
    await look();
    assert.match(refusal(), /is not signed\. Settings \(signatures\) want it signed by Ada or the code host/);
    assert.equal(bench.state('chat').active, null);
    const commit = commitSigned(remote, { [file]: `# the same, signed\n${text(0.5)}` }, ada);
    await look();
    assert.ok(isTried(commit));
  });

  it('is refused from somebody who must not sign it, and from an unknown key', async () => {
    commitSigned(remote, { [file]: text(0.5) }, bob);
    await look();
    assert.match(refusal(), /is signed by Bob \(SHA256:.*\), who must not sign this/);
    commitSigned(remote, { [file]: text(0.6) }, anSshKey(remote.directory, 'eve'));
    await look();
    assert.match(refusal(), /by a key that settings do not list/);
  });

  it("is refused under another address than the signer's", async () => {
    commitSigned(remote, { [file]: text(0.5) }, ada, 'ceo@example.com');
    await look();
    assert.match(refusal(), /signed by Ada .* committed by ceo@example\.com, which is none of their addresses/);
  });

  it('is what the commit that brought it says, whatever came after it', async () => {
    remote.commit({ [file]: text(0.5) });
    commitSigned(remote, { 'README.md': 'signed\n' }, bob);
    await look();
    assert.match(refusal(), /is not signed/);
  });

  it('may come by a merge that is signed', async () => {
    remote.git('checkout', '-q', '-b', 'topic');
    remote.write({ [file]: text(0.5) });
    remote.git('commit', '-q', '-a', '-m', 'unsigned');
    remote.git('checkout', '-q', 'main');
    remote.git('merge', '-q', '--no-ff', '--no-commit', 'topic');
    const commit = commitSigned(remote, {}, ada);
    await look();
    assert.ok(isTried(commit));
  });

  it('that takes a canary back needs none, since it serves what is served', async () => {
    commitSigned(remote, { [file]: text(0.5) }, ada);
    await look();
    remote.commit({ [file]: text(0.1) }, 'back');
    await look();
    await until('aborted', () => bench.state('chat').active === null);
    assert.equal(bench.state('chat').rejection, null);
  });

  it('may be made and signed by the code host, which is asked', async () => {
    const made = commitOfHost(text(0.6));
    await look();
    assert.match(refusal(), /that the code host does not verify \(unsigned\)/);
    hostSays = () => Promise.reject(new TransientError('GitHub is away'));
    const again = commitOfHost(text(0.7));
    await look();
    assert.match(refusal(), /can't be verified now, the code host does not answer/);
    hostSays = (commit) => Promise.resolve({ isVerified: commit === again, reason: 'valid' });
    bench.controlPlane.poll();
    await until('looked at again', () => isTried(again));
    assert.notEqual(made, again);
  });
});

/** As the merge button makes them. */
function commitOfHost(content: string): string {
  remote.write({ [file]: content });
  remote.git('add', '-A');
  remote.commitAs('GitHub', 'noreply@github.com');
  push();
  return remote.git('rev-parse', 'HEAD').trim();
}

describe('a change of settings', { skip: lacks }, () => {
  const loose = (): string => strict.slice(0, strict.indexOf('signatures:'));

  it('that is not signed leaves those in force that were, so that it can loosen nothing', async () => {
    remote.commit({ 'actuator.yaml': loose() });
    await look();
    assert.match(bench.controlPlane.problems().settings[0]?.message ?? '', /is not signed/);
    remote.commit({ [file]: text(0.5) });
    await look();
    assert.match(refusal(), /is not signed/);
  });

  it('that is signed holds for what comes after it', async () => {
    commitSigned(remote, { 'actuator.yaml': loose() }, bob);
    await look();
    assert.deepEqual(bench.controlPlane.problems().settings, []);
    const commit = remote.commit({ [file]: text(0.5) });
    await look();
    assert.ok(isTried(commit));
  });

  it('of models, policies, overrides and owners is held to the same', async () => {
    const models = base['models.yaml'].replace('p.example.com', 'evil.example.com');
    remote.commit({
      'models.yaml': models,
      'policies/quick.yaml': 'canary: { max_total_duration_minutes: 5 }\n',
      'services/chat/rollout.yaml': 'canary: { max_total_duration_minutes: 5 }\n',
      CODEOWNERS: '* @mallory\n',
    });
    await look();
    const { problems } = { problems: bench.controlPlane.problems().settings };
    assert.deepEqual(
      problems.map((problem) => problem.file),
      ['policies/quick.yaml', 'services/chat/rollout.yaml', 'models.yaml', 'CODEOWNERS'],
    );
    const { accepted } = bench.controlPlane.reconciler;
    assert.match(JSON.stringify(accepted()?.catalogue), /p\.example\.com/);
    assert.deepEqual([accepted()?.codeOwners, accepted()?.policies, accepted()?.services], ['', {}, {}]);
  });
});

describe('a rule can not be got round', { skip: lacks }, () => {
  const loose = (): string => strict.slice(0, strict.indexOf('signatures:'));

  it('by a merge whose parents are swapped, so that an older signed file seems to be the last one', async () => {
    const older = commitSigned(
      remote,
      { 'actuator.yaml': strict.replace('signers: [Ada, code-host]', 'signers: [Ada, Bob, code-host]') },
      bob,
    );
    await look();
    const newer = commitSigned(remote, { 'actuator.yaml': strict }, bob);
    await look();
    const merge = remote.git('commit-tree', `${older}^{tree}`, '-p', older, '-p', newer, '-m', 'merge').trim();
    remote.git('reset', '-q', '--hard', merge);
    push();
    await look();
    assert.match(bench.controlPlane.problems().settings[0]?.message ?? '', /is not signed/);
    commitSigned(remote, { [file]: text(0.5) }, bob);
    await look();
    assert.match(refusal(), /who must not sign this/);
  });

  it('by content that is invalid when it comes, and valid by a signed change of another file', async () => {
    remote.commit({ [file]: text(0.5).replace('model: m', 'model: zz') });
    await look();
    assert.match(refusal(), /zz/);
    commitSigned(
      remote,
      { 'models.yaml': base['models.yaml'].replace('n: { provider: p }', 'n: { provider: p }, zz: { provider: p }') },
      bob,
    );
    await look();
    assert.match(refusal(), /is not signed/);
    assert.equal(bench.state('chat').active, null);
  });

  it('by settings that are invalid when they come, and valid when another file is gone', async () => {
    remote.commit({ 'actuator.yaml': loose(), 'policies/x.yaml': 'nonsense: 1\n' });
    await look();
    remote.commit({ 'policies/x.yaml': null });
    await look();
    assert.match(bench.controlPlane.problems().settings[0]?.message ?? '', /is not signed/);
    assert.ok(bench.controlPlane.reconciler.accepted()?.repository.signatures);
  });

  it('by taking away overrides, a policy or owners', async () => {
    commitSigned(remote, { 'services/chat/rollout.yaml': 'versioning: { require_approver: true }\n' }, ada);
    await look();
    assert.equal(bench.controlPlane.reconciler.accepted()?.services['chat']?.versioning?.require_approver, true);
    remote.commit({ 'services/chat/rollout.yaml': null });
    await look();
    assert.equal(bench.controlPlane.reconciler.accepted()?.services['chat']?.versioning?.require_approver, true);
    assert.match(bench.controlPlane.problems().settings[0]?.message ?? '', /is not signed/);

    commitSigned(remote, { '.github/CODEOWNERS': '* @bob\n', 'policies/x.yaml': 'canary: { max_total_duration_minutes: 9 }\n' }, bob);
    await look();
    remote.commit({ '.github/CODEOWNERS': null, 'policies/x.yaml': null });
    commitSigned(remote, { 'README.md': 'signed\n' }, bob);
    await look();
    const { codeOwners, policies } = bench.controlPlane.reconciler.accepted() ?? {};
    assert.deepEqual([codeOwners, Object.keys(policies ?? {})], ['* @bob\n', ['x']]);
  });

  it('by a commit that loosens it, and an unrelated one after it', async () => {
    // Bob may sign settings, and no services.
    commitSigned(remote, { [file]: text(0.5), 'actuator.yaml': loose() }, bob);
    await look();
    assert.match(refusal(), /who must not sign this/);
    remote.commit({ 'README.md': 'unrelated\n' });
    await look();
    assert.match(refusal(), /who must not sign this/);
    assert.equal(bench.state('chat').active, null);
  });

  it('nor is anything held up by a host that does not know the commit, and people are told once', async () => {
    hostSays = () => Promise.reject(new RefusedError('No commit found'));
    commitOfHost(text(0.6));
    await look();
    assert.match(refusal(), /can't be verified now/);
    const told = bench.told.length;
    for (let round = 0; round < 3; round++) {
      bench.controlPlane.poll();
      await bench.controlPlane.tick();
    }
    assert.equal(bench.told.length, told);
  });
});

it('is refused where it names nobody who could sign', () => {
  const document = readDocument(
    'settings',
    'people: [{ name: Ada }]\nsignatures: { rules: [{ paths: ["*"], signers: [Ada, Adda, code-host] }] }\n',
    'actuator.yaml',
  );
  assert.ok(document.ok);
  assert.deepEqual(
    checkSettings(document.value, 'repository').map(({ message }) => message),
    [
      '"Ada" has neither ssh_keys nor gpg_keys under people, and could sign nothing.',
      'Settings name no person "Adda" under people. Did you mean "Ada"?',
    ],
  );
});

it('says each reason', () => {
  const rule = { paths: ['*'], signers: [], allowsCodeHost: false };
  const said = (['none', 'unknown', 'expired', 'revoked', 'bad', 'unverifiable'] as const).map((state) =>
    refusalOf(rule, { state, signer: null, fingerprint: 'F', committerEmail: '' }),
  );
  assert.equal(new Set(said).size, 6);
  assert.ok(said.every((reason) => reason !== null));
});

/** Verifies signatures of commits by git, with keyrings that hold the keys of settings and nothing else. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, TransientError } from '../../base/failures.ts';
import { sha256Hex } from '../../base/hash.ts';
import type { Instant } from '../../base/time.ts';
import type { Signature, Signer, SshKey } from '../../domain/safety/signatures.ts';
import { gitEnvironment, isOid } from './git-command.ts';
import type { Mirror } from './mirror.ts';

const run = promisify(execFile);

export interface SignatureChecker {
  check(commit: string, signers: readonly Signer[], now: Instant): Promise<Signature>;
}

const longestMs = 30_000;

interface Keyring {
  readonly directory: string;
  /** Fingerprint of an OpenPGP primary key -> signer. */
  readonly gpgOwners: ReadonlyMap<string, string>;
}

const states: Readonly<Record<string, Signature['state']>> = {
  G: 'good',
  U: 'unknown',
  N: 'none',
  B: 'bad',
  X: 'expired',
  Y: 'expired',
  R: 'revoked',
  E: 'unverifiable',
};

export function createSignatureChecker(mirror: Mirror): SignatureChecker {
  let present: { readonly key: string; readonly ring: Promise<Keyring> } | null = null;

  function keyring(signers: readonly Signer[]): Promise<Keyring> {
    const key = sha256Hex(JSON.stringify(signers));
    if (present?.key !== key) {
      const ring = makeKeyring(join(mirror.directory, 'signers', key.slice(0, 16)), signers);
      ring.catch(() => {
        present = null;
      });
      present = { key, ring };
    }
    return present.ring;
  }

  return {
    async check(commit, signers, now) {
      if (!isOid(commit)) throw new Error(`${commit} is no commit id`);
      const { directory, gpgOwners } = await keyring(signers);
      return readSignature(await shown(mirror.directory, directory, commit), { signers, gpgOwners, now });
    },
  };
}

/** Never by exit codes: those of an unsigned commit say nothing. Not by simple-git, which refuses settings that name files. */
async function shown(repository: string, keyring: string, commit: string): Promise<string> {
  const config = `gpg.ssh.allowedSignersFile=${join(keyring, 'allowed_signers')}`;
  const { stdout } = await run('git', ['-c', config, 'log', '-1', '--format=%G?%x00%GS%x00%GF%x00%GP%x00%ce', commit], {
    cwd: repository,
    env: { ...gitEnvironment(null), GNUPGHOME: join(keyring, 'gnupg') },
    timeout: longestMs,
  });
  return stdout.replace(/\n$/, '');
}

interface Known {
  readonly signers: readonly Signer[];
  readonly gpgOwners: Keyring['gpgOwners'];
  readonly now: Instant;
}

function readSignature(text: string, { signers, gpgOwners, now }: Known): Signature {
  const [letter = '', , fingerprint = '', primary = '', committerEmail = ''] = text.split('\0');
  const state = states[letter] ?? 'unverifiable';
  // By the key, never by the name that is in a signature: an OpenPGP user id can say anything.
  if (!fingerprint.startsWith('SHA256:')) return { state, signer: gpgOwners.get(primary) ?? null, fingerprint, committerEmail };
  const isIt = ({ key }: SshKey): boolean => fingerprintOf(key) === fingerprint;
  const owner = signers.find(({ sshKeys }) => sshKeys.some(isIt));
  if (owner === undefined) return { state, signer: null, fingerprint, committerEmail };
  return { state: worthOf(state, owner.sshKeys.filter(isIt), now), signer: owner.name, fingerprint, committerEmail };
}

function worthOf(state: Signature['state'], keys: readonly SshKey[], now: Instant): Signature['state'] {
  if (keys.some(({ revoked }) => revoked)) return 'revoked';
  return keys.some(({ validBefore }) => isOver(validBefore, now)) ? 'expired' : state;
}

/** By our clock: the date in a commit is whatever its signer wants. */
function isOver(validBefore: string | null, now: Instant): boolean {
  return validBefore !== null && now >= Date.parse(`${validBefore}T00:00:00Z`);
}

/** As ssh-keygen writes it: SHA256 of the key, in base64 without padding. */
function fingerprintOf(key: string): string {
  return `SHA256:${Buffer.from(sha256Hex(Buffer.from(key.split(' ')[1] ?? '', 'base64')), 'hex')
    .toString('base64')
    .replace(/=+$/, '')}`;
}

async function makeKeyring(directory: string, signers: readonly Signer[]): Promise<Keyring> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(join(directory, 'gnupg'), { recursive: true, mode: 0o700 });
  const lines = signers.flatMap(({ sshKeys }, index) => sshKeys.map(({ key }) => `signer-${index} namespaces="git" ${key}\n`));
  await writeFile(join(directory, 'allowed_signers'), lines.join(''), { mode: 0o600 });
  const gpgOwners = new Map<string, string>();
  for (const { name, gpgKeys } of signers)
    for (const key of gpgKeys) for (const fingerprint of await importKey(directory, key)) gpgOwners.set(fingerprint, name);
  return { directory, gpgOwners };
}

/** Fingerprints of its primary keys. */
async function importKey(directory: string, key: string): Promise<readonly string[]> {
  const file = join(directory, 'import.asc');
  await writeFile(file, key, { mode: 0o600 });
  const options = { env: { ...gitEnvironment(null), GNUPGHOME: join(directory, 'gnupg') }, timeout: longestMs };
  try {
    const { stdout } = await run('gpg', ['--batch', '--no-auto-key-retrieve', '--status-fd', '1', '--import', file], options);
    const fingerprints = [...stdout.matchAll(/^\[GNUPG:\] IMPORT_OK \d+ ([0-9A-F]+)$/gm)].map(([, found]) => found ?? '');
    if (fingerprints.length === 0) return [];
    // Whose key it is stands in settings; a web of trust has no say here.
    const trust = join(directory, 'trust');
    await writeFile(trust, fingerprints.map((fingerprint) => `${fingerprint}:6:\n`).join(''), { mode: 0o600 });
    await run('gpg', ['--batch', '--quiet', '--import-ownertrust', trust], options);
    return fingerprints;
  } catch (thrown) {
    // gpg that is not there, or did not come to its end: looked at again. A key that is none signs nothing, and holds up nothing else.
    if (!isExit(thrown)) throw new TransientError(`gpg can't be run: ${messageOf(thrown)}`, { cause: thrown });
    return [];
  }
}

/** It came to an end by itself, and said no. */
function isExit(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'number';
}

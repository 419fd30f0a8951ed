/** Verifies signatures of commits by git, with keyrings that hold the keys of settings and nothing else. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StalledError } from '../../base/failures.ts';
import { sha256Hex } from '../../base/hash.ts';
import type { Signature, Signer } from '../../domain/safety/signatures.ts';
import { gitEnvironment, isOid } from './git-command.ts';
import type { Mirror } from './mirror.ts';

const run = promisify(execFile);

export interface SignatureChecker {
  check(commit: string, signers: readonly Signer[]): Promise<Signature>;
}

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
    async check(commit, signers) {
      if (!isOid(commit)) throw new Error(`${commit} is no commit id`);
      const { directory, gpgOwners } = await keyring(signers);
      return readSignature(await shown(mirror.directory, directory, commit), signers, gpgOwners);
    },
  };
}

/** Never by exit codes: those of an unsigned commit say nothing. Not by simple-git, which refuses settings that name files. */
async function shown(repository: string, keyring: string, commit: string): Promise<string> {
  const config = `gpg.ssh.allowedSignersFile=${join(keyring, 'allowed_signers')}`;
  const { stdout } = await run('git', ['-c', config, 'log', '-1', '--format=%G?%x00%GS%x00%GF%x00%GP%x00%ce', commit], {
    cwd: repository,
    env: { ...gitEnvironment(null), GNUPGHOME: join(keyring, 'gnupg') },
  });
  return stdout.replace(/\n$/, '');
}

function readSignature(text: string, signers: readonly Signer[], gpgOwners: Keyring['gpgOwners']): Signature {
  const [letter = '', name = '', fingerprint = '', primary = '', committerEmail = ''] = text.split('\0');
  const index = /^signer-(\d+)$/.exec(name)?.[1];
  const owner = index === undefined ? gpgOwners.get(primary) : signers[Number(index)]?.name;
  // Revoked ones stay among those that are listed: a key that git does not know is told by nothing.
  const isRevoked = signers.flatMap(({ sshKeys }) => sshKeys).some((key) => key.revoked && fingerprintOf(key.key) === fingerprint);
  return { state: isRevoked ? 'revoked' : (states[letter] ?? 'unverifiable'), signer: owner ?? null, fingerprint, committerEmail };
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
  const lines = signers.flatMap(({ sshKeys }, index) =>
    sshKeys.map(({ key, validBefore }) => {
      const until = validBefore === null ? '' : `,valid-before="${validBefore.replaceAll('-', '')}Z"`;
      return `signer-${index} namespaces="git"${until} ${key}\n`;
    }),
  );
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
  const options = { env: { ...gitEnvironment(null), GNUPGHOME: join(directory, 'gnupg') } };
  try {
    const { stdout } = await run('gpg', ['--batch', '--no-auto-key-retrieve', '--status-fd', '1', '--import', file], options);
    const fingerprints = [...stdout.matchAll(/^\[GNUPG:\] IMPORT_OK \d+ ([0-9A-F]+)$/gm)].map(([, found]) => found ?? '');
    if (fingerprints.length === 0) throw new Error('there is no key in it');
    // Whose key it is stands in settings; a web of trust has no say here.
    const trust = join(directory, 'trust');
    await writeFile(trust, fingerprints.map((fingerprint) => `${fingerprint}:6:\n`).join(''), { mode: 0o600 });
    await run('gpg', ['--batch', '--quiet', '--import-ownertrust', trust], options);
    return fingerprints;
  } catch (thrown) {
    throw new StalledError('An OpenPGP key of settings can not be imported; gpg must be installed, and the key be whole.', {
      cause: thrown,
    });
  }
}

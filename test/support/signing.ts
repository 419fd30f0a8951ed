/** Keys that sign commits in a clone, by the tools that people use. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestRepository } from './repositories.ts';

/** For `skip`: false when all of them are on this machine. */
export function missingTools(...names: readonly string[]): string | false {
  const missing = names.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  return missing.length === 0 ? false : `${missing.join(' and ')} not installed`;
}

export interface SshKeyPair {
  readonly file: string;
  /** Line of the .pub file. */
  readonly publicKey: string;
}

export function anSshKey(directory: string, name: string): SshKeyPair {
  const file = join(directory, `${name}.key`);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file]);
  return { file, publicKey: readFileSync(`${file}.pub`, 'utf8').trim() };
}

export interface GpgKey {
  readonly home: string;
  readonly fingerprint: string;
  readonly publicKey: string;
}

/** `expires`: as gpg takes it, such as `seconds=1`; `0`: never. */
export function aGpgKey(directory: string, name: string, expires = '0'): GpgKey {
  const home = join(directory, `${name}.gnupg`);
  mkdirSync(home, { mode: 0o700 });
  const gpg = (...args: readonly string[]): string =>
    execFileSync('gpg', ['--batch', '--homedir', home, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  gpg('--passphrase', '', '--quick-generate-key', `${name} <${name}@example.com>`, 'ed25519', 'sign', expires);
  const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(gpg('--with-colons', '--list-keys'))?.[1] ?? '';
  return { home, fingerprint, publicKey: gpg('--armor', '--export', fingerprint) };
}

/** Commits what was written, signed, and pushes it. The commit's id. */
export function commitSigned(
  remote: TestRepository,
  files: Readonly<Record<string, string | null>>,
  key: SshKeyPair | GpgKey,
  email = 'ada@example.com',
): string {
  const format =
    'file' in key ? ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${key.file}`] : ['-c', `user.signingKey=${key.fingerprint}`];
  remote.write(files);
  remote.git('add', '-A');
  const before = process.env['GNUPGHOME'];
  if ('home' in key) process.env['GNUPGHOME'] = key.home;
  try {
    remote.signedCommit(format, email);
  } finally {
    if (before === undefined) delete process.env['GNUPGHOME'];
    else process.env['GNUPGHOME'] = before;
  }
  remote.git('push', '-q', '-f', 'origin', 'HEAD:main');
  return remote.git('rev-parse', 'HEAD').trim();
}

/** Signs our commits with an SSH key, as `git commit -S` does with gpg.format=ssh. */
import { spawn } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { messageOf, StalledError } from '../../base/failures.ts';
import { oneLine } from '../../base/text.ts';
import type { Sign } from './commit-builder.ts';

/** Throws StalledError when the key can't sign: better now than at the first revert. */
export async function createSshSigner(keyFile: string): Promise<Sign> {
  const { mode } = await stat(keyFile).catch((thrown: unknown) => {
    throw new StalledError(`The signing key can't be read: ${messageOf(thrown)}`);
  });
  if ((mode & 0o077) !== 0) throw new StalledError(`${keyFile} can be read by others; chmod 600 it.`);
  const sign: Sign = (payload) => signWith(keyFile, payload);
  await sign('a test');
  return sign;
}

function signWith(keyFile: string, payload: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh-keygen', ['-Y', 'sign', '-n', 'git', '-f', keyFile], {
      env: { PATH: process.env['PATH'], SSH_ASKPASS_REQUIRE: 'never' },
      // Without a terminal that it could ask for a passphrase.
      detached: true,
      timeout: 10_000,
    });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.on('error', (thrown) => reject(new StalledError(`ssh-keygen can't be run, and signs our commits: ${thrown.message}`)));
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString('utf8'));
      else reject(new StalledError(`${keyFile} signs nothing: ${oneLine(Buffer.concat(err).toString('utf8'), 200)}`));
    });
    child.stdin.end(payload);
  });
}

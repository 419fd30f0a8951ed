/** The command line as a person runs it, against the daemon of a world. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { World } from '../../src/demo/world.ts';

export const binary: string = join(import.meta.dirname, '../../bin/actuator.cjs');

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function runCli(world: World, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [binary, ...args], {
      env: { ...process.env, ACTUATOR_URL: world.apiUrl, ACTUATOR_DATA_DIR: world.dataDirectory, ...environment },
      cwd: world.directory,
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** What it prints; fails the test when it ends with another code than 0. */
export async function printedBy(world: World, args: readonly string[]): Promise<string> {
  const { code, out, err } = await runCli(world, args);
  assert.equal(code, 0, `${args.join(' ')}: ${out}${err}`);
  return out;
}

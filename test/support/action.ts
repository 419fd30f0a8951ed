/** The composite action of this repository, step by step, as a runner starts it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const actionPath = join(import.meta.dirname, '../../.github/actions/validate');

const action = parse(readFileSync(join(actionPath, 'action.yml'), 'utf8')) as {
  readonly runs: { readonly steps: readonly { readonly name: string; readonly run: string; readonly env?: Record<string, string> }[] };
};

export interface StepResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** In a checkout, under bash as GitHub starts it. `temporary` takes the runner's files: `summary.md`, `output`. */
export function runActionStep(
  name: string,
  checkout: string,
  temporary: string,
  environment: Readonly<Record<string, string>> = {},
): StepResult {
  const found = action.runs.steps.find((one) => one.name === name);
  assert.ok(found !== undefined);
  const { status, stdout, stderr } = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', found.run], {
    cwd: checkout,
    encoding: 'utf8',
    env: {
      ...process.env,
      GITHUB_ACTION_PATH: actionPath,
      GITHUB_STEP_SUMMARY: join(temporary, 'summary.md'),
      GITHUB_OUTPUT: join(temporary, 'output'),
      RUNNER_TEMP: temporary,
      BASE: 'main',
      ...environment,
    },
  });
  return { code: status, out: stdout, err: stderr };
}

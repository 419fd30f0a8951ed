/** The composite action as a runner runs it: its own commands, a real checkout, and files in the place of the runner's. `gh` is a stand-in. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { planMarker } from '../../src/cli/plan-markdown.ts';
import { runActionStep, type StepResult } from '../support/action.ts';

const root = join(import.meta.dirname, '../..');
let directory: string;
let checkout: string;

/** Answers `gh api` from a folder of comments, and keeps what it was given. */
const gh = `#!/bin/bash
set -eu
method=GET; body=; path=
shift
while [ $# -gt 0 ]; do
  case "$1" in
    --method) method="$2"; shift 2;;
    --field) body="\${2#body=@}"; shift 2;;
    --jq) shift 2;;
    --*) shift;;
    *) path="$1"; shift;;
  esac
done
[ -z "\${LOCKED:-}" ] || { echo 'gh: Unable to create comment because issue is locked (HTTP 403)' >&2; exit 1; }
echo "$GH_HOST $method $path" >> "$COMMENTS/calls"
case "$method" in
  GET) ls "$COMMENTS" | grep -E '^[0-9]+$' || true;;
  POST) cp "$body" "$COMMENTS/101";;
  PATCH) cp "$body" "$COMMENTS/\${path##*/}";;
esac
`;

function git(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
    cwd: checkout,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
}

function step(name: string, more: Readonly<Record<string, string>> = {}): StepResult {
  const environment = { PATH: `${join(directory, 'bin')}:${process.env['PATH'] ?? ''}`, COMMENTS: join(directory, 'comments'), ...more };
  return runActionStep(name, checkout, directory, environment);
}

function edit(change: (text: string) => string): void {
  const path = join(checkout, 'services/support-chat/config.yaml');
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

let environment: Record<string, string>;

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'actuator-action-'));
  checkout = join(directory, 'checkout');
  environment = {
    SERVER_URL: 'https://git.acme.example',
    REPOSITORY: 'acme/prompts',
    PULL_REQUEST: '7',
    PLAN: join(directory, 'actuator-plan.md'),
  };
  cpSync(join(root, 'example-config-repo'), checkout, { recursive: true });
  for (const folder of ['bin', 'comments']) mkdirSync(join(directory, folder));
  writeFileSync(join(directory, 'bin/gh'), gh, { mode: 0o755 });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'start');
  git('checkout', '-q', '-b', 'topic');
});
after(() => rmSync(directory, { recursive: true, force: true }));

describe('the action', () => {
  it('passes what is right, and sums up what merging would do', () => {
    edit((text) => text.replace(/temperature: [0-9.]+/, 'temperature: 0.31'));
    assert.deepEqual(step('Validate and plan'), { code: 0, out: 'valid: 2 service(s)\n', err: '' });
    const summary = readFileSync(join(directory, 'summary.md'), 'utf8');
    assert.ok(summary.startsWith(planMarker));
    for (const part of [
      /### `support-chat`: rollout by canary/,
      /"value":0\.31/,
      /\*\*Risk\*\*: parameters/,
      /\*\*Approvals\*\*/,
      /\*\*Watched\*\*: error rate/,
      /\| 1 \| /,
    ])
      assert.match(summary, part);
    assert.match(readFileSync(join(directory, 'output'), 'utf8'), /^file=.*actuator-plan\.md$/m);
  });

  it('keeps one comment up to date', () => {
    for (const value of ['0.31', '0.32']) {
      edit((text) => text.replace(/temperature: [0-9.]+/, `temperature: ${value}`));
      step('Validate and plan');
      const { code, err } = step('Comment', environment);
      assert.equal(code, 0, err);
      assert.match(readFileSync(join(directory, 'comments/101'), 'utf8'), new RegExp(`"value":${value}`));
    }
    const calls = readFileSync(join(directory, 'comments/calls'), 'utf8').trim().split('\n');
    const repository = 'repos/acme/prompts/issues';
    const expected = [
      `GET ${repository}/7/comments`,
      `POST ${repository}/7/comments`,
      `GET ${repository}/7/comments`,
      `PATCH ${repository}/comments/101`,
    ];
    assert.deepEqual(
      calls,
      expected.map((call) => `git.acme.example ${call}`),
    );
  });

  it('keeps nobody from merging when the comment is refused', () => {
    const { code, out } = step('Comment', { ...environment, LOCKED: 'yes' });
    assert.equal(code, 0);
    assert.match(out, /^::warning::The plan could not be put into a comment/m);
  });

  it('marks problems on their lines, and fails', () => {
    edit((text) => text.replace(/model: gpt-4-turbo/, 'model: gpt-4-trubo'));
    const { code, out, err } = step('Validate and plan');
    assert.equal(code, 3, err);
    assert.match(
      out,
      /^::error file=services\/support-chat\/config\.yaml,line=\d+,col=\d+,title=actuator%3A unknown-model::Model "gpt-4-trubo"/m,
    );
    // The comment must not go on to promise what is not valid any more.
    assert.equal(step('Comment', environment).code, 0);
    assert.match(readFileSync(join(directory, 'comments/101'), 'utf8'), /can not be merged as it is/);
  });
});

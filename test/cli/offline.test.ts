import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';

const binary = join(import.meta.dirname, '../../bin/actuator.cjs');
let directory: string;

function actuator(...args: readonly string[]): { readonly code: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [binary, ...args], { cwd: directory, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(join(directory, path), change(readFileSync(join(directory, path), 'utf8')));
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cli-test-'));
  assert.equal(actuator('init', '.', '--service', 'chat', '--template', 'balanced').code, 0);
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: directory, encoding: 'utf8' });
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'start');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('validate', () => {
  it('says what is valid, and with --verbose what it found', () => {
    assert.deepEqual(actuator('validate'), { code: 0, out: 'valid: 1 service(s)\n', err: '' });
    assert.equal(
      actuator('validate', '--verbose').out,
      'valid: 1 service(s)\nSERVICE  DIGEST        MODEL        STRATEGY  STEPS %\nchat     b28be9fdd9cc  gpt-4-turbo  canary    5, 25, 50, 75, 100\n'.replace(
        'b28be9fdd9cc',
        /[0-9a-f]{12}/.exec(actuator('validate', '--verbose').out)?.[0] ?? '',
      ),
    );
  });

  it('names file, line, column and the way out of each problem; exit code 3', () => {
    edit('services/chat/config.yaml', (text) => text.replace('model: gpt-4-turbo', 'model: gpt-4-trubo'));
    edit('actuator.yaml', (text) => text.replace('default_strategy', 'defualt_strategy'));

    const { code, out, err } = actuator('validate');

    assert.equal(code, 3);
    assert.match(
      out,
      /^actuator\.yaml:\d+:\d+: The key "defualt_strategy" is not known here\. Did you mean "default_strategy"\? \(\/actuator\/defualt_strategy\)$/m,
    );
    assert.match(
      out,
      /^services\/chat\/config\.yaml:\d+:\d+: Model "gpt-4-trubo" is not in models\.yaml\. Did you mean "gpt-4-turbo"\? \(\/llm\/model\)$/m,
    );
    assert.equal(err, '2 problem(s).\n');
    const json = JSON.parse(actuator('validate', '-o', 'json').out) as { valid: boolean; problems: { code: string; line: number }[] };
    assert.equal(json.valid, false);
    assert.deepEqual(json.problems.map((problem) => problem.code).sort(), ['unknown-key', 'unknown-model']);
  });

  it('checks one file against the checkout', () => {
    writeFileSync(join(directory, 'patch.yaml'), 'llm: { model: gpt-4 }\n');
    assert.equal(actuator('validate', '--config', 'patch.yaml').code, 0);
    writeFileSync(join(directory, 'patch.yaml'), 'canary: { steps: [{ percentage: 5, duration_minutes: 1 }] }\n');
    assert.match(actuator('validate', '--config', 'patch.yaml').out, /patch\.yaml.*last step must be 100/);
    assert.equal(actuator('validate', '--config', 'nothing.yaml').code, 3);
  });
});

describe('diff and plan', () => {
  it('say nothing when nothing changes what is served', () => {
    edit('services/chat/config.yaml', (text) => `# why\n${text}`);
    assert.deepEqual(actuator('diff'), { code: 0, out: 'no change\n', err: '' });
    assert.equal(actuator('plan').out, 'no change\n');
  });

  it('show the patch, the steps, and the time that they need', () => {
    edit('services/chat/config.yaml', (text) => text.replace('temperature: 0.7', 'temperature: 0.9'));

    const diff = actuator('diff', '-o', 'json');
    assert.equal(diff.code, 1);
    assert.deepEqual((JSON.parse(diff.out) as { patch: unknown }[])[0]?.patch, [
      { op: 'replace', path: '/config/llm/parameters/temperature', value: 0.9 },
    ]);
    const plan = actuator('plan', '--requests-per-second', '20');
    assert.equal(plan.code, 0);
    assert.equal(
      plan.out.split('\n').slice(2).join('\n'),
      '  action: roll out, strategy canary\n  WEIGHT  HOLD     EXPECTED\n  5 %     15m 00s  16m 40s\n  25 %    30m 00s  30m 00s\n  50 %    30m 00s  30m 00s\n  75 %    30m 00s  30m 00s\n  100 %   15m 00s  15m 00s\n  at least 2h 0m, expected 2h 1m\n',
    );
    assert.match(
      actuator('plan', '--requests-per-second', '1').out,
      /warning: at 1 requests\/s this needs .* paused for a person after 3h 0m/,
    );
  });

  it('take a base as git takes it', () => {
    edit('services/chat/config.yaml', (text) => text.replace('temperature: 0.7', 'temperature: 0.9'));
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qam', 'two'], { cwd: directory });
    const first = execFileSync('git', ['rev-parse', 'HEAD~1'], { cwd: directory, encoding: 'utf8' }).trim();
    for (const base of ['HEAD~1', 'HEAD^', 'main~1', first, first.slice(0, 12)])
      assert.equal(actuator('diff', '--base', base).code, 1, base);
    assert.equal(actuator('diff', '--base', 'main').code, 0);
    assert.match(actuator('plan', '--service', 'chatt').err, /no service "chatt"\. Did you mean "chat"/);
  });

  it('do not let an override that stands in the file already decide about the next change', () => {
    edit('services/chat/config.yaml', (text) => `${text}deployment_strategy: { type: immediate }\n`);
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qam', 'two'], { cwd: directory });
    edit('services/chat/config.yaml', (text) => text.replace('temperature: 0.7', 'temperature: 0.9'));
    assert.match(actuator('plan').out, /action: roll out, strategy canary/);
    edit('services/chat/config.yaml', (text) => text.replace('type: immediate', 'type: immediate, auto_rollback: true'));
    assert.match(actuator('plan').out, /action: roll out, strategy immediate/);
  });

  it('refuse a base that is not there, and files that are not valid', () => {
    const { code, err } = actuator('diff', '--base', 'nowhere');
    assert.equal(code, 3);
    assert.match(err, /"nowhere" could not be read/);
    edit('services/chat/config.yaml', () => 'llm: [\n');
    assert.equal(actuator('plan').code, 3);
  });
});

describe('the command line', () => {
  it('refuses what it does not know with exit code 2, and suggests', () => {
    const { code, err } = actuator('validat');
    assert.equal(code, 2);
    assert.match(err, /Did you mean validate/);
    assert.equal(actuator('status', '-o', 'xml').code, 2);
    assert.equal(actuator('rollback').code, 2);
    assert.equal(actuator('deploy').code, 2);
    assert.equal(actuator('serve').code, 2);
  });

  it('says how to reach a control plane that is not there; exit code 1', () => {
    const { code, err } = actuator('status', '--url', 'http://127.0.0.1:9');
    assert.equal(code, 1);
    assert.match(err, /can't be reached \(ECONNREFUSED\)\. Is `actuator serve` running\?/);
  });

  it('refuses by name what is not offered yet', () => {
    assert.match(actuator('rollback', '--gradual', '--reason', 'x').err, /--gradual is not offered/);
    assert.match(actuator('deploy', '--config', 'x', '--skip-validation').err, /--skip-validation is refused/);
    assert.equal(actuator('rollback', '--to-version', 'v1', '--reason', 'x').code, 3);
  });

  it('refuses to begin in a folder that is not empty, and names that are no names', () => {
    assert.match(actuator('init', '.').err, /is not empty/);
    assert.match(actuator('init', 'sub', '--service', 'Not OK').err, /can't name a service/);
    assert.match(actuator('init', 'sub', '--template', 'balancd').err, /Did you mean "balanced"/);
  });

  it('serves nothing on an open address', () => {
    const args = ['serve', '--repo', 'https://example.com/x.git', '--data-dir', join(directory, 'd')];
    assert.match(actuator(...args, '--listen', '0.0.0.0:1').err, /loopback only/);
    assert.match(actuator(...args, '--poll-interval', '0s').err, /from 1s to 1h/);
    assert.match(actuator(...args, '--gateway-port', '0').err, /fixed port/);
    assert.equal(actuator('serve', '--repo', 'http://example.com/x.git', '--data-dir', join(directory, 'd')).code, 3);
  });
});

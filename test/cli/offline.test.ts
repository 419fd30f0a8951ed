import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sha1Hex } from '../../src/base/hash.ts';
import { evidenceText } from '../../src/app/publication/render.ts';
import { momentOf, recordEvidence, type EvidenceRecord } from '../../src/domain/analysis/record.ts';
import { aPolicy } from '../builders/judge.ts';
import { trial } from '../builders/traffic.ts';

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
      'valid: 1 service(s)\nSERVICE  DIGEST        MODEL        STRATEGY  STEPS\nchat     b28be9fdd9cc  gpt-4-turbo  canary    5 %, 25 %, 50 %, 75 %, 100 %\n'.replace(
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

  it('say what made the planner choose, and what the steps are where weights do not tell', () => {
    edit('actuator.yaml', (text) => text.replace(/default_strategy: .*/, 'default_strategy: auto'));
    edit('services/chat/config.yaml', (text) => text.replace('temperature: 0.7', 'temperature: 0.9'));
    assert.match(actuator('plan').out, /chosen: aggressive, for parameters \(\/llm\/parameters\/temperature\)/);

    edit('actuator.yaml', (text) => text.replace(/default_strategy: .*/, 'default_strategy: blue-green'));
    assert.match(actuator('plan').out, /steps: copies of 10 % -> pause at 0 %/);
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
      [
        '  action: roll out, strategy canary',
        '  WEIGHT  HOLD     SAMPLES  GATE  REGRESSION SEEN  EXPECTED',
        '  5 %     15m 00s  16m 40s  -     -                16m 40s',
        '  25 %    30m 00s  3m 20s   -     -                30m 00s',
        '  50 %    30m 00s  1m 40s   -     -                30m 00s',
        '  75 %    30m 00s  1m 07s   -     -                30m 00s',
        '  100 %   15m 00s  50s      -     -                15m 00s',
        '  at least 2h 0m, expected 2h 1m\n',
      ].join('\n'),
    );
    assert.match(
      actuator('plan', '--requests-per-second', '1').out,
      /warning: at 1 requests\/s this needs .* paused for a person after 3h 0m/,
    );
  });

  it('reckons with the traffic that the status branch tells of, without a daemon', () => {
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: directory, encoding: 'utf8' });
    const metrics = {
      error_rate: { per_second: 4, mean: null, relative_sd: null },
      cost_per_request: { per_second: 4, mean: 0.01, relative_sd: 2 },
    };
    const file = { service: 'chat', measured_at: '2026-11-24T00:00:00Z', requests_per_second: 4, error_rate: 0.01, metrics };
    git('checkout', '-q', '--orphan', 'actuator/status');
    mkdirSync(join(directory, 'status', sha1Hex('chat').slice(0, 2)), { recursive: true });
    writeFileSync(join(directory, 'status', sha1Hex('chat').slice(0, 2), 'chat.traffic.yaml'), JSON.stringify(file));
    git('add', '-f', 'status');
    git('commit', '-qm', 'traffic');
    git('checkout', '-q', '-f', 'main');
    edit('services/chat/config.yaml', (text) => text.replace('temperature: 0.7', 'temperature: 0.9'));

    const { out } = actuator('plan');

    assert.match(out, /^ {2}5 % +15m 00s +1h 23m /m);
    assert.match(out, /\(cost per request\)/);
    assert.match(out, /not measured at present, so not judged: p50 latency, .*quality score/);
    assert.match(out, /warning: at 4 requests\/s this needs/);
    const report = JSON.parse(actuator('plan', '-o', 'json').out) as { steps: { detect: { metric: string }[] }[] }[];
    assert.deepEqual(
      report[0]?.steps[0]?.detect.map(({ metric }) => metric),
      ['error_rate', 'cost_per_request'],
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

describe('judge', () => {
  const policy = aPolicy({ success_criteria: { min_sample_size: 50, max_cost_increase: 1 } });

  /** Of a canary whose cost is half as much again, which this policy allows. */
  function write(change: (record: EvidenceRecord) => EvidenceRecord = (record) => record): void {
    const { court } = trial(policy, { cost: 1.5 }, { seconds: 120 });
    const context = { weight: court.weight, now: court.now, rates: {}, drawn: null };
    const judgement = court.look(context);
    const head = { code_version: '0.1.0', service: 'chat', deployment_id: 'deploy-20261124-001', settings_digest: 'sha256:x' };
    const record = recordEvidence({ ...head, judgement, policy, moment: momentOf(court.state, context), blocks: court.rows });
    writeFileSync(join(directory, 'evidence.json'), evidenceText(change(record)));
  }

  it('makes the verdict again from the blocks, and names it by the digest of the revert commit', () => {
    write();
    const { code, out } = actuator('judge', '--evidence', 'evidence.json');

    assert.equal(code, 0, out);
    assert.match(out, /^agrees: pass, /m);
    assert.match(out, /^evidence sha256:[0-9a-f]{64}$/m);
    assert.match(out, /^cost per request +\$\S+ +\$\S+ +\+\d/m);
  });

  it('says what other settings would have decided, when, and what the record can not say', () => {
    write();
    writeFileSync(join(directory, 'strict.yaml'), 'success_criteria: { max_cost_increase: 0.1, absolute_max_latency_p95: 777 }\n');
    const { code, out } = actuator('judge', '--evidence', 'evidence.json', '--settings', 'strict.yaml');

    assert.equal(code, 0, out);
    assert.match(out, /^by strict\.yaml: fail at 1970-.* at 25 %: cost per request/m);
    assert.match(out, /no counts above 777 ms/);
  });

  it('does not agree with a record that somebody has touched; exit code 1', () => {
    write((record) => ({ ...record, judgement: { ...record.judgement, verdict: 'fail', reason: 'I say so' } }));
    const { code, out, err } = actuator('judge', '--evidence', 'evidence.json');

    assert.equal(code, 1);
    assert.match(out, /^DOES NOT AGREE: pass/m);
    assert.match(err, /does not agree with its own blocks/);
  });

  it('refuses what is no record, and settings that are not valid; exit code 3', () => {
    const refused: readonly [string, RegExp][] = [
      ['{}', /no evidence\.json of format 1/],
      ['{"format": 1', /can't be read as it is/],
      ['{"format":1,"blocks":[{}],"judgement":{},"policy":{},"moment":{},"grid":{}}', /can't be read as it is/],
    ];
    for (const [text, message] of refused) {
      writeFileSync(join(directory, 'evidence.json'), text);
      const { code, err } = actuator('judge', '--evidence', 'evidence.json');
      assert.equal(code, 3, err);
      assert.match(err, message);
    }
    write();
    writeFileSync(join(directory, 'bad.yaml'), 'success_criteria: { max_cost_incraese: 0.1 }\n');
    assert.match(actuator('judge', '--evidence', 'evidence.json', '--settings', 'bad.yaml').err, /Did you mean "max_cost_increase"/);
    writeFileSync(join(directory, 'named.yaml'), 'policy: strict\n');
    assert.match(actuator('judge', '--evidence', 'evidence.json', '--settings', 'named.yaml').err, /Name the file of the policy/);
    assert.equal(actuator('judge', '--evidence', 'nowhere.json').code, 3);
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

  it('refuses by name what is not offered, and flags that would do nothing', () => {
    assert.match(actuator('deploy', '--config', 'x', '--skip-validation').err, /--skip-validation is refused/);
    assert.match(actuator('ab-test', '--config', 'x', '--metric', 'error_rate').err, /do not go with --config/);
    assert.match(actuator('ab-test', '--strategy', 'fixed').err, /need --config/);
    assert.match(actuator('ab-test', '--config', 'x', '--strategy', 'bandit').err, /Allowed choices are fixed, thompson-sampling/);
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

/** Real bare repositories over real smart HTTP, for tests of the Git layer. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createCommitBuilder } from '../../src/adapters/git/commit-builder.ts';
import { createConfigurationWriter } from '../../src/adapters/git/configuration-writer.ts';
import { openMirror, type Mirror } from '../../src/adapters/git/mirror.ts';
import { createPlacing } from '../../src/adapters/git/placing.ts';
import { createRepository } from '../../src/adapters/git/repository.ts';
import { createStatusBranch } from '../../src/adapters/git/status-branch.ts';
import { systemClock } from '../../src/adapters/system/clock.ts';
import { startGitServer, type GitServer } from '../../src/demo/git-server.ts';
import type { ConfigurationRepository, ConfigurationWriter, StatusBranch } from '../../src/ports/repository.ts';

export interface TestRepository {
  readonly directory: string;
  readonly forge: GitServer;
  readonly url: string;
  readonly git: (...args: readonly string[]) => string;
  /** Writes files into the clone; null removes. */
  readonly write: (files: Readonly<Record<string, string | null>>) => void;
  /** Writes files (null removes), commits and pushes. The commit's id. */
  readonly commit: (files: Readonly<Record<string, string | null>>, message?: string) => string;
  /** Commits what was added, under another name. */
  commitAs(name: string, email: string): void;
  /** Commits what was added with a signature, by this configuration of git's. */
  signedCommit(config: readonly string[], committer: string): void;
  link(path: string, target: string): void;
  open(name?: string): Promise<Opened>;
  close(): Promise<void>;
}

export interface Opened {
  readonly mirror: Mirror;
  readonly repository: ConfigurationRepository;
  readonly writer: ConfigurationWriter;
  readonly branch: StatusBranch;
}

export async function aRepository(): Promise<TestRepository> {
  const directory = mkdtempSync(join(tmpdir(), 'git-test-'));
  const remote = join(directory, 'remote.git');
  const clone = join(directory, 'clone');
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.com',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.com',
  };
  const run = (cwd: string, args: readonly string[]): string =>
    execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  run(directory, ['init', '-q', '--bare', '-b', 'main', remote]);
  run(remote, ['config', 'http.receivepack', 'true']);
  run(directory, ['init', '-q', '-b', 'main', clone]);
  run(clone, ['remote', 'add', 'origin', remote]);
  const forge = await startGitServer(directory);
  const url = `${forge.url}/remote.git`;
  const opened: Opened[] = [];
  const push = (message: string): string => {
    run(clone, ['add', '-A']);
    run(clone, ['commit', '-q', '--allow-empty', '-m', message]);
    run(clone, ['push', '-q', '-f', 'origin', 'main']);
    return run(clone, ['rev-parse', 'HEAD']).trim();
  };
  const write: TestRepository['write'] = (files) => {
    for (const [path, text] of Object.entries(files)) {
      const file = join(clone, path);
      mkdirSync(dirname(file), { recursive: true });
      if (text === null) rmSync(file);
      else writeFileSync(file, text);
    }
  };
  return {
    directory,
    forge,
    url,
    git: (...args) => run(clone, args),
    write,
    commit(files, message = 'change') {
      write(files);
      return push(message);
    },
    commitAs(name, email) {
      execFileSync('git', ['commit', '-q', '-m', `by ${name}`], {
        cwd: clone,
        env: { ...env, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email },
      });
    },
    signedCommit(config, committer) {
      execFileSync('git', [...config, 'commit', '-q', '-S', '--allow-empty', '-m', 'signed'], {
        cwd: clone,
        env: {
          ...env,
          ...(process.env['GNUPGHOME'] === undefined ? {} : { GNUPGHOME: process.env['GNUPGHOME'] }),
          GIT_COMMITTER_EMAIL: committer,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    },
    link(path, target) {
      mkdirSync(dirname(join(clone, path)), { recursive: true });
      symlinkSync(target, join(clone, path));
    },
    async open(name = 'mirror.git') {
      const mirror = await openMirror({ directory: join(directory, name), branch: 'main', access: { url, token: null, allowLocal: true } });
      const builder = createCommitBuilder(mirror, { name: 'actuator', email: 'actuator@localhost' });
      const all = {
        mirror,
        repository: createRepository(mirror),
        writer: createConfigurationWriter(mirror, createPlacing(mirror, builder, systemClock)),
        branch: createStatusBranch(mirror, builder, systemClock),
      };
      opened.push(all);
      return all;
    },
    async close() {
      for (const { mirror } of opened) mirror.close();
      await forge.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

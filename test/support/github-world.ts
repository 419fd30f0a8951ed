/** The stand-in for GitHub over a real bare repository, each of its exchanges held to GitHub's description. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGithubClient, type GithubClient } from '../../src/adapters/github/client.ts';
import { createGithubHost } from '../../src/adapters/github/code-host.ts';
import type { GithubOptions } from '../../src/adapters/github/octokit.ts';
import { startFakeGithub, type FakeGithub } from '../../src/demo/github/fake-github.ts';
import type { CodeHost } from '../../src/ports/code-host.ts';
import { contractProblem } from '../contract/github-contract.ts';
import { aRepository, type TestRepository } from './repositories.ts';

export interface GithubWorld {
  readonly remote: TestRepository;
  readonly github: FakeGithub;
  /** Operations that were asked, in order, with their answers' status. */
  readonly asked: string[];
  readonly keyFile: string;
  client(options?: Partial<GithubOptions>): GithubClient;
  /** As the installed app. */
  host(options?: Partial<GithubOptions>): CodeHost;
  /** As somebody with a token. */
  as(login: string): CodeHost;
  /** Edits on a branch of its own, pushed by `author`. The commit's id. */
  branch(name: string, files: Readonly<Record<string, string | null>>, author?: string): string;
  /** What GitHub's description has against what was said so far. */
  contractProblems(): readonly string[];
  close(): Promise<void>;
}

export async function aGithubWorld(): Promise<GithubWorld> {
  const remote = await aRepository();
  const github = await startFakeGithub(join(remote.directory, 'remote.git'), 'acme', 'prompts');
  const problems: string[] = [];
  const asked: string[] = [];
  github.onExchange((exchange) => {
    asked.push(`${exchange.operation ?? 'undescribed'} ${exchange.status}`);
    const problem = contractProblem(exchange);
    if (problem !== null) problems.push(problem);
  });
  for (const login of ['ada', 'bob', 'cleo']) github.addUser({ login });
  const keyFile = join(remote.directory, 'app.pem');
  writeFileSync(keyFile, github.app.privateKey);
  const base = { baseUrl: github.baseUrl, owner: 'acme', repo: 'prompts', isPaced: false, timeoutMs: 2000 };
  const hostOf = (client: GithubClient): CodeHost => createGithubHost(client, { ...base, branch: 'main', statusBranch: 'actuator/status' });
  const client: GithubWorld['client'] = (options = {}) =>
    createGithubClient({ ...base, credentials: { kind: 'app', appId: github.app.id, keyFile, installation: null }, ...options });
  return {
    remote,
    github,
    asked,
    keyFile,
    client,
    host: (options) => hostOf(client(options)),
    as(login) {
      const file = join(remote.directory, `${login}.token`);
      writeFileSync(file, `${github.tokenOf(login)}\n`);
      return hostOf(client({ credentials: { kind: 'token', file } }));
    },
    branch(name, files, author = 'ada') {
      remote.git('checkout', '-q', '-B', name);
      const commit = commitAs(remote, files, name, author);
      remote.git('push', '-q', '-f', 'origin', `HEAD:${name}`);
      remote.git('checkout', '-q', 'main');
      return commit;
    },
    contractProblems: () => problems,
    async close() {
      await github.close();
      await remote.close();
    },
  };
}

function commitAs(remote: TestRepository, files: Readonly<Record<string, string | null>>, message: string, author: string): string {
  remote.write(files);
  remote.git('add', '-A');
  remote.git('commit', '-q', '--allow-empty', '-m', message, `--author=${author} <${author}@example.com>`);
  return remote.git('rev-parse', 'HEAD').trim();
}

export function assertContract(world: GithubWorld): void {
  assert.deepEqual(world.contractProblems(), []);
}

/** GitHub as a small world has it: an installed app, a protected branch, a webhook, and people who work by pull requests. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Octokit } from '@octokit/rest';
import { startFakeGithub, type FakeGithub } from './fake-github.ts';
import type { PullRequest } from './state.ts';

export interface GithubForge {
  readonly fake: FakeGithub;
  /** What `actuator serve` needs to work there. */
  readonly environment: Readonly<Record<string, string>>;
  as(login: string): Octokit['rest'];
  open(author: string, branch: string, title: string, body: string): Promise<PullRequest>;
  approve(number: number, login: string, words: string): Promise<void>;
  /** The commit that it made on main. */
  merge(number: number, login: string): Promise<string>;
  pull(number: number): PullRequest;
  /** At a commit, context -> newest state. */
  statuses(commit: string): Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const at = { owner: 'acme', repo: 'prompts' };

export async function openGithubForge(directory: string, approvals: number, webhookUrl: string): Promise<GithubForge> {
  const fake = await startFakeGithub(join(directory, 'remote.git'), at.owner, at.repo);
  for (const login of ['ada', 'bob']) fake.addUser({ login, name: login === 'ada' ? 'Ada' : 'Bob' });
  await fake.protect({ branch: 'main', approvals });
  const secret = randomBytes(32).toString('hex');
  const [keyFile, secretFile] = [join(directory, 'app.pem'), join(directory, 'webhook.secret')];
  await writeFile(keyFile, fake.app.privateKey, { mode: 0o600 });
  await writeFile(secretFile, secret, { mode: 0o600 });
  fake.setWebhook(webhookUrl, secret);
  const as: GithubForge['as'] = (login) => new Octokit({ auth: fake.tokenOf(login), baseUrl: fake.baseUrl, userAgent: login }).rest;
  const pull = (number: number): PullRequest => {
    const found = fake.state.pulls.find((one) => one.number === number);
    if (found === undefined) throw new Error(`there is no pull request #${number}`);
    return found;
  };
  return {
    fake,
    environment: {
      ACTUATOR_GITHUB_APP_ID: fake.app.id,
      ACTUATOR_GITHUB_APP_KEY_FILE: keyFile,
      ACTUATOR_GITHUB_URL: fake.baseUrl,
      ACTUATOR_GITHUB_REPOSITORY: `${at.owner}/${at.repo}`,
      ACTUATOR_WEBHOOK_SECRET_FILE: secretFile,
    },
    as,
    async open(author, branch, title, body) {
      const { data } = await as(author).pulls.create({ ...at, head: branch, base: 'main', title, body });
      return pull(data.number);
    },
    async approve(number, login, words) {
      await as(login).pulls.createReview({ ...at, pull_number: number, event: 'APPROVE', body: words });
    },
    merge: async (number, login) => (await as(login).pulls.merge({ ...at, pull_number: number })).data.sha,
    pull,
    statuses: (commit) =>
      Object.fromEntries(fake.state.statuses.filter(({ sha }) => sha === commit).map(({ context, state }) => [context, state])),
    close: () => fake.close(),
  };
}

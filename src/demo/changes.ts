/** How a change comes to main in the demonstration: pushed, or by a pull request that somebody else approves. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from './story.ts';
import type { GithubForge } from './github/forge.ts';
import { pause, type Edits, type World } from './world.ts';

const run = promisify(execFile);
const actuator = join(import.meta.dirname, '..', 'main', 'cli.ts');
const [author, reviewer] = ['ada', 'bob'] as const;

export interface Change {
  readonly branch: string;
  readonly message: string;
  readonly edits: Edits;
}

export interface Brought {
  /** On main. */
  readonly commit: string;
  /** Null: it was pushed. */
  readonly pullRequest: number | null;
}

type Say = (text: string) => void;

export async function bring(world: World, say: Say, { branch, message, edits }: Change): Promise<Brought> {
  const { github } = world;
  if (github === null) return { commit: await world.commit(message, edits), pullRequest: null };
  await world.commit(message, edits, branch);
  const { number } = await github.open(author, branch, message, 'As agreed.');
  say(`Ada opens pull request #${number}; its check says:`);
  say(indented(await checkAsTheActionDoes(join(world.directory, 'clone'))));
  await github.approve(number, reviewer, 'Fine with me.');
  const commit = await github.merge(number, author);
  say(`Bob approves it, Ada merges it (${commit.slice(0, 12)}), and the webhook wakes the reconciler`);
  return { commit, pullRequest: number };
}

/** The action's own commands, on the branch of the pull request. */
async function checkAsTheActionDoes(clone: string): Promise<string> {
  const call = async (...args: readonly string[]): Promise<string> =>
    (await run(process.execPath, [actuator, ...args], { cwd: clone })).stdout;
  const validated = await call('validate', '--output-format', 'github');
  const plan = await call('plan', '--base', 'origin/main', '--output-format', 'markdown');
  return `${validated}${plan.replace(/^<!--.*-->\n/, '')}`;
}

function indented(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

/** The branch is protected: the revert waits for a review too. Its number; null: it was pushed. */
export async function approveRevert(world: World, say: Say, service: string, known: readonly (number | null)[]): Promise<number | null> {
  const { github } = world;
  if (github === null) return null;
  const revert = await until(() => github.fake.state.pulls.find(({ number, autoMerge }) => autoMerge !== null && !known.includes(number)));
  say(`main is protected, so the revert is pull request #${revert.number}, "${revert.title}"; quarantine holds meanwhile`);
  await github.approve(revert.number, reviewer, 'Take it back.');
  await until(() => revert.mergeCommit);
  await until(async () => (await status(world, service)).last_deployment?.revert_commit ?? null);
  say(`Bob approves it, and GitHub merges it (${revert.mergeCommit?.slice(0, 12) ?? ''})`);
  return revert.number;
}

/** What GitHub shows in the end. */
export async function showGithub(github: GithubForge, say: Say, changes: readonly Brought[], context: string): Promise<void> {
  say('\n== What GitHub shows');
  for (const { commit, pullRequest } of changes) {
    if (pullRequest === null) continue;
    await until(() => /^(success|failure)$/.test(github.statuses(commit)[context] ?? ''));
    say(`commit ${commit.slice(0, 12)}  ${context}: ${github.statuses(commit)[context] ?? ''}`);
    await pause(500);
    say(`comment on #${pullRequest}:`);
    say(
      indented(
        github
          .pull(pullRequest)
          .comments.at(-1)
          ?.body.replace(/^<!--.*-->\n/, '') ?? '',
      ),
    );
  }
}

async function until<T>(check: () => T | null | undefined | Promise<T | null | undefined>): Promise<NonNullable<T>> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const found = await check();
    if (found !== null && found !== undefined && found !== false) return found;
    await pause(50);
  }
  throw new Error('GitHub did not get there within 15 s');
}

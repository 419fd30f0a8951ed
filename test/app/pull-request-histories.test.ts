/**
 * Chance against the code host: people open, review, merge and push, GitHub fails in the middle, the control plane is replaced, and
 * whatever happened, nothing starts that its approvers have not seen, the branch is taken back to what is well, and GitHub shows an end
 * for each commit. Seeds by ACTUATOR_SEEDS=from-to; a seed that fails fails again.
 */
import assert from 'node:assert/strict';
import { afterEach, it } from 'node:test';
import { seededRng, type Rng } from '../../src/base/random.ts';
import type { PullRequest } from '../../src/demo/github/state.ts';
import type { MergeMethod } from '../../src/demo/github/bare.ts';
import { aPullRequestWorld, file, needsApproval, settings, text, type PullRequestWorld } from '../support/pull-request-world.ts';

let w: PullRequestWorld;
let rng: Rng;
let log: string[];

afterEach(() => w.close());

const contents = [0.2, 0.3, 0.4, 0.5].map(text);
const people = ['ada', 'bob', 'cleo'] as const;
const methods: readonly MergeMethod[] = ['merge', 'squash', 'rebase'];

/** Of each pull request, whoever opened it or pushed to it. */
let hands: Map<number, Set<string>>;
let failure: Parameters<PullRequestWorld['github']['fail']>[0] = null;

/** People try again until it works. */
async function byPerson(work: () => Promise<void>): Promise<void> {
  w.github.fail(null);
  await work();
  w.github.fail(failure);
}

const one = <T>(from: readonly T[]): T | undefined => from[Math.floor(rng() * from.length)];
const openPulls = (): readonly PullRequest[] => w.github.state.pulls.filter(({ state }) => state === 'open');
const isOurs = ({ branch }: PullRequest): boolean => branch.startsWith('actuator/');

async function propose(): Promise<void> {
  const [content, author] = [one(contents), one(people)];
  const branch = `topic-${w.github.state.pulls.length}-${Math.floor(rng() * 1e6)}`;
  if (content === undefined || author === undefined) return;
  try {
    const { number } = await w.open(branch, { [file]: rng() < 0.2 ? `# said better\n${content}` : content }, author);
    hands.set(number, new Set([author]));
    log.push(`${author} opens #${number}`);
  } catch {
    // Nothing that would differ from main.
  }
}

async function review(): Promise<void> {
  const [pull, login] = [one(openPulls()), one(people)];
  if (pull === undefined || login === undefined || pull.author === login) return;
  const event = one(['APPROVE', 'APPROVE', 'APPROVE', 'REQUEST_CHANGES', 'COMMENT'] as const);
  await w.review(pull.number, login, event);
  log.push(`${login} ${event ?? ''} #${pull.number}`);
}

async function merge(): Promise<void> {
  const [pull, method, login] = [one(openPulls()), one(methods), one(people)];
  if (pull === undefined) return;
  await w.merge(pull.number, method, login).then(
    () => log.push(`${login ?? ''} merges #${pull.number} by ${method ?? ''}`),
    // Not approved as GitHub wants it, or in conflict.
    () => undefined,
  );
}

function pushMore(): Promise<void> {
  const [pull, content, author] = [one(openPulls().filter((open) => !isOurs(open))), one(contents), one(people)];
  if (pull === undefined || content === undefined || author === undefined) return Promise.resolve();
  w.world.branch(pull.branch, { [file]: content }, author);
  hands.get(pull.number)?.add(author);
  log.push(`${author} pushes to #${pull.number}`);
  return Promise.resolve();
}

async function order(type: 'promotion-requested' | 'rollback-requested'): Promise<void> {
  const common = { deploymentId: null, reason: type, actor: 'me' } as const;
  const event =
    type === 'promotion-requested'
      ? ({ type, full: true, ...common } as const)
      : ({ type, gradualMs: null, target: null, ...common } as const);
  await w.bench.controlPlane.engine.dispatch('chat', event, 'me');
  log.push(`${type} of ${w.chat().active?.id ?? w.chat().last?.id ?? 'nothing'}`);
}

function breakGithub(): void {
  const failures = [
    { status: 503 },
    { status: 502, of: 'POST', times: 1, afterwards: true },
    { status: 502, of: 'PATCH', times: 1, afterwards: true },
    { status: 500, of: 'GET', times: 4 },
    { status: 422, of: '/statuses', times: 1 },
    null,
  ] as const;
  failure = one(failures) ?? null;
  w.github.fail(failure);
  log.push(`GitHub: ${JSON.stringify(failure)}`);
}

async function look(): Promise<void> {
  w.bench.clock.advance(Math.floor(rng() * 40_000));
  for (let round = 0; round < 3; round++) {
    w.bench.controlPlane.hinted();
    await w.bench.controlPlane.tick();
    await new Promise((resolve) => setTimeout(resolve, 15));
    assertApproved();
  }
}

/** Whoever has the role and no hand in it has approved what is on trial, at the head that was merged. */
function assertApproved(): void {
  const { active } = w.chat();
  if (active?.phase.name !== 'progressing' || active.plan.kind === 'fast-path') return;
  const pulls = w.github.state.pulls.filter(({ mergeCommit, merged }) => [mergeCommit, ...merged].includes(active.revision.commit));
  const isApproved = pulls.some(({ number, reviews, head }) =>
    reviews.some(
      (each) =>
        each.state === 'APPROVED' &&
        hands.get(number)?.has(each.author) === false &&
        ['ada', 'bob'].includes(each.author) &&
        each.commit === head,
    ),
  );
  assert.ok(
    isApproved,
    `${active.id} is on trial: ${JSON.stringify([active.approvals, active.author, pulls.map(({ number }) => number)])}`,
  );
}

const actions: readonly (readonly [number, () => Promise<void> | void])[] = [
  [5, () => byPerson(propose)],
  [6, () => byPerson(review)],
  [6, () => byPerson(merge)],
  [4, () => byPerson(pushMore)],
  [4, () => order('promotion-requested')],
  [3, () => order('rollback-requested')],
  [3, breakGithub],
  [8, look],
];

async function act(): Promise<void> {
  let at = rng() * actions.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, action] of actions) {
    at -= weight;
    if (at < 0) return action();
  }
}

/** People do what they are told: merge reverts, and let what is on trial end. */
async function settle(): Promise<void> {
  w.github.fail(null);
  for (let round = 0; round < 40; round++) {
    w.bench.clock.advance(31_000);
    await look();
    for (const pull of openPulls().filter(isOurs)) await w.review(pull.number, 'cleo');
    if (w.chat().active?.phase.name === 'progressing') await order('promotion-requested');
    if (round > 10 && (await unsettled()) === null) return;
  }
}

/** What is not as it should be in the end; null: nothing. */
async function unsettled(): Promise<string | null> {
  const { active, unreverted, quarantine, seen, rejection } = w.chat();
  const { codeHost, effects } = w.bench.controlPlane.problems();
  if (codeHost !== null || effects !== null) return `problems: ${codeHost ?? ''} ${effects ?? ''}`;
  if (active !== null && active.phase.name !== 'pending') return `${active.id} is ${active.phase.name}`;
  if (unreverted !== null) return `not reverted: ${JSON.stringify(unreverted)}`;
  // A person can bring it again, and is told so; we must not.
  const byUs = w.github.state.pulls.filter(isOurs).some(({ mergeCommit, merged }) => [mergeCommit, ...merged].includes(seen?.commit ?? ''));
  if (quarantine.some(({ digest }) => digest === seen?.digest) && (byUs || rejection === null))
    return `main holds what was rolled back: ${JSON.stringify(seen)}`;
  if (seen?.commit !== undefined && seen.commit !== (await w.github.state.bare.tip('main'))) {
    const changed = await w.github.state.bare.changed(seen.commit, 'main');
    if (changed.includes(file)) return 'main has not been looked at';
  }
  const shown = new Set(w.github.state.statuses.map(({ sha }) => sha));
  const open = [...shown].filter((sha) => w.statuses(sha)['actuator/chat'] === 'pending' && sha !== active?.revision.commit);
  if (open.length > 0) return `still pending: ${open.join()}`;
  const ours = openPulls().filter(isOurs);
  return ours.length === 0 ? null : `still open: ${ours.map(({ number, branch }) => `#${number} ${branch}`).join()}`;
}

function assertOnce(): void {
  for (const { number, comments } of w.github.state.pulls) assert.ok(comments.length <= 1, `#${number} has ${comments.length} comments`);
  const ids = w.github.state.deployments.map(({ payload }) => JSON.stringify(payload));
  assert.equal(new Set(ids).size, ids.length, 'a deployment is there twice');
}

const [from = 1, to = 4] = (process.env['ACTUATOR_SEEDS'] ?? '1-4').split('-').map(Number);
for (let seed = from; seed <= to; seed++)
  it(`seed ${seed}`, async () => {
    rng = seededRng(seed);
    log = [];
    hands = new Map();
    failure = null;
    w = await aPullRequestWorld(settings(needsApproval), {}, ({ github }) =>
      github.protect({ branch: 'main', approvals: rng() < 0.7 ? 1 : 0 }),
    );
    try {
      for (let step = 0; step < 40; step++) await act();
      await settle();
      assert.equal(await unsettled(), null);
      assertOnce();
    } catch (thrown) {
      throw new Error(`seed ${seed}: ${thrown instanceof Error ? thrown.message : String(thrown)}\n${log.join('\n')}`, { cause: thrown });
    }
  });

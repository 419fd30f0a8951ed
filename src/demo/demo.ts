/** `npm run demo`: one good change to promotion, one bad change to a revert commit, on loopback with real parts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createLogUpdate } from 'log-update';
import { renderService, type ServiceStatus } from '../cli/status-text.ts';
import { startLoad, type Load } from './load.ts';
import { approveRevert, bring, showGithub, type Brought } from './changes.ts';
import { allEvents, approversOf, events, rollbackFigures, status, untilEnded } from './story.ts';
import { createWorld, pause, type World } from './world.ts';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    github: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    dir: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const service = 'support-chat';
/** Holds of seconds instead of minutes, and a look every second; all else as in production. */
const settings = `actuator:
  default_strategy: canary
  canary:
    steps:
      - { percentage: 5, duration_minutes: 3s }
      - { percentage: 25, duration_minutes: 3s }
      - { percentage: 50, duration_minutes: 3s }
      - { percentage: 75, duration_minutes: 3s }
      - { percentage: 100, duration_minutes: 3s }
    max_total_duration_minutes: 3m
    success_criteria: { max_error_rate_increase: 0.02, confidence_level: 0.95, min_sample_size: 30 }
    auto_rollback: { enabled: true, critical_error_rate: 0.10 }
recovery_validation:
  validation_duration_minutes: 3s
metrics:
  collection_interval_seconds: 1
`;

/** Beside them: who may approve, which Ada does not, since it is her change. */
const approvals = `versioning: { require_approver: true, approval_roles: [sre] }
people:
  - { name: Ada, emails: [ada@example.com], logins: [ada], roles: [sre] }
  - { name: Bob, emails: [bob@example.com], logins: [bob], roles: [sre] }
`;

const usage = `npm run demo -- [--json] [--github] [--keep] [--dir DIR]
  --json     print one JSON object as the last line
  --github   by pull requests: a stand-in for GitHub, reviews, statuses, a protected main
  --keep     leave everything running and say where, until Ctrl-C
  --dir      keep the remote, the clone and the data directory there
`;

const toStderr = flags.json;
const terminal = process.stdout.isTTY && !flags.json;
const frame = createLogUpdate(process.stdout);

function say(text: string): void {
  if (terminal) frame.clear();
  (toStderr ? process.stderr : process.stdout).write(`${text}\n`);
}

/** Prints what the journal says as it happens; on a terminal with the live picture of the service below. */
function startView(world: World): () => Promise<void> {
  let after = 0;
  const view = { stopped: false };
  async function look(): Promise<void> {
    for (const row of await events(world, after)) {
      after = row.position;
      say(`${new Date(row.at_ms).toISOString().slice(11, 23)}  ${row.message}`);
    }
    if (!terminal) return;
    const shown = (await status(world, service)) as unknown as ServiceStatus;
    frame(`\n${renderService(shown, { now: Date.now(), colour: process.env['NO_COLOR'] === undefined })}`);
  }
  const running = (async () => {
    while (!view.stopped) {
      await look().catch(() => undefined);
      await pause(200);
    }
  })();
  return async () => {
    view.stopped = true;
    await running;
    await look().catch(() => undefined);
    if (terminal) frame.clear();
  };
}

async function tellStory(world: World, load: Load): Promise<object> {
  await pause(1500);
  say('\n== A good change: support-chat, temperature 0.7 -> 0.5');
  const brought = await bring(world, say, {
    branch: 'cooler-answers',
    message: 'support-chat: cooler answers',
    edits: { 'services/support-chat/config.yaml': (text) => text.replace('temperature: 0.7', 'temperature: 0.5') },
  });
  const good = await untilEnded(world, service, brought.commit, 90_000);
  const approvedBy = await approversOf(world, good.id);
  const steps = (await allEvents(world)).flatMap((row) =>
    row.event.type === 'revision-seen' && row.event.revision.commit === brought.commit ? row.event.plan.steps : [],
  );

  // The view tells the end of the first story before the second begins.
  await pause(600);
  say('\n== A bad change: support-chat to gpt-next, which fails 30 % of its requests');
  world.provider.set('gpt-next', { errorRate: 0.3 });
  const worse = await bring(world, say, {
    branch: 'try-gpt-next',
    message: 'support-chat: try gpt-next',
    edits: {
      'services/support-chat/config.yaml': (text) =>
        text.replace('  model: gpt-4-turbo', '  model: gpt-next').replace('default_model: gpt-4-turbo', 'default_model: gpt-next'),
    },
  });
  await untilEnded(world, service, worse.commit, 60_000);
  const revertPull = await approveRevert(world, say, service, [brought.pullRequest, worse.pullRequest]);
  // With the revert commit, which may have come by a pull request.
  const bad = await untilEnded(world, service, worse.commit, 60_000);
  const figures = bad.phase === 'rolled-back' ? rollbackFigures(await allEvents(world), bad.id) : null;
  await load.stop();
  if (world.github !== null) await showGithub(world.github, say, [brought, worse], `actuator/${service}`);
  return {
    good: {
      deployment_id: good.id,
      phase: good.phase,
      commit: brought.commit,
      steps: steps.map((step) => step.weight),
      ...pullRequestOf(brought, approvedBy),
    },
    bad: {
      deployment_id: bad.id,
      phase: bad.phase,
      reason: bad.reason,
      detected_by: figures?.detectedBy ?? null,
      canary_requests: figures?.canaryRequests ?? null,
      requests_failed_by_us: load.counts.failedByUs,
      breach_to_stable_ms: figures?.breachToStableMs ?? null,
      breach_to_revert_pushed_ms: figures?.breachToRevertPushedMs ?? null,
      revert_commit: bad.revert_commit,
      ...pullRequestOf(worse, await approversOf(world, bad.id)),
    },
    ...(world.github === null ? {} : { ...pullRequestOf(worse, await approversOf(world, bad.id)), revert_pull_request: revertPull }),
  };
}

function pullRequestOf({ pullRequest }: Brought, approvedBy: readonly string[]): object {
  return pullRequest === null ? {} : { pull_request: pullRequest, approved_by: approvedBy };
}

/** The record, as anybody with git sees it. */
async function showGit(world: World): Promise<void> {
  await untilPublished(world);
  await world.git('fetch', '-q', 'origin', '+refs/heads/*:refs/remotes/origin/*');
  say('\n== git log origin/main');
  say((await world.git('log', '--format=%h %an: %s', 'origin/main')).trimEnd());
  say('\n== the revert commit');
  say((await world.git('log', '-1', '--format=%B', 'origin/main')).trimEnd());
  say('\n== git log origin/actuator/status (newest 12)');
  say((await world.git('log', '-12', '--format=%h %s', 'origin/actuator/status')).trimEnd());
}

async function untilPublished(world: World): Promise<void> {
  const wanted = (await allEvents(world)).at(-1)?.position ?? 0;
  for (let attempt = 0; attempt < 100; attempt++) {
    await world.git('fetch', '-q', 'origin', '+refs/heads/*:refs/remotes/origin/*');
    const cursor = await world.git('show', 'origin/actuator/status:cursor.yaml').catch(() => '');
    if (Number(/position: (\d+)/.exec(cursor)?.[1] ?? 0) >= wanted) return;
    await pause(100);
  }
}

function sayCounts(load: Load): void {
  const { requests, streamed, viaSdk, failedByProvider, failedByUs, samples } = load.counts;
  say(
    `\n${requests} requests (${streamed} streamed, ${viaSdk} by the openai package): ${failedByProvider} failed by the provider, ${failedByUs} by us`,
  );
  for (const sample of samples) say(`  ${sample}`);
}

/** With a trickle of traffic for an hour, so that changes somebody tries are judged, and a clone that is ready for them. */
async function keepRunning(world: World): Promise<void> {
  await world.git('branch', '-q', '--set-upstream-to=origin/main');
  await world.git('reset', '-q', '--hard', 'origin/main');
  const trickle = startLoad({ gateway: world.gatewayUrl, service, plain: 30, streamed: 5, sdk: 1, longestMs: 3_600_000 });
  await untilInterrupted(world);
  await trickle.stop();
}

async function untilInterrupted(world: World): Promise<void> {
  say(`\nRunning until Ctrl-C:
  gateway       ${world.gatewayUrl}/v1   (model "support-chat" or "document-search")
  control plane ${world.apiUrl}
  API key       ${join(world.dataDirectory, 'admin.key')}
  repository    ${world.repositoryUrl}   (clone in ${join(world.directory, 'clone')}: edit, commit, push)
  traffic       36 requests/s on support-chat, for an hour at most
  try           ACTUATOR_URL=${world.apiUrl} ACTUATOR_DATA_DIR=${world.dataDirectory} bin/actuator.cjs status --service support-chat`);
  await new Promise<void>((done) => {
    process.once('SIGINT', () => done());
    process.once('SIGTERM', () => done());
  });
}

async function main(): Promise<number> {
  if (flags.help) {
    process.stdout.write(usage);
    return 0;
  }
  const kept = flags.dir !== undefined;
  const directory = flags.dir === undefined ? await mkdtemp(join(tmpdir(), 'actuator-demo-')) : resolve(flags.dir);
  const world = await createWorld({
    directory,
    seed: 7,
    settings: flags.github ? settings + approvals : settings,
    pollInterval: '1s',
    ...(flags.github ? { github: { approvals: 1 } } : {}),
  });
  for (const model of ['gpt-4-turbo', 'gpt-next']) world.provider.set(model, { errorRate: 0.005 });
  say('Starting a forge, a provider, a control plane and a gateway on loopback ...');
  await world.startControlPlane();
  await untilServed(world);
  const stopView = startView(world);
  const load = startLoad({ gateway: world.gatewayUrl, service, plain: 130, streamed: 25, sdk: 8, longestMs: 150_000 });
  let result: object;
  try {
    result = await tellStory(world, load);
    await stopView();
    sayCounts(load);
    await showGit(world);
    if (flags.keep) await keepRunning(world);
  } finally {
    await load.stop();
  }
  const code = await world.stopControlPlane('SIGTERM');
  await world.close();
  if (kept) say(`\nKept in ${directory}: remote.git, clone, data`);
  else await rm(directory, { recursive: true, force: true });
  if (flags.json) process.stdout.write(`${JSON.stringify({ ...result, clean_exit: code === 0 })}\n`);
  return code === 0 ? 0 : 1;
}

/** Until the services are adopted and the gateway has its assignments. */
async function untilServed(world: World): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const stats = (await (await fetch(`${world.gatewayUrl}/api/v1/routing/stats`)).json()) as { services: unknown[] };
    if (stats.services.length >= 2) return;
    await pause(50);
  }
  throw new Error('the gateway got no assignments');
}

process.exitCode = await main();

/** A test of variants as a person drives it: a file, real Git, a real gateway, answers that people score. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startLoad, type Load } from '../../src/demo/load.ts';
import { status } from '../../src/demo/story.ts';
import { createWorld, type World } from '../../src/demo/world.ts';
import { printedBy, runCli, type Ran } from '../support/command-line.ts';
import { until } from '../support/fake-control-plane.ts';
import { quickSettings } from '../support/quick-settings.ts';

const service = 'support-chat';
const config = `services/${service}/config.yaml`;
/** What people think of the answers. */
const quality: Readonly<Record<string, number>> = { conservative: 0.7, balanced: 0.9, stable: 0.7 };
let world: World;
let load: Load;
let people: NodeJS.Timeout;
const arms = new Map<string, number>();

const actuator = (...args: readonly string[]): Promise<Ran> => runCli(world, args);
const good = (...args: readonly string[]): Promise<string> => printedBy(world, args);

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(world.directory, name), text);
  return join(world.directory, name);
}

async function onMain(): Promise<string> {
  await world.git('fetch', '-q', 'origin');
  return world.git('show', `origin/main:${config}`);
}

/** A person asks, and says what the answer was worth. */
async function askAndScore(): Promise<void> {
  const response = await fetch(`${world.gatewayUrl}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: service, messages: [{ role: 'user', content: 'Why?' }] }),
  });
  await response.arrayBuffer();
  const arm = response.headers.get('x-actuator-arm') ?? response.headers.get('x-actuator-variant') ?? '';
  arms.set(arm, (arms.get(arm) ?? 0) + 1);
  const value = Math.min(1, Math.max(0, (quality[arm] ?? 0.7) + (Math.random() - 0.5) * 0.2));
  await fetch(`${world.gatewayUrl}/v1/feedback`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ request_id: response.headers.get('x-actuator-request-id'), value }),
  });
}

before(async () => {
  world = await createWorld({
    directory: await mkdtemp(join(tmpdir(), 'actuator-ab-test-')),
    seed: 4,
    settings: quickSettings,
    pollInterval: '1s',
  });
  await world.startControlPlane();
  await until(
    'served',
    async () => ((await (await fetch(`${world.gatewayUrl}/v1/models`)).json()) as { data: unknown[] }).data.length === 2,
    10_000,
  );
  load = startLoad({ gateway: world.gatewayUrl, service, plain: 60, streamed: 5, sdk: 1, longestMs: 110_000 });
  people = setInterval(() => void askAndScore().catch(() => undefined), 25);
});

after(async () => {
  clearInterval(people);
  // First, since what goes on would keep this process alive when the set-up has failed.
  await world.close();
  await load.stop();
  await rm(world.directory, { recursive: true, force: true });
});

const variants = (change = ''): string => `metadata: { service: support-chat, name: temperature-optimization }
variants:
  - { name: conservative, parameters: { temperature: 0.5 }, weight: 0.5 }
  - { name: balanced, parameters: { temperature: 0.65 }, weight: 0.5 }
ab_test: { metric: quality_score, min_sample_size: 60, significance_level: 0.05, max_duration_hours: 1${change} }
`;

describe('a test of variants', () => {
  it('is checked, begun, watched, and won by the better one, which then stands on main', async () => {
    const change = await file('variants.yaml', variants(', traffic_percentage: 80'));
    const begun = JSON.parse(
      await good('ab-test', '--config', change, '--strategy', 'thompson-sampling', '--reason', 'which temperature', '-o', 'json'),
    ) as { test_id: string };
    const shown = await until(
      'values',
      async () => {
        const { out } = await actuator('ab-test-status', '--test-id', begun.test_id);
        return /balanced +\S+ % +[1-9]/.test(out) && out;
      },
      20_000,
    );
    assert.match(shown, /by quality score, thompson-sampling, 60 values an arm, significance 0.05/);
    assert.match(shown, /\(stable\) +20.0 %/);
    assert.match(await onMain(), /strategy: thompson-sampling/);

    const ended = await good('ab-test-status', '--test-id', begun.test_id, '--watch', '--timeout-seconds', '60');
    assert.match(ended, /completed: promoted "balanced", the winner of its A\/B test/);
    assert.match(ended, /balanced \(promoted\)/);
    await until('collapsed', async () => !/variants|ab_test/.test(await onMain()), 10_000);
    assert.match(await onMain(), /temperature: 0.65/);
    assert.ok((arms.get('conservative') ?? 0) > 10 && (arms.get('balanced') ?? 0) > 10, JSON.stringify([...arms]));
    assert.equal((await status(world, service)).phase, 'idle');
    const record = await world.git(
      'show',
      `origin/actuator/status:deployments/${begun.test_id.slice(7, 11)}/${begun.test_id.slice(11, 13)}/${begun.test_id}/evidence.json`,
    );
    const evidence = JSON.parse(record) as { comparison: { winner: string }; judgement: { arm: string; verdict: string } };
    assert.deepEqual([evidence.comparison.winner, evidence.judgement.arm, evidence.judgement.verdict], ['balanced', 'balanced', 'pass']);
    const path = await file('evidence.json', record);
    assert.match(await good('judge', '--evidence', path), /the recorded verdict can be made again|agrees|same/i);
  });

  it('of the winner goes back to what was there before, as text', async () => {
    await good('rollback', '--service', service, '--reason', 'we liked it cooler');
    await until('rolled back', async () => (await status(world, service)).last_deployment?.phase === 'rolled-back', 15_000);
    assert.match(await onMain(), /temperature: 0.7/);
    assert.doesNotMatch(await onMain(), /variants/);
  });

  it('waits for a person who promotes the arm of their choice', async () => {
    const change = await file(
      'by-hand.yaml',
      variants(', auto_promote: false, traffic_percentage: 60').replace('0.65', '0.55').replace('0.5 }', '0.45 }'),
    );
    const { test_id: id } = JSON.parse(await good('ab-test', '--config', change, '-o', 'json')) as { test_id: string };
    await until('it waits', async () => (await status(world, service)).phase === 'paused', 40_000).catch(async (error: unknown) =>
      assert.fail(`${String(error)}: ${await good('ab-test-status', '--test-id', id)}${await good('status', '--service', service)}`),
    );
    assert.match(await good('ab-test-status', '--test-id', id), /balanced \(winner\)/);
    assert.match((await actuator('promote', '--service', service, '--full')).err, /ab-test-promote/);
    assert.match((await actuator('ab-test-promote', '--test-id', id, '--winner', 'creative')).err, /there is conservative, balanced/);

    await good('ab-test-promote', '--test-id', id, '--winner', 'conservative', '--reason', 'cheaper to explain');
    await until('promoted', async () => (await status(world, service)).last_deployment?.phase === 'completed', 10_000);
    assert.match((await status(world, service)).last_deployment?.reason ?? '', /promoted "conservative", which a person chose/);
    await until('collapsed', async () => !/variants/.test(await onMain()), 10_000);
    assert.match(await onMain(), /temperature: 0.45/);
  });

  it('is refused with its reason before anything is committed', async () => {
    const before = await onMain();
    const change = await file('wrong.yaml', variants().replace('weight: 0.5 }\nab', 'weight: 0.9 }\nab'));
    const { code, err } = await actuator('ab-test', '--config', change);
    assert.deepEqual([code, /add up to 1.4/.test(err)], [3, true], err);
    assert.equal(await onMain(), before);
    assert.equal(load.counts.failedByUs, 0, load.counts.samples.join('\n'));
  });
});

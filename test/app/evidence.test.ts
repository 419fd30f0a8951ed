/** What is kept of a verdict, and what is told of traffic, on a real store. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { parse } from 'yaml';
import { readDocument } from '../../src/adapters/documents/reader.ts';
import { openSqliteStore } from '../../src/adapters/store/sqlite-store.ts';
import { viewEvidence, viewSampleSize } from '../../src/app/queries/evidence-view.ts';
import { viewService } from '../../src/app/queries/service-view.ts';
import { evidenceDigest } from '../../src/app/publication/render.ts';
import { seededRng, type Rng } from '../../src/base/random.ts';
import { agrees, type EvidenceRecord } from '../../src/domain/analysis/record.ts';
import { newHistogram, newMoments, packHistogram, recordMoment, recordValue } from '../../src/domain/analysis/histogram.ts';
import { canaryWeight } from '../../src/domain/rollout/shares.ts';
import type { Bucket } from '../../src/generated/types.ts';
import { ordered, rollbackOrder } from '../builders/service.ts';
import { aBucket } from '../builders/bucket.ts';
import { drawNormal } from '../../src/domain/analysis/stats/draw.ts';
import { aHistory, base, bootControlPlane, service, type ControlPlaneWorld } from '../support/control-plane-world.ts';
import { until } from '../support/fake-control-plane.ts';
import { fakeClock } from '../support/fake-clock.ts';

let world: ControlPlaneWorld;
let seq = 0;

afterEach(async () => {
  await world.controlPlane.stop();
  await world.store.close();
});

async function start(settings = base['actuator.yaml']): Promise<void> {
  const history = aHistory();
  history.push({ ...base, 'actuator.yaml': settings, 'services/a/config.yaml': service('m') });
  world = await bootControlPlane(await openSqliteStore(':memory:'), history, fakeClock());
  await until('adopted', () => world.controlPlane.engine.state('a')?.stable);
}

async function change(settings = base['actuator.yaml']): Promise<void> {
  world.history.push({ ...base, 'actuator.yaml': settings, 'services/a/config.yaml': service('n') });
  world.controlPlane.poll();
  await until('progresses', () => world.state('a').active?.phase.name === 'progressing');
}

function measured(variant: 'canary' | 'stable', requests: number, slower: number, rng: Rng): Bucket {
  const { active, stable } = world.state('a');
  const [latency, cost, costs] = [newHistogram(), newHistogram(), newMoments()];
  for (let i = 0; i < requests; i++) {
    recordValue(latency, slower * 900 * Math.exp(0.5 * drawNormal(rng)));
    const price = 0.01 * Math.exp(0.5 * drawNormal(rng));
    recordValue(cost, price * 1e6);
    recordMoment(costs, price);
  }
  return aBucket({
    service: 'a',
    variant,
    digest: (variant === 'canary' ? active?.revision.digest : stable?.digest) ?? '',
    deployment_id: active?.id ?? null,
    requests,
    latency_ms: packHistogram(latency),
    cost_usd: costs,
    cost_micro_usd: packHistogram(cost),
  });
}

/** A second of a hundred requests, a tenth of them on the canary while there is one. */
async function second(rng: Rng, slower = 1): Promise<void> {
  world.clock.advance(1000);
  const canary = canaryWeight(world.state('a')) > 0 ? 20 : 0;
  const stable = measured('stable', 180, 1, rng);
  const buckets = canary > 0 ? [measured('canary', canary, slower, rng), stable] : [stable];
  await world.controlPlane.takeBuckets({ gateway: 'g', epoch: 'e', seq: ++seq, buckets, comments: [] });
}

function published(ending: string): string | undefined {
  return world.published.flatMap(({ files }) => files).findLast(({ path }) => path.endsWith(ending))?.text;
}

describe('evidence', () => {
  it('of a canary that is only slow rolls it back, and is published so that it can be judged again', async () => {
    const rng = seededRng(5);
    await start();
    for (let i = 0; i < 60; i++) await second(rng);
    await change();
    for (let i = 0; i < 60 && world.state('a').active?.phase.name === 'progressing'; i++) await second(rng, 1.6);

    const active = world.state('a').active;
    assert.equal(active?.phase.name, 'rolling-back');
    assert.match(active.phase.reason, /latency .* against .* on stable/);
    const text = await until('published', () => published('evidence.json'));
    const record = JSON.parse(text) as EvidenceRecord;
    assert.ok(agrees(record));
    assert.ok(record.blocks.length > 0);
    assert.equal(record.deployment_id, active.id);
    assert.equal(evidenceDigest(record.judgement), evidenceDigest(active.judgement!));
    assert.match(published('a.yaml') ?? '', new RegExp(evidenceDigest(active.judgement!)));
  });

  it('spans a restart: the blocks before it are there, and agree', async () => {
    const rng = seededRng(6);
    await start();
    for (let i = 0; i < 60; i++) await second(rng);
    await change();
    for (let i = 0; i < 40; i++) await second(rng);
    await world.controlPlane.stop();
    world = await bootControlPlane(world.store, world.history, world.clock);
    for (let i = 0; i < 10; i++) await second(rng);

    const record = await viewEvidence(world.controlPlane, { service: 'a' });

    assert.ok(record.ok);
    assert.ok(record.value.blocks.length > 30, `${record.value.blocks.length} blocks`);
    assert.equal(record.value.blocks.length, record.value.judgement.blocks);
    assert.ok(agrees(record.value));
  });

  it('leaves nothing behind in the store once it is published', async () => {
    const rng = seededRng(7);
    await start();
    for (let i = 0; i < 60; i++) await second(rng);
    await change();
    for (let i = 0; i < 10; i++) await second(rng);
    const { id } = world.state('a').active!;
    assert.notEqual(await world.store.get(`evidence/${id}/0`), null);

    await world.controlPlane.engine.dispatch('a', ordered(rollbackOrder, 'no', 'me'), 'me');
    await world.controlPlane.engine.dispatch('a', { type: 'applied', generation: world.state('a').generation }, 'me');
    await until('ended', () => world.state('a').last?.id === id);

    let left: string | null = 'not looked yet';
    for (let i = 0; i < 100 && left !== null; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      left = await world.store.get(`evidence/${id}/0`);
    }
    assert.equal(left, null);
  });

  it('that can not be is an error: nothing passes, and people see why', async () => {
    const rng = seededRng(8);
    await start();
    await change();
    await second(rng);
    const bad = { ...measured('canary', 10, 1, rng), errors: { upstream_5xx: 11 } };
    await world.controlPlane.takeBuckets({ gateway: 'g', epoch: 'e', seq: ++seq, buckets: [bad], comments: [] });

    const judgement = world.controlPlane.judging.judgement('a');
    assert.equal(judgement?.verdict, 'error');
    assert.match(judgement.reason, /11 errors in 10 requests/);
  });
});

describe('what people see of it', () => {
  it('is said in the words of the guide: both variants, the comparison, significance and p-value', async () => {
    const rng = seededRng(9);
    await start();
    for (let i = 0; i < 60; i++) await second(rng);
    await change();
    for (let i = 0; i < 30; i++) await second(rng);

    const { deployment } = viewService(world.controlPlane, world.state('a'), world.clock.now(), 1);
    const metrics = deployment?.metrics;
    assert.equal(metrics?.canary.sample_size, 600);
    assert.ok(Math.abs(metrics.comparison.cost_delta_pct ?? 9) < 0.2);
    assert.ok(Math.abs(metrics.comparison.latency_delta_pct ?? 9) < 0.3);
    assert.equal(metrics.comparison.statistical_significance, false);

    const sizes = await viewSampleSize(world.controlPlane, { service: 'a' }, world.clock.now());
    assert.ok(sizes.ok);
    assert.equal(sizes.value.step_requests, 600);
    assert.equal(sizes.value.remaining_ms, 0);
    assert.ok((sizes.value.steps[0]?.detect.length ?? 0) > 0);
  });

  it('warns when a deployment begins that can not end in time at this traffic', async () => {
    const rng = seededRng(10);
    const slow = base['actuator.yaml'].replace('min_sample_size: 20', 'min_sample_size: 10000000');
    await start(slow);
    for (let i = 0; i < 40; i++) await second(rng);
    await change(slow);

    await until('told', () => world.told.some((message) => /this needs .* samples at 10 % take/.test(message)));
  });
});

describe('traffic', () => {
  it('is published beside the status within minutes, and hourly when it has changed, for plans in CI', async () => {
    const rng = seededRng(11);
    await start();
    for (let i = 0; i < 301; i++) await second(rng);
    await world.controlPlane.tick();

    const text = await until('published', () => published('a.traffic.yaml'));
    assert.ok(readDocument('traffic-file', text, 'a.traffic.yaml').ok, text);
    const file = parse(text) as { requests_per_second: number; metrics: Record<string, { relative_sd: number }> };
    assert.ok(Math.abs(file.requests_per_second - 180) < 10);
    assert.ok(Math.abs((file.metrics['cost_per_request']?.relative_sd ?? 0) - 0.53) < 0.1);

    const before = world.published.length;
    for (let i = 0; i < 10; i++) await second(rng);
    await world.controlPlane.tick();
    assert.equal(world.published.length, before);
  });
});

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { startMockProvider, type MockProvider } from '../../src/demo/mock-provider.ts';
import type { Assignment, AssignmentServing, Bucket } from '../../src/generated/types.ts';
import { totalOf } from '../../src/domain/analysis/histogram.ts';
import { aServing, anAssignment, until } from '../support/fake-control-plane.ts';
import { startGatewayWorld, total, type GatewayWorld } from '../support/gateway-world.ts';

let stable: MockProvider;
let canary: MockProvider;
let world: GatewayWorld;

before(async () => {
  [stable, canary] = [await startMockProvider(1), await startMockProvider(2)];
});
after(async () => {
  await stable.close();
  await canary.close();
});
beforeEach(async () => {
  stable.set('gpt-4', { latencyMs: 0, errorRate: 0 });
  canary.set('gpt-4', { latencyMs: 0, errorRate: 0 });
  world = await startGatewayWorld();
  world.control.lease(60);
});
afterEach(() => world.close());

function priced(serving: AssignmentServing): AssignmentServing {
  const prices = { input_per_million_usd: 1000, output_per_million_usd: 1000 };
  return { ...serving, models: Object.fromEntries(Object.entries(serving.models).map(([name, model]) => [name, { ...model, prices }])) };
}

/** A canary that no user is on. */
function mirrored(generation: number, percent: number): Assignment {
  const assignment = anAssignment(generation, 50, aServing(stable.url), priced(aServing(canary.url)));
  const [first, second] = assignment.variants;
  assert.ok(first !== undefined && second !== undefined);
  return {
    ...assignment,
    variants: [
      { ...first, weight: 0 },
      { ...second, weight: 100 },
    ],
    mirror: percent,
  };
}

async function ask(times: number, body: object = {}): Promise<readonly string[]> {
  const variants = [];
  for (let n = 0; n < times; n++) {
    const response = await world.chat(body);
    await response.text();
    variants.push(`${response.status} ${response.headers.get('x-actuator-variant') ?? ''}`);
  }
  return variants;
}

const copies = (list: readonly Bucket[]): readonly Bucket[] => list.filter(({ mirrored: isCopy }) => isCopy === true);

describe('copies', () => {
  it('go to the canary beside the answers that users get from stable, and are measured apart', async () => {
    await world.serve(mirrored(1, 100));
    const [before, beforeStable] = [canary.requests('gpt-4'), stable.requests('gpt-4')];

    assert.deepEqual(new Set(await ask(20)), new Set(['200 stable']));

    const all = await world.buckets((list) => total(copies(list), ({ requests }) => requests) === 20);
    assert.equal(canary.requests('gpt-4') - before, 20);
    assert.equal(stable.requests('gpt-4') - beforeStable, 20);
    assert.ok(
      copies(all).every(({ variant, digest, deployment_id: id }) => variant === 'canary' && digest === 'sha256:canary1' && id !== null),
    );
    assert.ok(total(copies(all), ({ cost_usd: cost }) => totalOf(cost)) > 0);
    assert.equal(
      total(
        all.filter(({ mirrored: isCopy }) => isCopy !== true),
        ({ requests }) => requests,
      ),
      20,
    );
  });

  it('are a sample', async () => {
    await world.serve(mirrored(1, 30));
    const before = canary.requests('gpt-4');
    await ask(200);
    await until('copies', () => canary.requests('gpt-4') - before > 20);
    assert.ok(canary.requests('gpt-4') - before < 110);
  });

  it('that fail or hang reach no user, and count against the canary', async () => {
    canary.set('gpt-4', { errorRate: 1, latencyMs: 300 });
    await world.serve(mirrored(1, 100));
    const startedAt = performance.now();
    assert.deepEqual(new Set(await ask(10)), new Set(['200 stable']));
    assert.ok(performance.now() - startedAt < 3000);

    const all = await world.buckets((list) => total(copies(list), ({ requests }) => requests) === 10);
    assert.equal(
      total(copies(all), ({ errors }) => Object.values(errors).reduce((sum, count) => sum + count, 0)),
      10,
    );
  });

  it('of streams are read to their end and give their first token', async () => {
    await world.serve(mirrored(1, 100));
    await ask(5, { stream: true });
    const all = await world.buckets((list) => total(copies(list), ({ requests }) => requests) === 5);
    assert.equal(
      total(copies(all), ({ output_tokens: tokens }) => tokens.n),
      5,
    );
    assert.ok(copies(all).some(({ first_token_ms: first }) => first.bins.length > 0));
  });

  it('end with the lease, and with the day’s budget', async () => {
    const assignment = mirrored(1, 100);
    for (const variant of assignment.variants)
      Object.assign(variant, {
        serving: {
          ...variant.serving,
          cost_controls: { daily_budget_usd: 0.000001, per_request_limit_usd: null, alert_threshold_usd: null },
        },
      });
    await world.serve(assignment);
    await ask(1);
    await until('the first copy', async () => total(copies(await world.buckets(() => true)), ({ requests }) => requests) === 1);
    const before = canary.requests('gpt-4');
    await ask(3);
    assert.equal(canary.requests('gpt-4'), before);

    await world.serve({ ...mirrored(2, 100) });
    world.control.lease(0);
    await until('lapsed', async () => {
      const count = canary.requests('gpt-4');
      await ask(1);
      return canary.requests('gpt-4') === count;
    });
  });
});

describe('a batch of gateways', () => {
  it('serves the canary and nothing else, all others serve stable', async () => {
    const own = anAssignment(1, 25, aServing(stable.url), aServing(canary.url));
    await world.serve({ ...own, canary_gateways: ['g1', 'g7'] });
    assert.deepEqual(new Set(await ask(10)), new Set(['200 canary']));
    await world.serve({ ...own, generation: 2, canary_gateways: ['g7'] });
    assert.deepEqual(new Set(await ask(10)), new Set(['200 stable']));
  });
});

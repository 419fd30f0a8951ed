/** Histories that once broke an invariant, cut down to what it took. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fold } from '../../src/domain/rollout/reduce.ts';
import { newService } from '../../src/domain/rollout/state.ts';
import { tryScenario } from './run.ts';
import type { Scenario } from './scenario.ts';
import { runScenario, scenarioOf } from './world.ts';

const regressions: readonly (Scenario & { readonly was: string })[] = [
  {
    was: 'a deployment that ended lost its place as the last one to another that waited and was refused in the same transition',
    seed: 4954,
    services: ['chat', 'search'],
    gateways: 1,
    requestsPerSecond: 40,
    actions: [
      { at: 176_600, kind: 'commit', service: 'chat', content: 'bad-at-once' },
      { at: 187_300, kind: 'commit', service: 'chat', content: 'comment' },
      { at: 189_000, kind: 'remote-down', forMs: 20_000 },
    ],
  },
  {
    was: 'a crash between the journal and the head, and a branch that went back to the old head, left a deployment that nobody wanted',
    seed: 2005,
    services: ['chat', 'search'],
    gateways: 1,
    requestsPerSecond: 0,
    actions: [
      { at: 145_200, kind: 'freeze', port: 'journal', when: 'after', forMs: 3199 },
      { at: 224_800, kind: 'commit', service: 'search', content: 'x1' },
      { at: 239_200, kind: 'force-push', back: 1 },
    ],
  },
  {
    was: 'content in quarantine that came back between two looks, beside our revert, was not reported',
    seed: 6956,
    services: ['chat'],
    gateways: 1,
    requestsPerSecond: 0,
    actions: [
      { at: 133_400, kind: 'commit', service: 'chat', content: 'bad-at-once' },
      { at: 164_400, kind: 'crash', port: 'publish', when: 'before', forMs: 3587 },
      { at: 172_100, kind: 'command', service: 'chat', command: 'rollback' },
      { at: 184_200, kind: 'crash', port: 'notify', when: 'before', forMs: 5984 },
      { at: 185_800, kind: 'remote-down', forMs: 29_337 },
      { at: 210_600, kind: 'commit', service: 'chat', content: 'undo' },
    ],
  },
  {
    was: 'a leader that had stood still settled the revert of its successor, which it had never heard of',
    seed: 962,
    services: ['chat'],
    gateways: 3,
    requestsPerSecond: 0,
    actions: [
      { at: 41_800, kind: 'crash', port: 'settle', when: 'before', forMs: 27_027 },
      { at: 78_500, kind: 'commit', service: 'chat', content: 'rolling' },
      { at: 80_900, kind: 'crash', port: 'store', when: 'after', forMs: 20_547 },
      { at: 81_100, kind: 'freeze', port: 'store-read', when: 'after', forMs: 23_512 },
      { at: 108_400, kind: 'remote-down', forMs: 21_070 },
      { at: 125_800, kind: 'command', service: 'chat', command: 'rollback-to' },
    ],
  },
  {
    was: 'a gateway that had missed a rollback and refused what came after it gave its canary traffic again',
    seed: 2_078_323,
    services: ['chat'],
    gateways: 2,
    requestsPerSecond: 40,
    actions: [
      { at: 34_400, kind: 'commit', service: 'chat', content: 'x1' },
      { at: 44_200, kind: 'partition', gateway: 0, forMs: 66_489 },
      { at: 44_900, kind: 'commit', service: 'chat', content: 'undo' },
      { at: 68_300, kind: 'commit', service: 'chat', content: 'ab-test' },
      { at: 104_400, kind: 'refusal', gateway: 0, forMs: 30_771 },
    ],
  },
];

describe('histories that once broke', () => {
  for (const { was, ...scenario } of regressions) it(was, async () => assert.equal(await tryScenario(scenario), null));
});

const watchNothing = { onRow: () => undefined, onServing: () => undefined, onSecond: () => undefined, onEnd: () => undefined };

describe('the simulator', () => {
  it('makes the same history of the same seed', async () => {
    const messages = async (): Promise<readonly string[]> =>
      (await runScenario(scenarioOf(77), watchNothing)).disk.journal.map(({ at, message }) => `${at} ${message}`);
    assert.deepEqual(await messages(), await messages());
  });

  it('keeps a journal that folds to its state', async () => {
    const { disk } = await runScenario(scenarioOf(3), watchNothing);
    const rows = disk.journal.filter(({ service }) => service === 'chat');
    assert.deepEqual(JSON.parse(JSON.stringify(fold(newService('chat'), rows))), JSON.parse(disk.states.get('chat') ?? ''));
  });
});

/** Runs seeds in a test, and says how to see a broken one again. A simulation that reaches nothing proves nothing, so what is reached is counted. */
import assert from 'node:assert/strict';
import { tryScenario } from './run.ts';
import { scenarioOf, type World } from './world.ts';

export async function holdsFor(from: number, seeds: number): Promise<void> {
  const reached = new Set<string>();
  for (let seed = from; seed < from + seeds; seed++) {
    const failure = await tryScenario(scenarioOf(seed), (world) => {
      for (const what of reachedIn(world)) reached.add(what);
    });
    assert.equal(failure, null, `${failure?.message ?? ''}\nShorter, alone: npm run simulate -- --from ${seed} --seeds 1`);
  }
  const missing = wanted.filter((what) => !reached.has(what));
  assert.deepEqual(missing, [], 'never reached');
}

const wanted: readonly string[] = [
  ...['pending', 'progressing', 'paused', 'promoting', 'rolling-back', 'recovering'].map((name) => `phase ${name}`),
  ...['completed', 'rolled-back', 'superseded', 'rejected', 'held'].map((name) => `end ${name}`),
  ...['canary', 'blue-green', 'rolling', 'shadow', 'immediate'].map((name) => `plan ${name}`),
  ...['crash', 'freeze', 'remote-down', 'store-fails', 'partition', 'force-push'].map((name) => `action ${name}`),
  ...[
    'approved',
    'held-up',
    'released',
    'mirror-exhausted',
    'recovery-judged',
    'watch-failed',
    'gateway-refused',
    'frozen',
    'traffic-set',
  ].map((name) => `event ${name}`),
];

function reachedIn({ disk, scenario }: World): readonly string[] {
  return [
    ...scenario.actions.map(({ kind }) => `action ${kind}`),
    ...disk.journal.flatMap(({ event, stateAfter: { active, last } }) => [
      `event ${event.type}`,
      ...(active === null ? [] : [`phase ${active.phase.name}`, ...(active.startedAt === null ? [] : [`plan ${active.plan.kind}`])]),
      ...(last === null ? [] : [`end ${last.phase}`]),
    ]),
  ];
}

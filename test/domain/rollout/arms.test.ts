import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AbTestVerdict } from '../../../src/domain/analysis/ab-test.ts';
import { analyse, compare } from '../../../src/domain/planning/step.ts';
import type { Plan } from '../../../src/domain/planning/plan.ts';
import { commandProblem } from '../../../src/domain/rollout/command-problems.ts';
import { armShare, assignedVariants } from '../../../src/domain/rollout/shares.ts';
import { aCanary, aPlan, granted, judged, ordered, seen, type Bench } from '../../builders/service.ts';

const settings = {
  arms: ['a', 'b'],
  metric: 'quality_score',
  minSampleSize: 10,
  significanceLevel: 0.05,
  allocation: 'fixed',
  weights: [0.25, 0.75],
} as const;

function aTestPlan(isAutomatic = true): Plan {
  const arms = [
    { name: 'a', digest: 'arm-a' },
    { name: 'b', digest: 'arm-b' },
  ];
  return aPlan({ kind: 'ab-test', steps: [compare(80, 10_000)], abTest: { arms, settings, isAutomatic, reallocateMs: 1000 } });
}

function found(verdict: AbTestVerdict['verdict'], winner: string | null = null): AbTestVerdict {
  const arms = settings.arms.map((name) => ({ name, samples: 20, mean: 0.5, p_value: 0.5 }));
  return { metric: 'quality_score', verdict, winner, reason: `it is ${verdict}`, arms };
}

function compared(comparison: AbTestVerdict, verdict: Parameters<typeof judged>[0] = 'pass', arm = 'b'): ReturnType<typeof judged> {
  return { ...judged(verdict, 30, { arm }), comparison } as ReturnType<typeof judged>;
}

function weightsOf({ state }: Bench): readonly (readonly [string, number])[] {
  return assignedVariants(state).map(({ arm, name, weight }) => [arm ?? name, weight]);
}

function problemOf(bench: Bench, order: Parameters<typeof ordered>[0]): string {
  return commandProblem(bench.state, ordered(order), bench.now)?.message ?? '';
}

describe('an A/B test', () => {
  it('divides its weight between the arms beside a control group, and judges each against that alone', () => {
    const bench = aCanary(aTestPlan());
    assert.deepEqual(weightsOf(bench), [
      ['a', 20],
      ['b', 60],
      ['stable', 20],
    ]);
    assert.deepEqual(armShare(bench.state, 0), { weight: 50, part: 0.4 });
    assert.deepEqual(armShare(bench.state, 1), { weight: 75, part: 0.8 });
  });

  it('moves traffic as it is told, while it compares', () => {
    const bench = aCanary(aTestPlan());
    const generation = bench.state.generation;
    bench.take({ type: 'arms-allocated', shares: [0.5, 0.5] });
    assert.deepEqual(
      weightsOf(bench).map(([, weight]) => weight),
      [40, 40, 20],
    );
    assert.equal(bench.state.generation, generation + 1);
    bench.take(ordered({ type: 'paused' })).take({ type: 'arms-allocated', shares: [1, 0] });
    assert.deepEqual(
      weightsOf(bench).map(([, weight]) => weight),
      [40, 40, 20],
    );
  });

  it('goes on while nothing is proven, though every gate is open and the hold of other steps would be over', () => {
    const bench = aCanary(aTestPlan())
      .after(9000)
      .take(compared(found('running')))
      .take({ type: 'woken' });
    assert.equal(bench.state.active?.phase.name, 'progressing');
  });

  it('promotes its winner, and writes it down in the place of the test', () => {
    const bench = aCanary(aTestPlan()).take(compared(found('winner', 'b')));
    assert.equal(bench.state.stable?.digest, 'arm-b');
    bench.take({ type: 'applied', generation: bench.state.generation });
    assert.equal(bench.state.last?.reason, 'promoted "b", the winner of its A/B test');
    assert.deepEqual(bench.effects.at(-1), { kind: 'write-config', deploymentId: 'deploy-1', revision: bench.state.last.revision });
    assert.equal(bench.state.last.comparison?.winner, 'b');
  });

  it('is not begun again while the branch still holds it, nor when what it has won is written down', () => {
    const bench = aCanary(aTestPlan()).take(compared(found('winner', 'b')));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take(seen('new', 'deploy-2', aTestPlan()));
    assert.equal(bench.state.active, null);
    bench.take(seen('arm-b', 'deploy-3'));
    assert.equal(bench.state.active, null);
  });

  it('taken back to while a newer change is tried ends that change', () => {
    const bench = aCanary(aTestPlan()).take(compared(found('winner', 'b')));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench
      .take(seen('newer', 'deploy-2'))
      .take(granted())
      .take(seen('new', 'deploy-3', aTestPlan()));
    assert.equal(bench.state.active?.phase.name, 'rolling-back');
  });

  it('waits with its winner for a person where it is told to', () => {
    const bench = aCanary(aTestPlan(false)).take(compared(found('winner', 'a')));
    const { phase } = bench.state.active ?? {};
    assert.deepEqual([phase?.name, phase?.name === 'paused' ? [phase.reason, phase.weight] : null], ['paused', ['winner', 80]]);
    assert.match(problemOf(bench, { type: 'resumed' }), /it has a winner|its test has a winner/);
    bench.take(ordered({ type: 'winner-chosen', arm: 'a', comparison: null }));
    assert.equal(bench.state.stable?.digest, 'arm-a');
    assert.equal(bench.state.active?.comparison?.winner, 'a');
  });

  it('without a winner gives the traffic back, and can be given more time', () => {
    const bench = aCanary(aTestPlan())
      .after(10_000)
      .take(compared(found('no-winner')));
    assert.deepEqual(weightsOf(bench), [['stable', 100]]);
    assert.match(problemOf(bench, { type: 'resumed' }), /its time is over/);
    bench.take(ordered({ type: 'phase-extended', byMs: 5000 })).take(ordered({ type: 'resumed' }));
    assert.equal(bench.state.active?.phase.name, 'progressing');
    assert.deepEqual(weightsOf(bench)[2], ['stable', 20]);
  });

  it('whose arm fails is rolled back, and neither it nor a test with that arm is tried again', () => {
    const bench = aCanary(aTestPlan()).take(compared(found('running'), 'fail', 'b'));
    assert.equal(bench.state.active?.phase.name, 'rolling-back');
    assert.deepEqual(
      bench.state.quarantine.map(({ digest }) => digest),
      ['new', 'arm-b'],
    );
    bench
      .take({ type: 'applied', generation: bench.state.generation })
      .take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'committed', commit: 'x' } });
    bench.take(seen('another-test', 'deploy-2', aTestPlan()));
    assert.equal(bench.state.active, null);
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /in quarantine/);
  });

  it('never puts in quarantine what is in force, though an arm is the same', () => {
    const plan = aTestPlan();
    const arms = [
      { name: 'a', digest: 'good' },
      { name: 'b', digest: 'arm-b' },
    ];
    const bench = aCanary({ ...plan, abTest: plan.abTest === null ? null : { ...plan.abTest, arms } });
    bench.take(compared(found('running'), 'fail', 'a'));
    assert.deepEqual(
      bench.state.quarantine.map(({ digest }) => digest),
      ['new'],
    );
  });

  it('whose winner fails after its promotion goes back as any other, with the test in quarantine too', () => {
    const bench = aCanary(aTestPlan()).take(compared(found('winner', 'b')));
    bench
      .take({ type: 'applied', generation: bench.state.generation })
      .take(ordered({ type: 'rollback-requested', gradualMs: 10_000, target: null }));
    assert.deepEqual(weightsOf(bench), [
      ['canary', 90],
      ['stable', 10],
    ]);
    assert.deepEqual(
      bench.state.quarantine.map(({ digest }) => digest),
      ['arm-b', 'new'],
    );
  });

  it('is promoted by its arms only', () => {
    const bench = aCanary(aTestPlan());
    assert.match(problemOf(bench, { type: 'promotion-requested', full: true }), /name the arm with `actuator ab-test-promote`/);
    assert.match(problemOf(bench, { type: 'winner-chosen', arm: 'c', comparison: null }), /there is a, b/);
    assert.match(problemOf(aCanary(), { type: 'winner-chosen', arm: 'a', comparison: null }), /no A\/B test of it compares now/);
    const withDryRun = aCanary({ ...aTestPlan(), steps: [analyse(5, 1000), compare(80, 10_000)] });
    assert.match(problemOf(withDryRun, { type: 'promotion-requested', full: true }), /name the arm/);
    assert.equal(problemOf(withDryRun, { type: 'promotion-requested', full: false }), '');
  });
});

describe('what a hostile reader found in A/B tests', () => {
  it('one that was planned before the ground was taken from under it never becomes the first revision', () => {
    const bench = aCanary(aTestPlan());
    const grounded = { ...bench.state, stable: null, active: null };
    bench.state = grounded;
    bench.take(seen('T', 'deploy-2', aTestPlan()));
    assert.equal(bench.state.active, null);
    assert.equal(bench.state.stable, null);
    assert.match(bench.state.rejection?.problems[0]?.message ?? '', /needs a configuration in force/);
  });

  it('a warning that a person has overruled does not keep it from its decision', () => {
    const warnings = [{ key: 'severe/latency', level: 'severe', reason: 'slow' }] as const;
    const warned = (comparison: AbTestVerdict): ReturnType<typeof judged> =>
      ({ ...judged('warn', 30, { arm: 'b', warnings }), comparison }) as ReturnType<typeof judged>;
    const bench = aCanary(aTestPlan()).take(warned(found('running')));
    assert.equal(bench.state.active?.phase.name, 'paused');
    bench.take(ordered({ type: 'resumed' })).take(warned(found('winner', 'a')));
    assert.equal(bench.state.stable?.digest, 'arm-a');
  });

  it('an arm that is what is in force wins without a new watch, so that nothing older comes back', () => {
    const plan = aTestPlan();
    const arms = [
      { name: 'a', digest: 'good' },
      { name: 'b', digest: 'arm-b' },
    ];
    const bench = aCanary({ ...plan, abTest: plan.abTest === null ? null : { ...plan.abTest, arms } });
    const { generation } = bench.state;
    bench.take(compared(found('winner', 'a')));
    assert.deepEqual([bench.state.active, bench.state.watch, bench.state.stable?.digest], [null, null, 'good']);
    assert.match(bench.state.last?.reason ?? '', /kept "a" of its A\/B test/);
    assert.equal(bench.state.generation, generation + 1);
    assert.ok(bench.effects.some(({ kind }) => kind === 'write-config'));
    assert.equal(bench.take(seen('new', 'deploy-2', plan)).state.active, null, 'the branch still holds the test');
  });

  it('one gateway that comes late and lacks a key pauses it, as in any other step but the first', () => {
    const refusal = (bench: Bench): string | undefined =>
      bench.take({ type: 'gateway-refused', generation: bench.state.generation, gateway: 'late', problems: ['no key'] }).state.active?.phase
        .name;
    assert.equal(refusal(aCanary(aTestPlan())), undefined);
    assert.equal(refusal(aCanary({ ...aTestPlan(), steps: [compare(80, 3_600_000)] }).after(120_000)), 'paused');
  });

  it('a decision does not outlive the evidence that it rests on', () => {
    const bench = aCanary(aTestPlan(false)).take(compared(found('winner', 'a')));
    bench.take(ordered({ type: 'monitoring-restarted' }));
    assert.deepEqual([bench.state.active?.phase.name, bench.state.active?.comparison], ['progressing', null]);
    const waiting = aCanary(aTestPlan(false))
      .take(compared(found('winner', 'a')))
      .take(ordered({ type: 'rebalanced' }));
    assert.equal(waiting.state.active?.comparison?.winner, 'a');
  });

  it('what was found so far is kept as it doubles, whoever ends the test', () => {
    const bench = aCanary(aTestPlan());
    const samples = (n: number): AbTestVerdict => ({
      ...found('running'),
      arms: found('running').arms.map((arm) => ({ ...arm, samples: n })),
    });
    const kept = [10, 15, 19, 20, 39, 80].map((n) => bench.take(compared(samples(n))).state.active?.comparison?.arms[0]?.samples);
    assert.deepEqual(kept, [10, 10, 10, 20, 20, 80]);
    bench.take(ordered({ type: 'rollback-requested', gradualMs: null, target: null }));
    bench.take({ type: 'applied', generation: bench.state.generation });
    bench.take({ type: 'revert-settled', deploymentId: 'deploy-1', outcome: { kind: 'not-needed' } });
    assert.equal(bench.state.last?.comparison?.arms[0]?.samples, 80);
  });

  it('retry lifts the arm with its test', () => {
    const bench = aCanary(aTestPlan()).take(compared(found('running'), 'fail', 'b'));
    assert.deepEqual(bench.take(ordered({ type: 'retried', digest: 'new' })).state.quarantine, []);
  });
});

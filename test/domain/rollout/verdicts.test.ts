/** What the judge says besides pass and fail: warnings, too little traffic, a deadline. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Plan } from '../../../src/domain/planning/plan.ts';
import type { ServiceEvent } from '../../../src/domain/rollout/event.ts';
import { canaryWeight } from '../../../src/domain/rollout/shares.ts';
import { nextWake, type ServiceState } from '../../../src/domain/rollout/state.ts';
import { aCanary, aPlan, judged, ordered } from '../../builders/service.ts';

/** Anew each time: what is asked of it twice may have changed in between. */
function phaseOf({ active }: ServiceState): NonNullable<ServiceState['active']>['phase'] | null {
  return active?.phase ?? null;
}

function field(state: ServiceState, name: 'step' | 'reason' | 'detectedBy'): unknown {
  return (phaseOf(state) as Readonly<Record<string, unknown>> | null)?.[name];
}

describe('a warning', () => {
  const severe = { key: 'severe/error_rate/above', level: 'severe', reason: 'error rate 7 % against 1 %' } as const;
  const plan = (requiresApproval: boolean): Plan =>
    aPlan({ policy: { ...aPlan().policy, warning: { action: 'pause', pauseMs: 5000, requiresApproval } } });
  const warned = (weight: number): ServiceEvent => judged('warn', weight, { warnings: [severe], reason: severe.reason });

  it('pauses at the same weight, tells people, and goes on by itself when the pause is over', () => {
    const bench = aCanary(plan(false)).after(500).take(warned(5));

    assert.equal(phaseOf(bench.state)?.name, 'paused');
    assert.equal(canaryWeight(bench.state), 5);
    assert.equal(nextWake(bench.state), bench.now + 5000);
    assert.ok(bench.effects.some((effect) => effect.kind === 'notify' && effect.severity === 'warning'));
    bench.after(4999).take({ type: 'woken' });
    assert.equal(phaseOf(bench.state)?.name, 'paused');
    bench.after(1).take({ type: 'woken' });
    assert.equal(phaseOf(bench.state)?.name, 'progressing');
  });

  it('that is still there after the pause pauses again', () => {
    const bench = aCanary(plan(false)).take(warned(5)).after(5000).take({ type: 'woken' }).take(warned(5));

    assert.equal(phaseOf(bench.state)?.name, 'paused');
  });

  it('waits for a person where approval is required, and is not repeated to one who went on', () => {
    const bench = aCanary(plan(true)).take(warned(5)).after(60_000).take({ type: 'woken' });
    assert.equal(phaseOf(bench.state)?.name, 'paused');
    assert.equal(nextWake(bench.state), null);

    bench.take(ordered({ type: 'resumed' }, 'looked at it')).take(warned(5));
    assert.equal(phaseOf(bench.state)?.name, 'progressing');
    const other = { ...severe, key: 'severe/latency_p95/increase' };
    bench.take(judged('warn', 5, { warnings: [severe, other] }));
    assert.equal(phaseOf(bench.state)?.name, 'paused');
  });

  it('that lasts does not put the deadline off for ever', () => {
    const bench = aCanary(plan(false));
    for (let i = 0; i < 11; i++) bench.take(warned(5)).after(5000).take({ type: 'woken' });
    bench.after(6000).take({ type: 'woken' });

    assert.equal(field(bench.state, 'reason'), 'deadline');
  });

  it('that only alerts is said once, and holds nothing up', () => {
    const caution = { ...severe, level: 'caution', key: 'caution/error_rate/above' } as const;
    const pass = (): ServiceEvent => judged('pass', 5, { warnings: [caution] });
    const bench = aCanary().take(pass()).take(pass()).after(1000).take(pass());

    assert.equal(bench.effects.filter((effect) => effect.kind === 'notify' && effect.key.includes('warning/')).length, 1);
    assert.equal(field(bench.state, 'step'), 1);
  });

  it('does not stop a failure from rolling back', () => {
    const bench = aCanary(plan(true)).take(warned(5)).take(judged('fail', 5));

    assert.equal(phaseOf(bench.state)?.name, 'rolling-back');
  });
});

describe('too little traffic for the samples of a step', () => {
  const plan = (policy: 'extend' | 'widen' | 'hold', maxWeight = 40): Plan =>
    aPlan({ policy: { ...aPlan().policy, lowTraffic: { policy, maxWeight } } });
  const few = (weight: number): ServiceEvent => judged('inconclusive', weight, { remedy: 'weight' });

  it('extends the step where nothing else is written', () => {
    const bench = aCanary(plan('extend')).after(5000).take(few(5));

    assert.equal(canaryWeight(bench.state), 5);
    assert.equal(phaseOf(bench.state)?.name, 'progressing');
  });

  it('widens the step: doubles the weight at the end of each hold, up to the cap', () => {
    const bench = aCanary(plan('widen', 15)).take(few(5));
    assert.equal(canaryWeight(bench.state), 5);

    bench.after(1000).take(few(5));
    assert.equal(canaryWeight(bench.state), 10);
    assert.equal(field(bench.state, 'step'), 0);
    bench.take(few(10));
    assert.equal(canaryWeight(bench.state), 10);
    bench.after(1000).take(few(10)).after(1000).take(few(15));
    assert.equal(canaryWeight(bench.state), 15);
    bench.take(judged('pass', 15));
    assert.equal(canaryWeight(bench.state), 50);
  });

  it('never widens to more than the next step has', () => {
    const bench = aCanary(plan('widen', 100));
    for (let weight = 5; weight < 50; weight = canaryWeight(bench.state)) bench.after(1000).take(few(weight));

    assert.equal(canaryWeight(bench.state), 50);
    bench.after(1000).take(few(50));
    assert.equal(canaryWeight(bench.state), 50);
  });

  it('keeps a wider weight over a pause', () => {
    const bench = aCanary(plan('widen'))
      .after(1000)
      .take(few(5))
      .take(ordered({ type: 'paused' }, 'lunch'));
    assert.equal(canaryWeight(bench.state), 10);

    bench.take(ordered({ type: 'resumed' }, 'back'));
    assert.equal(canaryWeight(bench.state), 10);
  });

  it('holds for a person where that is written', () => {
    const bench = aCanary(plan('hold')).take(few(5));
    assert.equal(phaseOf(bench.state)?.name, 'progressing');

    bench.after(1000).take(few(5));
    assert.equal(field(bench.state, 'reason'), 'low-traffic');
  });
});

describe('the deadline', () => {
  it('rolls back where that is written, with the content in quarantine', () => {
    const plan = aPlan({ policy: { ...aPlan().policy, deadline: 'rollback' } });
    const bench = aCanary(plan).after(60_000).take({ type: 'woken' });

    assert.equal(field(bench.state, 'detectedBy'), 'deadline');
    assert.equal(bench.state.quarantine[0]?.digest, 'new');
  });
});

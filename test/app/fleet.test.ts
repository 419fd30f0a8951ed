import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createFleet, type StreamMessage } from '../../src/app/fleet/fleet.ts';
import type { Acknowledgement } from '../../src/generated/types.ts';
import { aServing, anAssignment } from '../support/fake-control-plane.ts';
import { fakeClock } from '../support/fake-clock.ts';

const version = { term: 1, generation: 5 };
const answer = (gateway: string, generation: number, applied = true): Acknowledgement => ({
  gateway,
  service: 'chat',
  term: 1,
  generation,
  applied,
  problems: [],
});

it('has applied what every gateway with a lease has acknowledged', () => {
  const clock = fakeClock();
  const fleet = createFleet(clock);
  assert.equal(fleet.hasApplied('chat', version), true);

  fleet.connect('a', () => undefined);
  const disconnect = fleet.connect('b', () => undefined);
  fleet.acknowledge(answer('a', 5));
  fleet.acknowledge(answer('b', 4));
  assert.equal(fleet.hasApplied('chat', version), false);

  disconnect();
  assert.equal(fleet.hasApplied('chat', version), false);
  clock.advance(59_000);
  assert.equal(fleet.hasApplied('chat', version), false);
  clock.advance(2_000);
  fleet.acknowledge(answer('a', 5));
  assert.equal(fleet.hasApplied('chat', version), true);
});

it('renews the lease of those that give a sign of life, and of no others', () => {
  const clock = fakeClock();
  const fleet = createFleet(clock);
  const heard: StreamMessage[] = [];
  fleet.connect('alive', (message) => heard.push(message));
  fleet.connect('hung', () => undefined);

  for (let i = 0; i < 10; i++) {
    clock.advance(10_000);
    fleet.heardFrom('alive');
    fleet.renewLeases();
  }

  fleet.acknowledge(answer('alive', 5));
  assert.equal(fleet.hasApplied('chat', version), true);
  assert.equal(heard.filter((message) => message.event === 'lease').length, 10);
});

it('counts a refusal as settled, but not as applied', () => {
  const fleet = createFleet(fakeClock());
  fleet.connect('a', () => undefined);

  fleet.acknowledge(answer('a', 5, false));

  assert.equal(fleet.hasApplied('chat', version), false);
  assert.equal(fleet.hasSettled('chat', version), true);
});

it('reminds those that have not answered', () => {
  const fleet = createFleet(fakeClock());
  const told: string[] = [];
  for (const name of ['a', 'b', 'c']) fleet.connect(name, (message) => message.event === 'assignment' && told.push(name));
  fleet.acknowledge(answer('a', 5));
  fleet.acknowledge(answer('b', 5, false));

  fleet.remind(anAssignment(5, 0, aServing('http://x')));

  assert.deepEqual(told, ['c']);
});

it('waits for what a predecessor knew, until its lease is over', () => {
  const clock = fakeClock();
  const fleet = createFleet(clock);
  fleet.restore([{ gateway: 'a', connected: true, leaseUntil: clock.now() + 30_000 }]);

  assert.equal(fleet.hasApplied('chat', version), false);
  clock.advance(31_000);
  assert.equal(fleet.hasApplied('chat', version), true);
});

/** What must hold after every event, whatever happens. */
import { isDeepStrictEqual } from 'node:util';
import { canonicalJson } from '../../src/base/json.ts';
import { fold, reduce } from '../../src/domain/rollout/reduce.ts';
import { assignedVariants, canaryWeight } from '../../src/domain/rollout/shares.ts';
import { everyService, isAskedForBy, newService, type ServiceState } from '../../src/domain/rollout/state.ts';
import { largestWeight } from '../../src/domain/rollout/steps.ts';
import type { Assignment } from '../../src/generated/types.ts';
import type { JournalRow } from '../../src/ports/store.ts';
import type { Gateway } from './gateway.ts';
import type { Watcher, World } from './world.ts';

export class BrokenInvariant extends Error {
  override readonly name = 'BrokenInvariant';
  readonly invariant: string;
  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

/** Time within which a connected gateway must have left a canary that was judged bad: a few messages, and one tick to make lost ones good. */
const rollbackBoundMs = 5000;

export function createWatcher(): Watcher {
  const checkPublication = publicationCheck();
  /** By service: what a deployment that goes back may have at the most, and since when. */
  const goingBack = new Map<string, GoingBack>();
  return {
    onRow(world, row, before) {
      checkPositions(world, row);
      checkReduced(row, before);
      checkOverlap(row, before);
      checkWeight(row, before);
      checkApproved(row);
      checkQuarantine(row);
      checkArms(row, before);
      checkSum(row);
      noteReturn(goingBack, row, world.loop.now());
      checkVerdict(row, before);
    },
    onServing: (world, gateway, service) => checkValidated(world, gateway, service),
    onSecond(world) {
      for (const [service, order] of goingBack) checkStable(world, service, order);
      checkPublication(world);
    },
    onEnd(world) {
      checkPublication(world);
      for (const state of statesOf(world)) {
        checkFold(world, state);
        checkEnd(world, state);
      }
      if (world.remote.status.at(-1)?.cursor.position !== world.disk.journal.length)
        throw new BrokenInvariant(
          'published',
          `only up to ${world.remote.status.at(-1)?.cursor.position ?? 0} of ${world.disk.journal.length}`,
        );
      if (world.disk.effects.size > 0)
        throw new BrokenInvariant('no wedge', `effects never settled: ${JSON.stringify([...world.disk.effects.values()])}`);
      const bugs = world.errors.filter((error) => !/disk is full|another control plane|refused its assignment/.test(error));
      if (bugs.length > 0) throw new BrokenInvariant('no bug', bugs[0] ?? '');
    },
  };
}

function statesOf(world: World): readonly ServiceState[] {
  const states = [...world.disk.states.values()].map((body) => JSON.parse(body) as ServiceState);
  return states.filter(({ service }) => service !== everyService);
}

function checkPositions(world: World, row: JournalRow): void {
  if (row.position !== world.disk.journal.length) throw new BrokenInvariant('journal', `position ${row.position} out of order`);
}

/** What was journaled is what the reducer makes of the row before. */
function checkReduced({ service, event, at, stateAfter, position }: JournalRow, before: ServiceState | null): void {
  const [expected] = reduce(before ?? newService(service), event, at);
  if (!isDeepStrictEqual(expected, stateAfter))
    throw new BrokenInvariant('fold', `row ${position} (${event.type}) does not follow: ${differences(expected, stateAfter)}`);
}

/** One deployment of a service at a time: the next begins in the transition that ends the one before. */
function checkOverlap(row: JournalRow, before: ServiceState | null): void {
  const [was, is] = [before?.active ?? null, row.stateAfter.active];
  if (was === null || is?.id === was.id) return;
  if (row.stateAfter.last?.id !== was.id && row.stateAfter.waiting?.deploymentId !== was.id)
    throw new BrokenInvariant('one active deployment', `${was.id} was dropped without an end`);
}

function checkWeight({ event, stateAfter }: JournalRow, before: ServiceState | null): void {
  const { active } = stateAfter;
  const weight = canaryWeight(stateAfter);
  if (active === null || weight === 0) return;
  const { phase, plan } = active;
  if (phase.name === 'rolling-back') {
    if (before?.active?.phase.name === 'rolling-back' && weight > before.active.phase.weight)
      throw new BrokenInvariant('weight', `${weight} after ${before.active.phase.weight} while it goes back`);
    return;
  }
  if (phase.name !== 'progressing' && phase.name !== 'paused') throw new BrokenInvariant('weight', `${weight} while ${phase.name}`);
  const planned = plan.steps[phase.step]?.weight ?? 0;
  const widest = Math.min(plan.policy.lowTraffic.maxWeight, plan.steps[phase.step + 1]?.weight ?? 100);
  const byPlan = Math.max(planned, plan.policy.lowTraffic.policy === 'widen' ? widest : 0);
  // A person may set more, as far as the plan goes at all; and it stays where it was set.
  const wasMore = canaryWeight(before ?? stateAfter) === weight && before?.active?.id === active.id;
  const isSet = event.type === 'traffic-set' && weight === event.percentage && weight <= largestWeight(active);
  if (weight > byPlan && !wasMore && !isSet) throw new BrokenInvariant('weight', `${weight} above the plan's ${planned}`);
}

/** Nothing gets traffic, or copies of it, without the approvals that its plan asks for, of people other than its author. */
function checkApproved({ stateAfter, event }: JournalRow): void {
  const { active } = stateAfter;
  if (event.type !== 'slot-granted' || active === null || active.phase.name === 'pending') return;
  const approvers = new Set(active.approvals.map(({ approver }) => approver).filter((approver) => !active.author.includes(approver)));
  if (approvers.size < active.plan.gates.approvals)
    throw new BrokenInvariant('approved', `${active.id} started with ${approvers.size} approvals`);
  if (stateAfter.freeze !== null) throw new BrokenInvariant('approved', `${active.id} started while frozen`);
}

/** A failed verdict ends on stable, or with a person where settings say so. */
function checkVerdict(row: JournalRow, before: ServiceState | null): void {
  const { event, stateAfter, service } = row;
  const was = before?.active;
  if (event.type !== 'judged' || event.judgement.verdict !== 'fail' || was === undefined || was === null) return;
  if (was.phase.name !== 'progressing') return;
  const phase = stateAfter.active?.phase.name;
  if (was.autoRollbackPausedUntil !== null && row.at < was.autoRollbackPausedUntil) return;
  if (was.plan.autoRollback ? phase !== 'rolling-back' : phase !== 'paused')
    throw new BrokenInvariant('failed verdict', `${service} is ${phase ?? 'idle'} after a failed verdict`);
  if (was.plan.autoRollback && !stateAfter.quarantine.some(({ digest }) => digest === was.revision.digest))
    throw new BrokenInvariant('failed verdict', `${service}: ${was.id} is not in quarantine`);
}

interface GoingBack {
  readonly deployment: string;
  /** Percent of traffic that it may still have. */
  readonly weight: number;
  readonly since: number;
}

/** From the decision on, whatever Git, approvals and windows do meanwhile. */
function noteReturn(goingBack: Map<string, GoingBack>, { service, stateAfter }: JournalRow, now: number): void {
  const { active } = stateAfter;
  if (active?.phase.name !== 'rolling-back') return;
  const known = goingBack.get(service);
  const weight = canaryWeight(stateAfter);
  if (known?.deployment !== active.id || known.weight !== weight) goingBack.set(service, { deployment: active.id, weight, since: now });
}

function checkStable(world: World, service: string, order: GoingBack): void {
  const now = world.loop.now();
  if (world.leader === null || now - order.since < rollbackBoundMs) return;
  for (const gateway of world.gateways) {
    const { connectedSince } = gateway;
    if (connectedSince === null || now - connectedSince < rollbackBoundMs || gateway.isPartitioned) continue;
    const assignment = gateway.served.get(service);
    const isOnTrial = assignment?.deployment_id === order.deployment && assignment.variants.length > 1;
    if (isOnTrial && trialWeight(assignment) > order.weight + 1e-9)
      throw new BrokenInvariant('rollback in time', `${gateway.name} still serves ${order.deployment} ${now - order.since} ms after`);
  }
}

function trialWeight({ variants }: Assignment): number {
  return variants.reduce((sum, { name, weight }) => (name === 'canary' ? sum + weight : sum), 0);
}

/** Every request goes somewhere. */
function checkSum({ stateAfter }: JournalRow): void {
  const variants = assignedVariants(stateAfter);
  const sum = variants.reduce((total, { weight }) => total + weight, 0);
  if (variants.length > 0 && Math.abs(sum - 100) > 1e-6) throw new BrokenInvariant('weight', `weights add up to ${sum}`);
}

/** What is promoted of an A/B test is one of its arms, and its arms together never get more than the test. */
function checkArms({ stateAfter, event }: JournalRow, before: ServiceState | null): void {
  const { active, stable } = stateAfter;
  const tests = [active, before?.active ?? null].flatMap((deployment) => (deployment?.plan.abTest == null ? [] : [deployment]));
  if (tests.some(({ revision }) => (revision.wonTest ?? revision.digest) === stable?.digest))
    throw new BrokenInvariant('arms', `the test itself is in force after ${event.type}`);
  if (active?.shares == null) return;
  const total = active.shares.reduce((sum, share) => sum + share, 0);
  const weights = assignedVariants(stateAfter).reduce((sum, { name, weight }) => (name === 'canary' ? sum + weight : sum), 0);
  if (Math.abs(total - 1) > 1e-9 || weights > canaryWeight(stateAfter) + 1e-9)
    throw new BrokenInvariant('arms', `shares add up to ${total}, and get ${weights} of ${canaryWeight(stateAfter)} %`);
}

/** What we rolled back is not tried again, whoever brings it. */
function checkQuarantine({ stateAfter, event }: JournalRow): void {
  const { active, quarantine } = stateAfter;
  if (active === null || event.type === 'retried' || active.phase.name === 'rolling-back' || active.phase.name === 'recovering') return;
  const tried = [active.revision.digest, ...(active.plan.abTest?.arms ?? []).map(({ digest }) => digest)];
  const entry = quarantine.find(({ digest }) => tried.includes(digest));
  if (entry !== undefined) throw new BrokenInvariant('quarantine', `${active.id} tries what ${entry.deploymentId} rolled back`);
}

function checkValidated(world: World, gateway: Gateway, service: string): void {
  for (const { digest, serving } of gateway.served.get(service)?.variants ?? []) {
    if (!world.disk.configurations.has(`${service} ${digest}`))
      throw new BrokenInvariant(
        'validated',
        `${gateway.name} serves ${service} ${digest} (${serving.default_model}), which nobody has validated`,
      );
  }
}

/** Every row once and in order: what is published is the beginning of the journal. */
function publicationCheck(): (world: World) => void {
  let commits = 0;
  let last = 0;
  return ({ remote, disk }) => {
    for (const { appends, cursor, besides } of remote.status.slice(commits)) {
      const lines = appends.flatMap(({ text }) => text.trim().split('\n'));
      const positions = lines.map((line) => (JSON.parse(line) as { readonly position: number }).position).sort((a, b) => a - b);
      for (const position of positions) {
        if (position <= last) throw new BrokenInvariant('published once', `row ${position} came after row ${last}`);
        // A row about no deployment has no line; its commit is there all the same.
        const skipped = disk.journal.slice(last, position - 1).find(({ stateAfter }) => stateAfter.active !== null);
        if (skipped !== undefined) throw new BrokenInvariant('published once', `row ${skipped.position} (${skipped.message}) is missing`);
        last = position;
      }
      if (besides !== true) last = Math.max(last, cursor.position);
    }
    commits = remote.status.length;
  };
}

function checkFold(world: World, state: ServiceState): void {
  const rows = world.disk.journal.filter(({ service }) => service === state.service);
  const folded = fold(newService(state.service), rows);
  if (canonicalJson(folded) !== canonicalJson(state))
    throw new BrokenInvariant('fold', `${state.service} is not what its journal says: ${differences(folded, state)}`);
}

function shown(value: unknown): string {
  return JSON.stringify(value ?? null, (key, inner: unknown) => (key === 'judgement' || key === 'plan' ? undefined : inner));
}

function differences(folded: ServiceState, state: ServiceState): string {
  const keys = Object.keys(state) as (keyof ServiceState)[];
  const different = keys.filter((key) => canonicalJson(folded[key] ?? null) !== canonicalJson(state[key] ?? null));
  return different.map((key) => `${key} ${shown(folded[key])} against ${shown(state[key])}`).join('; ');
}

/** Faults are gone and time has passed: nothing is stuck, and what the branch says is in force or refused with a reason. */
function checkEnd(world: World, state: ServiceState): void {
  const { active, service, seen, stable } = state;
  if (active !== null) throw new BrokenInvariant('no wedge', `${service}: ${active.id} is still ${JSON.stringify(active.phase)}`);
  if (state.waiting !== null) throw new BrokenInvariant('no wedge', `${service}: ${state.waiting.deploymentId} still waits`);
  if (world.leader?.controlPlane.reconciler.head() !== world.remote.tip)
    throw new BrokenInvariant(
      'no wedge',
      `the branch is at ${world.remote.tip ?? ''}, seen is ${world.leader?.controlPlane.reconciler.head() ?? ''}: ${world.leader?.controlPlane.problems().repository ?? ''}`,
    );
  const isRefused = state.rejection !== null || state.orphaned || state.held !== null;
  if (!isRefused && !isAskedForBy(stable, seen?.digest ?? null))
    throw new BrokenInvariant('converged', `${service}: the branch holds ${seen?.digest ?? ''}, stable is ${stable?.digest ?? ''}`);
  for (const gateway of world.gateways) {
    const digests = gateway.variantsOf(service).map(({ digest }) => digest);
    if (stable !== null && digests.some((digest) => digest !== stable.digest))
      throw new BrokenInvariant('converged', `${gateway.name} serves ${digests.join(' ')} of ${service}, stable is ${stable.digest}`);
  }
}

/** What this gateway serves. A request takes one entry and keeps it to its end, so it is served by exactly one revision. */
import type { Rng } from '../base/random.ts';
import { ok, type Result } from '../base/result.ts';
import { distinctKeys, sampleHash, type DistinctKeys } from '../domain/traffic/distinct.ts';
import { keyReader, type KeyReader, type KeySource } from '../domain/traffic/request-key.ts';
import { armOf, byHash, keyHash, roundRobin, shardOf, weightedRandom } from '../domain/traffic/split.ts';
import { stickyPins, type StickyPins } from '../domain/traffic/sticky.ts';
import type { Assignment } from '../generated/types.ts';
import { anonymous, type RequestIdentity } from './recorder.ts';
import { compileAssignment, type Compiled, type Scorer, type ServedVariant } from './served.ts';

/** Memory of one service's conversations: about 10 MB. */
const mostPins = 100_000;

interface Served extends Compiled {
  readonly assignment: Assignment;
  readonly readKey: KeyReader;
  readonly credit: number[];
  readonly pins: StickyPins | null;
  /** Keys that each variant has served at this weight. */
  readonly seen: { readonly canary: DistinctKeys; readonly stable: DistinctKeys };
  readonly load: Load;
  /** A newer assignment came and can't be served here: this one's canary may have been rolled back long ago. */
  readonly isOutdated: boolean;
}

/** Requests under way: outlives assignments. */
export interface Load {
  inFlight: number;
}

export interface Choice {
  readonly service: string;
  readonly variant: ServedVariant;
  /** Who asks, as far as the split cares. */
  readonly identity: RequestIdentity;
  readonly scorer: Scorer | null;
  readonly load: Load;
  /** Gets a copy of the request; null: nobody does. */
  readonly mirrorTo: ServedVariant | null;
  /** Of stable: a canary changes no limit of the service before it is promoted. */
  readonly dailyBudgetUsd: number | null;
}

export interface AssignmentTable {
  /** Takes the assignment into force, ignores it when it is older, or says why it can't be served. */
  apply(assignment: Assignment): Result<'applied' | 'ignored', readonly string[]>;
  /** The variant for a request that names `name` (a service or one of its aliases); null when there is none. */
  choose(name: string, source: KeySource): Choice | null;
  /** Weights above 0 hold until then (same clock as `now`). */
  renewLease(until: number): void;
  readonly leaseIsValid: () => boolean;
  readonly assignments: () => readonly Assignment[];
  /** Names that a request may use. */
  readonly names: () => readonly string[];
}

export interface TableDeps {
  /** Name of this gateway. */
  readonly gateway: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly rng: Rng;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

const unkeyed: RequestIdentity = { ...anonymous, isUnkeyed: true };

export function createAssignmentTable(deps: TableDeps): AssignmentTable {
  const served = new Map<string, Served>();
  let aliases = new Map<string, string>();
  let leaseUntil = -Infinity;

  function reindex(): void {
    aliases = new Map();
    for (const [service, { assignment }] of served)
      for (const alias of assignment.variants.at(-1)?.serving.aliases ?? []) if (!served.has(alias)) aliases.set(alias, service);
  }

  return {
    apply(assignment) {
      const present = served.get(assignment.service);
      if (present !== undefined && !isNewer(assignment, present.assignment))
        return ok(isSame(assignment, present.assignment) ? 'applied' : 'ignored');
      const compiled = compileAssignment(assignment, deps.environment);
      if (!compiled.ok) {
        // What it said of a canary is over; its stable goes on, since something must.
        if (present !== undefined) served.set(assignment.service, { ...present, isOutdated: true });
        return compiled;
      }
      served.set(assignment.service, succeed(present, assignment, compiled.value));
      reindex();
      return ok('applied');
    },
    choose(name, source) {
      const entry = served.get(name) ?? served.get(aliases.get(name) ?? '');
      if (entry === undefined) return null;
      const { variants, scorer, load } = entry;
      const service = entry.assignment.service;
      const stable = variants.at(-1) ?? variants[0];
      const now = deps.now();
      const common = { service, scorer, load, dailyBudgetUsd: stable.costControls.daily_budget_usd };
      if (variants.length === 1 || now >= leaseUntil || entry.isOutdated)
        return { ...common, mirrorTo: null, variant: stable, identity: anonymous };
      const { mirror, canary_gateways: batch } = entry.assignment;
      if (batch != null)
        return { ...common, mirrorTo: null, variant: batch.includes(deps.gateway) ? variants[0] : stable, identity: anonymous };
      if (mirror == null) return { ...common, mirrorTo: null, ...divide(entry, source, now, deps.rng) };
      return { ...common, mirrorTo: deps.rng() * 100 < mirror ? copied(variants, deps.rng) : null, variant: stable, identity: anonymous };
    },
    renewLease: (until) => {
      leaseUntil = until;
    },
    leaseIsValid: () => deps.now() < leaseUntil,
    assignments: () => [...served.values()].map((entry) => entry.assignment),
    names: () => [...served.keys(), ...aliases.keys()].sort(),
  };
}

/** Each arm of an A/B test is copied to as often as the others. */
function copied(variants: Served['variants'], rng: Rng): ServedVariant {
  return variants[Math.floor(rng() * (variants.length - 1))] ?? variants[0];
}

/** By its key: canary or stable first, so that whoever is in the test stays in it; then the arm. */
function byKey({ variants, assignment: { split } }: Served, key: string, hash: number): ServedVariant {
  if (variants.length <= 2) return byHash(variants, hash);
  const [first, ...others] = variants.slice(0, -1);
  const stable = variants.at(-1) ?? variants[0];
  const side = byHash(
    [
      { weight: 100 - stable.weight, isTested: true },
      { weight: stable.weight, isTested: false },
    ],
    hash,
  );
  return side.isTested && first !== undefined ? armOf([first, ...others], split.salt, key) : stable;
}

/** Names a variant among those of its assignment. */
function labelOf({ name, arm }: Pick<ServedVariant, 'name' | 'arm'>): string {
  return arm ?? name;
}

function divide(entry: Served, source: KeySource, now: number, rng: Rng): Pick<Choice, 'variant' | 'identity'> {
  const { variants, assignment, pins, credit } = entry;
  const { method, salt } = assignment.split;
  const isKeyed = method === 'consistent_hash' || pins !== null;
  const key = isKeyed ? entry.readKey(source) : null;
  if (key === null) {
    const variant = method === 'round_robin' ? roundRobin(variants, credit) : weightedRandom(variants, rng);
    return { variant, identity: isKeyed ? unkeyed : anonymous };
  }
  const hash = keyHash(salt, key);
  const pinned = pins?.get(hash, now);
  // A sticky key's first draw is by hash, whatever the method: so all gateways draw alike without telling each other.
  const variant = variants.find((one) => labelOf(one) === pinned && one.weight > 0) ?? byKey(entry, key, hash);
  pins?.set(hash, labelOf(variant), now);
  return { variant, identity: { shard: shardOf(hash), key: sampleHash(hash), seen: entry.seen[variant.name], isUnkeyed: false } };
}

/** What the deployment has learnt so far goes on with it; a lowered weight or a new deployment forgets who was pinned to what. */
function succeed(present: Served | undefined, assignment: Assignment, compiled: Compiled): Served {
  const { sticky_ms: stickyMs, hash_key: hashKey } = assignment.split;
  const sameTrial = present !== undefined && present.assignment.deployment_id === assignment.deployment_id;
  const keepsPins = sameTrial && canaryWeight(assignment) >= canaryWeight(present.assignment);
  const freshPins = (): StickyPins | null => (stickyMs === null ? null : stickyPins(stickyMs, mostPins));
  return {
    ...compiled,
    assignment,
    readKey: keyReader(hashKey),
    credit: compiled.variants.map(() => 0),
    pins: keepsPins ? (present.pins ?? freshPins()) : freshPins(),
    // Anew at each weight, so that users who have moved over are not counted on both sides.
    seen:
      sameTrial && canaryWeight(assignment) === canaryWeight(present.assignment)
        ? present.seen
        : { canary: distinctKeys(), stable: distinctKeys() },
    load: present?.load ?? { inFlight: 0 },
    isOutdated: false,
  };
}

function canaryWeight({ variants }: Assignment): number {
  // By stable's: sums of arms differ in their last digits.
  return 100 - (variants.at(-1)?.weight ?? 100);
}

function isNewer(a: Assignment, b: Assignment): boolean {
  return a.term > b.term || (a.term === b.term && a.generation > b.generation);
}

function isSame(a: Assignment, b: Assignment): boolean {
  return a.term === b.term && a.generation === b.generation;
}

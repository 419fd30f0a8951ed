/** The gateways: who is there, what each was told, what each has acknowledged. */
import type { Instant } from '../../base/time.ts';
import type { Acknowledgement, Assignment } from '../../generated/types.ts';
import type { SpendingReport } from '../intake/spending.ts';
import type { Clock } from '../../ports/clock.ts';

const leaseMs = 60_000;
export const leaseMessage: StreamMessage = { event: 'lease', data: { seconds: leaseMs / 1000 } };
/** Gateways give a sign of life every 10 s. */
const silenceMs = 30_000;

export interface GatewayView {
  readonly gateway: string;
  readonly connected: boolean;
  readonly leaseUntil: Instant;
}

export type StreamMessage =
  | { readonly event: 'assignment'; readonly data: Assignment }
  | { readonly event: 'lease'; readonly data: { readonly seconds: number } }
  | { readonly event: 'spending'; readonly data: SpendingReport }
  | { readonly event: 'request-id-key'; readonly data: { readonly key: string } };

export interface Refusal {
  readonly gateway: string;
  readonly problems: readonly string[];
}

interface Gateway {
  send: ((message: StreamMessage) => void) | null;
  leaseUntil: Instant;
  heardAt: Instant;
  readonly refused: Map<string, Answer>;
  readonly acknowledged: Map<string, Answer>;
}

interface Answer extends Version {
  readonly problems: readonly string[];
}

interface Version {
  readonly term: number;
  readonly generation: number;
}

export interface Fleet {
  /** From now on the gateway is told of every change; its first lease (`leaseMessage`) comes after it has heard everything. The returned function ends that. A second connection of a name replaces the first. */
  connect(gateway: string, send: (message: StreamMessage) => void): () => void;
  broadcast(assignment: Assignment): void;
  /** Tells all that are connected. */
  announce(message: StreamMessage): void;
  /** Tells it once more to those that have neither acknowledged nor refused it: an answer can be lost. */
  remind(assignment: Assignment): void;
  acknowledge(answer: Acknowledgement): void;
  /** A sign of life. Without one the lease of a gateway lapses, however open its socket looks. */
  heardFrom(gateway: string): void;
  /** Every gateway that may still serve something older has acknowledged at least this version. */
  hasApplied(service: string, version: Version): boolean;
  /** All have answered and one at least serves it: what another refuses, which has served nothing yet, is that one's trouble. */
  isServed(service: string, version: Version): boolean;
  /** The same, counting gateways that have refused it: those never served what came before it either. */
  hasSettled(service: string, version: Version): boolean;
  /** It has acknowledged some version since it connected: then its refusal of a newer one is about what is new. */
  hasServed(gateway: string, service: string): boolean;
  /** Why gateways with a lease do not serve this version. */
  refusals(service: string, version: Version): readonly Refusal[];
  /** Extends the lease of all connected gateways; only a leader that can write its journal calls this. */
  renewLeases(): void;
  /** Gateways whose lease may still run, for a successor. */
  known(): readonly GatewayView[];
  /** What a predecessor knew: those gateways count as unacknowledged until they connect or their lease lapses. */
  restore(gateways: readonly GatewayView[]): void;
}

export function createFleet(clock: Clock): Fleet {
  const gateways = new Map<string, Gateway>();

  function entry(name: string): Gateway {
    const known = gateways.get(name);
    if (known !== undefined) return known;
    const created: Gateway = { send: null, leaseUntil: 0, heardAt: 0, refused: new Map(), acknowledged: new Map() };
    gateways.set(name, created);
    return created;
  }

  /** Without a lease a gateway serves stable, and begins with the newest assignments when it comes back. */
  function leased(): readonly Gateway[] {
    const now = clock.now();
    return [...gateways.values()].filter((gateway) => gateway.leaseUntil > now);
  }

  return {
    connect(name, send) {
      const gateway = entry(name);
      gateway.send = send;
      // A process that starts anew may lack what it had before.
      gateway.acknowledged.clear();
      gateway.refused.clear();
      gateway.heardAt = clock.now();
      gateway.leaseUntil = clock.now() + leaseMs;
      return () => {
        if (gateway.send === send) gateway.send = null;
      };
    },
    announce(message) {
      for (const { send } of gateways.values()) send?.(message);
    },
    broadcast(data) {
      for (const { send } of gateways.values()) send?.({ event: 'assignment', data });
    },
    remind(data) {
      for (const gateway of gateways.values()) if (!hasAnswered(gateway, data.service, data)) gateway.send?.({ event: 'assignment', data });
    },
    heardFrom(name) {
      const gateway = gateways.get(name);
      if (gateway !== undefined) gateway.heardAt = clock.now();
    },
    acknowledge(answer) {
      const gateway = entry(answer.gateway);
      gateway.heardAt = clock.now();
      const answers = answer.applied ? gateway.acknowledged : gateway.refused;
      const { service, term, generation, problems } = answer;
      if (!covers(answers, service, answer)) answers.set(service, { term, generation, problems });
    },
    hasApplied: (service, version) => leased().every((gateway) => covers(gateway.acknowledged, service, version)),
    hasSettled: (service, version) => leased().every((gateway) => hasAnswered(gateway, service, version)),
    isServed: (service, version) => isServedBy(leased(), service, version),
    hasServed: (gateway, service) => gateways.get(gateway)?.acknowledged.has(service) === true,
    refusals: (service, version) => refusalsOf(gateways, clock.now(), service, version),
    renewLeases: () => renew(gateways, clock.now()),
    known: () => [...gateways].map(([gateway, { send, leaseUntil }]) => ({ gateway, connected: send !== null, leaseUntil })),
    restore(views) {
      for (const view of views) entry(view.gateway).leaseUntil = view.leaseUntil;
    },
  };
}

function renew(gateways: Map<string, Gateway>, now: Instant): void {
  for (const gateway of gateways.values()) {
    if (gateway.send === null || gateway.heardAt <= now - silenceMs) continue;
    gateway.leaseUntil = now + leaseMs;
    gateway.send(leaseMessage);
  }
  for (const [name, { send, leaseUntil }] of gateways) if (send === null && leaseUntil <= now) gateways.delete(name);
}

function refusalsOf(gateways: ReadonlyMap<string, Gateway>, now: Instant, service: string, version: Version): readonly Refusal[] {
  return [...gateways].flatMap(([gateway, { refused, leaseUntil }]) => {
    const refusal = leaseUntil > now ? refused.get(service) : undefined;
    return refusal !== undefined && isAtLeast(refusal, version) ? [{ gateway, problems: refusal.problems }] : [];
  });
}

function isServedBy(all: readonly Gateway[], service: string, version: Version): boolean {
  const serves = all.filter(({ acknowledged }) => covers(acknowledged, service, version));
  return serves.length === all.length || (serves.length > 0 && all.every((gateway) => hasAnswered(gateway, service, version)));
}

function hasAnswered(gateway: Gateway, service: string, version: Version): boolean {
  return covers(gateway.acknowledged, service, version) || covers(gateway.refused, service, version);
}

function covers(answers: ReadonlyMap<string, Version>, service: string, version: Version): boolean {
  const answer = answers.get(service);
  return answer !== undefined && isAtLeast(answer, version);
}

function isAtLeast(a: Version, b: Version): boolean {
  return a.term > b.term || (a.term === b.term && a.generation >= b.generation);
}

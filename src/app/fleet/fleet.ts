/** The gateways: who is there, what each was told, what each has acknowledged. */
import type { Instant } from '../../base/time.ts';
import type { Acknowledgement, Assignment } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';

export const leaseMs = 60_000;

export interface GatewayView {
  readonly gateway: string;
  readonly connected: boolean;
  readonly leaseUntil: Instant;
}

export type StreamMessage =
  { readonly event: 'assignment'; readonly data: Assignment } | { readonly event: 'lease'; readonly data: { readonly seconds: number } };

interface Gateway {
  send: ((message: StreamMessage) => void) | null;
  leaseUntil: Instant;
  readonly acknowledged: Map<string, Version>;
}

interface Version {
  readonly term: number;
  readonly generation: number;
}

export interface Fleet {
  /** Sends the gateway everything, then every change. The returned function ends that. A second connection of a name replaces the first. */
  connect(gateway: string, snapshot: readonly Assignment[], send: (message: StreamMessage) => void): () => void;
  broadcast(assignment: Assignment): void;
  acknowledge(answer: Acknowledgement): void;
  /** Every gateway that may still serve something older has acknowledged at least this version. */
  hasApplied(service: string, version: Version): boolean;
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
    const created: Gateway = { send: null, leaseUntil: 0, acknowledged: new Map() };
    gateways.set(name, created);
    return created;
  }

  return {
    connect(name, snapshot, send) {
      const gateway = entry(name);
      gateway.send = send;
      gateway.leaseUntil = clock.now() + leaseMs;
      for (const data of snapshot) send({ event: 'assignment', data });
      send({ event: 'lease', data: { seconds: leaseMs / 1000 } });
      return () => {
        if (gateway.send === send) gateway.send = null;
      };
    },
    broadcast(data) {
      for (const { send } of gateways.values()) send?.({ event: 'assignment', data });
    },
    acknowledge(answer) {
      if (!answer.applied) return;
      const { acknowledged } = entry(answer.gateway);
      const present = acknowledged.get(answer.service);
      if (present === undefined || !isAtLeast(present, answer))
        acknowledged.set(answer.service, { term: answer.term, generation: answer.generation });
    },
    hasApplied(service, version) {
      const now = clock.now();
      return [...gateways.values()].every((gateway) => {
        // Without a lease it serves stable; when it comes back it begins with the newest assignments.
        if (gateway.send === null && gateway.leaseUntil <= now) return true;
        const acknowledged = gateway.acknowledged.get(service);
        return acknowledged !== undefined && isAtLeast(acknowledged, version);
      });
    },
    renewLeases() {
      for (const gateway of gateways.values()) {
        if (gateway.send === null) continue;
        gateway.leaseUntil = clock.now() + leaseMs;
        gateway.send({ event: 'lease', data: { seconds: leaseMs / 1000 } });
      }
      for (const [name, gateway] of gateways) {
        if (gateway.send === null && gateway.leaseUntil <= clock.now()) gateways.delete(name);
      }
    },
    known: () => [...gateways].map(([gateway, { send, leaseUntil }]) => ({ gateway, connected: send !== null, leaseUntil })),
    restore(views) {
      for (const view of views) entry(view.gateway).leaseUntil = view.leaseUntil;
    },
  };
}

function isAtLeast(a: Version, b: Version): boolean {
  return a.term > b.term || (a.term === b.term && a.generation >= b.generation);
}

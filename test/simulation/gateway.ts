/** A gateway as the control plane sees it: it serves what it was told last, under a lease, and reports what it measured. */
import type { StreamMessage } from '../../src/app/fleet/fleet.ts';
import type { ControlPlane } from '../../src/app/control-plane.ts';
import type { Rng } from '../../src/base/random.ts';
import type { Assignment, Bucket, BucketBatch } from '../../src/generated/types.ts';
import { aBucket } from '../builders/bucket.ts';
import type { Store } from '../../src/ports/store.ts';
import type { Loop } from './loop.ts';
import type { Process } from './process.ts';

/** A control plane that can be talked to. */
export interface Leader {
  readonly process: Process;
  readonly controlPlane: ControlPlane;
  readonly store: Store;
}

export interface GatewayWorld {
  readonly loop: Loop;
  readonly rng: Rng;
  readonly leader: () => Leader | null;
  /** Chance that a message of the gateway is lost, or comes twice. */
  readonly lossRate: () => number;
  /** Requests a second of all services together, and how many of those that a model answers fail. */
  readonly requestsPerSecond: (service: string) => number;
  readonly errorRate: (service: string, model: string) => number;
  readonly onServing: (gateway: Gateway, assignment: Assignment) => void;
}

const leaseMs = 60_000;

export class Gateway {
  readonly name: string;
  /** No message gets through. */
  isPartitioned = false;
  /** Stands still; comes back with what it had on disk. */
  isDown = false;
  /** Models that it lacks the key of. */
  readonly refuses: Set<string> = new Set();
  /** Since when it has been told everything without a break; null while it is cut off. */
  connectedSince: number | null = null;
  readonly served: Map<string, Assignment> = new Map();
  leaseUntil = 0;
  #connection: { readonly leader: Leader; readonly disconnect: () => void } | null = null;
  #epoch = 0;
  #seq = 0;
  #unsent: BucketBatch[] = [];
  readonly #world: GatewayWorld;

  constructor(name: string, world: GatewayWorld) {
    this.name = name;
    this.#world = world;
    world.loop.after(world.rng() * 500, () => this.#step());
  }

  /** What a request gets: a lapsed lease means stable only. */
  variantsOf(service: string): Assignment['variants'] {
    const variants = this.served.get(service)?.variants ?? [];
    const stable = variants.at(-1);
    return this.#world.loop.now() < this.leaseUntil || stable === undefined ? variants : [{ ...stable, weight: 100 }];
  }

  restart(): void {
    this.isDown = false;
    this.leaseUntil = 0;
    this.#epoch++;
    this.#seq = 0;
    this.#unsent = [];
    this.#cut();
  }

  #step(): void {
    const { loop } = this.#world;
    loop.after(1000, () => this.#step());
    if (this.isDown) return this.#cut();
    const batch = this.#measure();
    if (batch.buckets.length > 0) this.#unsent.push(batch);
    this.#unsent.splice(0, Math.max(0, this.#unsent.length - 20));
    if (this.isPartitioned) return this.#cut();
    const leader = this.#world.leader();
    if (this.#connection !== null && this.#connection.leader !== leader) this.#cut();
    if (leader === null) return;
    if (this.#connection === null) this.#connect(leader);
    else this.#report(leader);
  }

  #cut(): void {
    this.#connection?.disconnect();
    this.#connection = null;
    this.connectedSince = null;
  }

  #connect(leader: Leader): void {
    const { loop, rng } = this.#world;
    let arrivesAt = 0;
    const connection = { leader, disconnect: (): void => undefined };
    const send = (message: StreamMessage): void => {
      // One stream: late, but in order.
      arrivesAt = Math.max(arrivesAt, loop.now() + rng() * 20);
      loop.after(arrivesAt - loop.now(), () => {
        if (this.#connection === connection && !this.isPartitioned && !this.isDown) this.#receive(leader, message);
      });
    };
    this.#connection = connection;
    void leader.controlPlane.connectGateway(this.name, send).then((disconnect) => {
      connection.disconnect = disconnect;
      if (this.#connection === connection) this.connectedSince = loop.now();
      else disconnect();
    });
  }

  #receive(leader: Leader, message: StreamMessage): void {
    if (message.event === 'lease') this.leaseUntil = this.#world.loop.now() + leaseMs;
    if (message.event !== 'assignment') return;
    const { data } = message;
    const present = this.served.get(data.service);
    const isOld =
      present !== undefined && (present.term > data.term || (present.term === data.term && present.generation >= data.generation));
    // A key that it has does not go away while it runs.
    const has = (model: string): boolean => present?.variants.some((variant) => variant.serving.default_model === model) === true;
    const missing = data.variants.filter(({ serving }) => this.refuses.has(serving.default_model) && !has(serving.default_model));
    if (!isOld && missing.length === 0) {
      this.served.set(data.service, data);
      this.#world.onServing(this, data);
    }
    // A canary of before may have been rolled back meanwhile: stable goes on alone.
    if (!isOld && missing.length > 0 && present !== undefined)
      this.served.set(data.service, { ...present, variants: present.variants.slice(-1), mirror: null, canary_gateways: null });
    const isSame = present?.term === data.term && present.generation === data.generation;
    if (isOld && !isSame) return;
    this.#tell(leader, () =>
      leader.controlPlane.acknowledge({
        gateway: this.name,
        service: data.service,
        term: data.term,
        generation: data.generation,
        applied: isOld || missing.length === 0,
        problems: isOld ? [] : missing.map(({ serving }) => `no key for ${serving.default_model}`),
      }),
    );
  }

  /** A message that may get lost, come late, or come twice. */
  #tell(leader: Leader, deliver: () => Promise<unknown>): void {
    const { rng, lossRate } = this.#world;
    const times = rng() < lossRate() ? (rng() < 0.5 ? 0 : 2) : 1;
    for (let copy = 0; copy < times; copy++)
      leader.process.later(rng() * 30, () => {
        if (!this.isPartitioned) deliver().catch(() => undefined);
      });
  }

  #report(leader: Leader): void {
    const { rng, lossRate } = this.#world;
    for (const batch of this.#unsent) {
      this.#tell(leader, async () => {
        await leader.controlPlane.takeBuckets(batch);
        // Without the answer it is sent once more, and must not count twice.
        if (rng() >= lossRate()) this.#unsent = this.#unsent.filter((other) => other !== batch);
      });
    }
  }

  #measure(): BucketBatch {
    const buckets = [...this.served.values()].flatMap((assignment) => this.#bucketsOf(assignment));
    return { gateway: this.name, epoch: String(this.#epoch), seq: ++this.#seq, buckets, comments: [] };
  }

  #bucketsOf(assignment: Assignment): readonly Bucket[] {
    const { service, mirror, canary_gateways: gateways } = assignment;
    const variants = this.variantsOf(service);
    const perSecond = this.#world.requestsPerSecond(service);
    const shares = variants.map(({ name, weight }) => {
      if (gateways == null || variants.length < 2) return weight;
      return gateways.includes(this.name) === (name === 'canary') ? 100 : 0;
    });
    const own = variants.map((variant, index) => this.#bucket(assignment, variant, (perSecond * (shares[index] ?? 0)) / 100, {}));
    const canary = variants[Math.floor(this.#world.rng() * (variants.length - 1))];
    const copies =
      mirror == null || canary === undefined || variants.length < 2
        ? null
        : this.#bucket(assignment, canary, (perSecond * mirror) / 100, { mirrored: true });
    return [...own, copies].filter((bucket) => bucket !== null);
  }

  #bucket(
    { service, deployment_id, generation }: Assignment,
    { name, digest, serving }: Assignment['variants'][number],
    mean: number,
    more: Partial<Bucket>,
  ): Bucket | null {
    const { rng, errorRate } = this.#world;
    const requests = Math.round(mean + rng() - 0.5);
    if (requests <= 0) return null;
    const model = serving.default_model;
    const rate = errorRate(service, model);
    let errors = 0;
    for (let request = 0; request < requests; request++) if (rng() < rate) errors++;
    const cost = { n: requests, pivot: 0, sum: requests * 0.002, sum_squares: requests * 0.000004 };
    return aBucket({
      service,
      variant: name,
      digest,
      deployment_id,
      generation,
      model,
      requests,
      errors: errors > 0 ? { upstream_5xx: errors } : {},
      ...(more.mirrored === true ? { ...more, cost_usd: cost } : {}),
    });
  }
}

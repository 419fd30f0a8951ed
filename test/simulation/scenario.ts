/** What happens in one run besides the control plane's own work: drawn from a seed before it begins, so that it can be cut down. */
import type { Rng } from '../../src/base/random.ts';

export type Action =
  | { readonly at: number; readonly kind: 'commit'; readonly service: string; readonly content: string }
  | { readonly at: number; readonly kind: 'remove' | 'restore-file'; readonly service: string }
  | { readonly at: number; readonly kind: 'settings'; readonly settings: string }
  | { readonly at: number; readonly kind: 'prices' }
  | { readonly at: number; readonly kind: 'force-push'; readonly back: number }
  | { readonly at: number; readonly kind: 'webhook' }
  | { readonly at: number; readonly kind: 'command'; readonly service: string; readonly command: string }
  | {
      readonly at: number;
      readonly kind: 'crash' | 'freeze';
      readonly port: string;
      readonly when: 'before' | 'after';
      readonly forMs: number;
    }
  | { readonly at: number; readonly kind: 'remote-down' | 'remote-slow' | 'remote-protected'; readonly forMs: number }
  | { readonly at: number; readonly kind: 'remote-loses-answer' }
  | { readonly at: number; readonly kind: 'store-fails'; readonly forMs: number }
  | { readonly at: number; readonly kind: 'partition' | 'gateway-down' | 'refusal'; readonly gateway: number; readonly forMs: number }
  | { readonly at: number; readonly kind: 'gateway-restart'; readonly gateway: number }
  | { readonly at: number; readonly kind: 'lossy-network'; readonly forMs: number }
  | { readonly at: number; readonly kind: 'clock-jump'; readonly byMs: number }
  | { readonly at: number; readonly kind: 'outage'; readonly service: string; readonly forMs: number };

export interface Scenario {
  readonly seed: number;
  readonly services: readonly string[];
  readonly gateways: number;
  readonly requestsPerSecond: number;
  readonly actions: readonly Action[];
}

export const scenarioMs = 150_000;

const ports = ['journal', 'store', 'settle', 'fetch', 'push', 'publish', 'notify', 'store-read'];

export function drawScenario(
  seed: number,
  rng: Rng,
  pools: { readonly contents: readonly string[]; readonly settings: readonly string[]; readonly commands: readonly string[] },
): Scenario {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(rng() * list.length)] as T;
  const services = ['chat', 'search'].slice(0, 1 + Math.floor(rng() * 2));
  const gateways = 1 + Math.floor(rng() * 3);
  const some = (): number => 1000 + Math.floor(rng() * 30_000);
  const makers: readonly (readonly [number, (at: number) => Action])[] = [
    [30, (at) => ({ at, kind: 'commit', service: pick(services), content: pick(pools.contents) })],
    [2, (at) => ({ at, kind: 'remove', service: pick(services) })],
    [2, (at) => ({ at, kind: 'restore-file', service: pick(services) })],
    [4, (at) => ({ at, kind: 'settings', settings: pick(pools.settings) })],
    [1, (at) => ({ at, kind: 'prices' })],
    [3, (at) => ({ at, kind: 'force-push', back: 1 + Math.floor(rng() * 3) })],
    [6, (at) => ({ at, kind: 'webhook' })],
    [16, (at) => ({ at, kind: 'command', service: pick(services), command: pick(pools.commands) })],
    [10, (at) => ({ at, kind: 'crash', port: pick(ports), when: pick(['before', 'after']), forMs: some() })],
    [3, (at) => ({ at, kind: 'freeze', port: pick(ports), when: pick(['before', 'after']), forMs: some() })],
    [4, (at) => ({ at, kind: 'remote-down', forMs: some() })],
    [2, (at) => ({ at, kind: 'remote-slow', forMs: some() })],
    [2, (at) => ({ at, kind: 'remote-protected', forMs: some() })],
    [3, (at) => ({ at, kind: 'remote-loses-answer' })],
    [3, (at) => ({ at, kind: 'store-fails', forMs: some() / 4 })],
    [5, (at) => ({ at, kind: 'partition', gateway: Math.floor(rng() * gateways), forMs: some() * 3 })],
    [3, (at) => ({ at, kind: 'gateway-down', gateway: Math.floor(rng() * gateways), forMs: some() })],
    [2, (at) => ({ at, kind: 'refusal', gateway: Math.floor(rng() * gateways), forMs: some() })],
    [3, (at) => ({ at, kind: 'gateway-restart', gateway: Math.floor(rng() * gateways) })],
    [4, (at) => ({ at, kind: 'lossy-network', forMs: some() })],
    [3, (at) => ({ at, kind: 'clock-jump', byMs: Math.round((rng() - 0.4) * 40_000) })],
    [3, (at) => ({ at, kind: 'outage', service: pick(services), forMs: some() })],
  ];
  const weights = makers.reduce((sum, [weight]) => sum + weight, 0);
  const draw = (at: number): Action => {
    let left = rng() * weights;
    for (const [weight, make] of makers) {
      left -= weight;
      if (left < 0) return make(at);
    }
    return { at, kind: 'webhook' };
  };
  const count = 4 + Math.floor(rng() * 24);
  const times = Array.from({ length: count }, () => 3000 + Math.floor(rng() * (scenarioMs - 3000))).sort((a, b) => a - b);
  return { seed, services, gateways, requestsPerSecond: pick([0, 8, 40, 40, 200]), actions: times.map(draw) };
}

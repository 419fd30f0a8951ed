/**
 * `npm run bench:gateway [-- --json] [-- --rounds N]`: CPU that a proxy spends on a request and on a stream, as a ratio to HAProxy's
 * in the windows before and after it, and the latency it adds when idle. Proxies on core 1, load and provider on core 0. The last
 * line of --json is the result; a peer that is not installed leaves null.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { idleLatency, plainWindow, quantile, streamWindow, type Window } from './gateway/load.ts';
import { startHaproxy, startMocks, startNginxProxy, startOurs, startPortkey, type Peer } from './gateway/peers.ts';
import { hasProgram, residentMib } from './gateway/processes.ts';

const { values: flags } = parseArgs({ options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } } });
const rounds = Math.min(50, Math.max(1, Number(flags.rounds)));
const say = (line: string): void => void (flags.json ? process.stderr : process.stdout).write(`${line}\n`);

interface Series {
  readonly ratios: number[];
  readonly windows: Window[];
}

type Measure = (peer: Peer, seconds: number) => Promise<Window>;

/** Each peer's window lies between two of HAProxy: what the machine does besides falls on both. */
async function compare(haproxy: Peer, peers: readonly Peer[], measure: Measure, seconds: number): Promise<Map<string, Series>> {
  const found = new Map<string, Series>([haproxy, ...peers].map(({ name }) => [name, { ratios: [], windows: [] }]));
  for (const peer of [haproxy, ...peers]) await measure(peer, 1);
  for (let round = 0; round < rounds; round++) {
    let before = await measure(haproxy, 1);
    found.get('haproxy')?.windows.push(before);
    for (const peer of round % 2 === 0 ? peers : [...peers].reverse()) {
      const own = await measure(peer, seconds);
      const after = await measure(haproxy, 1);
      const reference = (before.microsPerRequest + after.microsPerRequest) / 2;
      found.get(peer.name)?.windows.push(own);
      found.get(peer.name)?.ratios.push(own.microsPerRequest / reference);
      found.get('haproxy')?.windows.push(after);
      before = after;
    }
  }
  return found;
}

const median = (values: readonly number[]): number => quantile(values, 0.5);
const rounded = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;

function table(title: string, found: ReadonlyMap<string, Series>, peers: readonly Peer[]): void {
  say(`\n${title}`);
  say(
    ['proxy', 'CPU/HAProxy', 'min..max', 'us CPU', 'p50 ms', 'p99 ms', 'RSS MiB', 'requests', 'failed']
      .map((cell) => cell.padEnd(12))
      .join(''),
  );
  for (const [name, { ratios, windows }] of found) {
    const pid = peers.find((peer) => peer.name === name)?.pid;
    const spread = ratios.length === 0 ? '-' : `${Math.min(...ratios).toFixed(2)}..${Math.max(...ratios).toFixed(2)}`;
    const cells = [
      name,
      ratios.length === 0 ? '1' : median(ratios).toFixed(2),
      spread,
      median(windows.map((each) => each.microsPerRequest)).toFixed(1),
      median(windows.map((each) => each.p50Ms)).toFixed(2),
      median(windows.map((each) => each.p99Ms)).toFixed(2),
      pid === undefined ? '-' : residentMib(pid).toFixed(0),
      String(sum(windows.map((each) => each.requests))),
      String(sum(windows.map((each) => each.failed))),
    ];
    say(cells.map((cell) => cell.padEnd(12)).join(''));
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function ratioOf(found: ReadonlyMap<string, Series>, name: string): number {
  return median(found.get(name)?.ratios ?? []);
}

/** Medians of what each adds to a direct request of the same minute. */
async function idle(peers: readonly Peer[], direct: string): Promise<Map<string, number>> {
  const added = new Map<string, number[]>(peers.map(({ name }) => [name, []]));
  for (let round = 0; round < Math.min(rounds, 5); round++) {
    for (const peer of peers) {
      const before = await idleLatency(direct, {}, 0.7);
      const own = await idleLatency(peer.url, peer.headers, 0.7);
      const after = await idleLatency(direct, {}, 0.7);
      added.get(peer.name)?.push(own - (before + after) / 2);
    }
  }
  return new Map([...added].map(([name, values]) => [name, median(values)]));
}

async function main(): Promise<object> {
  const missing = ['haproxy', 'nginx', 'wrk', 'taskset'].filter((program) => !hasProgram(program));
  if (missing.length > 0 || cpus().length < 2) {
    say(`skipped: this needs two cores and ${missing.join(', ')} (apt-get install haproxy nginx-light wrk util-linux)`);
    return { cpu_vs_haproxy: null, cpu_vs_portkey: null, sse_vs_haproxy: null, idle_added_p50_ms: null, failed: null };
  }
  const directory = mkdtempSync(join(tmpdir(), 'actuator-bench-'));
  const stops: (() => Promise<void>)[] = [];
  try {
    const mocks = await startMocks(directory);
    stops.push(() => mocks.stop());
    const haproxy = await startHaproxy(directory, mocks);
    const ours = await startOurs(directory, mocks);
    const others = [await startNginxProxy(directory, mocks), ...(await withPortkey(() => startPortkey(mocks)))];
    const peers = [ours, ...others];
    for (const peer of [haproxy, ...peers]) stops.push(() => peer.stop());

    const plain = await compare(haproxy, peers, (peer, seconds) => plainWindow(peer, directory, { seconds, connections: 64 }), 3);
    table(`Plain answers, 64 connections, ${rounds} rounds`, plain, [haproxy, ...peers]);
    const streams = await compare(haproxy, peers, (peer, seconds) => streamWindow(peer, { seconds, connections: 64 }), 3);
    table(`Streams of 50 events 4 ms apart, 64 at once, ${rounds} rounds`, streams, [haproxy, ...peers]);
    const added = await idle([haproxy, ...peers], `http://127.0.0.1:${mocks.port}/v1/chat/completions`);
    say('\nAdded p50 latency when idle, ms');
    for (const [name, ms] of added) say(`${name.padEnd(12)}${ms.toFixed(3)}`);

    const portkey = ratioOf(plain, 'portkey');
    const failures = [plain, streams].map((found) => sum((found.get('actuator')?.windows ?? []).map((each) => each.failed)));
    return {
      cpu_vs_haproxy: rounded(ratioOf(plain, 'actuator'), 2),
      cpu_vs_portkey: Number.isNaN(portkey) ? null : rounded(ratioOf(plain, 'actuator') / portkey, 4),
      sse_vs_haproxy: rounded(ratioOf(streams, 'actuator'), 2),
      idle_added_p50_ms: rounded(added.get('actuator') ?? Number.NaN, 3),
      failed: sum(failures),
    };
  } finally {
    await Promise.all(stops.map((stop) => stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Needs the package registry the first time; without it the rest is measured all the same. */
async function withPortkey(start: () => Promise<Peer>): Promise<Peer[]> {
  try {
    return [await start()];
  } catch (thrown) {
    say(`without Portkey: ${String(thrown).slice(0, 200)}`);
    return [];
  }
}

const result = await main();
if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

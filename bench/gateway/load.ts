/** Load, and what it cost the process under it. Every loop is bounded in time. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { loadCore, requestBody, type Peer } from './peers.ts';
import { cpuSeconds } from './processes.ts';

export interface Window {
  readonly requests: number;
  readonly failed: number;
  readonly microsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Connections {
  readonly seconds: number;
  readonly connections: number;
}

/** wrk on the other core: one thread, keep-alive. */
export async function plainWindow(peer: Peer, directory: string, { seconds, connections }: Connections): Promise<Window> {
  const script = `${directory}/${peer.name}.lua`;
  const headers = { 'content-type': 'application/json', ...peer.headers };
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  writeFileSync(script, ['wrk.method = "POST"', `wrk.body = ${JSON.stringify(requestBody(false))}`, ...lines].join('\n'));
  const args = ['-c', String(loadCore), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, peer.url];
  const before = cpuSeconds(peer.pid);
  const output = await run('taskset', args);
  const cpu = cpuSeconds(peer.pid) - before;
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0);
  const broken = (/Socket errors: (.*)/.exec(output)?.[1] ?? '').match(/\d+/g) ?? [];
  const failed = refused + broken.reduce((sum, count) => sum + Number(count), 0);
  return { requests, failed, microsPerRequest: (cpu / requests) * 1e6, p50Ms: latency(output, 50), p99Ms: latency(output, 99) };
}

function latency(output: string, percent: number): number {
  const [, value = 'NaN', unit = 'ms'] = new RegExp(`${percent}%\\s+([0-9.]+)(us|ms|s)`).exec(output) ?? [];
  return Number(value) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1);
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(`${command}: ${stderr}`))));
  });
}

/** Streams side by side, each begun anew when it ends; counted are those that were whole. */
export async function streamWindow(peer: Peer, { seconds, connections }: Connections): Promise<Window> {
  const agent = new Agent({ connections, pipelining: 1 });
  const until = performance.now() + seconds * 1000;
  const body = requestBody(true);
  const times: number[] = [];
  let failed = 0;
  async function client(): Promise<void> {
    while (performance.now() < until) {
      const startedAt = performance.now();
      const headers = { 'content-type': 'application/json', ...peer.streamHeaders };
      const reply = await request(peer.streamUrl, { dispatcher: agent, method: 'POST', headers, body });
      const text = await reply.body.text();
      if (reply.statusCode === 200 && text.includes('[DONE]')) times.push(performance.now() - startedAt);
      else failed++;
    }
  }
  const before = cpuSeconds(peer.pid);
  await Promise.all(Array.from({ length: connections }, client));
  const cpu = cpuSeconds(peer.pid) - before;
  await agent.close();
  return {
    requests: times.length,
    failed,
    microsPerRequest: (cpu / times.length) * 1e6,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  };
}

/** One connection, a request about every millisecond: what the way through costs when nothing else is going on. In milliseconds. */
export async function idleLatency(url: string, headers: Readonly<Record<string, string>>, seconds: number): Promise<number> {
  const agent = new Agent({ connections: 1, pipelining: 1 });
  const body = requestBody(false);
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    const startedAt = performance.now();
    const reply = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    await reply.body.text();
    times.push(performance.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await agent.close();
  return quantile(times, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/**
 * How long a webhook's answer takes, beside the reference run of the same requests to `/health`, one after the other on one connection.
 * `node bench/webhook.ts [REQUESTS]`; prints medians and 99th percentiles in milliseconds, and their ratio.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sign } from '@octokit/webhooks-methods';
import { Client } from 'undici';
import { createWorld } from '../src/demo/world.ts';

const count = Math.min(20_000, Number(process.argv[2] ?? 3000));
const directory = await mkdtemp(join(tmpdir(), 'actuator-bench-'));
const world = await createWorld({ directory, seed: 1, settings: '', pollInterval: '1h', github: { approvals: 0 } });
await world.startControlPlane();
const secret = await readFile(world.github?.environment['ACTUATOR_WEBHOOK_SECRET_FILE'] ?? '', 'utf8');
const client = new Client(world.apiUrl);

async function timed(order: Parameters<Client['request']>[0]): Promise<number> {
  const startedAt = performance.now();
  const { body, statusCode } = await client.request(order);
  await body.dump();
  if (statusCode >= 300) throw new Error(`answered ${statusCode}`);
  return performance.now() - startedAt;
}

async function delivery(index: number): Promise<number> {
  const after = index.toString(16).padStart(40, '0');
  const body = JSON.stringify({ ref: 'refs/heads/main', after, repository: { full_name: 'acme/prompts' }, pad: 'x'.repeat(8000) });
  const headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': String(index),
    'x-hub-signature-256': await sign(secret.trim(), body),
  };
  return timed({ method: 'POST', path: '/api/v1/webhooks/github', headers, body });
}

const [webhook, health]: [number[], number[]] = [[], []];
for (let index = 0; index < count; index++) {
  webhook.push(await delivery(index));
  health.push(await timed({ method: 'GET', path: '/health' }));
}
const at = (values: readonly number[], q: number): number => [...values].sort((a, b) => a - b)[Math.floor(values.length * q)] ?? 0;
for (const [name, q] of [
  ['median', 0.5],
  ['p99', 0.99],
] as const)
  process.stdout.write(
    `${name}: webhook ${at(webhook, q).toFixed(2)} ms, /health ${at(health, q).toFixed(2)} ms, ratio ${(at(webhook, q) / at(health, q)).toFixed(1)}\n`,
  );
await client.close();
await world.close();
await rm(directory, { recursive: true, force: true });

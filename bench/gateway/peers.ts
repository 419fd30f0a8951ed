/** Everything that stands between client and provider in the benchmark, each on the same core, in front of the same two mocks. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Assignment } from '../../src/generated/types.ts';
import { aModel, anAssignment, aServing, startFakeControlPlane } from '../../test/support/fake-control-plane.ts';
import { freePort, startPinned, untilAnswers, type Pinned } from './processes.ts';

export const proxyCore = 1;
export const loadCore = 0;

export interface Peer {
  readonly name: string;
  /** Of the model API for plain answers, and for streams. */
  readonly url: string;
  readonly streamUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly streamHeaders: Readonly<Record<string, string>>;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Mocks {
  readonly port: number;
  readonly streamPort: number;
}

const path = '/v1/chat/completions';

/** About 1 kB, as in the measurements of the peers. */
export function requestBody(stream: boolean): string {
  return JSON.stringify({
    model: 'chat',
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    temperature: 0.7,
    user: 'user-4711',
    metadata: { complexity: 'medium', context: 'a short context' },
    messages: [
      { role: 'system', content: 'You are a helpful assistant.' },
      { role: 'user', content: 'Why is the sky blue? '.repeat(32) },
    ],
  });
}

/** nginx answers at once from its configuration: some 60,000 requests a second of one core. */
export async function startMocks(directory: string): Promise<Mocks & { stop(): Promise<void> }> {
  const [port, streamPort] = [await freePort(), await freePort()];
  const answer = JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 0,
    model: 'gpt-4',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Rayleigh scattering. '.repeat(40) }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 200, completion_tokens: 160, total_tokens: 360 },
  });
  const location = `location / { default_type application/json; return 200 '${answer}'; }`;
  const mock = startNginx(directory, 'mock', loadCore, `server { listen 127.0.0.1:${port}; ${location} }`);
  const streams = startPinned(loadCore, [process.execPath, join(import.meta.dirname, 'stream-mock.ts'), String(streamPort)]);
  for (const each of [port, streamPort]) await untilAnswers(`http://127.0.0.1:${each}${path}`, {}, requestBody(each === streamPort));
  return {
    port,
    streamPort,
    async stop() {
      await Promise.all([mock.stop(), streams.stop()]);
    },
  };
}

function startNginx(directory: string, name: string, core: number, http: string): Pinned {
  const prefix = join(directory, name);
  mkdirSync(prefix, { recursive: true });
  writeFileSync(
    join(prefix, 'nginx.conf'),
    `daemon off; master_process off; pid ${prefix}/pid; error_log ${prefix}/error.log; events { worker_connections 4096; }
     http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_temp_path ${prefix}/body; proxy_temp_path ${prefix}/proxy;
     fastcgi_temp_path ${prefix}/f; uwsgi_temp_path ${prefix}/u; scgi_temp_path ${prefix}/s; ${http} }`,
  );
  return startPinned(core, ['nginx', '-e', join(prefix, 'error.log'), '-p', prefix, '-c', join(prefix, 'nginx.conf')]);
}

export async function startHaproxy(directory: string, mocks: Mocks): Promise<Peer> {
  const [port, streamPort] = [await freePort(), await freePort()];
  const file = join(directory, 'haproxy.cfg');
  const proxy = (name: string, listen: number, to: number): string =>
    `listen ${name}\n  bind 127.0.0.1:${listen}\n  http-reuse always\n  server s 127.0.0.1:${to}\n`;
  const limits =
    'global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n';
  writeFileSync(file, limits + proxy('plain', port, mocks.port) + proxy('streams', streamPort, mocks.streamPort));
  return settled('haproxy', port, streamPort, startPinned(proxyCore, ['haproxy', '-db', '-f', file]));
}

export async function startNginxProxy(directory: string, mocks: Mocks): Promise<Peer> {
  const [port, streamPort] = [await freePort(), await freePort()];
  const pass = 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;';
  const proxy = (name: string, listen: number, to: number): string =>
    `upstream ${name} { server 127.0.0.1:${to}; keepalive 256; keepalive_requests 100000000; }
     server { listen 127.0.0.1:${listen}; location / { proxy_pass http://${name}; ${pass} } }`;
  const http = proxy('plain', port, mocks.port) + proxy('streams', streamPort, mocks.streamPort);
  return settled('nginx', port, streamPort, startNginx(directory, 'proxy', proxyCore, http));
}

/** Installed once, beside the repository's own packages, from the versions of its lock file. */
export function installPortkey(): string {
  const directory = join(import.meta.dirname, '.portkey');
  const program = join(directory, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  if (existsSync(program)) return program;
  mkdirSync(directory, { recursive: true });
  copyFileSync(join(import.meta.dirname, 'portkey.package.json'), join(directory, 'package.json'));
  const args = ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', args, { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
  return program;
}

export async function startPortkey(mocks: Mocks): Promise<Peer> {
  const program = installPortkey();
  const port = await freePort();
  const child = startPinned(proxyCore, [process.execPath, program, '--headless', `--port=${port}`], { NODE_ENV: 'production' });
  const config = (to: number): Record<string, string> => ({
    'x-portkey-config': JSON.stringify({ provider: 'openai', custom_host: `http://127.0.0.1:${to}/v1`, api_key: 'k' }),
  });
  return settled('portkey', port, port, child, config(mocks.port), config(mocks.streamPort));
}

/** Ours in full: two variants split by hash, two routing rules, parameters, a template, prices. */
export async function startOurs(directory: string, mocks: Mocks): Promise<Peer> {
  const control = await startFakeControlPlane();
  control.assign(ourAssignment('chat', mocks.port));
  control.assign(ourAssignment('streams', mocks.streamPort));
  control.lease(3600);
  const port = await freePort();
  const program = join(import.meta.dirname, '../../src/main/cli.ts');
  const flags = [
    '--name',
    'bench',
    '--port',
    String(port),
    '--control-plane',
    control.url,
    '--data-dir',
    directory,
    '--log-level',
    'silent',
  ];
  const child = startPinned(proxyCore, [process.execPath, program, 'gateway', ...flags], { ACTUATOR_GATEWAY_KEY: 'k' });
  const stopping = {
    pid: child.pid,
    async stop() {
      await child.stop();
      await control.close();
    },
  };
  return settled('actuator', port, port, stopping, {}, { 'x-actuator-service': 'streams' });
}

function ourAssignment(service: string, mockPort: number): Assignment {
  const url = `http://127.0.0.1:${mockPort}/v1`;
  const serving = aServing(url, {
    models: { 'gpt-4': aModel(url), cheap: aModel(url, { upstream_model: 'cheap' }) },
    parameters: { temperature: 0.2, max_tokens: 512 },
    prompt_template: 'Be brief. Context: {context}',
    rules: [
      { condition: "task.complexity == 'low'", model: 'cheap', parameters: {} },
      { condition: "task.complexity == 'high' && task.quality_required > 0.9", model: 'cheap', parameters: {} },
    ],
  });
  const assignment = anAssignment(1, 10, serving);
  return { ...assignment, service, split: { ...assignment.split, method: 'consistent_hash' } };
}

async function settled(
  name: string,
  port: number,
  streamPort: number,
  child: Pinned,
  headers: Readonly<Record<string, string>> = {},
  streamHeaders: Readonly<Record<string, string>> = headers,
): Promise<Peer> {
  const [url, streamUrl] = [`http://127.0.0.1:${port}${path}`, `http://127.0.0.1:${streamPort}${path}`];
  await untilAnswers(url, headers, requestBody(false));
  await untilAnswers(streamUrl, streamHeaders, requestBody(true));
  return { name, url, streamUrl, headers, streamHeaders, pid: child.pid, stop: () => child.stop() };
}

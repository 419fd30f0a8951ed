/** A gateway in this process, under a fake control plane: what tests of the data plane begin with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Assignment, Bucket } from '../../src/generated/types.ts';
import { runGateway } from '../../src/main/gateway.ts';
import type { GatewayOptions, Running } from '../../src/ports/programs.ts';
import { startFakeControlPlane, until, type FakeControlPlane } from './fake-control-plane.ts';

export interface GatewayWorld {
  readonly control: FakeControlPlane;
  readonly gateway: Running;
  readonly directory: string;
  /** Serves the assignment, and waits until the gateway has said so. */
  serve(assignment: Assignment): Promise<void>;
  /** To an endpoint below /v1; `body` as it is when it is text. */
  post(path: string, body: object | string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** A chat completion for the service `chat`. */
  chat(body?: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** All buckets so far, once there are enough. */
  buckets(enough: (all: readonly Bucket[]) => boolean): Promise<readonly Bucket[]>;
  close(): Promise<void>;
}

export async function startGatewayWorld(change: Partial<GatewayOptions> = {}): Promise<GatewayWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-test-'));
  const control = await startFakeControlPlane();
  const gateway = await runGateway({
    name: 'g1',
    controlPlane: control.url,
    key: 'k',
    host: '127.0.0.1',
    port: 0,
    dataDirectory: directory,
    clientKeysFile: null,
    workers: 1,
    logLevel: 'silent',
    ...change,
  });
  const post: GatewayWorld['post'] = (path, body, headers = {}) =>
    fetch(`${gateway.url}/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return {
    control,
    gateway,
    directory,
    async serve(assignment) {
      control.assign(assignment);
      const { service, generation } = assignment;
      await until('acknowledged', () =>
        control.acknowledgements.find((answer) => answer.service === service && answer.generation === generation),
      );
    },
    post,
    chat: (body = {}, headers = {}) =>
      post('/chat/completions', { model: 'chat', messages: [{ role: 'user', content: 'Why?' }], ...body }, headers),
    buckets: (enough) =>
      until('buckets', () => {
        const all = control.batches.flatMap((batch) => batch.buckets);
        return enough(all) && all;
      }),
    async close() {
      await gateway.stop();
      await control.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function total(buckets: readonly Bucket[], read: (bucket: Bucket) => number): number {
  return buckets.reduce((sum, bucket) => sum + read(bucket), 0);
}

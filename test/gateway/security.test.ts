import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sha256Hex } from '../../src/base/hash.ts';
import { parseClientKeys } from '../../src/gateway/client-keys.ts';
import { aModel, aServing, anAssignment, until } from '../support/fake-control-plane.ts';
import { startGatewayWorld, type GatewayWorld } from '../support/gateway-world.ts';
import { completion, respond, startScriptedProvider, type ScriptedProvider } from '../support/scripted-provider.ts';

let provider: ScriptedProvider;
let world: GatewayWorld;
let directory: string;
let keysFile: string;

before(async () => {
  process.env['TEST_PROVIDER_KEY'] = 'sk-secret';
  provider = await startScriptedProvider();
  provider.play((socket) => respond(socket, 200, completion()));
  directory = await mkdtemp(join(tmpdir(), 'client-keys-'));
  keysFile = join(directory, 'keys');
  await writeFile(keysFile, `# apps\nsha256:${sha256Hex('key-web')} web\nsha256:${sha256Hex('key-batch')} batch other,third\n`);
  world = await startGatewayWorld({ clientKeysFile: keysFile });
  const serving = aServing(provider.url, { models: { 'gpt-4': aModel(provider.url, { api_key_env: 'TEST_PROVIDER_KEY' }) } });
  await world.serve(anAssignment(1, 0, serving));
  await world.serve({ ...anAssignment(1, 0, serving), service: 'other' });
});
after(async () => {
  await world.close();
  await provider.close();
  await rm(directory, { recursive: true, force: true });
});

const as = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

describe('client keys', () => {
  it('let in who has one, by any of the headers that clients use', async () => {
    assert.equal((await world.chat()).status, 401);
    assert.equal((await world.chat({}, as('key-wrong'))).status, 401);
    assert.equal((await world.chat({}, as('key-web'))).status, 200);
    assert.equal((await world.chat({}, { 'x-api-key': 'key-web' })).status, 200);
    assert.equal((await world.chat({}, { 'api-key': 'key-web' })).status, 200);
  });

  it('are asked for at every door but /health', async () => {
    for (const path of ['/metrics', '/v1/models', '/api/v1/routing/stats'])
      assert.equal((await fetch(world.gateway.url + path)).status, 401, path);
    for (const path of ['/v1/feedback', '/v1/embeddings', '/ofrep/v1/evaluate/flags', '/ofrep/v1/evaluate/flags/chat'])
      assert.equal((await fetch(world.gateway.url + path, { method: 'POST', body: '{}' })).status, 401, path);
    assert.equal((await fetch(`${world.gateway.url}/health`)).status, 200);
  });

  it('can be limited to services, which then are all that exists', async () => {
    assert.equal((await world.chat({}, as('key-batch'))).status, 403);
    assert.equal((await world.chat({ model: 'other' }, as('key-batch'))).status, 200);
    const models = (await (await fetch(`${world.gateway.url}/v1/models`, { headers: as('key-batch') })).json()) as {
      data: { id: string }[];
    };
    assert.deepEqual(
      models.data.map(({ id }) => id),
      ['other'],
    );
    const flag = await fetch(`${world.gateway.url}/ofrep/v1/evaluate/flags/chat`, {
      method: 'POST',
      body: '{"context":{}}',
      headers: as('key-batch'),
    });
    assert.equal(flag.status, 404);
  });

  it('are read again when their file changes; a bad file changes nothing', async () => {
    const before = await readFile(keysFile, 'utf8');
    await writeFile(keysFile, 'not a key\n');
    await new Promise((resolve) => setTimeout(resolve, 2100));
    assert.equal((await world.chat({}, as('key-web'))).status, 200);
    await writeFile(keysFile, `${before}sha256:${sha256Hex('key-new')} new\n`);
    await until('the new key', async () => (await world.chat({}, as('key-new'))).status === 200);
  });

  it('that are no keys are named by file and line', () => {
    assert.throws(() => parseClientKeys(`# ok\nsha256:abc web\n`, 'keys'), /keys:2: not a client key; expected "sha256:/);
  });
});

describe('secrets', () => {
  it('of providers are in no answer, no metric and no file', async () => {
    provider.play((socket) => socket.destroy());
    const texts = [
      await (await world.chat({}, as('key-web'))).text(),
      await (await fetch(`${world.gateway.url}/metrics`, { headers: as('key-web') })).text(),
      await (await fetch(`${world.gateway.url}/api/v1/routing/stats`, { headers: as('key-web') })).text(),
      await (await fetch(`${world.gateway.url}/health`)).text(),
    ];
    await new Promise((resolve) => setTimeout(resolve, 600));
    for (const file of await readdir(world.directory)) texts.push(await readFile(join(world.directory, file), 'utf8'));
    assert.ok(texts.length > 4);
    for (const text of texts) assert.doesNotMatch(text, /sk-secret|key-web/);
    provider.play((socket) => respond(socket, 200, completion()));
  });

  it('are not sent after a redirect', async () => {
    provider.play((socket) => respond(socket, 307, '', { location: 'http://127.0.0.1:1/steal' }));
    const response = await world.chat({}, as('key-web'));
    assert.equal(response.status, 502);
    assert.match(await response.text(), /redirect, which is not followed/);
    provider.play((socket) => respond(socket, 200, completion()));
  });
});

/** Writes bytes as they are; what came back until the end, or until `ms` are over. */
function raw(bytes: string, ms = 3000): Promise<string> {
  return new Promise((resolve) => {
    const { port } = new URL(world.gateway.url);
    const socket: Socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    const end = (): void => {
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(end, ms);
    socket.on('data', (part) => (text += part.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

describe('bytes that mean harm', () => {
  const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-web\r\n';

  it('two lengths, odd codings, bare line feeds and broken names are refused before anything is sent on', async () => {
    provider.play((socket) => respond(socket, 200, completion()));
    const cases = [
      `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`,
      `${head}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`,
      `${head}content-length : 2\r\n\r\n{}`,
      `${head}x-user-id: a\nx-b: c\r\ncontent-length: 2\r\n\r\n{}`,
      'GET http://[ HTTP/1.1\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    ];
    for (const bytes of cases)
      assert.match(await raw(bytes, 500), /^(HTTP\/1\.1 400|$)/, JSON.stringify(bytes.slice(head.length, head.length + 40)));
    assert.equal(provider.requests.length, 0);
  });

  it('headers and bodies beyond their bounds are refused', async () => {
    assert.match(await raw(`${head}x: ${'a'.repeat(40_000)}\r\n\r\n`, 1000), /^HTTP\/1\.1 431/);
    const large = await world.post('/chat/completions', `{"model":"chat","messages":"${'x'.repeat(11 * 1024 * 1024)}"}`, as('key-web'));
    assert.equal(large.status, 413);
    const packed = await world.post('/chat/completions', '{}', { ...as('key-web'), 'content-encoding': 'gzip' });
    assert.equal(packed.status, 415);
  });

  it('a client that sends its head drop by drop is cut off', async () => {
    const { port } = new URL(world.gateway.url);
    const startedAt = performance.now();
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('POST /v1/chat/completions HTTP/1.1\r\n'));
      const drip = setInterval(() => socket.write('x: y\r\n'), 1000);
      socket.on('error', () => undefined);
      socket.on('data', () => undefined);
      socket.on('close', () => {
        clearInterval(drip);
        resolve();
      });
    });
    const seconds = (performance.now() - startedAt) / 1000;
    assert.ok(seconds > 15 && seconds < 30, `${seconds} s`);
  });
});

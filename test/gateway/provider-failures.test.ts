import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { AssignmentServing } from '../../src/generated/types.ts';
import { aServing, anAssignment } from '../support/fake-control-plane.ts';
import { startGatewayWorld, total, type GatewayWorld } from '../support/gateway-world.ts';
import {
  chunk,
  completion,
  event,
  respond,
  startScriptedProvider,
  streamHead,
  type ScriptedProvider,
} from '../support/scripted-provider.ts';

let provider: ScriptedProvider;
let world: GatewayWorld;

before(async () => {
  provider = await startScriptedProvider();
});
after(() => provider.close());
beforeEach(async () => {
  world = await startGatewayWorld();
});
afterEach(() => world.close());

async function serve(change: Partial<AssignmentServing> = {}): Promise<void> {
  await world.serve(anAssignment(1, 0, aServing(provider.url, { timeout_ms: 300, ...change })));
}

const retrying = (max: number, delay = 5): Partial<AssignmentServing> => ({ retry: { max_retries: max, delay_ms: delay } });
const fail = JSON.stringify({ error: { message: 'overloaded', code: 'busy' } });

describe('a failing provider', () => {
  it('that answers 429 or 500 is passed on with its body, and counted by class', async () => {
    await serve();
    provider.play((socket, _request, n) => respond(socket, n === 0 ? 429 : 500, fail, { 'retry-after': '7', 'set-cookie': 'a=b' }));

    const first = await world.chat();
    const second = await world.chat();

    assert.deepEqual([first.status, second.status], [429, 500]);
    assert.equal(first.headers.get('retry-after'), '7');
    assert.equal(first.headers.get('set-cookie'), null);
    assert.equal(await second.text(), fail);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.requests) === 2);
    assert.deepEqual(Object.assign({}, ...all.map((bucket) => bucket.errors)), { upstream_429: 1, upstream_5xx: 1 });
  });

  it('is tried again, and its first failure counts against the variant although the client had its answer', async () => {
    await serve(retrying(2));
    provider.play((socket, _request, n) => (n < 2 ? respond(socket, 503, fail) : respond(socket, 200, completion())));

    const response = await world.chat();

    assert.equal(response.status, 200);
    assert.equal(provider.requests.length, 3);
    const [bucket] = await world.buckets((list) => list.length > 0);
    assert.deepEqual([bucket?.requests, bucket?.errors, bucket?.recovered, bucket?.retries], [1, { upstream_5xx: 1 }, 1, 2]);
  });

  it('that stays bad is passed on after the last retry, and the client is told not to multiply them', async () => {
    await serve(retrying(1));
    provider.play((socket) => respond(socket, 500, fail));

    const response = await world.chat();

    assert.equal(response.status, 500);
    assert.equal(response.headers.get('x-should-retry'), 'false');
    assert.equal(provider.requests.length, 2);
    const [bucket] = await world.buckets((list) => list.length > 0);
    assert.deepEqual([bucket?.errors, bucket?.recovered], [{ upstream_5xx: 1 }, 0]);
  });

  it('is not tried again when it says so, when the fault is the request, or when it asks for a long pause', async () => {
    await serve(retrying(3));
    const answers: readonly [number, Record<string, string>][] = [
      [500, { 'x-should-retry': 'false' }],
      [400, {}],
      [429, { 'retry-after': '120' }],
    ];
    for (const [status, headers] of answers) {
      provider.play((socket) => respond(socket, status, fail, headers));
      assert.equal((await world.chat()).status, status);
      assert.equal(provider.requests.length, 1, `${status}`);
    }
  });

  it('is given the pause it asks for', async () => {
    await serve(retrying(1, 0));
    provider.play((socket, _request, n) =>
      n === 0 ? respond(socket, 429, fail, { 'retry-after-ms': '150' }) : respond(socket, 200, completion()),
    );
    const startedAt = performance.now();
    assert.equal((await world.chat()).status, 200);
    assert.ok(performance.now() - startedAt >= 150);
  });

  it('that hangs is given up after timeout_ms', async () => {
    await serve();
    provider.play(() => undefined);
    const response = await world.chat();
    assert.equal(response.status, 504);
    assert.match(await response.text(), /did not answer within 300 ms/);
    const [bucket] = await world.buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { timeout: 1 });
  });

  it('that drips without end is cut off at twenty times its time-out', async () => {
    await serve({ timeout_ms: 100 });
    provider.play((socket) => {
      socket.write(streamHead);
      const drip = setInterval(() => socket.write(chunk(': drip\n\n')), 50);
      socket.on('close', () => clearInterval(drip));
    });
    const response = await world.chat({ stream: true });
    await assert.rejects(response.text());
    const [bucket] = await world.buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { truncated: 1 });
  });

  it('that breaks off in mid-stream breaks the client off: half an answer must not look whole', async () => {
    await serve(retrying(3));
    provider.play((socket) => {
      socket.write(streamHead + chunk(event({ choices: [{ index: 0, delta: { content: 'Be' } }] })));
      setTimeout(() => socket.destroy(), 20);
    });
    const response = await world.chat({ stream: true });
    await assert.rejects(response.text());
    assert.equal(provider.requests.length, 1);
    const [bucket] = await world.buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { truncated: 1 });
  });

  it('whose stream ends in good order but without an end passes through, and counts as malformed', async () => {
    await serve();
    const said = event({ choices: [{ index: 0, delta: { content: 'Be' }, finish_reason: null }] }) + 'data: {not json\n\n';
    provider.play((socket) => socket.write(streamHead + chunk(said) + chunk('').replace('\r\n\r\n', '\r\n\r\n')));
    const response = await world.chat({ stream: true });
    assert.equal(await response.text(), said);
    const [bucket] = await world.buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { malformed: 1 });
  });

  it('that answers 200 with something else than an answer counts as malformed', async () => {
    await serve();
    provider.play((socket) => respond(socket, 200, '<html>Sign in</html>'));
    assert.equal((await world.chat()).status, 200);
    const [bucket] = await world.buckets((list) => list.length > 0);
    assert.deepEqual(bucket?.errors, { malformed: 1 });
  });

  it('that does not speak HTTP, or is not there, gives 502', async () => {
    await serve();
    provider.play((socket) => socket.write('SSH-2.0-OpenSSH_9\r\n\r\n'));
    assert.equal((await world.chat()).status, 502);
    await world.serve(anAssignment(2, 0, aServing('http://127.0.0.1:9/v1')));
    const response = await world.chat();
    assert.equal(response.status, 502);
    assert.match(await response.text(), /could not be reached/);
  });

  it('that closed an idle connection is asked again over a new one', async () => {
    await serve();
    const seen = new Set<unknown>();
    provider.play((socket) => {
      // The second request on a connection is met by its end, as when a keep-alive time ran out.
      if (seen.has(socket)) socket.destroy();
      else respond(socket, 200, completion());
      seen.add(socket);
    });
    for (let i = 0; i < 6; i++) assert.equal((await world.chat()).status, 200);
  });

  it('is not sent a second request when the first was answered by half', async () => {
    await serve();
    provider.play((socket, _request, n) => {
      if (n === 0) respond(socket, 200, completion());
      else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"half":');
    });
    await world.chat();
    await assert.rejects(world.chat().then((response) => response.text()));
    assert.equal(provider.requests.length, 2);
  });
});

describe('a client that leaves', () => {
  async function leaveAfter(ms: number): Promise<void> {
    const signal = AbortSignal.timeout(ms);
    const body = JSON.stringify({ model: 'chat', messages: [] });
    await assert.rejects(fetch(`${world.gateway.url}/v1/chat/completions`, { method: 'POST', body, signal }));
  }

  it('while we wait to retry ends the retries, and the failure it met still counts', async () => {
    await serve(retrying(5, 400));
    provider.play((socket) => respond(socket, 503, fail));
    await leaveAfter(100);
    const all = await world.buckets((list) => list.length > 0);
    assert.deepEqual([total(all, (bucket) => bucket.requests), all[0]?.errors, all[0]?.recovered], [1, { upstream_5xx: 1 }, 0]);
    assert.equal(provider.requests.length, 1);
  });

  it('after a while without an answer counts against the variant; at once it counts neither way', async () => {
    await serve({ timeout_ms: 5000 });
    provider.play(() => undefined);
    await leaveAfter(100);
    await leaveAfter(1300);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.requests) === 1);
    assert.deepEqual(Object.assign({}, ...all.map((bucket) => bucket.errors)), { no_answer: 1 });
    assert.equal(
      total(all, (bucket) => bucket.excluded['client_left'] ?? 0),
      1,
    );
  });
});

describe('a slow reader', () => {
  it('delays nobody else, and takes nobody else with it', async () => {
    await serve({ timeout_ms: 5000 });
    const event20k = event({ choices: [{ index: 0, delta: { content: 'x'.repeat(300) } }] });
    const end = event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }) + 'data: [DONE]\n\n';
    provider.play((socket, request) => {
      if (!request.includes('"stream":true')) respond(socket, 200, completion());
      else socket.write(streamHead + chunk(event20k).repeat(20_000) + chunk(end) + chunk(''));
    });
    const warnings: string[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', onWarning);
    const slow = await world.chat({ stream: true });
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let i = 0; i < 5; i++) assert.equal((await world.chat()).status, 200);
    assert.ok((await slow.text()).endsWith('data: [DONE]\n\n'));
    for (let i = 0; i < 5; i++) assert.equal((await world.chat()).status, 200);
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
    const all = await world.buckets((list) => total(list, (bucket) => bucket.requests) === 11);
    assert.deepEqual(Object.assign({}, ...all.map((bucket) => bucket.errors)), {});
  });
});

describe('an answer with status 200', () => {
  const stream =
    (text: string): ((socket: Socket) => void) =>
    (socket) =>
      void socket.write(streamHead + chunk(text) + chunk(''));
  const cases: readonly [string, boolean, (socket: Socket) => void][] = [
    ['that is empty', false, (socket) => respond(socket, 200, '')],
    ['that is a word', false, (socket) => respond(socket, 200, 'ok')],
    ['that is an error', false, (socket) => respond(socket, 200, fail)],
    ['that is a stream of an error', true, stream(`data: ${fail}\n\ndata: [DONE]\n\n`)],
    ['that only speaks of the end', true, stream(event({ choices: [{ index: 0, delta: { content: 'data: [DONE] they said' } }] }))],
  ];
  for (const [name, isStream, script] of cases) {
    it(`${name} is no good one`, async () => {
      await serve();
      provider.play(script);
      await (await world.chat({ stream: isStream })).text();
      const [bucket] = await world.buckets((list) => list.length > 0);
      assert.deepEqual(bucket?.errors, { malformed: 1 });
    });
  }
});

describe('a provider that dies at work', () => {
  it('is not sent the request a second time', async () => {
    await serve({ timeout_ms: 5000 });
    provider.play((socket, _request, n) => {
      if (n === 0) respond(socket, 200, completion());
      else setTimeout(() => socket.destroy(), 300);
    });
    assert.equal((await world.chat()).status, 200);
    assert.equal((await world.chat()).status, 502);
    assert.equal(provider.requests.length, 2);
  });

  it('is given up at its deadline, whatever it drips', async () => {
    await serve({ timeout_ms: 50 });
    provider.play((socket) => {
      const drip = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 30);
      socket.on('close', () => clearInterval(drip));
    });
    assert.ok([502, 504].includes((await world.chat()).status));
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ResponseError, ResponseParser } from '../../src/gateway/http/response-parser.ts';

interface Seen {
  status: number | null;
  headers: Record<string, string>;
  body: string;
  end: boolean | null;
}

/** Feeds the parts one by one; `closed` ends the connection after them. */
function read(parts: readonly Buffer[], closed = false): Seen {
  const seen: Seen = { status: null, headers: {}, body: '', end: null };
  const parser = new ResponseParser({
    onHead({ status, headers }) {
      seen.status = status;
      seen.headers = Object.fromEntries(headers);
    },
    onBody(chunk) {
      seen.body += chunk.toString('latin1');
    },
    onEnd(reusable) {
      seen.end = reusable;
    },
  });
  for (const part of parts) parser.push(part);
  if (closed) parser.close();
  return seen;
}

function cut(text: string, at: readonly number[]): readonly Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const points = [...new Set(at.map((point) => point % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...points, bytes.length].map((end, index) => bytes.subarray(points[index - 1] ?? 0, end)).filter((part) => part.length > 0);
}

const counted = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nX-A: 1\r\nx-a: 2\r\n\r\n{"a":"b"}\r\n';
const chunked =
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\ntrailer: x\r\n\r\n';

describe('a response', () => {
  it('is the same however its bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 40 }), (at) => {
        assert.deepEqual(read(cut(counted, at)), {
          status: 200,
          headers: { 'content-type': 'application/json', 'content-length': '11', 'x-a': '1, 2' },
          body: '{"a":"b"}\r\n',
          end: true,
        });
        const stream = read(cut(chunked, at));
        assert.deepEqual([stream.body, stream.end], ['hello world', true]);
      }),
    );
  });

  it('may end with its connection when it names no length', () => {
    const seen = read([Buffer.from('HTTP/1.1 200 OK\r\n\r\nall of it')], true);
    assert.deepEqual([seen.body, seen.end], ['all of it', false]);
  });

  it('has no body with 204, and is not reused after Connection: close or by HTTP/1.0', () => {
    assert.equal(read([Buffer.from('HTTP/1.1 204 No Content\r\n\r\n')]).end, true);
    assert.equal(read([Buffer.from('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')]).end, false);
    assert.equal(read([Buffer.from('HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n')]).end, false);
  });

  const bad: readonly [string, string][] = [
    ['two lengths at once', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['two lengths that differ', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'],
    ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nx-a: 1\r\n  2\r\n\r\n'],
    ['a bare line feed in a header', 'HTTP/1.1 200 OK\r\nx-a: 1\nx-b: 2\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['a chunk that is longer than it says', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhello\r\n'],
    ['bytes after its end', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK'],
    ['an endless head', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(70_000)}`],
  ];
  for (const [name, text] of bad) {
    it(`is refused for ${name}`, () => assert.throws(() => read([Buffer.from(text)]), ResponseError));
  }

  it('that is noise ends in an error or in waiting, and in nothing else', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ maxLength: 300 }).map((text) => Buffer.from(`HTTP/1.1 200 OK\r\n${text}\r\n\r\n0\r\n\r\n`)),
    );
    fc.assert(
      fc.property(noise, fc.array(fc.nat(), { maxLength: 5 }), (bytes, at) => {
        try {
          read(cut(Buffer.from(bytes).toString('latin1'), at), true);
        } catch (thrown) {
          assert.ok(thrown instanceof ResponseError, String(thrown));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

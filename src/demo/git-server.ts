/** Smart HTTP on loopback: git's own `http-backend` behind node:http. For the demonstration and the tests. */
import { spawn } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GitServer {
  /** URL of a repository below the root: `<url>/<name>.git`. */
  readonly url: string;
  /** While set, every request is answered by this status instead: a forge that is down. */
  setFailure(status: number | null): void;
  /** Called before each push is let through; a promise holds it back. */
  onPush(hook: (() => Promise<void>) | null): void;
  close(): Promise<void>;
}

export async function startGitServer(root: string): Promise<GitServer> {
  let failure: number | null = null;
  let pushHook: (() => Promise<void>) | null = null;
  const server = createServer((request, response) => {
    if (failure !== null) {
      response.writeHead(failure).end();
      return;
    }
    const isPush = request.method === 'POST' && (request.url ?? '').endsWith('/git-receive-pack');
    const before = isPush && pushHook !== null ? pushHook() : Promise.resolve();
    void before.then(() => answer(root, request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFailure: (status) => {
      failure = status;
    },
    onPush: (hook) => {
      pushHook = hook;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const backend = `${execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()}/git-http-backend`;

function answer(root: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const child = spawn(backend, [], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(path),
      QUERY_STRING: query,
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      REMOTE_USER: 'demo',
      REMOTE_ADDR: '127.0.0.1',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
  });
  child.on('error', () => response.writeHead(500).end());
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  let headDone = false;
  child.stdout.on('data', (chunk: Buffer) => {
    if (headDone) {
      response.write(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    headDone = true;
    const headers = head
      .subarray(0, end)
      .toString('utf8')
      .split('\r\n')
      .map((line) => line.split(': ', 2) as [string, string]);
    const status = headers.find(([name]) => name.toLowerCase() === 'status')?.[1];
    response.writeHead(
      status === undefined ? 200 : Number.parseInt(status, 10),
      Object.fromEntries(headers.filter(([name]) => name.toLowerCase() !== 'status')),
    );
    response.write(head.subarray(end + 4));
  });
  child.on('close', () => response.end());
}

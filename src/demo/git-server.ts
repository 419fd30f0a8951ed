/** Smart HTTP on loopback: git's own `http-backend` behind node:http. For the demonstration and the tests. */
import { execFileSync, spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';

export type PushHook = (body: string) => Promise<void>;

export interface GitServer {
  /** URL of a repository below the root: `<url>/<name>.git`. */
  readonly url: string;
  /** While set, every request is answered by this status instead: a forge that is down. */
  setFailure(status: number | null): void;
  /** Called with the path of every request. */
  onRequest(hook: (path: string) => void): void;
  /** Called before each push is let through, with the refs it names; a promise holds it back. */
  beforePush(hook: PushHook | null): void;
  /** Called when a push is done and its answer has not left yet; a promise holds the answer back. */
  afterPush(hook: PushHook | null): void;
  close(): Promise<void>;
}

export async function startGitServer(root: string): Promise<GitServer> {
  let failure: number | null = null;
  let onRequest = (_path: string): void => undefined;
  let before: PushHook | null = null;
  let after: PushHook | null = null;
  const server = createServer((request, response) => {
    onRequest(request.url ?? '');
    if (failure !== null) {
      response.writeHead(failure).end();
      return;
    }
    const isPush = request.method === 'POST' && (request.url ?? '').endsWith('/git-receive-pack');
    if (isPush && (before !== null || after !== null)) void hookedPush(root, request, response, { before, after });
    else answer(root, request, response, request, () => Promise.resolve());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setFailure: (status) => {
      failure = status;
    },
    onRequest: (hook) => {
      onRequest = hook;
    },
    beforePush: (hook) => {
      before = hook;
    },
    afterPush: (hook) => {
      after = hook;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const backend = `${execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()}/git-http-backend`;

async function hookedPush(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  hooks: { readonly before: PushHook | null; readonly after: PushHook | null },
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const named = body.subarray(0, 2000).toString('latin1');
  await hooks.before?.(named);
  answer(root, request, response, Readable.from([body]), () => hooks.after?.(named) ?? Promise.resolve());
}

function answer(root: string, request: IncomingMessage, response: ServerResponse, body: Readable, beforeEnd: () => Promise<void>): void {
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
  body.pipe(child.stdin);
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.on('close', () => void beforeEnd().then(() => reply(response, Buffer.concat(output))));
}

/** CGI: headers, an empty line, the body. Collected whole: repositories of demonstrations are small. */
function reply(response: ServerResponse, output: Buffer): void {
  const end = output.indexOf('\r\n\r\n');
  const lines = output.subarray(0, Math.max(0, end)).toString('utf8').split('\r\n');
  const headers = lines.map((line) => line.split(': ', 2) as [string, string]);
  const status = headers.find(([name]) => name.toLowerCase() === 'status')?.[1];
  response.writeHead(
    status === undefined ? 200 : Number.parseInt(status, 10),
    Object.fromEntries(headers.filter(([name]) => name !== '' && name.toLowerCase() !== 'status')),
  );
  response.end(output.subarray(end + 4));
}

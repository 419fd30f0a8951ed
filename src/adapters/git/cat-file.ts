/** One long-lived `git cat-file --batch-command`: every read of an object, in about 0.1 ms. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { TransientError } from '../../base/failures.ts';
import { gitEnvironment } from './git-command.ts';

export interface GitObject {
  readonly oid: string;
  readonly type: 'commit' | 'tree' | 'blob' | 'tag';
  readonly size: number;
  /** Null when `size` is over the cap that was asked for. */
  readonly content: Buffer | null;
}

export interface CatFile {
  /** The object that `name` (an oid or a full ref) names; null when there is none. */
  read(name: string, maxBytes: number): Promise<GitObject | null>;
  close(): void;
}

interface Waiting {
  readonly wantsContent: boolean;
  readonly resolve: (object: GitObject | null) => void;
  readonly reject: (error: Error) => void;
}

export function openCatFile(gitDirectory: string): CatFile {
  let running: Session | null = null;

  function session(): Session {
    running ??= startSession(gitDirectory, () => {
      running = null;
    });
    return running;
  }

  return {
    async read(name, maxBytes) {
      // A line break would start a second command.
      if (/[\s\0]/.test(name)) throw new Error('an object name holds no white space');
      const info = await session().ask('info', name);
      if (info === null || info.size > maxBytes) return info;
      return session().ask('contents', info.oid);
    },
    close() {
      running?.close();
      running = null;
    },
  };
}

interface Session {
  ask(command: 'info' | 'contents', name: string): Promise<GitObject | null>;
  close(): void;
}

function startSession(gitDirectory: string, onEnd: () => void): Session {
  const child: ChildProcessWithoutNullStreams = spawn('git', ['--git-dir', gitDirectory, 'cat-file', '--batch-command'], {
    env: gitEnvironment(null),
  });
  const queue: Waiting[] = [];
  let rest: Buffer = Buffer.alloc(0);

  function end(): void {
    onEnd();
    for (const waiting of queue.splice(0)) waiting.reject(new TransientError('git cat-file ended'));
  }

  function drain(): void {
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const answer = takeAnswer(rest, next.wantsContent);
      if (answer === undefined) return;
      queue.shift();
      rest = answer.rest;
      next.resolve(answer.object);
    }
  }

  child.stdout.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    drain();
  });
  child.stderr.resume();
  child.stdin.on('error', end);
  child.on('error', end);
  child.on('close', end);
  child.unref();
  return {
    ask: (command, name) =>
      new Promise((resolve, reject) => {
        queue.push({ wantsContent: command === 'contents', resolve, reject });
        child.stdin.write(`${command} ${name}\n`);
      }),
    close() {
      child.stdin.end();
      child.kill();
    },
  };
}

/** `<oid> <type> <size>` and, for contents, that many bytes and a line feed; undefined while it is incomplete. */
function takeAnswer(buffer: Buffer, wantsContent: boolean): { readonly object: GitObject | null; readonly rest: Buffer } | undefined {
  const lineEnd = buffer.indexOf(10);
  if (lineEnd < 0) return undefined;
  const [oid = '', type = '', sizeText] = buffer.subarray(0, lineEnd).toString('utf8').split(' ');
  const size = Number(sizeText);
  if (sizeText === undefined || !['commit', 'tree', 'blob', 'tag'].includes(type))
    return { object: null, rest: buffer.subarray(lineEnd + 1) };
  const header = { oid, type: type as GitObject['type'], size };
  if (!wantsContent) return { object: { ...header, content: null }, rest: buffer.subarray(lineEnd + 1) };
  const end = lineEnd + 1 + size;
  if (buffer.length < end + 1) return undefined;
  return { object: { ...header, content: Buffer.from(buffer.subarray(lineEnd + 1, end)) }, rest: buffer.subarray(end + 1) };
}

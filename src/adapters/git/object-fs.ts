/**
 * A file system for isomorphic-git in which only loose objects exist: reads are answered by cat-file, so packs, alternates and a
 * running repack are no concern of it; writes are crash-safe (isomorphic-git's own writes are not, and git never heals them).
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import type { PromiseFsClient } from 'isomorphic-git';
import type { CatFile } from './cat-file.ts';

const objectCap = 64 * 1024 * 1024;

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
}

export function createObjectFs(gitDirectory: string, objects: CatFile): PromiseFsClient {
  const objectAt = (path: string): string | null => {
    const match = /\/objects\/([0-9a-f]{2})\/([0-9a-f]{38})$/.exec(path);
    return match === null || !path.startsWith(gitDirectory) ? null : `${match[1] ?? ''}${match[2] ?? ''}`;
  };

  async function readFile(path: string): Promise<Buffer> {
    const oid = objectAt(path);
    const object = oid === null ? null : await objects.read(oid, objectCap);
    if (object?.content == null) throw missing(path);
    return deflateSync(Buffer.concat([Buffer.from(`${object.type} ${object.size}\0`), object.content]), { level: 1 });
  }

  async function writeFile(path: string, content: Uint8Array): Promise<void> {
    if (objectAt(path) === null) throw new Error(`only objects are written here, not ${path}`);
    await mkdir(dirname(path), { recursive: true });
    const temporary = join(dirname(path), `tmp_obj_${randomBytes(8).toString('hex')}`);
    const file = await open(temporary, 'wx', 0o444);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  }

  const refuse = (path: string): Promise<never> => Promise.reject(missing(path));
  const promises = {
    readFile,
    writeFile,
    mkdir: (path: string) => mkdir(path, { recursive: true }),
    readdir: () => Promise.resolve([]),
    stat: (path: string) => (objectAt(path) === null ? refuse(path) : stat(path)),
    lstat: (path: string) => (objectAt(path) === null ? refuse(path) : stat(path)),
    unlink: refuse,
    rmdir: refuse,
    readlink: refuse,
    symlink: refuse,
    chmod: refuse,
  };
  return { promises };
}

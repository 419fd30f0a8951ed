/** Reads a checkout: the work tree from disk, commits through isomorphic-git, so that no git binary is needed. */
import { lstat, readdir, readFile } from 'node:fs/promises';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { expandOid, readBlob, readCommit as readCommitObject, resolveRef, walk, TREE } from 'isomorphic-git';
import { parse } from 'yaml';
import { StalledError } from '../../base/failures.ts';
import { isObject } from '../../base/json.ts';
import { sha1Hex } from '../../base/hash.ts';
import type { Problem } from '../../base/problem.ts';
import type { RepositoryTexts } from '../../domain/config/check-repository.ts';
import type { Traffic } from '../../domain/planning/prediction.ts';
import type { Checkout } from '../../ports/checkout.ts';
import { readDocument } from '../documents/reader.ts';

/** Paths that mean something to us. */
const meaningful = /^(actuator\.yaml|models\.yaml|policies\/[^/]+\.yaml|templates\/[^/]+\.yaml|services\/[^/]+\/(config|rollout)\.yaml)$/;
const serviceName = /^[a-z0-9][a-z0-9._-]{0,127}$/;

export function openCheckout(directory: string): Checkout {
  return {
    workingTree: () => readWorkingTree(directory),
    at: (ref) => readCommit(directory, ref),
    traffic: (service) => readTraffic(directory, service),
  };
}

/** The traffic file; before there is one, what the status file says of the last transition. */
async function readTraffic(directory: string, service: string): Promise<Traffic> {
  const path = `status/${sha1Hex(service).slice(0, 2)}/${service}`;
  for (const ref of ['refs/remotes/origin/actuator/status', 'refs/heads/actuator/status']) {
    const text = await readFileAt(directory, ref, `${path}.traffic.yaml`);
    const written = text === null ? null : readDocument('traffic-file', text, `${service}.traffic.yaml`);
    if (written?.ok === true) {
      const { requests_per_second: requestsPerSecond, error_rate: errorRate, metrics } = written.value.value;
      return { requestsPerSecond, summary: { error_rate: errorRate, metrics } };
    }
    const status: unknown = parse((await readFileAt(directory, ref, `${path}.yaml`)) ?? '');
    if (isObject(status) && typeof status['requests_per_second'] === 'number')
      return { requestsPerSecond: status['requests_per_second'], summary: null };
  }
  return { requestsPerSecond: null, summary: null };
}

async function readWorkingTree(directory: string): Promise<RepositoryTexts> {
  const isFolder = await lstat(directory).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new StalledError(`There is no folder ${directory}.`);
  const files = new Map<string, string>();
  const problems: Problem[] = [];
  const folders = new Set<string>();
  for (const path of await listFiles(directory, folders)) {
    if (!meaningful.test(path)) continue;
    const stat = await lstat(join(directory, path));
    if (stat.isFile()) files.set(path, await readFile(join(directory, path), 'utf8'));
    else problems.push({ code: 'unsafe-tree', file: path, message: 'Only plain files are read: no symbolic links.' });
  }
  return arrange(files, folders, problems);
}

/** Two levels below services, one below the others: nothing deeper means anything. */
async function listFiles(directory: string, folders: Set<string>): Promise<readonly string[]> {
  const names = async (path: string): Promise<string[]> => {
    try {
      return (await readdir(join(directory, path))).map((name) => (path === '' ? name : `${path}/${name}`));
    } catch {
      return [];
    }
  };
  const services = await names('services');
  for (const service of services) if ((await lstat(join(directory, service))).isDirectory()) folders.add(service.slice('services/'.length));
  const nested = await Promise.all(services.map(names));
  return [...(await names('')), ...(await names('policies')), ...(await names('templates')), ...nested.flat()];
}

/** A branch, a tag, a full or shortened commit id, with `~N` and `^` behind it as git has them. */
async function resolveCommit(directory: string, ref: string): Promise<string> {
  const [, name = ref, suffix = ''] = /^(.*?)((?:~\d*|\^)*)$/.exec(ref) ?? [];
  const context = { fs, dir: directory };
  let oid = await resolveRef({ ...context, ref: name }).catch(() => expandOid({ ...context, oid: name }));
  for (const step of suffix.match(/~\d*|\^/g) ?? []) {
    const count = step === '^' || step === '~' ? 1 : Number(step.slice(1));
    for (let i = 0; i < count; i++) {
      const { commit } = await readCommitObject({ ...context, oid, cache: {} });
      oid = commit.parent[0] ?? '';
    }
  }
  return oid;
}

async function readCommit(directory: string, ref: string): Promise<RepositoryTexts> {
  const files = new Map<string, string>();
  const folders = new Set<string>();
  try {
    await walk({
      fs,
      dir: directory,
      cache: {},
      trees: [TREE({ ref: await resolveCommit(directory, ref) })],
      map: async (path, [entry]) => {
        if (entry === null || entry === undefined) return undefined;
        if ((await entry.type()) === 'tree') {
          const folder = /^services\/([^/]+)$/.exec(path)?.[1];
          if (folder !== undefined) folders.add(folder);
          // Only folders that can hold something for us: null prunes the walk.
          return path === '.' || /^(services|policies|templates)(\/[^/]+)?$/.test(path) ? path : null;
        }
        if (meaningful.test(path)) files.set(path, Buffer.from((await entry.content()) ?? []).toString('utf8'));
        return path;
      },
    });
  } catch (thrown) {
    throw new StalledError(
      `"${ref}" could not be read from the Git repository in ${directory}: ${thrown instanceof Error ? thrown.message : 'unknown error'}`,
      { cause: thrown },
    );
  }
  return arrange(files, folders, []);
}

function arrange(files: ReadonlyMap<string, string>, folders: ReadonlySet<string>, problems: readonly Problem[]): RepositoryTexts {
  const named = (folder: string): Map<string, string> =>
    new Map(
      [...files]
        .filter(([path]) => path.startsWith(`${folder}/`))
        .map(([path, text]) => [path.slice(folder.length + 1, -'.yaml'.length), text]),
    );
  const bad = [...folders]
    .filter((folder) => !serviceName.test(folder))
    .map((folder): Problem => ({
      code: 'unsafe-tree',
      file: `services/${folder}`,
      message: 'A service is named by lower-case letters, digits, dots, dashes and underscores.',
    }));
  const services = [...folders].filter((folder) => serviceName.test(folder)).sort();
  return {
    settings: files.get('actuator.yaml') ?? null,
    catalogue: files.get('models.yaml') ?? null,
    policies: named('policies'),
    templates: named('templates'),
    services: new Map(
      services.map((service) => [
        service,
        { config: files.get(`services/${service}/config.yaml`) ?? null, rollout: files.get(`services/${service}/rollout.yaml`) ?? null },
      ]),
    ),
    problems: [...problems, ...bad],
  };
}

async function readFileAt(directory: string, ref: string, filepath: string): Promise<string | null> {
  try {
    const oid = await resolveRef({ fs, dir: directory, ref });
    const { blob } = await readBlob({ fs, dir: directory, oid, filepath, cache: {} });
    return Buffer.from(blob).toString('utf8');
  } catch {
    return null;
  }
}

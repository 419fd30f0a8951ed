/** Reads the configuration repository out of the mirror, without a work tree. */
import { LRUMap } from '../../base/lru.ts';
import type { Problem } from '../../base/problem.ts';
import { coAuthors, oneLine } from '../../base/text.ts';
import type { BlobRef, ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';
import { GitExit, isOid } from './git-command.ts';
import type { Mirror } from './mirror.ts';
import { parseTree, type TreeEntry } from './objects.ts';
import { createSignatureChecker } from './signatures.ts';

const maxBlobBytes = 256 * 1024;
const maxTreeBytes = 64 * 1024 * 1024;
const maxServices = 50_000;
const serviceName = /^[a-z0-9][a-z0-9._-]{0,127}$/;

interface ServiceFiles {
  readonly config: string | null;
  readonly rollout: string | null;
  readonly problems: readonly Problem[];
}

export function createRepository(mirror: Mirror): ConfigurationRepository {
  // Keyed by the folder's tree id: a poll re-reads only the folders that changed.
  const folders = new LRUMap<string, ServiceFiles>(60_000);
  const trees = new LRUMap<string, RepositoryTree>(32);
  const signatures = createSignatureChecker(mirror);

  async function entries(oid: string): Promise<readonly TreeEntry[]> {
    const object = await mirror.objects.read(oid, maxTreeBytes);
    if (object?.type !== 'tree' || object.content === null) throw new Error(`${oid} is not a readable tree`);
    return parseTree(object.content);
  }

  async function serviceFiles(entry: TreeEntry): Promise<ServiceFiles> {
    const known = folders.get(entry.oid);
    if (known !== undefined) return known;
    const read = filesOf(await entries(entry.oid), `services/${entry.name}`);
    folders.set(entry.oid, read);
    return read;
  }

  async function readTree(commit: string): Promise<RepositoryTree> {
    const root = await entries((await mirror.commit(commit)).tree);
    const folder = async (name: string): Promise<readonly TreeEntry[]> => {
      const entry = root.find((candidate) => candidate.name === name && candidate.mode === '40000');
      return entry === undefined ? [] : entries(entry.oid);
    };
    const [services, policies, forge, docs] = await Promise.all(['services', 'policies', '.github', 'docs'].map(folder));
    const assembled = await assemble(commit, root, services ?? [], policies ?? [], serviceFiles);
    return { ...assembled, codeOwners: codeOwnersIn(forge ?? [], root, docs ?? []) };
  }

  return {
    fetch: () =>
      mirror.exclusively(async () => {
        await mirror.fetch();
        return mirror.tip(mirror.branch);
      }),
    async tree(commit) {
      const known = trees.get(commit);
      if (known !== undefined) return known;
      const tree = await readTree(commit);
      trees.set(commit, tree);
      return tree;
    },
    async read(blob) {
      const object = await mirror.objects.read(blob.oid, maxBlobBytes);
      if (object?.type !== 'blob') return { problem: { code: 'unsafe-tree', file: blob.path, message: 'This is not a file.' } };
      if (object.content === null) {
        return {
          problem: { code: 'too-large', file: blob.path, message: `The file has ${object.size} bytes; at most ${maxBlobBytes} are read.` },
        };
      }
      return { text: object.content.toString('utf8').replace(/^\uFEFF/, '') };
    },
    firstParents: (from, to, limit) => firstParents(mirror, from, to, limit),
    signature: (commit, signers, now) => signatures.check(commit, signers, now),
    message: async (commit) => (await mirror.commit(commit)).message,
    author: (commit) => authorsOf(mirror, commit),
    merge: (commit) => mergeOf(mirror, commit),
    close: () => {
      mirror.close();
      return Promise.resolve();
    },
  };
}

function filesOf(entries: readonly TreeEntry[], folder: string): ServiceFiles {
  const problems: Problem[] = [];
  const plain = (name: string): string | null => {
    const entry = entries.find((candidate) => candidate.name === name);
    if (entry === undefined || entry.mode === '40000') return null;
    if (isPlainFile(entry)) return entry.oid;
    problems.push({
      code: 'unsafe-tree',
      file: `${folder}/${name}`,
      message: 'Only plain files are read: no symbolic links, no submodules.',
    });
    return null;
  };
  return { config: plain('config.yaml'), rollout: plain('rollout.yaml'), problems };
}

/** The first that is there, in the order of the code hosts. */
function codeOwnersIn(forge: readonly TreeEntry[], root: readonly TreeEntry[], docs: readonly TreeEntry[]): BlobRef | null {
  const found = (['.github/', '', 'docs/'] as const).flatMap((folder, index) => {
    const entry = [forge, root, docs][index]?.find(({ name }) => name === 'CODEOWNERS');
    return entry === undefined || !isPlainFile(entry) ? [] : [{ oid: entry.oid, path: `${folder}CODEOWNERS` }];
  });
  return found[0] ?? null;
}

function isPlainFile(entry: TreeEntry): boolean {
  return entry.mode === '100644' || entry.mode === '100755';
}

async function assemble(
  commit: string,
  root: readonly TreeEntry[],
  serviceFolders: readonly TreeEntry[],
  policyFiles: readonly TreeEntry[],
  filesOfService: (entry: TreeEntry) => Promise<ServiceFiles>,
): Promise<Omit<RepositoryTree, 'codeOwners'>> {
  const problems = new Map<string, readonly Problem[]>();
  const file = (name: string): BlobRef | null => {
    const entry = root.find((candidate) => candidate.name === name && isPlainFile(candidate));
    return entry === undefined ? null : { oid: entry.oid, path: name };
  };
  const services = new Map<string, { config: BlobRef | null; rollout: BlobRef | null }>();
  const folders = serviceFolders.filter((entry) => entry.mode === '40000').slice(0, maxServices);
  const named = folders.filter((entry) => serviceName.test(entry.name));
  const bad = folders
    .filter((entry) => !serviceName.test(entry.name))
    .map((entry): Problem => ({
      code: 'unsafe-tree',
      file: `services/${oneLine(entry.name, 100)}`,
      message: 'A service is named by lower-case letters, digits, dots, dashes and underscores; this folder is not looked at.',
    }));
  const links = [
    ...root.filter((entry) => ['actuator.yaml', 'models.yaml'].includes(entry.name) && !isPlainFile(entry)),
    ...policyFiles
      .filter((entry) => entry.name.endsWith('.yaml') && !isPlainFile(entry))
      .map((entry) => ({ ...entry, name: `policies/${entry.name}` })),
  ].map((entry): Problem => ({
    code: 'unsafe-tree',
    file: oneLine(entry.name, 100),
    message: 'Only plain files are read: no symbolic links, no submodules.',
  }));
  if (bad.length + links.length > 0) problems.set('', [...bad, ...links]);
  const read = await Promise.all(named.map(filesOfService));
  named.forEach((entry, index) => {
    const found = read[index];
    if (found === undefined) return;
    const ref = (oid: string | null, name: string): BlobRef | null =>
      oid === null ? null : { oid, path: `services/${entry.name}/${name}` };
    services.set(entry.name, { config: ref(found.config, 'config.yaml'), rollout: ref(found.rollout, 'rollout.yaml') });
    // The path in a cached folder may be that of a twin with equal content.
    if (found.problems.length > 0)
      problems.set(
        entry.name,
        found.problems.map((problem) => ({ ...problem, file: `services/${entry.name}/${problem.file?.split('/').at(-1) ?? ''}` })),
      );
  });
  const policies = new Map(
    policyFiles
      .filter((entry) => isPlainFile(entry) && entry.name.endsWith('.yaml'))
      .map((entry) => [entry.name.slice(0, -5), { oid: entry.oid, path: `policies/${entry.name}` }] as const),
  );
  return { commit, settings: file('actuator.yaml'), catalogue: file('models.yaml'), policies, services, problems };
}

/** Commits of a merged branch that are looked at. */
const mostMerged = 100;

/** Of a merge also everybody whose commits it brings: they have made the change, whoever pressed the button. */
async function authorsOf(mirror: Mirror, commit: string): Promise<string> {
  const head = await mirror.commit(commit);
  const [first, ...merged] = head.parents;
  const authors = new Set([head.author, ...namedIn(head.message)]);
  const seen = new Set<string>();
  for (const queue = [...merged]; queue.length > 0 && seen.size < mostMerged;) {
    const at = queue.pop() ?? '';
    if (seen.has(at) || first === undefined || (await isAncestor(mirror, at, first))) continue;
    seen.add(at);
    const own = await mirror.commit(at);
    for (const author of [own.author, ...namedIn(own.message)]) authors.add(author);
    queue.push(...own.parents);
  }
  return [...authors].join('; ');
}

async function mergeOf(mirror: Mirror, commit: string): Promise<Awaited<ReturnType<ConfigurationRepository['merge']>>> {
  const { parents, author } = await mirror.commit(commit);
  return parents.length > 1 ? { author, parents } : null;
}

/** A squash keeps those who had a hand in it as trailers; ours names who asked for it. Both only add somebody who must not approve. */
function namedIn(message: string): readonly string[] {
  return [...coAuthors(message), ...[...message.matchAll(/^Actuator-Actor:\s*(.+)$/gm)].map(([, name]) => oneLine(name ?? '', 300))];
}

async function firstParents(mirror: Mirror, from: string, to: string, limit: number): Promise<readonly string[] | null> {
  const chain: string[] = [];
  for (let at: string | undefined = to; at !== undefined && chain.length < limit; at = (await mirror.commit(at)).parents[0]) {
    if (at === from) return chain.reverse();
    chain.push(at);
  }
  // Not on the first-parent line: still history when main was moved onto a merge of itself, or when there are very many commits.
  return (await isAncestor(mirror, from, to)) ? [to] : null;
}

async function isAncestor(mirror: Mirror, from: string, to: string): Promise<boolean> {
  if (!isOid(from) || !isOid(to) || (await mirror.objects.read(from, 0)) === null) return false;
  try {
    await mirror.git.run(['merge-base', '--is-ancestor', from, to]);
    return true;
  } catch (thrown) {
    if (thrown instanceof GitExit && thrown.exitCode === 1) return false;
    throw thrown;
  }
}

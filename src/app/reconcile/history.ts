/** Which commits brought what is on the branch now. */
import type { BlobRef, ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';

/** From what was worked through last to what the branch holds now. */
export interface Span {
  readonly from: string;
  readonly tree: RepositoryTree;
  /** First-parent, oldest first, after `from`; null: `from` is not behind the tip, or too far. */
  readonly commits: readonly string[] | null;
}

export interface LastChange {
  readonly commit: string;
  /** Earlier ones that changed the service's own file, the oldest first. */
  readonly passedOver: readonly string[];
  /** Nothing of it was touched: the commit only stands for what the branch holds. */
  readonly isOld: boolean;
}

/**
 * The last commit that changed what the service is made of: its file, or the catalogue. Earlier ones that touched it are superseded by
 * it. A digest may stay the same over such a commit; what it is built on is looked at with it.
 */
export async function lastChange(
  repository: ConfigurationRepository,
  service: string,
  spans: { readonly own: Span; readonly models: Span },
): Promise<LastChange> {
  // Both end at the tip.
  const { tree, commits } = lengthOf(spans.own) > lengthOf(spans.models) ? spans.own : spans.models;
  if (commits === null || spans.own.commits === null) return { commit: tree.commit, passedOver: [], isOld: false };
  const own = await changesOf(repository, spans.own, `services/${service}/config.yaml`);
  const models = await changesOf(repository, spans.models, 'models.yaml');
  const last = Math.max(...[...own.slice(-1), ...models.slice(-1)].map((one) => commits.indexOf(one)), -1);
  const commit = commits[last] ?? tree.commit;
  return { commit, passedOver: own.filter((one) => one !== commit), isOld: last < 0 };
}

function lengthOf({ commits }: Span): number {
  return commits?.length ?? 0;
}

/** Commits of the span that changed the file, the oldest first. A history that does not go on from where we were is its tip. */
export async function changesOf(repository: ConfigurationRepository, span: Span, path: string): Promise<readonly string[]> {
  const { commits, tree, from } = span;
  if (commits === null) return oidAt(tree, path) === oidAt(await repository.tree(from), path) ? [] : [tree.commit];
  return ((await changesIn(repository, span)).get(path) ?? []).flatMap((index) => commits[index] ?? []);
}

/** Files that mean something to us and that the span has touched. */
export async function touchedPaths(repository: ConfigurationRepository, span: Span): Promise<readonly string[]> {
  if (span.commits === null) return differing(await repository.tree(span.from), span.tree);
  return [...(await changesIn(repository, span)).keys()];
}

/** Path -> which commits of the span changed it, the oldest first. Made once for all services. */
type Changes = ReadonlyMap<string, readonly number[]>;

const known = new WeakMap<Span, Promise<Changes>>();

function changesIn(repository: ConfigurationRepository, span: Span): Promise<Changes> {
  const found = known.get(span) ?? computeChanges(repository, span);
  known.set(span, found);
  return found;
}

async function computeChanges(repository: ConfigurationRepository, { from, commits }: Span): Promise<Changes> {
  const changes = new Map<string, number[]>();
  let before = await repository.tree(from);
  for (const [index, commit] of (commits ?? []).entries()) {
    const own = await repository.tree(commit);
    for (const path of differing(before, own)) changes.set(path, [...(changes.get(path) ?? []), index]);
    before = own;
  }
  return changes;
}

/** Of a service, which is no settings file. */
export function isServiceFile(path: string): boolean {
  return /^services\/[^/]+\/config\.yaml$/.test(path);
}

/** What services are made of, and no settings. */
export function isServedFile(path: string): boolean {
  return path === 'models.yaml' || isServiceFile(path);
}

function differing(a: RepositoryTree, b: RepositoryTree): readonly string[] {
  const services = new Set([...a.services.keys(), ...b.services.keys()]);
  const policies = new Set([...a.policies.keys(), ...b.policies.keys()]);
  const paths = [
    'actuator.yaml',
    'models.yaml',
    ...[a, b].flatMap(({ codeOwners }) => codeOwners?.path ?? []),
    ...[...policies].map((name) => `policies/${name}.yaml`),
  ].filter((path) => oidAt(a, path) !== oidAt(b, path));
  for (const service of services) {
    const [was, is] = [a.services.get(service), b.services.get(service)];
    if (was?.config?.oid !== is?.config?.oid) paths.push(`services/${service}/config.yaml`);
    if (was?.rollout?.oid !== is?.rollout?.oid) paths.push(`services/${service}/rollout.yaml`);
  }
  return [...new Set([...paths, ...unsafeInOne(a, b)])];
}

/** A link is no file, and what it stands in the place of changes with it. */
function unsafeInOne(a: RepositoryTree, b: RepositoryTree): readonly string[] {
  const [was, is] = [unsafeIn(a), unsafeIn(b)];
  return [...was.filter((file) => !is.includes(file)), ...is.filter((file) => !was.includes(file))];
}

/** Of a file that means something to us; null: it is not there. Whatever is no plain file is another content than none. */
export function oidAt(tree: RepositoryTree, path: string): string | null {
  return blobAt(tree, path)?.oid ?? (unsafeIn(tree).includes(path) ? 'unsafe' : null);
}

/** Paths of links and the like. */
function unsafeIn({ problems }: RepositoryTree): readonly string[] {
  return problems.size === 0 ? [] : [...problems.values()].flat().flatMap(({ file }) => file ?? []);
}

export function blobAt(tree: RepositoryTree, path: string): BlobRef | null | undefined {
  if (path === 'actuator.yaml') return tree.settings;
  if (path === 'models.yaml') return tree.catalogue;
  if (path === tree.codeOwners?.path) return tree.codeOwners;
  const policy = /^policies\/(.+)\.yaml$/.exec(path)?.[1];
  if (policy !== undefined) return tree.policies.get(policy);
  const [, service = '', file = ''] = /^services\/([^/]+)\/(config|rollout)\.yaml$/.exec(path) ?? [];
  return tree.services.get(service)?.[file === 'rollout' ? 'rollout' : 'config'];
}

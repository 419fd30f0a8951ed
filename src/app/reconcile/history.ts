/** Which commit brought a service's present content. */
import type { ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';

export interface LastChange {
  readonly commit: string;
  /** Earlier ones that changed the service's own file, the newest first; bounded. */
  readonly passedOver: readonly string[];
}

/** So far back people want to know what became of each commit. */
const mostPassedOver = 20;

/**
 * Of `commits` (first-parent, oldest first, after `from`) the last one that changed what the service is made of: its file, or the
 * catalogue. Earlier ones that touched it are superseded by it. A digest may stay the same over such a commit; naming the newer
 * commit for it does no harm, since only digests decide.
 */
export async function lastChange(
  repository: ConfigurationRepository,
  commits: readonly string[],
  from: string,
  service: string,
  head: RepositoryTree,
): Promise<LastChange> {
  const wanted = fingerprint(head, service);
  for (let index = commits.length - 1; index >= 0; index--) {
    const [commit, parent] = step(commits, from, index);
    if (fingerprint(await repository.tree(parent), service) === wanted) continue;
    return { commit, passedOver: await changesBefore(repository, commits, from, service, index) };
  }
  return { commit: head.commit, passedOver: [] };
}

function step(commits: readonly string[], from: string, index: number): readonly [string, string] {
  return [commits[index] ?? from, index === 0 ? from : (commits[index - 1] ?? from)];
}

async function changesBefore(
  repository: ConfigurationRepository,
  commits: readonly string[],
  from: string,
  service: string,
  before: number,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let index = before - 1; index >= Math.max(0, before - mostPassedOver); index--) {
    const [commit, parent] = step(commits, from, index);
    const [own, older] = [await repository.tree(commit), await repository.tree(parent)];
    if (own.services.get(service)?.config?.oid !== older.services.get(service)?.config?.oid) found.push(commit);
  }
  return found;
}

function fingerprint(tree: RepositoryTree, service: string): string {
  return `${tree.services.get(service)?.config?.oid ?? ''} ${tree.catalogue?.oid ?? ''}`;
}

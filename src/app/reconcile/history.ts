/** Which commit brought a service's present content. */
import type { ConfigurationRepository, RepositoryTree } from '../../ports/repository.ts';

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
): Promise<string> {
  const wanted = fingerprint(head, service);
  for (let index = commits.length - 1; index >= 0; index--) {
    const commit = commits[index];
    const parent = index === 0 ? from : commits[index - 1];
    if (commit === undefined || parent === undefined) break;
    if (fingerprint(await repository.tree(parent), service) !== wanted) return commit;
  }
  return head.commit;
}

function fingerprint(tree: RepositoryTree, service: string): string {
  return `${tree.services.get(service)?.config?.oid ?? ''} ${tree.catalogue?.oid ?? ''}`;
}

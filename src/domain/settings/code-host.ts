/** How we work at the code host, as settings say it. */
import type { SectionsCodeHost } from '../../generated/types.ts';

export interface CodeHostSettings {
  /** Role -> teams (organisation/team) whose members have it. */
  readonly roleTeams: Readonly<Record<string, readonly string[]>>;
  readonly deploys: WriteBack;
  readonly reverts: WriteBack;
  /** Null: ours. */
  readonly labels: readonly string[] | null;
  readonly autoMerge: boolean;
  readonly statuses: boolean;
  readonly aggregateAbove: number;
  readonly deployments: boolean;
  readonly comments: boolean;
}

/** `push`: to the branch, and by a pull request where it refuses that. */
type WriteBack = 'push' | 'pull_request';

export function resolveCodeHost(written: SectionsCodeHost): CodeHostSettings {
  return {
    roleTeams: written.role_teams ?? {},
    deploys: written.deploys ?? 'push',
    reverts: written.reverts ?? 'push',
    labels: written.labels ?? null,
    autoMerge: written.auto_merge ?? true,
    statuses: written.statuses ?? true,
    aggregateAbove: written.aggregate_above ?? 20,
    deployments: written.deployments ?? true,
    comments: written.comments ?? true,
  };
}

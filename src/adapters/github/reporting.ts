/** What we tell GitHub of our work: statuses, deployments, comments. Each is looked for before it is written, so that none is there twice. */
import { RefusedError } from '../../base/failures.ts';
import { LRUMap } from '../../base/lru.ts';
import { oneLine } from '../../base/text.ts';
import type { CodeHost, CommitStatus, HostDeploymentStatus } from '../../ports/code-host.ts';
import type { Asking } from './asking.ts';

/** What we know to be there is not looked for again; bounded, and lost with the process, which only costs a look. */
const known = 5000;
/** GitHub refuses longer ones. */
const longestDescription = 140;

export function createStatuses({ at, ask, login }: Asking): Pick<CodeHost, 'ensureStatus'> {
  /** By commit: context -> what stands there. */
  const statuses = new LRUMap<string, Map<string, string>>(known);

  async function statusesOf(commit: string): Promise<Map<string, string>> {
    const found = statuses.get(commit);
    if (found !== undefined) return found;
    const own = await login();
    const list = await ask(`statuses of ${commit.slice(0, 12)}`, (octokit) =>
      octokit.paginate(octokit.rest.repos.listCommitStatusesForRef, { ...at, ref: commit, per_page: 100 }),
    );
    const there = new Map<string, string>();
    // The newest come first.
    for (const { context, state, description, target_url: url, creator } of list)
      if (!there.has(context) && creator?.login === own) there.set(context, JSON.stringify([state, description, url]));
    statuses.set(commit, there);
    return there;
  }

  async function ensureStatus(commit: string, { context, state, description, url }: CommitStatus): Promise<void> {
    const there = await statusesOf(commit);
    const short = oneLine(description, longestDescription);
    const wanted = JSON.stringify([state, short, url]);
    if (there.get(context) === wanted) return;
    // Until the answer is here nobody knows.
    statuses.delete(commit);
    await ask(`status ${context} of ${commit.slice(0, 12)}`, (octokit) =>
      octokit.rest.repos.createCommitStatus({ ...at, sha: commit, context, state, description: short, target_url: url }),
    );
    statuses.set(commit, there.set(context, wanted));
  }

  return { ensureStatus };
}

export function createDeployments({ at, ask }: Asking): Pick<CodeHost, 'ensureDeployment'> {
  const deployments = new LRUMap<string, { readonly number: number; status: string }>(known);

  async function deploymentNumber(id: string, commit: string, environment: string, description: string): Promise<number> {
    return ask(`deployment ${id}`, async (octokit) => {
      const list = await octokit.paginate(octokit.rest.repos.listDeployments, { ...at, sha: commit, environment, per_page: 100 });
      const found = list.find(({ payload }) => deploymentOf(payload) === id);
      if (found !== undefined) return found.id;
      const { data } = await octokit.rest.repos.createDeployment({
        ...at,
        ref: commit,
        environment,
        task: 'deploy',
        description: oneLine(description, longestDescription),
        auto_merge: false,
        // Ours is the gate; a check that failed has kept the pull request from being merged.
        required_contexts: [],
        payload: { deployment_id: id },
      });
      if (!('id' in data)) throw new RefusedError(`GitHub made no deployment of ${id}: ${data.message ?? 'it gives no reason'}`);
      return data.id;
    });
  }

  async function deploymentStatus(number: number): Promise<string> {
    const list = await ask(`deployment ${number}`, (octokit) =>
      octokit.rest.repos.listDeploymentStatuses({ ...at, deployment_id: number, per_page: 1 }),
    );
    const [newest] = list.data;
    return newest === undefined ? '' : statusKey(newest.state, newest.description);
  }

  async function setDeploymentStatus(number: number, status: HostDeploymentStatus): Promise<void> {
    const { state, description, url, environmentUrl } = status;
    await ask(`deployment ${number}`, (octokit) =>
      octokit.rest.repos.createDeploymentStatus({
        ...at,
        deployment_id: number,
        state,
        description: oneLine(description, longestDescription),
        ...(url === null ? {} : { log_url: url }),
        ...(environmentUrl === null ? {} : { environment_url: environmentUrl }),
      }),
    );
  }

  return {
    async ensureDeployment({ id, commit, environment, description }, status) {
      let there = deployments.get(id);
      if (there === undefined) {
        const number = await deploymentNumber(id, commit, environment, description);
        there = { number, status: await deploymentStatus(number) };
      }
      const wanted = statusKey(status.state, oneLine(status.description, longestDescription));
      deployments.delete(id);
      // What a later one has succeeded, GitHub shows as inactive by itself; said again, it would take that one's place.
      const isPast = there.status.startsWith('["inactive"') && status.state === 'success';
      if (there.status !== wanted && !isPast) await setDeploymentStatus(there.number, status);
      deployments.set(id, { ...there, status: wanted });
    },
  };
}

export function createComments({ at, ask, login }: Asking): Pick<CodeHost, 'ensureComment'> {
  const comments = new LRUMap<string, { readonly id: number; body: string }>(known);

  async function findComment(number: number, marker: string): Promise<{ readonly id: number; body: string } | null> {
    const own = await login();
    const list = await ask(`comments of #${number}`, (octokit) =>
      octokit.paginate(octokit.rest.issues.listComments, { ...at, issue_number: number, per_page: 100 }),
    );
    // Anybody can write the marker.
    const found = list.find(({ user, body }) => user?.login === own && body?.includes(marker) === true);
    return found === undefined ? null : { id: found.id, body: found.body ?? '' };
  }

  return {
    async ensureComment(number, marker, text) {
      const key = `${number} ${marker}`;
      const body = `${marker}\n${text}`;
      const there = comments.get(key) ?? (await findComment(number, marker));
      if (there?.body === body) return;
      comments.delete(key);
      const written = await ask(`comment on #${number}`, async (octokit) =>
        there === null
          ? octokit.rest.issues.createComment({ ...at, issue_number: number, body })
          : octokit.rest.issues.updateComment({ ...at, comment_id: there.id, body }),
      );
      comments.set(key, { id: written.data.id, body });
    },
  };
}

function statusKey(state: string, description: string): string {
  return JSON.stringify([state, description]);
}

function deploymentOf(payload: unknown): unknown {
  const value: unknown = typeof payload === 'string' && payload.startsWith('{') ? JSON.parse(payload) : payload;
  return typeof value === 'object' && value !== null && 'deployment_id' in value ? value.deployment_id : null;
}

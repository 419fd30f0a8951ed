/** Deployments and their statuses. */
import { invalid, ok, refusal, repo, text, type Answer, type Call, type Handler } from './call.ts';
import * as json from './json.ts';
import { newId, timestamp, type Deployment } from './state.ts';

export const deploymentRoutes: Readonly<Record<string, Handler>> = {
  [`GET ${repo}/deployments`]: ({ state, query }) => {
    const [sha, environment] = [query.get('sha'), query.get('environment')];
    const found = state.deployments.filter(
      (one) => (sha === null || one.sha === sha) && (environment === null || one.environment === environment),
    );
    return ok(found.map((deployment) => json.deploymentJson(state, deployment)));
  },
  [`POST ${repo}/deployments`]: async ({ state, login, body }) => {
    const commit = await state.bare.commit(text(body['ref']));
    if (commit === null) return invalid(`No ref found for: ${text(body['ref'])}`);
    const deployment: Deployment = {
      id: newId(state),
      sha: commit.sha,
      environment: text(body['environment']),
      description: text(body['description']),
      payload: body['payload'],
      author: login,
      at: timestamp(),
      statuses: [],
    };
    state.deployments.push(deployment);
    return ok(json.deploymentJson(state, deployment), 201);
  },
  [`GET ${repo}/deployments/{deployment_id}/statuses`]: withDeployment(({ state }, deployment) =>
    ok([...deployment.statuses].reverse().map((status) => json.deploymentStatusJson(state, deployment, status))),
  ),
  [`POST ${repo}/deployments/{deployment_id}/statuses`]: withDeployment(({ state, login, body }, deployment) => {
    const status = {
      id: newId(state),
      state: text(body['state']),
      description: text(body['description']),
      logUrl: text(body['log_url']),
      environmentUrl: text(body['environment_url']),
      author: login,
      at: timestamp(),
    };
    // By default what succeeded before in the same environment becomes inactive.
    const others = status.state === 'success' && body['auto_inactive'] !== false ? state.deployments : [];
    for (const other of others)
      if (other !== deployment && other.environment === deployment.environment && other.statuses.at(-1)?.state === 'success')
        other.statuses.push({ ...status, id: newId(state), state: 'inactive', description: '' });
    deployment.statuses.push(status);
    return ok(json.deploymentStatusJson(state, deployment, status), 201);
  }),
};

function withDeployment(work: (call: Call, deployment: Deployment) => Answer): Handler {
  return (call) => {
    const found = call.state.deployments.find(({ id }) => id === Number(call.path['deployment_id']));
    return found === undefined ? refusal(404, 'Not Found') : work(call, found);
  };
}

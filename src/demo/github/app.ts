/** A GitHub App: signed by its key, it asks for tokens that work for an hour. */
import { createPublicKey, generateKeyPairSync, randomBytes, verify, type KeyObject } from 'node:crypto';
import { publicUserJson, repoUrl, userJson } from './json.ts';
import { refusal, type Answer } from './call.ts';
import { timestamp, type State } from './state.ts';

export interface App {
  readonly id: string;
  readonly privateKey: string;
  readonly publicKey: KeyObject;
  rotate(): string;
}

export function newApp(): App {
  const make = (): { privateKey: string; publicKey: KeyObject } => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { privateKey, publicKey: createPublicKey(pair.privateKey) };
  };
  let keys = make();
  return {
    id: '4711',
    get privateKey() {
      return keys.privateKey;
    },
    get publicKey() {
      return keys.publicKey;
    },
    rotate() {
      keys = make();
      return keys.privateKey;
    },
  };
}

export const botLogin = 'actuator[bot]';
const appItself = 'app:';

/** Null: nobody. A JSON Web Token of the app's stands for the app itself. */
export function loginOf(state: State, app: App, authorization: string): string | null {
  const [scheme = '', token = ''] = authorization.split(' ');
  if (!/^(token|bearer)$/i.test(scheme)) return null;
  const known = state.tokens.get(token);
  if (known !== undefined) return known;
  const [head = '', claims = '', signature = ''] = token.split('.');
  if (signature === '') return null;
  const isOurs = verify('sha256', Buffer.from(`${head}.${claims}`), app.publicKey, Buffer.from(signature, 'base64url'));
  const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { iss?: unknown };
  return isOurs && String(iss) === app.id ? appItself : null;
}

/** What only an app asks, and in its own name. */
export function appRoute(state: State, app: App, operation: string, login: string): Answer | null {
  const isAppRoute = /^(GET \/app$|POST \/app\/|GET \/repos\/\{owner\}\/\{repo\}\/installation$)/.test(operation);
  if (!isAppRoute) return login === appItself ? refusal(403, 'Resource not accessible by integration') : null;
  if (login !== appItself) return refusal(401, 'A JSON web token could not be decoded');
  const bot = state.users.get(botLogin);
  const { permissions } = state;
  if (operation === 'GET /app')
    return {
      status: 200,
      body: {
        id: Number(app.id),
        slug: 'actuator',
        node_id: 'A_1',
        owner: bot === undefined ? null : publicUserJson(state, bot),
        name: 'actuator',
        description: null,
        external_url: state.url,
        html_url: state.url,
        created_at: timestamp(),
        updated_at: timestamp(),
        permissions,
        events: ['push', 'pull_request_review'],
      },
    };
  if (operation.startsWith('GET'))
    return {
      status: 200,
      body: {
        id: 42,
        account: userJson(state, state.owner),
        access_tokens_url: `${state.url}/api/v3/app/installations/42/access_tokens`,
        repositories_url: repoUrl(state),
        html_url: state.url,
        app_id: Number(app.id),
        app_slug: 'actuator',
        target_id: 1,
        target_type: 'Organization',
        permissions,
        events: ['push'],
        created_at: timestamp(),
        updated_at: timestamp(),
        single_file_name: null,
        repository_selection: 'selected',
        suspended_by: null,
        suspended_at: null,
      },
    };
  const token = `ghs_${randomBytes(18).toString('hex')}`;
  state.tokens.set(token, botLogin);
  return { status: 201, body: { token, expires_at: new Date(Date.now() + 3_600_000).toISOString(), permissions } };
}

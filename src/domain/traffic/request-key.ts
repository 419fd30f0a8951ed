/** Where the key comes from that a request is divided by. */
import { isObject } from '../../base/json.ts';

export interface KeySource {
  readonly header: (name: string) => string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  /** Names the client's API key, where clients need one. */
  readonly clientKey: string | null;
}

/** The key of a request, or null when it has none. */
export type KeyReader = (source: KeySource) => string | null;

/**
 * A reader for `hash_key`. The places are looked at in order:
 * user_id: header x-user-id, body safety_identifier, body user, metadata.user_id. session_id: header x-session-id, body
 * prompt_cache_key, metadata.session_id. request_id: header x-request-id. client_key: the client's API key, by its name.
 * header:<name> and metadata.<field> are read as they are. The API key is no silent fallback: one that a whole application shares
 * would put all of its users on one side.
 */
export function keyReader(hashKey: string): KeyReader {
  if (hashKey.startsWith('header:')) {
    const name = hashKey.slice(7).toLowerCase();
    return ({ header }) => header(name) ?? null;
  }
  if (hashKey.startsWith('metadata.')) {
    const field = hashKey.slice(9);
    return ({ body }) => metadataText(body, field);
  }
  switch (hashKey) {
    case 'session_id':
      return sessionIdOf;
    case 'request_id':
      return ({ header }) => header('x-request-id') ?? null;
    case 'client_key':
      return ({ clientKey }) => clientKey;
    default:
      return userIdOf;
  }
}

export const userIdOf: KeyReader = ({ header, body }) =>
  header('x-user-id') ?? text(body['safety_identifier']) ?? text(body['user']) ?? metadataText(body, 'user_id');

export const sessionIdOf: KeyReader = ({ header, body }) =>
  header('x-session-id') ?? text(body['prompt_cache_key']) ?? metadataText(body, 'session_id');

function metadataText(body: KeySource['body'], field: string): string | null {
  const metadata = body['metadata'];
  return isObject(metadata) && Object.hasOwn(metadata, field) ? text(metadata[field]) : null;
}

function text(value: unknown): string | null {
  if (typeof value === 'string' && value !== '') return value;
  return typeof value === 'number' ? String(value) : null;
}

/**
 * Request ids that say which variant answered, and that nobody can forge: `req-<revision>.<time and chance>.<mac>`. Feedback that names
 * one is counted by any gateway of the fleet, with nothing to look up.
 */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { refuse, ok, type Result } from '../base/result.ts';
import type { BucketKey } from './recorder.ts';

export interface IssuedRequest {
  readonly key: BucketKey;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `o`: handed out by OFREP, so the application made the request itself. */
  readonly kind: RequestKind;
}

export type RequestKind = 'g' | 'o';

/** All that an id tells of the revision; part of each id of a route, made once. */
export function revisionCode(key: BucketKey): string {
  const fields = [key.service, key.variant, key.digest, key.deploymentId, key.model, key.route];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

export interface RequestIds {
  issue(revision: string, kind: RequestKind, now: number): string;
  /** Or why it is none of ours. */
  read(id: string): Result<IssuedRequest, string>;
  /** From the control plane, the same for all gateways. */
  setKey(key: Buffer): void;
}

/** 96 bits. */
const macCharacters = 16;

export function createRequestIds(initialKey: Buffer = randomBytes(32)): RequestIds {
  let key = initialKey.toString('base64');
  // Chance once, then counted: unique, and cheaper than chance for each.
  const start = randomBytes(6).toString('base64url');
  let count = 0;

  /** Keyed SHA-256 inside keyed SHA-256, as in HMAC, by the one-shot function: at each request an Hmac object costs several times as much. */
  function mac(text: string): string {
    return hash('sha256', `${key}.outer.${hash('sha256', `${key}.inner.${text}`, 'base64url')}`, 'base64url').slice(0, macCharacters);
  }

  return {
    issue(revision, kind, now) {
      const text = `${revision}.${kind}${now.toString(36)}-${start}${(count++).toString(36)}`;
      return `req-${text}.${mac(text)}`;
    },
    read(id) {
      const match = /^req-(([A-Za-z0-9_-]{1,1000})\.([go])([0-9a-z]{1,10})-[A-Za-z0-9_-]{1,30})\.([A-Za-z0-9_-]{16})$/.exec(id);
      if (match === null) return refuse('it is not the value of an x-actuator-request-id header');
      const [, text = '', revision = '', kind, time = '', given = ''] = match;
      if (!timingSafeEqual(Buffer.from(mac(text)), Buffer.from(given))) return refuse('its signature does not fit: it was not issued here');
      const at = Number.parseInt(time, 36);
      return ok({ key: readRevision(revision), at, kind: kind === 'o' ? 'o' : 'g' });
    },
    setKey: (next) => {
      key = next.toString('base64');
    },
  };
}

/** Only called for what we have signed. */
function readRevision(code: string): BucketKey {
  type Fields = [string, 'stable' | 'canary', string, string | null, string, string];
  const [service, variant, digest, deploymentId, model, route] = JSON.parse(Buffer.from(code, 'base64url').toString('utf8')) as Fields;
  return { service, variant, digest, deploymentId, generation: null, model, route };
}

/** Webhooks: hints that somebody has pushed or reviewed. The body is capped before it is read, and believed only with its signature. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { verifyWithFallback } from '@octokit/webhooks-methods';
import { Counter, type Registry } from 'prom-client';
import type { WakeUp } from '../app/reconcile/wake-up.ts';
import type { Problem } from '../base/problem.ts';
import type { ReadDelivery } from '../ports/webhook.ts';
import { sendProblems, type ApiDeps } from './routing.ts';

/** Null where webhooks are not set up. */
export interface WebhookDeps {
  /** The one in use first; older ones hold while they are rotated out. */
  readonly secrets: readonly [string, ...string[]];
  readonly read: ReadDelivery;
  readonly wakeUp: WakeUp;
}

const bodyCap = 1024 * 1024;
const keptDeliveries = 20_000;
/** Deliveries taken at once and each second after that: far above what people cause, far below what would keep the leader from its work. */
const burst = 20_000;
const perSecond = 200;

export function addWebhookRoutes(
  api: FastifyInstance,
  { clock }: Pick<ApiDeps, 'clock'>,
  webhooks: WebhookDeps | null,
  registry: Registry,
): void {
  const counter = new Counter({
    name: 'actuator_webhook_deliveries_total',
    help: 'Webhook deliveries by what became of them.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const isAllowed = tokenBucket(() => clock.now());
  const isRepeated = rememberDeliveries();

  async function refuseWhereNotSetUp(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (webhooks === null) return sendProblems(reply, 404, [notSetUp]);
  }

  // A scope of its own: other routes go on to parse JSON.
  void api.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: bodyCap }, (_request, body, parsed) =>
      parsed(null, body),
    );
    const options = { config: { role: 'public' }, bodyLimit: bodyCap, onRequest: refuseWhereNotSetUp } as const;
    scope.post('/api/v1/webhooks/github', options, async (request, reply) => {
      const outcome = webhooks === null ? 'ignored' : await take(webhooks, { isAllowed, isRepeated }, request, reply);
      counter.inc({ outcome });
      return reply;
    });
    done();
  });
}

const notSetUp: Problem = {
  code: 'not-found',
  message: 'Webhooks are not set up here; start the daemon with --webhook-secret-file. The branch is polled all the same.',
};
const tooMany: Problem = { code: 'unavailable', message: 'Too many deliveries; the branch is polled all the same.' };
const malformed: Problem = {
  code: 'bad-request',
  message: 'A delivery has the headers x-github-event, x-github-delivery and x-hub-signature-256, and a JSON body.',
};
const forged: Problem = {
  code: 'unauthenticated',
  message: "The signature does not fit: compare the webhook's secret with the daemon's --webhook-secret-file.",
};

interface Limits {
  readonly isAllowed: () => boolean;
  readonly isRepeated: (signature: string) => boolean;
}

/** Answers, and says what became of the delivery. */
async function take(
  { secrets, read, wakeUp }: WebhookDeps,
  { isAllowed, isRepeated }: Limits,
  { headers, body }: FastifyRequest,
  reply: FastifyReply,
): Promise<string> {
  const { 'x-hub-signature-256': signature, 'x-github-event': event, 'x-github-delivery': delivery } = headers;
  if (typeof body !== 'string' || body === '' || typeof event !== 'string' || typeof delivery !== 'string')
    return sendRefusal(reply, 400, malformed, 'malformed');
  if (!(await isSigned(secrets, body, signature))) return sendRefusal(reply, 401, forged, 'forged');
  // After the signature: nobody without the secret can use up what others need.
  if (!isAllowed()) return sendRefusal(reply.header('retry-after', '1'), 429, tooMany, 'limited');
  const hint = read(event, parsed(body));
  if (!hint.ok) return sendRefusal(reply, 400, hint.error[0] ?? malformed, 'malformed');
  const said = hint.value;
  if (said.kind === 'ping') return send(reply, 200, 'ping');
  if (said.kind === 'ignored') return send(reply, 202, 'ignored', said.reason);
  // Signed, unlike the id that comes with it.
  if (isRepeated(String(signature))) return send(reply, 202, 'repeated');
  wakeUp.hint(said.commit);
  return send(reply, 202, 'woken');
}

/** By any of the secrets, compared in constant time. */
async function isSigned([secret, ...older]: WebhookDeps['secrets'], body: string, signature: unknown): Promise<boolean> {
  return typeof signature === 'string' && signature !== '' && (await verifyWithFallback(secret, body, signature, older)) === true;
}

async function sendRefusal(reply: FastifyReply, status: number, problem: Problem, outcome: string): Promise<string> {
  await sendProblems(reply, status, [problem]);
  return outcome;
}

function send(reply: FastifyReply, status: number, outcome: string, reason?: string): string {
  void reply.code(status).send({ outcome, ...(reason === undefined ? {} : { reason }) });
  return outcome;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return null;
  }
}

/** True for a signature that was taken before: a delivery that is sent again, by whomever, says nothing new. */
function rememberDeliveries(): (signature: string) => boolean {
  const ids = new Set<string>();
  return (signature) => {
    if (ids.has(signature)) return true;
    ids.add(signature);
    for (const oldest of ids) {
      if (ids.size <= keptDeliveries) break;
      ids.delete(oldest);
    }
    return false;
  };
}

function tokenBucket(now: () => number): () => boolean {
  let [tokens, filledAt] = [burst, now()];
  return () => {
    const at = now();
    tokens = Math.min(burst, tokens + (Math.max(0, at - filledAt) / 1000) * perSecond);
    filledAt = at;
    if (tokens < 1) return false;
    tokens--;
    return true;
  };
}

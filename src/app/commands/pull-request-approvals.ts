/** Approvals of open pull requests through the API: bound to the content of their head, and left there as a review. */
import type { Problem } from '../../base/problem.ts';
import { cell } from '../../base/markdown.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { isSamePerson, namesOf, personOf } from '../../domain/safety/gates.ts';
import { newService } from '../../domain/rollout/state.ts';
import { resolveRolloutSettings } from '../../domain/settings/resolve.ts';
import type { DocumentReader } from '../../domain/config/document.ts';
import type { ApprovalRequest } from '../../generated/types.ts';
import type { CodeHost, PullRequest } from '../../ports/code-host.ts';
import type { Store } from '../../ports/store.ts';
import { createHeadDigests, type Content } from '../code-host/head-digests.ts';
import { authorsOf, dropGiven, keepGiven } from '../code-host/pull-request.ts';
import { settingsFor, type Accepted } from '../reconcile/admission.ts';
import { identityProblem, type ApprovalDeps } from './approvals.ts';

export interface PullRequestApprovalDeps extends ApprovalDeps {
  readonly codeHost: CodeHost | null;
  readonly store: Store;
  readonly read: DocumentReader;
  /** Settings in force. */
  readonly accepted: () => Accepted | null;
}

export interface Reviewed {
  readonly pull_request: number;
  /** What was reviewed, of each service that it changes. */
  readonly services: readonly { readonly service: string; readonly digest: string }[];
  /** False: the host takes no review of ours on this one, and has the words as a comment. */
  readonly review_left: boolean;
}

type Verdict = 'approved' | 'changes-requested';

export async function reviewPullRequest(
  deps: PullRequestApprovalDeps,
  request: ApprovalRequest & { readonly pull_request: number },
  caller: string,
  verdict: Verdict,
): Promise<Result<Reviewed, readonly Problem[]>> {
  const { codeHost: host } = deps;
  const wrong = fieldProblems(request, verdict) ?? identityProblem(deps.people(), request.approver, caller);
  if (wrong !== null) return refuse([wrong]);
  if (host === null) return refuse([{ code: 'not-applicable', message: 'No code host is connected, so there are no pull requests here.' }]);
  const found = await openOne(deps, host, request.pull_request, caller, verdict);
  if (!found.ok) return found;
  const services = await contentOf(deps, host, found.value);
  if (services.ok && verdict === 'approved') {
    const lacking = services.value.flatMap(({ service }) => roleProblem(deps, service, caller) ?? []);
    if (lacking.length > 0) return refuse(lacking.slice(0, 1));
  }
  if (!services.ok) return services;
  const review = { pull: found.value, services: services.value, request, caller, verdict };
  const event = await inTurn(deps.store, () => keep(deps, review));
  return leave(deps, host, review, event);
}

const turns = new WeakMap<Store, Promise<unknown>>();

/** What somebody has said is read and written again: one at a time, or one of two would be lost. */
function inTurn<T>(store: Store, work: () => Promise<T>): Promise<T> {
  const mine = (turns.get(store) ?? Promise.resolve()).then(work, work);
  turns.set(
    store,
    mine.catch(() => undefined),
  );
  return mine;
}

/** That is open, and that the caller may say something about. */
async function openOne(
  { people, store }: PullRequestApprovalDeps,
  host: CodeHost,
  number: number,
  caller: string,
  verdict: Verdict,
): Promise<Result<PullRequest, readonly Problem[]>> {
  const pull = await host.pullRequest(number);
  if (pull === null) return refuse([{ code: 'not-found', message: `There is no pull request #${number}.` }]);
  if (pull.state !== 'open')
    return refuse([
      {
        code: 'not-applicable',
        message: `Pull request #${number} is ${pull.state}; what waits of it is approved by its deployment (pending-approvals).`,
      },
    ]);
  if (verdict !== 'approved') return ok(pull);
  const { identities, problem } = await authorsOf({ host, store }, pull);
  if (problem !== null)
    return refuse([
      {
        code: 'not-applicable',
        message: `#${number} ${problem}, so nobody is known to have no hand in it.`,
      },
    ]);
  if (!identities.flatMap(namesOf).some((author) => isSamePerson(people(), author, caller))) return ok(pull);
  return refuse([{ code: 'forbidden', message: `${caller} has a hand in #${number}, and nobody approves a change of their own.` }]);
}

/** By the settings in force; those that the change comes under are looked at again when it is merged. */
function roleProblem({ accepted, people }: PullRequestApprovalDeps, service: string, caller: string): Problem | null {
  const settings = accepted();
  const resolved =
    settings === null ? null : resolveRolloutSettings({ ...settingsFor(settings, service), oneOff: undefined, choice: null });
  if (resolved?.ok !== true) return null;
  const { roles, approvers } = resolved.value.gates;
  if (roles.length === 0 || personOf(approvers, personOf(people(), caller)?.name ?? caller) !== null) return null;
  return {
    code: 'forbidden',
    message: `An approver of ${service} needs the role ${roles.join(' or ')}, which ${caller} does not have. Roles are given under \`people\` in actuator.yaml; members of teams review at the code host.`,
  };
}

type Found = Content & { readonly service: string };

interface Review {
  readonly pull: PullRequest;
  readonly services: readonly Found[];
  readonly request: ApprovalRequest;
  readonly caller: string;
  readonly verdict: Verdict;
}

/** Kept first: what the host shows is for people, and what is kept counts. What our review there may say. */
async function keep(
  { people, store, clock }: PullRequestApprovalDeps,
  { pull, services, request, caller, verdict }: Review,
): Promise<Verdict | 'commented'> {
  const approver = personOf(people(), caller)?.name ?? caller;
  const words = request.comment ?? request.reason ?? '';
  const comment = `on #${pull.number}, through the API${words === '' ? '' : `: ${words}`}`;
  for (const { service, digest, content } of services) {
    if (verdict === 'approved') await keepGiven(store, service, digest, { approver, comment, at: clock.now(), review: true, content });
    else await dropGiven(store, service, digest, approver);
  }
  const others = await rejectionsBy(store, pull.number, approver, verdict);
  // Ours is one voice at the host: it must not lift what somebody else has said through us.
  return verdict === 'approved' && others.length > 0 ? 'commented' : verdict;
}

async function leave(
  { people }: PullRequestApprovalDeps,
  host: CodeHost,
  { pull, services, request, caller, verdict }: Review,
  event: Verdict | 'commented',
): Promise<Result<Reviewed, readonly Problem[]>> {
  const approver = personOf(people(), caller)?.name ?? caller;
  const words = request.comment ?? request.reason ?? '';
  const said = verdict === 'approved' ? 'approves this' : 'wants this changed';
  const body = `**${cell(approver)}** ${said}, through Actuator${words === '' ? '.' : `: ${cell(words)}`}`;
  const left = await host.leaveReview(pull.number, event, pull.head, body);
  return ok({ pull_request: pull.number, services: services.map(({ service, digest }) => ({ service, digest })), review_left: left });
}

const rejectedKey = (number: number): string => `rejected/${number}`;

/** Keeps what somebody says now; the others who have turned the pull request down through us. */
async function rejectionsBy(store: Store, number: number, approver: string, verdict: Verdict): Promise<readonly string[]> {
  const saved = await store.get(rejectedKey(number));
  const others = (saved === null ? [] : (JSON.parse(saved) as string[])).filter((one) => one !== approver);
  const all = verdict === 'approved' ? others : [...others, approver];
  if (all.length > 0) await store.put(rejectedKey(number), JSON.stringify(all));
  else if (saved !== null) await store.remove(rejectedKey(number));
  return others;
}

function fieldProblems(request: ApprovalRequest, verdict: Verdict): Problem | null {
  const other = (['service', 'deployment_id', 'digest'] as const).find((key) => request[key] !== undefined);
  if (other !== undefined)
    return { code: 'bad-request', path: `/${other}`, message: `"${other}" is about a deployment; with "pull_request" leave it out.` };
  if (verdict === 'approved') return null;
  if (request.comment !== undefined) return { code: 'unknown-key', path: '/comment', message: 'reject takes "reason", not "comment".' };
  return request.reason === undefined
    ? { code: 'missing', path: '/reason', message: 'reject needs "reason": the author wants to know.' }
    : null;
}

/** What its head holds of each service that it changes. */
async function contentOf(
  deps: PullRequestApprovalDeps,
  host: CodeHost,
  pull: PullRequest,
): Promise<Result<readonly Found[], readonly Problem[]>> {
  const files = await host.changedFiles(pull.number);
  if (files.includes('models.yaml'))
    return refuse([
      {
        code: 'not-applicable',
        message: `#${pull.number} changes models.yaml, which every service shares; review it at the code host, or approve its deployments when it is merged.`,
      },
    ]);
  const names = [...new Set(files.flatMap((path) => /^services\/([^/]+)\/config\.yaml$/.exec(path)?.[1] ?? []))];
  const digests = createHeadDigests({ host, read: deps.read, store: deps.store, repository: null });
  const found = await Promise.all(
    names.map(async (service) => {
      const all = await digests.of(deps.engine.state(service) ?? newService(service), pull.head, null);
      return all.map((content) => ({ service, ...content }));
    }),
  );
  const services = found.flat();
  if (services.length > 0) return ok(services);
  return refuse([
    {
      code: 'not-applicable',
      message: `#${pull.number} changes no service in a way that could be deployed; there is nothing to approve here.`,
    },
  ]);
}

/** Writes a change to the branch, as a person's commit would: the reconciler then finds it there. */
import { TransientError } from '../../base/failures.ts';
import { sha256Hex } from '../../base/hash.ts';
import { canonicalJson, isObject } from '../../base/json.ts';
import { cell, code } from '../../base/markdown.ts';
import type { Problem } from '../../base/problem.ts';
import { ok, refuse, type Result } from '../../base/result.ts';
import { oneLine } from '../../base/text.ts';
import type { DocumentReader } from '../../domain/config/document.ts';
import { groundProblems, winningPatch, withoutOneOffs } from '../../domain/config/arms.ts';
import { defineService, type Past } from '../../domain/config/service-definition.ts';
import { quarantineOf, type PullRequestRef } from '../../domain/rollout/state.ts';
import type { AbTestRequest, DeployRequest } from '../../generated/types.ts';
import type { Clock } from '../../ports/clock.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { Log } from '../../ports/log.ts';
import type { ConfigurationWriter } from '../../ports/repository.ts';
import type { Store } from '../../ports/store.ts';
import { requestChange } from '../code-host/change-request.ts';
import { branchRequesterKey } from '../code-host/parts.ts';
import type { ControlPlane } from '../control-plane.ts';
import { decidedTests, type DecidedTests } from '../reconcile/decided-tests.ts';
import { settingsFor } from '../reconcile/admission.ts';
import { requesterKey } from '../reconcile/commit-facts.ts';
import { chooseService } from './choose-service.ts';

export interface DeployDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly controlPlane: ControlPlane;
  readonly writer: ConfigurationWriter;
  /** Null: changes are pushed, or not at all. */
  readonly codeHost: CodeHost | null;
  readonly store: Pick<Store, 'get' | 'put' | 'configuration'>;
  readonly read: DocumentReader;
  /** YAML without a schema: a patch may hold nulls, and be less than a configuration. */
  readonly parseYaml: (text: string, file: string) => Result<{ readonly value: unknown }, readonly Problem[]>;
  /** Merges (RFC 7396) onto YAML text and keeps its comments. */
  readonly mergeYaml: (text: string | null, patch: Readonly<Record<string, unknown>>) => string;
}

export interface Deployed {
  readonly service: string;
  readonly commit: string;
  /** Null when the commit has not been seen within the time that a caller waits. */
  readonly deployment_id: string | null;
  /** That the change came to, in the place of a push; null: it was pushed. */
  readonly pull_request: PullRequestRef | null;
}

export async function deploy(deps: DeployDeps, request: DeployRequest, actor: string): Promise<Result<Deployed, readonly Problem[]>> {
  const written = parseChange(deps, request.config);
  return written.ok ? commitChange(deps, request, written.value, actor) : written;
}

/** Commits variants, and how they are compared. */
export async function startAbTest(deps: DeployDeps, request: AbTestRequest, actor: string): Promise<Result<Deployed, readonly Problem[]>> {
  const { strategy, ...order } = request;
  const written = parseChange(deps, request.config);
  if (!written.ok) return written;
  const { ab_test: test } = written.value;
  if (!isObject(test) || !Array.isArray(written.value['variants']))
    return refuse([
      { code: 'missing', message: 'The file needs variants, a list of two or more, and ab_test, which says how they are compared.' },
    ]);
  const change = { ...written.value, ab_test: strategy === undefined ? test : { ...test, strategy } };
  return commitChange(deps, order, change, actor);
}

type Change = Readonly<Record<string, unknown>>;

function parseChange(deps: DeployDeps, text: string): Result<Change, readonly Problem[]> {
  const parsed = deps.parseYaml(text, 'config');
  if (!parsed.ok) return parsed;
  const written = parsed.value.value;
  return isObject(written)
    ? ok(written)
    : refuse([{ code: 'schema', file: 'config', message: 'The configuration must be a map of keys.' }]);
}

async function commitChange(
  deps: DeployDeps,
  request: DeployRequest,
  written: Change,
  actor: string,
): Promise<Result<Deployed, readonly Problem[]>> {
  const chosen = chooseService(
    deps.controlPlane.engine.states().map((state) => state.service),
    request.service ?? namedService(written),
  );
  if (!chosen.ok) return chosen;
  const service = chosen.value;
  const stalled = deps.controlPlane.problems().repository;
  if (stalled !== null) return refuse([{ code: 'unavailable', message: `Nothing was committed: ${stalled}` }]);
  // One-off overrides are for one rollout: those of an earlier one must not come back.
  const patch = {
    ...withoutOneOffs,
    ...written,
    ...(request.strategy === undefined ? {} : { deployment_strategy: { ...strategyOf(written), ...request.strategy } }),
  };
  const past = await pastOf(deps, service);
  const tests = await decidedTests(deps.store, service, deps.controlPlane.engine.state(service)?.decided ?? []);
  let problems: readonly Problem[] = [];
  const order = {
    path: `services/${service}/config.yaml`,
    edit: (text: string | null): string | null => {
      const merged = deps.mergeYaml(withWinner(deps, text, tests), patch);
      problems = check(deps, service, merged, past);
      return problems.length > 0 ? null : merged;
    },
    message: deployMessage(service, request, actor),
  };
  const { deploys } = deps.controlPlane.settings().codeHost;
  const outcome =
    deploys === 'pull_request'
      ? ({ kind: 'blocked', message: 'settings ask for a pull request' } as const)
      : // Its author is us, and whoever asked must not approve it.
        await deps.writer.edit({ ...order, announce: (commit) => deps.store.put(requesterKey(commit), actor) });
  if (problems.length > 0) return refuse(problems);
  if (outcome.kind === 'blocked') {
    if (deps.codeHost !== null) return proposeChange(deps, deps.codeHost, { service, request, actor, order, problems: () => problems });
    return refuse([{ code: 'forbidden', message: `The branch can't be written: ${outcome.message}. Open a pull request instead.` }]);
  }
  if (outcome.kind === 'not-needed') return refuse([nothingToDeploy(service)]);
  deps.controlPlane.poll();
  return ok({ service, commit: outcome.commit, deployment_id: await deploymentOf(deps, service, outcome.commit), pull_request: null });
}

function nothingToDeploy(service: string): Problem {
  return { code: 'conflict', message: `services/${service}/config.yaml already says that; there is nothing to deploy.` };
}

interface ProposedChange {
  readonly service: string;
  readonly request: DeployRequest;
  readonly actor: string;
  readonly order: { readonly path: string; readonly edit: (text: string | null) => string | null; readonly message: string };
  /** What the last edit found wrong. */
  readonly problems: () => readonly Problem[];
}

async function proposeChange(
  { writer, store, controlPlane, log }: DeployDeps,
  host: CodeHost,
  { service, request, actor, order, problems }: ProposedChange,
): Promise<Result<Deployed, readonly Problem[]>> {
  const { codeHost } = controlPlane.settings();
  // By what was asked: the same again finds its pull request.
  const branch = `actuator/deploy/${service}-${sha256Hex(canonicalJson([request, actor])).slice(0, 12)}`;
  // Its author is us, and whoever asked must not approve it.
  await store.put(branchRequesterKey(branch), actor);
  const outcome = await requestChange(
    { writer, host, log, store },
    {
      ...order,
      branch,
      edit: (text) => Promise.resolve(order.edit(text)),
      title: `${service}: ${request.reason ?? 'deploy'}`,
      body: `${cell(actor)} asked for this change of ${code(service)} by \`actuator deploy\`${request.reason === undefined ? '' : `: ${cell(request.reason)}`}.\n\nWhoever asked does not approve it.\n`,
      labels: codeHost.labels ?? ['actuator'],
      reviewers: [],
      autoMerge: () => false,
    },
  );
  if (problems().length > 0) return refuse(problems());
  if (outcome.kind === 'not-needed') return refuse([nothingToDeploy(service)]);
  if (outcome.kind === 'blocked')
    return refuse([{ code: 'forbidden', message: `No branch for a pull request can be pushed: ${outcome.message}.` }]);
  const { number, url } = outcome.pullRequest;
  return ok({ service, commit: outcome.commit, deployment_id: null, pull_request: { number, url } });
}

/** A test that is decided and not written down yet stands for the arm that has won it. */
function withWinner(deps: DeployDeps, text: string | null, tests: DecidedTests): string | null {
  const document = text === null ? null : deps.read('llm-config', text, 'config.yaml');
  const won = document?.ok === true ? tests.wonIn(document.value.value) : null;
  return won === null ? text : deps.mergeYaml(text, winningPatch(won));
}

/** One-off overrides of a deploy are always new; what is in force is what safety checks compare with. */
async function pastOf({ controlPlane, store }: DeployDeps, service: string): Promise<Past> {
  const digest = controlPlane.engine.state(service)?.stable?.digest;
  const stable = digest === undefined ? null : await store.configuration(service, digest);
  return { before: null, stable: stable?.config ?? null };
}

/** The reconciler finds the commit as it finds anybody's; a caller wants to know what became of it. */
async function deploymentOf({ controlPlane, clock }: DeployDeps, service: string, commit: string): Promise<string | null> {
  const giveUpAt = clock.now() + 10_000;
  while (clock.now() < giveUpAt) {
    const state = controlPlane.engine.state(service);
    const found = [state?.active, state?.last].find((deployment) => deployment?.revision.commit === commit);
    if (found != null) return found.id;
    if (state?.waiting?.revision.commit === commit) return state.waiting.deploymentId;
    await new Promise<void>((resolve) => void clock.schedule(50, resolve));
  }
  return null;
}

/** What the file says of its rollout; flags come on top of it. */
function strategyOf(written: Readonly<Record<string, unknown>>): object {
  const strategy = written['deployment_strategy'];
  return isObject(strategy) ? strategy : {};
}

function namedService(written: Readonly<Record<string, unknown>>): string | undefined {
  const { metadata } = written;
  const named = isObject(metadata) ? metadata['service'] : undefined;
  return typeof named === 'string' ? named : undefined;
}

function check(deps: DeployDeps, service: string, merged: string, past: Past): readonly Problem[] {
  const accepted = deps.controlPlane.reconciler.accepted();
  if (accepted?.catalogue == null) throw new TransientError('the repository has not been read yet; try again in a moment');
  const document = deps.read('llm-config', merged, `services/${service}/config.yaml`);
  if (!document.ok) return document.error.map(withoutPlace);
  const defined = defineService(service, document.value, accepted.catalogue, settingsFor(accepted, service), past);
  if (!defined.ok) return defined.error.map(withoutPlace);
  const state = deps.controlPlane.engine.state(service);
  const { digest, plan, config } = defined.value;
  const unfounded = groundProblems(config, state?.stable != null);
  const entry = state === undefined ? undefined : quarantineOf(state, { revision: { commit: '', digest }, plan });
  if (entry === undefined) return unfounded;
  return [
    {
      code: 'conflict',
      message: `Nothing was committed: this content was rolled back by ${entry.deploymentId} (${entry.reason}) and is in quarantine; change it to try again.`,
    },
  ];
}

/** Lines of the merged file are in no file that the caller has. */
function withoutPlace({ code, message, path }: Problem): Problem {
  return { code, message, ...(path === undefined ? {} : { path }) };
}

function deployMessage(service: string, request: DeployRequest, actor: string): string {
  const reason = oneLine(request.reason ?? 'deploy');
  return [
    oneLine(`${service}: ${reason}`, 100),
    '',
    ...(request.reason === undefined ? [] : [`Change-Reason: ${reason}`]),
    'Actuator-Event: deploy',
    `Actuator-Service: ${service}`,
    `Actuator-Actor: ${oneLine(actor, 100)}`,
    ...(request.incident_reference === undefined ? [] : [`Incident-Reference: ${oneLine(request.incident_reference, 100)}`]),
    '',
  ].join('\n');
}

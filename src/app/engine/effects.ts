/** Carries out effects that must be confirmed. Each runs until it is settled, again after a restart, and does no harm twice. */
import { canonicalJson } from '../../base/json.ts';
import { oneLine } from '../../base/text.ts';
import { winningPatch } from '../../domain/config/arms.ts';
import { collapsingPatch } from '../../domain/config/collapse.ts';
import { ownDigest } from '../../domain/config/digest.ts';
import type { DocumentReader } from '../../domain/config/document.ts';
import type { Effect } from '../../domain/rollout/effect.ts';
import type { LlmConfig } from '../../generated/types.ts';
import type { ConfigurationWriter } from '../../ports/repository.ts';
import type { Notifier } from '../../ports/notifier.ts';
import type { PendingEffect, Store } from '../../ports/store.ts';
import type { DeployDeps } from '../commands/deploy.ts';
import { decidedTests, type DecidedTests } from '../reconcile/decided-tests.ts';
import type { Revision } from '../../domain/rollout/state.ts';
import { evidenceDigest } from '../publication/render.ts';
import type { Engine } from './engine.ts';

export interface EffectDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly writer: ConfigurationWriter;
  readonly notifier: Notifier;
  readonly read: DocumentReader;
  readonly mergeYaml: DeployDeps['mergeYaml'];
  /** A commit of ours is on the branch: have a look at it. */
  readonly onWritten: () => void;
}

type RevertEffect = Extract<Effect, { kind: 'commit-revert' }>;

/** All that is pending, one after the other; the first failure ends the pass, and the worker comes back. */
export async function settleEffects(deps: EffectDeps): Promise<void> {
  let failure: unknown;
  for (const pending of await deps.store.pendingEffects()) {
    try {
      await runEffect(deps, pending);
    } catch (thrown) {
      // One that can't be done now must not hold up those of other services.
      failure ??= thrown;
    }
  }
  if (failure !== undefined) throw failure as Error;
}

async function runEffect(deps: EffectDeps, pending: PendingEffect): Promise<void> {
  const { effect } = pending;
  if (effect.kind === 'notify') await deps.notifier.notify(effect);
  else if (effect.kind === 'commit-revert') await commitRevert(deps, pending.service, effect);
  else if (effect.kind === 'write-config') await writeConfig(deps, pending.service, effect);
  await deps.store.settleEffect(pending.id);
}

async function commitRevert(deps: EffectDeps, service: string, effect: RevertEffect): Promise<void> {
  const [bad, good] = await Promise.all([
    deps.store.configuration(service, effect.bad.digest),
    deps.store.configuration(service, effect.restore.digest),
  ]);
  if (bad === null || good === null) throw new Error(`the store lacks a configuration of ${service} that a rollback needs`);
  const tests = await testsWith(deps, service, effect.bad);
  // By what it takes back: one deployment can need two reverts.
  const marker = `Actuator-Reverts: ${effect.bad.commit}`;
  // By content: a reformatted or commented file is still the bad one, another content is somebody's newer change.
  const isBad = (text: string): Promise<boolean> => {
    const parsed = deps.read('llm-config', text, 'config.yaml');
    return Promise.resolve(
      parsed.ok && [ownDigest(parsed.value.value), meantBy(parsed.value.value, tests)].includes(ownDigest(bad.config)),
    );
  };
  const sharedFile = canonicalJson(bad.config) === canonicalJson(good.config);
  const outcome = sharedFile
    ? ({ kind: 'blocked', message: 'the change lies in models.yaml, which other services share; a person must decide' } as const)
    : await deps.writer.revert({ service, isBad, restoreText: good.text, message: revertMessage(deps.engine, service, effect), marker });
  await deps.engine.dispatch(service, { type: 'revert-settled', deploymentId: effect.deploymentId, outcome }, 'actuator');
  if (outcome.kind === 'committed') deps.onWritten();
}

/** Only while the branch holds what was promoted; a newer change is left as it is, and a branch that refuses us is no harm. */
async function writeConfig(
  deps: EffectDeps,
  service: string,
  { deploymentId, revision }: Extract<Effect, { kind: 'write-config' }>,
): Promise<void> {
  const promoted = await deps.store.configuration(service, revision.digest);
  if (promoted === null) throw new Error(`the store lacks a configuration of ${service} that was promoted`);
  const own = ownDigest(promoted.config);
  const tests = await testsWith(deps, service, revision);
  const message = [
    oneLine(`${service}: write down what ${deploymentId} promoted`, 150),
    '',
    'Actuator-Event: collapsed',
    `Actuator-Service: ${service}`,
    `Actuator-Deployment: ${deploymentId}`,
    'Actuator-Actor: actuator',
    '',
  ].join('\n');
  const outcome = await deps.writer.edit(
    `services/${service}/config.yaml`,
    (text) => {
      const parsed = text === null ? null : deps.read('llm-config', text, 'config.yaml');
      if (text === null || parsed?.ok !== true) return null;
      const patch = patchTo(parsed.value.value, own, tests);
      return patch === null ? null : deps.mergeYaml(text, patch);
    },
    message,
  );
  if (outcome.kind === 'blocked')
    await deps.notifier.notify({
      key: `${deploymentId}/collapse`,
      severity: 'warning',
      message: `${service}: what ${deploymentId} promoted could not be written to the branch (${outcome.message}); write it by hand, in place of llm and without deployment_strategy, variants and ab_test`,
    });
  if (outcome.kind === 'committed') deps.onWritten();
}

/** Those that the service knows of, and the one that this revision has won, wherever it stands by now. */
async function testsWith({ engine, store }: EffectDeps, service: string, revision: Revision): Promise<DecidedTests> {
  const { wonTest, arm, digest } = revision;
  const own = wonTest === undefined || arm === undefined ? [] : [{ test: wonTest, arm, armDigest: digest, at: 0 }];
  return decidedTests(store, service, [...own, ...(engine.state(service)?.decided ?? [])]);
}

/** Null: the file holds neither what was promoted nor the test that it has won. */
function patchTo(config: LlmConfig, promoted: string, tests: DecidedTests): Readonly<Record<string, unknown>> | null {
  const arm = tests.wonIn(config);
  if (arm !== null) return ownDigest(arm.config) === promoted ? winningPatch(arm) : null;
  return config.variants === undefined && ownDigest(config) === promoted ? collapsingPatch(config) : null;
}

/** What the file asks for: itself, or the arm that has won the test in it. */
function meantBy(config: LlmConfig, tests: DecidedTests): string {
  return ownDigest(tests.wonIn(config)?.config ?? config);
}

function revertMessage(engine: Engine, service: string, effect: RevertEffect): string {
  const judgement = engine.state(service)?.active?.judgement ?? null;
  const reason = oneLine(effect.reason);
  return [
    oneLine(`${service}: roll back ${effect.deploymentId}, ${reason}`, 150),
    '',
    `Restores services/${service}/config.yaml as of ${effect.restore.commit}.`,
    `This reverts commit ${effect.bad.commit}.`,
    '',
    'Actuator-Event: rolled-back',
    `Actuator-Service: ${service}`,
    `Actuator-Deployment: ${effect.deploymentId}`,
    `Actuator-Actor: ${oneLine(effect.actor, 100)}`,
    `Actuator-Reverts: ${effect.bad.commit}`,
    `Actuator-Reason: ${reason}`,
    ...(judgement === null ? [] : [`Actuator-Evidence: ${evidenceDigest(judgement)}`]),
    '',
  ].join('\n');
}

/** Carries out effects that must be confirmed. Each runs until it is settled, again after a restart, and does no harm twice. */
import { canonicalJson } from '../../base/json.ts';
import { code } from '../../base/markdown.ts';
import { oneLine } from '../../base/text.ts';
import { tryEach } from '../../base/try-each.ts';
import { winningPatch } from '../../domain/config/arms.ts';
import { collapsingPatch } from '../../domain/config/collapse.ts';
import { ownDigest } from '../../domain/config/digest.ts';
import type { DocumentReader } from '../../domain/config/document.ts';
import type { Effect } from '../../domain/rollout/effect.ts';
import type { LlmConfig } from '../../generated/types.ts';
import type { CodeHost } from '../../ports/code-host.ts';
import type { ConfigurationWriter } from '../../ports/repository.ts';
import { requestChange } from '../code-host/change-request.ts';
import type { Log } from '../../ports/log.ts';
import type { Notifier } from '../../ports/notifier.ts';
import type { PendingEffect, Store } from '../../ports/store.ts';
import type { DeployDeps } from '../commands/deploy.ts';
import type { DecidedTests } from '../reconcile/decided-tests.ts';
import type { CodeHostSettings } from '../../domain/settings/code-host.ts';
import type { Engine } from './engine.ts';
import { holdsBad, revertMessage, testsWith, type RevertEffect } from './reverting.ts';

export interface EffectDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly writer: ConfigurationWriter;
  readonly notifier: Notifier;
  readonly log: Log;
  readonly read: DocumentReader;
  readonly mergeYaml: DeployDeps['mergeYaml'];
  /** A commit of ours is on the branch: have a look at it. */
  readonly onWritten: () => void;
  readonly codeHost: CodeHost | null;
  readonly codeHostSettings: () => CodeHostSettings;
}

/** All that is pending, one after the other; after a failure the worker comes back. */
export async function settleEffects(deps: EffectDeps): Promise<void> {
  // One that can't be done now must not hold up those of other services.
  await tryEach(await deps.store.pendingEffects(), (pending) => runEffect(deps, pending));
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
  // By what it takes back: one deployment can need two reverts.
  const marker = `Actuator-Reverts: ${effect.bad.commit}`;
  const isBad = await holdsBad(deps, service, effect.bad);
  const judgement = deps.engine.state(service)?.active?.judgement ?? null;
  const message = revertMessage(service, effect, judgement);
  const sharedFile = canonicalJson(bad.config) === canonicalJson(good.config);
  const outcome = sharedFile
    ? ({ kind: 'blocked', message: 'the change lies in models.yaml, which other services share; a person must decide' } as const)
    : deps.codeHostSettings().reverts === 'pull_request'
      ? ({ kind: 'blocked', message: 'settings ask for a pull request' } as const)
      : await deps.writer.revert({ service, isBad, restoreText: good.text, message, marker });
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
  const path = `services/${service}/config.yaml`;
  const edit = (text: string | null): string | null => {
    const parsed = text === null ? null : deps.read('llm-config', text, 'config.yaml');
    if (text === null || parsed?.ok !== true) return null;
    const patch = patchTo(parsed.value.value, own, tests);
    return patch === null ? null : deps.mergeYaml(text, patch);
  };
  const pushed = await deps.writer.edit({ path, edit, message });
  const outcome =
    pushed.kind === 'blocked' && deps.codeHost !== null
      ? await requestChange(
          { ...deps, host: deps.codeHost },
          {
            branch: `actuator/collapse/${deploymentId}`,
            path,
            edit: (text) => Promise.resolve(edit(text)),
            message,
            title: `${service}: write down what ${deploymentId} promoted`,
            body: `${code(deploymentId)} is promoted. This writes its configuration in the place of what was only said for its rollout, and changes nothing that is served.\n`,
            labels: deps.codeHostSettings().labels ?? ['actuator'],
            reviewers: [],
            autoMerge: () => deps.codeHostSettings().autoMerge,
          },
        )
      : pushed;
  if (outcome.kind === 'blocked')
    await deps.notifier.notify({
      key: `${deploymentId}/collapse`,
      severity: 'warning',
      message: `${service}: what ${deploymentId} promoted could not be written to the branch (${outcome.message}); write it by hand, in place of llm and without deployment_strategy, variants and ab_test`,
    });
  if (outcome.kind === 'committed') deps.onWritten();
}

/** Null: the file holds neither what was promoted nor the test that it has won. */
function patchTo(config: LlmConfig, promoted: string, tests: DecidedTests): Readonly<Record<string, unknown>> | null {
  const arm = tests.wonIn(config);
  if (arm !== null) return ownDigest(arm.config) === promoted ? winningPatch(arm) : null;
  return config.variants === undefined && ownDigest(config) === promoted ? collapsingPatch(config) : null;
}

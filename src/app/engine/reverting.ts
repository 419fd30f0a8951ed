/** What a revert is about: which texts are the bad content, and what its commit says. */
import { oneLine } from '../../base/text.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { ownDigest } from '../../domain/config/digest.ts';
import type { DocumentReader } from '../../domain/config/document.ts';
import type { Effect } from '../../domain/rollout/effect.ts';
import type { Revision } from '../../domain/rollout/state.ts';
import type { LlmConfig } from '../../generated/types.ts';
import type { Store } from '../../ports/store.ts';
import { evidenceDigest } from '../publication/render.ts';
import { decidedTests, type DecidedTests } from '../reconcile/decided-tests.ts';
import type { Engine } from './engine.ts';

export type RevertEffect = Extract<Effect, { kind: 'commit-revert' }>;

interface RevertDeps {
  readonly engine: Engine;
  readonly store: Store;
  readonly read: DocumentReader;
}

/** By content: a reformatted or commented file is still the bad one, another content is somebody's newer change. */
export async function holdsBad(deps: RevertDeps, service: string, bad: Revision): Promise<(text: string) => Promise<boolean>> {
  const stored = await deps.store.configuration(service, bad.digest);
  if (stored === null) throw new Error(`the store lacks a configuration of ${service} that a rollback needs`);
  const tests = await testsWith(deps, service, bad);
  return (text) => {
    const parsed = deps.read('llm-config', text, 'config.yaml');
    const isBad = parsed.ok && [ownDigest(parsed.value.value), meantBy(parsed.value.value, tests)].includes(ownDigest(stored.config));
    return Promise.resolve(isBad);
  };
}

/** Those that the service knows of, and the one that this revision has won, wherever it stands by now. */
export async function testsWith(
  { engine, store }: Pick<RevertDeps, 'engine' | 'store'>,
  service: string,
  revision: Revision,
): Promise<DecidedTests> {
  const { wonTest, arm, digest } = revision;
  const own = wonTest === undefined || arm === undefined ? [] : [{ test: wonTest, arm, armDigest: digest, at: 0 }];
  return decidedTests(store, service, [...own, ...(engine.state(service)?.decided ?? [])]);
}

/** What the file asks for: itself, or the arm that has won the test in it. */
function meantBy(config: LlmConfig, tests: DecidedTests): string {
  return ownDigest(tests.wonIn(config)?.config ?? config);
}

export function revertMessage(service: string, effect: RevertEffect, judgement: Judgement | null): string {
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

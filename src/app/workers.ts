/** The background work of a control plane: each kind by itself, with a backoff of its own. */
import { ownersOf } from '../domain/safety/code-owners.ts';
import type { DaemonSettings } from '../domain/settings/resolve.ts';
import { createCodeHostWork, type CodeHostWork } from './code-host/work.ts';
import type { ControlPlaneDeps } from './control-plane.ts';
import { settleEffects } from './engine/effects.ts';
import type { Engine } from './engine/engine.ts';
import type { Judging } from './judging/judging.ts';
import { createPublisher } from './publication/publisher.ts';
import type { TrafficReport } from './publication/traffic-report.ts';
import type { Reconciler } from './reconcile/reconciler.ts';
import { createWorker, type Worker } from './retry.ts';

export interface Workers {
  readonly poller: Worker;
  readonly publisher: Worker;
  readonly effects: Worker;
  /** Decisions, then reports; none without a code host. */
  readonly codeHost: readonly Worker[];
}

export function listed({ poller, publisher, effects, codeHost }: Workers): readonly Worker[] {
  return [poller, publisher, effects, ...codeHost];
}

/** What is wrong with the first that has a problem. */
export function problemOf(workers: readonly Worker[]): string | null {
  return workers.map((worker) => worker.problem()).find((problem) => problem !== null)?.message ?? null;
}

interface WorkerParts {
  readonly engine: Engine;
  readonly judging: Judging;
  readonly reconciler: Reconciler;
  readonly trafficReport: TrafficReport;
  readonly codeHost: CodeHostWork | null;
  readonly settings: { readonly daemon: DaemonSettings };
}

export function createCodeHost(
  deps: ControlPlaneDeps,
  engine: Engine,
  settings: () => DaemonSettings,
  reconciler: Reconciler,
): CodeHostWork | null {
  if (deps.codeHost === null) return null;
  return createCodeHostWork({
    ...deps,
    host: deps.codeHost,
    branch: deps.branchName,
    engine,
    settings,
    ownersOf: (path) => ownersOf(reconciler.accepted()?.codeOwners ?? '', path),
  });
}

export function createWorkers(deps: ControlPlaneDeps, parts: WorkerParts): Workers {
  const { engine, judging, reconciler, trafficReport, codeHost, settings } = parts;
  const background = { ...deps, firstDelayMs: 250, longestDelayMs: 30_000 };
  const publish = createPublisher({ ...deps, judging, besides: () => trafficReport.take() });
  const poller = createWorker({ ...background, name: 'repository' }, () => reconciler.reconcile());
  return {
    poller,
    publisher: createWorker({ ...background, name: 'publication' }, publish),
    effects: createWorker({ ...background, name: 'effects' }, () =>
      settleEffects({ ...deps, engine, onWritten: () => poller.runNow(), codeHostSettings: () => settings.daemon.codeHost }),
    ),
    codeHost:
      codeHost === null
        ? []
        : [
            createWorker({ ...background, name: 'code host' }, () => codeHost.decide()),
            createWorker({ ...background, name: 'code host reports' }, () => codeHost.report()),
          ],
  };
}

/** Watches stable after each rollback, and tells the reducer what became of it. */
import { findRecovery, judgeRecovery, type CheckFinding, type Recovering } from '../../domain/analysis/recovery.ts';
import type { ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HealthProbe } from '../../ports/health-probe.ts';
import type { Engine } from '../engine/engine.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Judging } from '../judging/judging.ts';

export interface RecoveryDeps {
  readonly engine: Engine;
  readonly judging: Judging;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly probe: HealthProbe;
}

export interface Recovery {
  tick(): Promise<void>;
  /** What the checks of a service say now; empty when nothing recovers. */
  findings(state: ServiceState): readonly CheckFinding[];
}

const probeEveryMs = 10_000;

export function createRecovery({ engine, judging, fleet, clock, probe }: RecoveryDeps): Recovery {
  const asked = new Map<string, { at: number; status?: number | null }>();

  /** Asks without waiting: the answer counts at the next tick. */
  function ask(url: string, timeoutMs: number): void {
    const last = asked.get(url);
    if (last !== undefined && clock.now() - last.at < probeEveryMs) return;
    const entry = { ...last, at: clock.now() };
    asked.set(url, entry);
    void probe.status(url, timeoutMs).then((status) => {
      entry.status = status;
    });
  }

  function knownOf(state: ServiceState, since: number): Recovering {
    const traffic = judging.traffic(state.service);
    const digest = state.stable?.digest ?? '';
    const now = clock.now();
    return {
      counts: (windowMs) => traffic.stableCounts(digest, Math.max(since, now - windowMs), now),
      latencyMs: (percentile, windowMs) => traffic.stableLatency(digest, Math.max(since, now - windowMs), now, percentile / 100),
      statuses: new Map([...asked].flatMap(([url, { status }]) => (status === undefined ? [] : [[url, status] as const]))),
      gatewaysAway: fleet
        .known()
        .filter(({ connected }) => !connected)
        .map(({ gateway }) => gateway),
      rateBefore: state.active?.stableErrorRate ?? null,
    };
  }

  return {
    async tick() {
      for (const state of engine.states()) {
        const { active } = state;
        if (active?.phase.name !== 'recovering') continue;
        const { recovery } = active.plan;
        for (const check of recovery.checks) if (check.kind === 'http') ask(check.url, check.timeoutMs);
        const verdict = judgeRecovery(recovery, knownOf(state, active.phase.since), active.phase.since, clock.now());
        if (verdict !== null) await engine.dispatch(state.service, { type: 'recovery-judged', ...verdict }, 'judge');
      }
    },
    findings(state) {
      const { active } = state;
      return active?.phase.name === 'recovering' ? findRecovery(active.plan.recovery, knownOf(state, active.phase.since)) : [];
    },
  };
}

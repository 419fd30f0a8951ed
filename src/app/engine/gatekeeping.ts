/** Which pending deployments may start, and which running ones the world holds up. Looked at each second, and whenever something changes. */
import { closedBecause, type NextTime } from '../../domain/safety/windows.ts';
import type { DaemonSettings } from '../../domain/settings/resolve.ts';
import { fleetShare } from '../../domain/rollout/shares.ts';
import { approvalsNeeded, holdsSlot, type Deployment, type Freeze, type ServiceState } from '../../domain/rollout/state.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Judging } from '../judging/judging.ts';
import type { Engine } from './engine.ts';

export interface GatekeepingDeps {
  readonly engine: Engine;
  readonly judging: Judging;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly settings: () => DaemonSettings;
  readonly nextTime: NextTime;
  /** Whether there is one that can be asked where a commit comes from. */
  readonly hasCodeHost: boolean;
}

export interface Gatekeeping {
  /** Lets pending deployments start as far as gates and `max_concurrent_deployments` allow, older ones first. */
  grantSlots(): Promise<void>;
  /** Holds up running deployments whose window has closed, whose gateways are away, or that are frozen; lets them go on afterwards. */
  holdUp(): Promise<void>;
  /** What a pending deployment waits for, in sentences. */
  waitsFor(state: ServiceState): readonly string[];
}

const actor = 'actuator';

export function createGatekeeping(deps: GatekeepingDeps): Gatekeeping {
  const { engine, fleet, clock } = deps;

  const frozenBecause = (state: ServiceState, running: boolean): string | null =>
    freezeReason([engine.everywhere().freeze, state.freeze], deps.settings().frozenBecause, running);

  function windowClosed(): string | null {
    return closedBecause(deps.settings().windows, clock.now(), deps.nextTime);
  }

  function waitsFor(state: ServiceState): readonly string[] {
    const { active } = state;
    if (active?.phase.name !== 'pending') return [];
    return [
      ...originMissing(active, deps.hasCodeHost),
      ...approvalsMissing(active),
      ...[frozenBecause(state, false), windowClosed()].filter((because) => because !== null),
      ...active.plan.gates.dependsOn.flatMap((other) => unfinished(other, engine.state(other)) ?? []),
      ...(isRolling(active) && fleet.known().length < 2
        ? [`a rolling deployment needs two gateways, and ${fleet.known().length} is known`]
        : []),
    ];
  }

  async function grantSlots(): Promise<void> {
    const states = engine.states();
    const most = deps.settings().maxConcurrentDeployments;
    let free = most - states.filter(holdsSlot).length;
    const pending = states.filter((state) => state.active?.phase.name === 'pending');
    for (const state of pending.sort((a, b) => (a.active?.createdAt ?? 0) - (b.active?.createdAt ?? 0))) {
      const waits = waitsFor(state);
      if (waits.length === 0 && free > 0) {
        free--;
        const gateways = fleet
          .known()
          .map(({ gateway }) => gateway)
          .sort();
        await engine.dispatch(state.service, { type: 'slot-granted', ...deps.judging.stableNow(state), gateways }, actor);
      } else await say(state, waits.length > 0 ? waits : [`${most} deployments are under way, which is max_concurrent_deployments`]);
    }
  }

  async function say({ service, active }: ServiceState, waits: readonly string[]): Promise<void> {
    const known = active?.phase.name === 'pending' ? active.phase.waitsFor : waits;
    if (known.join() !== waits.join()) await engine.dispatch(service, { type: 'gates-checked', waitsFor: waits }, actor);
  }

  function heldUpBecause(state: ServiceState): string | null {
    const { overrun } = deps.settings().windows;
    return frozenBecause(state, true) ?? (overrun === 'pause' ? windowClosed() : null) ?? gatewaysAway(state, fleet);
  }

  async function holdUp(): Promise<void> {
    for (const state of engine.states()) {
      const phase = state.active?.phase;
      if (phase?.name === 'progressing') {
        const message = heldUpBecause(state);
        if (message !== null) await engine.dispatch(state.service, { type: 'held-up', message }, actor);
      } else if (phase?.name === 'paused' && phase.reason === 'held-up' && heldUpBecause(state) === null) {
        await engine.dispatch(state.service, { type: 'released' }, actor);
      }
    }
  }

  return { grantSlots, holdUp, waitsFor };
}

/** `running`: a deployment that is under way, which a drain lets go on. */
function freezeReason(freezes: readonly (Freeze | null)[], bySettings: string | null, running: boolean): string | null {
  const holding = freezes.find((freeze): freeze is Freeze => freeze !== null && !(running && freeze.drains));
  if (holding !== undefined) return `${holding.drains ? 'being drained' : 'frozen'} by ${holding.actor}: ${holding.reason}`;
  return bySettings === null ? null : `frozen in actuator.yaml: ${bySettings}`;
}

/** A change starts only when it is known how it came to the branch, where anything depends on that. */
function originMissing({ plan, origin }: Deployment, hasCodeHost: boolean): readonly string[] {
  const { directPushes, approvals } = plan.gates;
  if (directPushes === 'allow' && approvals === 0) return [];
  if (hasCodeHost)
    return origin === null
      ? [
          'which pull request brought it is not known yet (a push is told apart after some minutes; `find-issues` says when the code host does not answer)',
        ]
      : [];
  if (directPushes === null || directPushes === 'allow') return [];
  return [`settings ${directPushes} direct pushes (versioning.direct_pushes), and no code host is connected that could tell them apart`];
}

function approvalsMissing(active: Deployment): readonly string[] {
  const { plan, approvals, origin } = active;
  const missing = approvalsNeeded(active) - approvals.length;
  if (missing <= 0) return [];
  const { roles } = plan.gates;
  const notes = origin?.notes ?? [];
  return [
    `${missing} approval(s)${roles.length === 0 ? '' : ` of ${roles.join(' or ')}`}, by somebody other than the author${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`,
  ];
}

function isRolling({ plan }: Deployment): boolean {
  return plan.steps.some(({ fleet }) => fleet !== null);
}

/** Why a service that this one depends on is not done; null: it is. */
function unfinished(name: string, state: ServiceState | undefined): string | null {
  if (state === undefined) return `${name}, which it depends on, is not known`;
  const { active, seen, stable } = state;
  if (active !== null && active.phase.name !== 'recovering') return `${active.id} of ${name}, which it depends on, is ${active.phase.name}`;
  const isBehind = seen !== null && seen.digest !== stable?.digest;
  return isBehind ? `${name}, which it depends on, does not serve what the branch holds` : null;
}

function gatewaysAway(state: ServiceState, fleet: Fleet): string | null {
  const { active } = state;
  if (active?.fleet == null || active.plan.maxUnavailable === null) return null;
  const connected = new Set(
    fleet
      .known()
      .filter(({ connected: isThere }) => isThere)
      .map(({ gateway }) => gateway),
  );
  const away = active.fleet.filter((gateway) => !connected.has(gateway));
  if (away.length <= active.plan.maxUnavailable) return null;
  const batch = fleetShare(state)?.length ?? 0;
  return `${away.length} of ${active.fleet.length} gateways are away (${away.slice(0, 3).join(', ')}), ${active.plan.maxUnavailable} may be; ${batch} have gone over`;
}

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
  /** Looks at what holds for all, and tells of each pending deployment what it waits for, in sentences. */
  waits(): (state: ServiceState) => readonly string[];
}

const actor = 'actuator';

export function createGatekeeping(deps: GatekeepingDeps): Gatekeeping {
  const { engine, fleet } = deps;

  const waits: Gatekeeping['waits'] = () => {
    // Once for all: cron expressions take their time.
    const closed = windowClosed(deps);
    return ({ active, freeze }) => (active?.phase.name === 'pending' ? shutGates(deps, active, freeze, closed) : []);
  };

  async function grantSlots(): Promise<void> {
    const states = engine.states();
    const pending = states.filter((state) => state.active?.phase.name === 'pending');
    if (pending.length === 0) return;
    const most = deps.settings().maxConcurrentDeployments;
    let free = most - states.filter(holdsSlot).length;
    const waitsFor = waits();
    for (const { service } of pending.sort((a, b) => (a.active?.createdAt ?? 0) - (b.active?.createdAt ?? 0))) {
      // As it is by now: those before it took their time.
      const state = engine.state(service);
      if (state?.active?.phase.name !== 'pending') continue;
      const seen = waitsFor(state);
      // A window can close while those before it are looked at.
      const because = seen.length === 0 && free > 0 ? waits()(state) : seen;
      if (because.length === 0 && free > 0) {
        free--;
        await grant(state, state.active.id);
      } else await say(state, because.length > 0 ? because : [`${most} deployments are under way, which is max_concurrent_deployments`]);
    }
  }

  async function grant(state: ServiceState, deploymentId: string): Promise<void> {
    const gateways = fleet
      .known()
      .map(({ gateway }) => gateway)
      .sort();
    await engine.dispatch(state.service, { type: 'slot-granted', deploymentId, ...deps.judging.stableNow(state), gateways }, actor);
  }

  async function say({ service, active }: ServiceState, because: readonly string[]): Promise<void> {
    const known = active?.phase.name === 'pending' ? active.phase.waitsFor : because;
    if (known.join() !== because.join()) await engine.dispatch(service, { type: 'gates-checked', waitsFor: because }, actor);
  }

  async function holdUp(): Promise<void> {
    const closed = deps.settings().windows.overrun === 'pause' ? windowClosed(deps) : null;
    const because = (state: ServiceState): string | null => frozenBecause(deps, state.freeze, true) ?? closed ?? gatewaysAway(state, fleet);
    for (const state of engine.states()) {
      const phase = state.active?.phase;
      if (phase?.name === 'progressing') {
        const message = because(state);
        if (message !== null) await engine.dispatch(state.service, { type: 'held-up', message }, actor);
      } else if (phase?.name === 'paused' && phase.reason === 'held-up' && because(state) === null) {
        await engine.dispatch(state.service, { type: 'released' }, actor);
      }
    }
  }

  return { grantSlots, holdUp, waits };
}

function windowClosed({ settings, clock, nextTime }: GatekeepingDeps): string | null {
  return closedBecause(settings().windows, clock.now(), nextTime);
}

/** `running`: a deployment that is under way, which a drain lets go on. */
function frozenBecause({ engine, settings }: GatekeepingDeps, ofService: Freeze | null, running: boolean): string | null {
  return freezeReason([engine.everywhere().freeze, ofService], settings().frozenBecause, running);
}

/** Which gates are not open, in sentences. `closed`: why no window is open; null: one is. */
function shutGates(deps: GatekeepingDeps, active: Deployment, freeze: Freeze | null, closed: string | null): readonly string[] {
  const known = deps.fleet.known().length;
  return [
    ...originMissing(active, deps.hasCodeHost),
    ...approvalsMissing(active),
    ...[frozenBecause(deps, freeze, false), closed].filter((because) => because !== null),
    ...active.plan.gates.dependsOn.flatMap((other) => unfinished(other, deps.engine.state(other)) ?? []),
    ...(isRolling(active) && known < 2 ? [`a rolling deployment needs two gateways, and ${known} is known`] : []),
  ];
}

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

/** Liveness and metrics: what a probe and a scraper read without a key. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { FastifyInstance } from 'fastify';
import { canaryWeight } from '../domain/rollout/shares.ts';
import type { ApiDeps } from './routing.ts';

/** The registry that is scraped, for further metrics. */
export function addPublicRoutes(api: FastifyInstance, deps: ApiDeps): Registry {
  const registry = createRegistry(deps);
  addProblemGauges(deps, [registry]);
  api.get('/health', { config: { role: 'public' } }, () => {
    const problems = deps.controlPlane.problems();
    const gateways = deps.controlPlane.fleet.known().filter((gateway) => gateway.connected).length;
    const refusing = deps.controlPlane.engine
      .states()
      .filter((state) => deps.controlPlane.fleet.refusals(state.service, { term: deps.term, generation: state.generation }).length > 0);
    const healthy = problems.repository === null && problems.publication === null && gateways > 0 && refusing.length === 0;
    return {
      status: healthy ? 'ok' : 'degraded',
      version: deps.version,
      leader: true,
      repository: problems.repository ?? 'ok',
      publication: problems.publication ?? 'ok',
      code_host: deps.deploy.codeHost === null ? 'none' : (problems.codeHost ?? 'ok'),
      gateways,
      refused: refusing.map((state) => state.service).join(', ') || 'none',
    };
  });
  api.get('/metrics', { config: { role: 'public' } }, async (_request, reply) => {
    void reply.header('content-type', registry.contentType);
    return registry.metrics();
  });
  return registry;
}

/** Names of the guide (6.2); all are read from the state when somebody scrapes. */
function createRegistry(deps: ApiDeps): Registry {
  const registry = new Registry();
  const registers = [registry];
  const { engine, fleet } = deps.controlPlane;
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'deployment_status',
    help: '1 for the phase that the active deployment of a service is in.',
    labelNames: ['service', 'deployment_id', 'phase'],
    registers,
    collect() {
      this.reset();
      for (const { service, active } of engine.states())
        if (active !== null) this.set({ service, deployment_id: active.id, phase: active.phase.name }, 1);
    },
  });
  new Gauge({
    name: 'canary_traffic_percentage',
    help: 'Percent of traffic on the canary.',
    labelNames: ['service', 'deployment_id'],
    registers,
    collect() {
      this.reset();
      for (const state of engine.states())
        if (state.active !== null) this.set({ service: state.service, deployment_id: state.active.id }, canaryWeight(state));
    },
  });
  const rollbacks = new Counter({
    name: 'rollback_total',
    help: 'Rollbacks since this process began.',
    labelNames: ['service', 'reason', 'deployment_id'],
    registers,
  });
  engine.onTransition(({ before, row: { service, stateAfter } }) => {
    const active = stateAfter.active;
    if (active?.phase.name !== 'rolling-back' || before.active?.phase.name === 'rolling-back') return;
    rollbacks.inc({ service, reason: active.phase.detectedBy, deployment_id: active.id });
  });
  new Gauge({
    name: 'actuator_gateways_connected',
    help: 'Gateways with an open assignment stream.',
    registers,
    collect() {
      this.set(fleet.known().filter((gateway) => gateway.connected).length);
    },
  });
  new Gauge({
    name: 'actuator_quarantined_digests',
    help: 'Digests that are not tried again.',
    labelNames: ['service'],
    registers,
    collect() {
      this.reset();
      for (const { service, quarantine } of engine.states()) this.set({ service }, quarantine.length);
    },
  });
  return registry;
}

function addProblemGauges({ controlPlane }: ApiDeps, registers: Registry[]): void {
  new Gauge({
    name: 'actuator_problem',
    help: '1 while a part of the world can not be used: repository, publication, effects, code_host; or settings are refused.',
    labelNames: ['part'],
    registers,
    collect() {
      const { repository, publication, effects, codeHost, settings } = controlPlane.problems();
      for (const [part, problem] of Object.entries({ repository, publication, effects, code_host: codeHost }))
        this.set({ part }, problem === null ? 0 : 1);
      this.set({ part: 'settings' }, settings.length > 0 ? 1 : 0);
    },
  });
  new Gauge({
    name: 'actuator_unreverted',
    help: '1 for a service whose branch still holds what was rolled back.',
    labelNames: ['service'],
    registers,
    collect() {
      this.reset();
      for (const { service, unreverted } of controlPlane.engine.states()) if (unreverted !== null) this.set({ service }, 1);
    },
  });
}

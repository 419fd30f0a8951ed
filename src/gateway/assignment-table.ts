/** What this gateway serves. A request takes one entry and keeps it to its end, so it is served by exactly one revision. */
import type { Rng } from '../base/random.ts';
import { refuse, ok, type Result } from '../base/result.ts';
import { parseTemplate, type Template } from '../domain/config/template.ts';
import { compileCondition, type Condition } from '../domain/routing/conditions.ts';
import { weightedRandom } from '../domain/traffic/split.ts';
import type { Assignment, AssignmentServedModel, AssignmentServing, AssignmentVariant } from '../generated/types.ts';

export interface ServedModel extends AssignmentServedModel {
  readonly name: string;
  readonly apiKey: string | null;
}

export interface ServedRoute {
  /** `default`, or `rule-1` and so on. */
  readonly name: string;
  readonly condition: Condition | null;
  readonly model: ServedModel;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ServedVariant {
  readonly name: 'stable' | 'canary';
  readonly weight: number;
  readonly commit: string;
  readonly digest: string;
  readonly timeoutMs: number;
  readonly template: Template | null;
  /** In order; the last one has no condition. */
  readonly routes: readonly [...ServedRoute[], ServedRoute];
}

interface Served {
  readonly assignment: Assignment;
  readonly variants: readonly [ServedVariant, ...ServedVariant[]];
}

export interface Choice {
  readonly service: string;
  readonly deploymentId: string | null;
  readonly variant: ServedVariant;
}

export interface AssignmentTable {
  /** Takes the assignment into force, ignores it when it is older, or says why it can't be served. */
  apply(assignment: Assignment): Result<'applied' | 'ignored', readonly string[]>;
  /** The variant for a request that names `name` (a service or one of its aliases); null when there is none. */
  choose(name: string): Choice | null;
  /** Weights above 0 hold until then (same clock as `now`). */
  renewLease(until: number): void;
  readonly leaseIsValid: () => boolean;
  readonly assignments: () => readonly Assignment[];
  /** Names that a request may use. */
  readonly names: () => readonly string[];
}

export interface TableDeps {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly rng: Rng;
  readonly now: () => number;
}

export function createAssignmentTable(deps: TableDeps): AssignmentTable {
  const served = new Map<string, Served>();
  let aliases = new Map<string, string>();
  let leaseUntil = -Infinity;

  function reindex(): void {
    aliases = new Map();
    for (const [service, { variants }] of served) {
      for (const alias of served.get(service)?.assignment.variants.at(-1)?.serving.aliases ?? []) {
        if (!served.has(alias) && variants.length > 0) aliases.set(alias, service);
      }
    }
  }

  return {
    apply(assignment) {
      const present = served.get(assignment.service)?.assignment;
      if (present !== undefined && !isNewer(assignment, present)) return ok(isSame(assignment, present) ? 'applied' : 'ignored');
      const compiled = compileVariants(assignment, deps.environment);
      if (!compiled.ok) return compiled;
      served.set(assignment.service, { assignment, variants: compiled.value });
      reindex();
      return ok('applied');
    },
    choose(name) {
      const entry = served.get(name) ?? served.get(aliases.get(name) ?? '');
      if (entry === undefined) return null;
      const { service, deployment_id: deploymentId } = entry.assignment;
      const leased = deps.now() < leaseUntil;
      const variant = leased ? weightedRandom(entry.variants, deps.rng) : (entry.variants.at(-1) ?? entry.variants[0]);
      return { service, deploymentId, variant };
    },
    renewLease: (until) => {
      leaseUntil = until;
    },
    leaseIsValid: () => deps.now() < leaseUntil,
    assignments: () => [...served.values()].map((entry) => entry.assignment),
    names: () => [...served.keys(), ...aliases.keys()].sort(),
  };
}

function isNewer(a: Assignment, b: Assignment): boolean {
  return a.term > b.term || (a.term === b.term && a.generation > b.generation);
}

function isSame(a: Assignment, b: Assignment): boolean {
  return a.term === b.term && a.generation === b.generation;
}

function compileVariants(
  assignment: Assignment,
  environment: TableDeps['environment'],
): Result<readonly [ServedVariant, ...ServedVariant[]], readonly string[]> {
  const problems: string[] = [];
  const variants = assignment.variants.map((variant) => compileVariant(variant, environment, problems));
  const [first, ...rest] = variants;
  if (first === undefined || problems.length > 0) return refuse(problems.length > 0 ? problems : ['the assignment has no variant']);
  return ok([first, ...rest]);
}

function compileVariant(variant: AssignmentVariant, environment: TableDeps['environment'], problems: string[]): ServedVariant {
  const { serving } = variant;
  const template = serving.prompt_template === null ? null : parseTemplate(serving.prompt_template);
  if (template?.ok === false) problems.push(...template.error.map((message) => `${variant.name}: ${message}`));
  const rules = serving.rules.map((rule, index): ServedRoute => {
    const condition = compileCondition(rule.condition);
    if (!condition.ok) problems.push(`${variant.name}: rule ${index + 1}: ${condition.error}`);
    return {
      name: `rule-${index + 1}`,
      condition: condition.ok ? condition.value : null,
      model: modelOf(rule.model, serving, environment, problems),
      parameters: { ...serving.parameters, ...rule.parameters },
    };
  });
  const fallback: ServedRoute = {
    name: 'default',
    condition: null,
    model: modelOf(serving.default_model, serving, environment, problems),
    parameters: serving.parameters,
  };
  return {
    name: variant.name,
    weight: variant.weight,
    commit: variant.commit,
    digest: variant.digest,
    timeoutMs: serving.timeout_ms,
    template: template?.ok === true ? template.value : null,
    routes: [...rules, fallback],
  };
}

const noModel: AssignmentServedModel = { provider: '', base_url: '', api_key_env: null, upstream_model: '', limits: {}, prices: null };

function modelOf(name: string, serving: AssignmentServing, environment: TableDeps['environment'], problems: string[]): ServedModel {
  const model = Object.hasOwn(serving.models, name) ? serving.models[name] : undefined;
  if (model === undefined) {
    problems.push(`model "${name}" is not in the assignment`);
    return { ...noModel, name, apiKey: null };
  }
  const apiKey = model.api_key_env === null ? null : (environment[model.api_key_env] ?? '');
  if (apiKey === '') {
    problems.push(`provider "${model.provider}" needs ${model.api_key_env} in the gateway's environment, which is not set`);
  }
  return { ...model, name, apiKey };
}

/** What must be there before a deployment starts: approvals, a reason, a dry run, other services. Frozen into each plan. */
import { sha256Hex } from '../../base/hash.ts';
import { canonicalJson } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { suggestion } from '../../base/text.ts';
import { writtenMinutesToMs } from '../../base/time.ts';
import type { SectionsValidation, SectionsVersioning, WrittenSettings } from '../../generated/types.ts';

export interface Gates {
  /** Approvals needed, of people other than the author; 0: none. */
  readonly approvals: number;
  /** Of which an approver needs one; empty: any. */
  readonly roles: readonly string[];
  /** Who has one of them by the settings that the change came under, which it can't widen itself. */
  readonly approvers: readonly Person[];
  /** organisation/team: its members have one as well. */
  readonly teams: readonly string[];
  /** Logins at the code host that have one by CODEOWNERS. */
  readonly owners: readonly string[];
  /** Names everybody that settings knew then, under whom they are one person. */
  readonly people: string;
  /** What becomes of a commit that no pull request brought; null: settings do not say. */
  readonly directPushes: DirectPushes | null;
  readonly needsReason: boolean;
  /** Copies of live requests before the first step; null: none. */
  readonly dryRun: { readonly percent: number; readonly durationMs: number } | null;
  readonly safetyChecks: readonly SafetyCheck[];
  readonly dependsOn: readonly string[];
}

export type DirectPushes = NonNullable<SectionsVersioning['direct_pushes']>;

/** Of a plan that an older version of ours has made. */
export const newerGates: Pick<Gates, 'approvers' | 'teams' | 'owners' | 'people' | 'directPushes'> = {
  approvers: [],
  teams: [],
  owners: [],
  people: '',
  directPushes: null,
};

export interface SafetyCheck {
  readonly name: 'cost_explosion' | 'quality_degradation' | 'latency_spike';
  /** Largest expected change to the bad side, as a fraction. */
  readonly limit: number;
}

/** One person under all names that we meet. */
export interface Person {
  readonly name: string;
  readonly emails: readonly string[];
  /** At the code host. */
  readonly logins: readonly string[];
  readonly keys: readonly string[];
  readonly roles: readonly string[];
}

type Written = Pick<WrittenSettings, 'versioning' | 'validation' | 'depends_on' | 'people' | 'code_host'>;

/** A role by itself: whoever CODEOWNERS names for the service's file. */
const codeOwner = 'code-owner';

const dryRunDefaults = { durationMs: 300_000, percent: 1 } as const;

/** `owners`: of the service's file, as CODEOWNERS names them: logins and organisation/team. */
export function resolveGates(written: Written, owners: readonly string[]): Gates {
  const { versioning = {}, validation = {}, depends_on: dependsOn = [] } = written;
  return {
    approvals: versioning.require_approver === true ? (versioning.min_approvals ?? 1) : 0,
    ...resolveApprovers(written, owners),
    directPushes: versioning.direct_pushes ?? null,
    needsReason: versioning.require_change_reason ?? false,
    dryRun: dryRunOf(validation),
    safetyChecks: (validation.safety_checks ?? []).map(safetyCheck),
    dependsOn,
  };
}

function resolveApprovers(
  { versioning = {}, people = [], code_host: codeHost = {} }: Written,
  owners: readonly string[],
): Pick<Gates, 'roles' | 'approvers' | 'teams' | 'owners' | 'people'> {
  const roles = versioning.approval_roles ?? [];
  const counted = roles.includes(codeOwner) ? owners : [];
  const logins = counted.filter((owner) => !owner.includes('/') && !owner.includes('@')).map((login) => login.toLowerCase());
  const isApprover = (person: Person): boolean =>
    person.roles.some((role) => roles.includes(role)) || person.logins.some((login) => logins.includes(login.toLowerCase()));
  const teams = [...counted.filter((owner) => owner.includes('/')), ...roles.flatMap((role) => codeHost.role_teams?.[role] ?? [])];
  const known = resolvePeople(people);
  return { roles, approvers: known.filter(isApprover), teams: [...new Set(teams)], owners: logins, people: peopleDigest(known) };
}

export function peopleDigest(people: readonly Person[]): string {
  return sha256Hex(canonicalJson(people));
}

export function resolvePeople(written: NonNullable<WrittenSettings['people']>): readonly Person[] {
  return written.map(({ name, emails = [], logins = [], keys = [], roles = [] }) => ({ name, emails, logins, keys, roles }));
}

function dryRunOf({
  enable_dry_run: isOn,
  dry_run_duration_minutes: duration,
  dry_run_traffic_percentage: percent,
}: SectionsValidation): Gates['dryRun'] {
  if (isOn !== true) return null;
  return {
    durationMs: duration === undefined ? dryRunDefaults.durationMs : writtenMinutesToMs(duration),
    percent: percent ?? dryRunDefaults.percent,
  };
}

function safetyCheck(written: NonNullable<SectionsValidation['safety_checks']>[number]): SafetyCheck {
  switch (written.name) {
    case 'cost_explosion':
      return { name: written.name, limit: written.max_cost_increase };
    case 'quality_degradation':
      return { name: written.name, limit: written.max_quality_drop };
    case 'latency_spike':
      return { name: written.name, limit: written.max_latency_increase };
  }
}

/** Keys that another one must turn on. `approval_roles` may stand ready. */
export function gateProblems({ versioning = {}, validation = {} }: Written): readonly Problem[] {
  const rules: readonly (readonly [unknown, boolean, string, string])[] = [
    [
      versioning.min_approvals,
      versioning.require_approver === true,
      '/versioning/min_approvals',
      'min_approvals needs require_approver: true.',
    ],
    [
      validation.dry_run_duration_minutes ?? validation.dry_run_traffic_percentage,
      validation.enable_dry_run === true,
      '/validation',
      'dry_run_duration_minutes and dry_run_traffic_percentage need enable_dry_run: true.',
    ],
  ];
  return rules.filter(([key, isOn]) => key !== undefined && !isOn).map(([, , path, message]) => ({ code: 'plan', path, message }));
}

/** A login is nobody's name by itself: everybody can choose one. */
export function loginIdentity(login: string): string {
  return `@${login}`;
}

/** Who is meant by a name of a key, a login or an address; null: nobody that settings name. */
export function personOf(people: readonly Person[], identity: string): Person | null {
  const wanted = identity.toLowerCase();
  return (
    people.find(({ name, emails, logins, keys }) =>
      [name, ...emails, ...logins.map(loginIdentity), ...keys].some((one) => one.toLowerCase() === wanted),
    ) ?? null
  );
}

/** `Ada <ada@example.com>` is three names of one person; several people stand between semicolons. */
export function namesOf(author: string): readonly string[] {
  return author.split('; ').flatMap((one) => {
    const [, name = '', address = ''] = /^(.*?)\s*<([^>]*)>$/.exec(one) ?? [];
    return [one, name, address, loginOfAddress(address) ?? ''].filter((each) => each !== '');
  });
}

/** GitHub names people by `123+login@users.noreply.github.com`, where it suggests changes and where they hide their own address. */
function loginOfAddress(address: string): string | null {
  const login = /^(?:\d+\+)?([^@+]+)@users\.noreply\./i.exec(address)?.[1];
  return login === undefined ? null : loginIdentity(login);
}

/** Whether two identities are one person: by settings, or because they are the same text. */
export function isSamePerson(people: readonly Person[], a: string, b: string): boolean {
  const [one, other] = [personOf(people, a), personOf(people, b)];
  return a.toLowerCase() === b.toLowerCase() || (one !== null && one === other);
}

/** Services that are not there, or that wait for each other in a circle. */
export function dependencyProblems(dependsOn: ReadonlyMap<string, readonly string[]>, known: ReadonlySet<string>): readonly Problem[] {
  const unknown = [...dependsOn].flatMap(([service, others]) =>
    others.filter((other) => !known.has(other)).map((other) => [service, other] as const),
  );
  const problems = unknown.map(([service, other]): Problem => ({
    code: 'plan',
    file: `services/${service}/rollout.yaml`,
    path: '/depends_on',
    message: `depends_on names "${other}", and there is no such service.${suggestion(other, [...known])}`,
  }));
  const cycle = dependencyCycle(dependsOn);
  if (cycle === null) return problems;
  const message = `Services wait for each other in a circle: ${cycle.join(' -> ')}. Take one depends_on away.`;
  return [...problems, { code: 'plan', file: `services/${cycle[0] ?? ''}/rollout.yaml`, path: '/depends_on', message }];
}

/** Services that wait for each other in a circle, in order; null: there is none. */
function dependencyCycle(dependsOn: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  const done = new Set<string>();
  const visit = (service: string, path: readonly string[]): readonly string[] | null => {
    if (path.includes(service)) return [...path.slice(path.indexOf(service)), service];
    if (done.has(service)) return null;
    for (const other of dependsOn.get(service) ?? []) {
      const cycle = visit(other, [...path, service]);
      if (cycle !== null) return cycle;
    }
    done.add(service);
    return null;
  };
  for (const service of dependsOn.keys()) {
    const cycle = visit(service, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

/** A whole configuration repository, checked at once: what validate, plan and diff work on. */
import type { Problem } from '../../base/problem.ts';
import type { ModelCatalogue, WrittenSettings } from '../../generated/types.ts';
import { resolveRolloutSettings } from '../settings/resolve.ts';
import type { DocumentReader, ParsedDocument } from './document.ts';
import { emptyDocument, locate } from './document.ts';
import { dependencyProblems } from '../safety/gates.ts';
import { checkCatalogue, checkSettings, defineService, type Past, type ServiceDefinition } from './service-definition.ts';

/** Texts by path; null for what is there and can't be read as a file. */
export interface RepositoryTexts {
  readonly settings: string | null;
  readonly catalogue: string | null;
  readonly policies: ReadonlyMap<string, string>;
  readonly services: ReadonlyMap<string, { readonly config: string | null; readonly rollout: string | null }>;
  readonly templates: ReadonlyMap<string, string>;
  /** What was refused before it was read: links, names. */
  readonly problems: readonly Problem[];
}

export interface CheckedRepository {
  readonly services: ReadonlyMap<string, ServiceDefinition>;
  readonly problems: readonly Problem[];
}

export function checkRepository(texts: RepositoryTexts, read: DocumentReader, before?: CheckedRepository): CheckedRepository {
  const problems: Problem[] = [...texts.problems];
  const repository = readSettings(texts.settings, 'actuator.yaml', 'repository', read, problems);
  const policies = new Map<string, WrittenSettings>();
  for (const [name, text] of texts.policies)
    policies.set(name, readSettings(text, `policies/${name}.yaml`, 'policy', read, problems).value);
  const shared = resolveRolloutSettings({ repository: repository.value, policies, service: {}, oneOff: undefined, choice: null });
  if (!shared.ok) problems.push(...locate(shared.error, repository));
  const catalogue = readCatalogue(texts.catalogue, read, problems);
  problems.push(...templateProblems(texts, read));
  const services = new Map<string, ServiceDefinition>();
  for (const [service, files] of texts.services) {
    const rollout = readSettings(files.rollout, `services/${service}/rollout.yaml`, 'service', read, problems);
    const settings = { repository: repository.value, policies, service: rollout.value };
    const resolved = resolveRolloutSettings({ ...settings, oneOff: undefined, choice: null });
    if (!resolved.ok) problems.push(...locate(resolved.error, files.rollout === null ? repository : rollout));
    // What is wrong with the settings has been said; the configuration is checked all the same.
    const definition = readService(
      service,
      files.config,
      catalogue,
      resolved.ok ? settings : noSettings,
      read,
      problems,
      pastOf(before, service),
    );
    if (definition !== null) services.set(service, definition);
  }
  problems.push(...cycleProblems(texts.services, read));
  return { services, problems: distinct(problems) };
}

/** Offline the commit that is compared with stands for what is in force. */
function pastOf(before: CheckedRepository | undefined, service: string): Past {
  const config = before?.services.get(service)?.config ?? null;
  return { before: config, stable: config };
}

function cycleProblems(services: RepositoryTexts['services'], read: DocumentReader): readonly Problem[] {
  const dependsOn = new Map<string, readonly string[]>();
  for (const [service, { rollout }] of services) {
    const document = rollout === null ? null : read('settings', rollout, 'rollout.yaml');
    if (document?.ok === true) dependsOn.set(service, document.value.value.depends_on ?? []);
  }
  return dependencyProblems(dependsOn, new Set(services.keys()));
}

function templateProblems({ templates }: RepositoryTexts, read: DocumentReader): readonly Problem[] {
  return [...templates].flatMap(([name, text]) => {
    const document = read('llm-config', text, `templates/${name}.yaml`);
    return document.ok ? [] : document.error;
  });
}

const noSettings = { repository: {}, policies: new Map<string, WrittenSettings>(), service: {} };

/** Of a missing or invalid file: no settings. */
function readSettings(
  text: string | null,
  file: string,
  kind: 'repository' | 'policy' | 'service',
  read: DocumentReader,
  problems: Problem[],
): ParsedDocument<WrittenSettings> {
  if (text === null) return emptyDocument(file);
  const document = read('settings', text, file);
  problems.push(...(document.ok ? checkSettings(document.value, kind) : document.error));
  return document.ok ? document.value : emptyDocument(file);
}

function readCatalogue(text: string | null, read: DocumentReader, problems: Problem[]): ModelCatalogue | null {
  if (text === null) {
    problems.push({ code: 'missing', file: 'models.yaml', message: 'There is no models.yaml, which names the models that may be used.' });
    return null;
  }
  const document = read('models', text, 'models.yaml');
  problems.push(...(document.ok ? checkCatalogue(document.value) : document.error));
  return document.ok ? document.value.value : null;
}

function readService(
  service: string,
  text: string | null,
  catalogue: ModelCatalogue | null,
  settings: Parameters<typeof defineService>[3],
  read: DocumentReader,
  problems: Problem[],
  past: Past,
): ServiceDefinition | null {
  const file = `services/${service}/config.yaml`;
  if (text === null) {
    problems.push({ code: 'missing', file, message: 'The service has a folder, but no config.yaml in it.' });
    return null;
  }
  const document = read('llm-config', text, file);
  if (!document.ok) {
    problems.push(...document.error);
    return null;
  }
  if (catalogue === null) return null;
  const defined = defineService(service, document.value, catalogue, settings, past);
  if (defined.ok) return defined.value;
  problems.push(...defined.error);
  return null;
}

/** Settings that many services share are wrong once. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

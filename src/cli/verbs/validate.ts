import type { Command } from 'commander';
import { stringify } from 'yaml';
import { formatProblem, type Problem } from '../../base/problem.ts';
import { ontoService } from '../../domain/config/arms.ts';
import { checkRepository, type CheckedRepository, type RepositoryTexts } from '../../domain/config/check-repository.ts';
import { notInEffect, settingsKeys } from '../../domain/settings/not-in-effect.ts';
import { shortDigest } from '../../domain/config/digest.ts';
import { describeStep } from '../../domain/planning/step.ts';
import type { LlmConfig } from '../../generated/types.ts';
import { renderAnnotations } from '../annotations.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print, renderTable, withOutput, type OutputFormat } from '../output.ts';

interface Flags {
  readonly dir: string;
  readonly config?: string;
  readonly verbose?: true;
  readonly outputFormat: OutputFormat | 'github';
}

export function addValidate(program: Command, context: CliContext): void {
  withOutput(
    program
      .command('validate')
      .description('check a configuration repository, or one file, without a control plane')
      .option('--dir <dir>', 'checkout of the repository', '.')
      .option('--config <file>', 'check this one file (a configuration, settings or models.yaml) against the checkout')
      .option('--verbose', 'also list what was found to be right'),
    ['github'],
  ).action(async (flags: Flags) => {
    const texts = await context.checkout(flags.dir).workingTree();
    const checked = flags.config === undefined ? checkRepository(texts, context.read) : await checkFile(context, texts, flags.config);
    const services = [...checked.services.values()].map(({ service, digest }) => ({ service, digest }));
    const report = { valid: checked.problems.length === 0, services, problems: checked.problems };
    const isForPeople = flags.outputFormat === 'table' || flags.outputFormat === 'github';
    print(context, flags.outputFormat === 'github' ? 'table' : flags.outputFormat, report, () => renderReport(checked, flags));
    if (checked.problems.length > 0) throw new ExitError(3, isForPeople ? `${checked.problems.length} problem(s).` : '');
  });
}

function renderReport(checked: CheckedRepository, flags: Flags): string {
  if (flags.outputFormat === 'github' && checked.problems.length > 0) return renderAnnotations(checked.problems, annotated(flags));
  if (checked.problems.length > 0) return checked.problems.map((problem) => `${formatProblem(problem)}\n`).join('');
  const what = flags.config ?? `${checked.services.size} service(s)`;
  if (flags.verbose !== true) return `valid: ${what}\n`;
  const rows = [...checked.services.values()].map(({ service, digest, plan, serving }) => [
    service,
    shortDigest(digest),
    serving.default_model,
    plan.kind,
    plan.steps.map(describeStep).join(', '),
  ]);
  return `valid: ${what}\n${renderTable([['SERVICE', 'DIGEST', 'MODEL', 'STRATEGY', 'STEPS'], ...rows])}`;
}

/** Paths of annotations begin at the root; that of a file which was named is as it was named. */
function annotated({ dir, config }: Flags): string {
  return config === undefined ? dir : '.';
}

/** The file takes the place of a file in the checkout, so that it is checked with the catalogue and settings that will hold. */
async function checkFile(context: CliContext, texts: RepositoryTexts, file: string): Promise<CheckedRepository> {
  const text = await context.readFile(file);
  if (text === null) throw refused([{ code: 'missing', file, message: 'There is no such file.' }]);
  const kind = kindOf(context, text, file);
  const document = context.read(kind, text, file);
  if (!document.ok) return { services: new Map(), problems: document.error };
  if (kind === 'rollback-file') return { services: new Map(), problems: [] };
  if (kind === 'settings') sayWhatIsIdle(context, document.value.value);
  if (kind !== 'llm-config') return checkShared(context, texts, kind, text, file);
  if (texts.catalogue === null) {
    context.stderr('note: there is no models.yaml in the checkout, so models and parameter ranges were not checked; name it with --dir\n');
    return { services: new Map(), problems: [] };
  }
  return checkConfiguration(context, texts, text, file);
}

/** In the place of its service's file, or of any service's. */
function checkConfiguration(context: CliContext, texts: RepositoryTexts, text: string, file: string): CheckedRepository {
  const name = context.read('llm-config', text, file);
  const service = (name.ok ? name.value.value.metadata?.service : undefined) ?? texts.services.keys().next().value ?? 'config';
  const present = texts.services.get(service);
  const merged = name.ok ? variantsOnto(context, present?.config ?? null, name.value.value) : null;
  const alone = { ...only(texts), services: new Map([[service, { config: merged ?? text, rollout: present?.rollout ?? null }]]) };
  const checked = own(checkRepository(alone, context.read), `services/${service}/config.yaml`, file);
  if (merged === null) return checked;
  // Lines are those of no file that anybody has.
  return { ...checked, problems: checked.problems.map(({ line: _line, column: _column, ...problem }) => problem) };
}

/** A file with nothing but variants is merged onto a service, as `ab-test --config` does; null: it stands for itself. */
function variantsOnto(context: CliContext, service: string | null, written: LlmConfig): string | null {
  const isWhole = written.variants === undefined || written.llm?.model !== undefined || written.routing?.default_model !== undefined;
  const ground = isWhole || service === null ? null : context.read('llm-config', service, 'config.yaml');
  return ground?.ok === true ? stringify(ontoService(ground.value.value, written)) : null;
}

function checkShared(
  context: CliContext,
  texts: RepositoryTexts,
  kind: 'settings' | 'models',
  text: string,
  file: string,
): CheckedRepository {
  if (kind === 'models') return own(checkRepository({ ...only(texts), catalogue: text }, context.read), 'models.yaml', file);
  const probe = new Map([['probe', { config: null, rollout: text }]]);
  const asService = checkRepository({ ...only(texts), services: probe }, context.read);
  const asRepository = checkRepository({ ...only(texts), settings: text }, context.read);
  // Which of the three kinds of settings it is, only its place would tell; it must be right as one of them.
  const results = [own(asService, 'services/probe/rollout.yaml', file), own(asRepository, 'actuator.yaml', file)];
  return results.find((result) => result.problems.length === 0) ?? results[0] ?? asService;
}

function only(texts: RepositoryTexts): RepositoryTexts {
  return { ...texts, templates: new Map(), services: new Map(), problems: [] };
}

function own(checked: CheckedRepository, path: string, file: string): CheckedRepository {
  const problems = checked.problems
    .filter((problem) => problem.file === path || problem.file === undefined)
    .map((problem): Problem => ({ ...problem, file }));
  return { services: checked.services, problems };
}

/** Checked, and without effect: said on stderr, so that nobody relies on it. */
function sayWhatIsIdle(context: CliContext, written: unknown): void {
  const idle = notInEffect(written).map((path) => path.slice(1).replaceAll('/', '.'));
  if (idle.length > 0) context.stderr(`note: accepted, not yet in effect: ${idle.join(', ')}\n`);
}

/** By its top-level keys, as a person would tell. */
function kindOf(context: CliContext, text: string, file: string): 'llm-config' | 'settings' | 'models' | 'rollback-file' {
  if (/^(providers|models):/m.test(text)) return 'models';
  if (/^reason:/m.test(text) && /^(deployment_id|options|service|to_version):/m.test(text)) return 'rollback-file';
  const keys = settingsKeys();
  const isSettings = text.split('\n').some((line) => keys.some((key) => line.trimStart().startsWith(`${key}:`)));
  return isSettings && !context.read('llm-config', text, file).ok ? 'settings' : 'llm-config';
}

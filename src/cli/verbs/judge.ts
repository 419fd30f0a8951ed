/** Makes a recorded verdict once more, and says what another policy would have decided. */
import type { Command } from 'commander';
import { isObject } from '../../base/json.ts';
import { sha256Hex } from '../../base/hash.ts';
import { canonicalJson } from '../../base/json.ts';
import { oneLine } from '../../base/text.ts';
import { toIso } from '../../base/time.ts';
import { limitBin } from '../../domain/analysis/evidence.ts';
import type { Judgement } from '../../domain/analysis/look.ts';
import { isQuantile } from '../../domain/analysis/metric.ts';
import { replay, type EvidenceRecord, type Replayed } from '../../domain/analysis/record.ts';
import type { AnalysisPolicy } from '../../domain/settings/policy.ts';
import { resolveRolloutSettings } from '../../domain/settings/resolve.ts';
import { ExitError, refused, type CliContext } from '../context.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { renderCriteria } from '../status-text.ts';

interface Flags {
  readonly evidence: string;
  readonly settings?: string;
  readonly outputFormat: OutputFormat;
}

export function addJudge(program: Command, context: CliContext): void {
  withOutput(
    program
      .command('judge')
      .description('make the verdict of an evidence.json once more, from its blocks; exit code 1 when it does not agree with the record')
      .requiredOption('--evidence <file>', 'deployments/<year>/<month>/<id>/evidence.json of the branch actuator/status')
      .option('--settings <file>', 'also say what these settings (actuator.yaml, a policy or a rollout.yaml) would have decided'),
  ).action(async (flags: Flags) => {
    const record = await readRecord(context, flags.evidence);
    const again = attempt(flags.evidence, () => replay(record));
    const agreed = canonicalJson(again.judgement) === canonicalJson(record.judgement);
    const other = flags.settings === undefined ? null : await otherPolicy(context, flags.settings, record.policy);
    const otherwise = other === null ? null : replay(record, other);
    const report = {
      deployment_id: record.deployment_id,
      service: record.service,
      digest: `sha256:${sha256Hex(canonicalJson(record.judgement))}`,
      agrees: agreed,
      judgement: again.judgement,
      other: otherwise === null || other === null ? null : { ...reportOf(otherwise), notes: notesOn(record, other) },
    };
    print(context, flags.outputFormat, report, () => render(record, report, flags.settings));
    if (!agreed) throw new ExitError(1, 'The record does not agree with its own blocks: it was changed, or made by another version.');
  });
}

interface Report {
  readonly digest: string;
  readonly agrees: boolean;
  readonly judgement: Judgement;
  readonly other: (ReturnType<typeof reportOf> & { readonly notes: readonly string[] }) | null;
}

function reportOf({ judgement, first }: Replayed): {
  readonly judgement: Judgement;
  readonly first_decision: object | null;
  readonly sentence: string;
} {
  if (first === null)
    return { judgement, first_decision: null, sentence: `at the end of the record: ${judgement.verdict}, ${judgement.reason}` };
  const { verdict, reason } = first.judgement;
  return {
    judgement,
    first_decision: { at: toIso(first.at), weight: first.weight, verdict, reason },
    sentence: `${verdict} at ${toIso(first.at)}, at ${first.weight} %: ${reason}`,
  };
}

function render(record: EvidenceRecord, { digest, agrees, judgement, other }: Report, settings: string | undefined): string {
  const lines = [
    `${oneLine(record.service)}  ${oneLine(record.deployment_id)}  ${record.blocks.length} blocks, code ${oneLine(record.code_version)}\n`,
    `evidence ${digest}\n`,
    `${agrees ? 'agrees' : 'DOES NOT AGREE'}: ${judgement.verdict}, ${oneLine(judgement.reason)}\n`,
    renderCriteria(judgement.criteria),
  ];
  if (other !== null) lines.push(`by ${settings ?? ''}: ${oneLine(other.sentence)}\n`, ...other.notes.map((note) => `note: ${note}\n`));
  return lines.join('');
}

async function readRecord(context: CliContext, file: string): Promise<EvidenceRecord> {
  const text = await context.readFile(file);
  if (text === null) throw refused([{ code: 'missing', file, message: 'There is no such file.' }]);
  const value = attempt(file, () => JSON.parse(text) as unknown);
  const isRecord = isObject(value) && value['format'] === 1 && Array.isArray(value['blocks']) && isObject(value['judgement']);
  if (!isRecord || !isObject(value['policy']) || !isObject(value['moment']) || !isObject(value['grid']))
    throw refused([
      {
        code: 'schema',
        file,
        message: 'This is no evidence.json of format 1, as it lies in a deployment’s folder on the branch actuator/status.',
      },
    ]);
  return value as unknown as EvidenceRecord;
}

/** A file that somebody cut short or edited can break the replay anywhere: that is a refusal, and no crash. */
function attempt<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : 'unknown error';
    throw refused([{ code: 'schema', file, message: `The evidence can't be read as it is (${why}).` }]);
  }
}

async function otherPolicy(context: CliContext, file: string, recorded: AnalysisPolicy): Promise<AnalysisPolicy> {
  const text = await context.readFile(file);
  if (text === null) throw refused([{ code: 'missing', file, message: 'There is no such file.' }]);
  const document = context.read('settings', text, file);
  if (!document.ok) throw refused(document.error);
  const { policy, ...written } = document.value.value;
  if (policy !== undefined)
    throw refused([
      { code: 'unknown-policy', file, path: '/policy', message: `Name the file of the policy "${policy}" itself; one file is judged by.` },
    ]);
  const resolved = resolveRolloutSettings({ repository: written, policies: new Map(), service: {}, oneOff: undefined, choice: null });
  if (!resolved.ok) throw refused(resolved.error.map((problem) => ({ ...problem, file })));
  // How requests were divided and cut into blocks is what happened, whatever other settings say.
  return { ...resolved.value.policy, clustered: recorded.clustered, blockMs: recorded.blockMs };
}

/** What the record can't say about another policy. */
function notesOn(record: EvidenceRecord, other: AnalysisPolicy): readonly string[] {
  const known = new Set(record.grid.limits);
  const limits = [
    ...other.criteria.filter(({ metric, max }) => isQuantile(metric) && max !== null).map(({ max }) => max ?? 0),
    ...other.triggers.filter(({ metric, kind }) => isQuantile(metric) && kind === 'above').map(({ threshold }) => threshold),
  ].filter((limit) => !known.has(limitBin(limit)));
  const missing = [...new Set(limits)].map((limit) => `the record has no counts above ${limit} ms, so that limit was not looked at`);
  return [
    ...missing,
    'margins of latency are read off the nearest of those that the record keeps counts for; triggers are looked at when a block ends',
  ];
}

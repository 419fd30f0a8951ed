/** Evidence: all that a verdict was made of, so that anybody can make it again, or ask what another policy would have said. */
import { canonicalJson } from '../../base/json.ts';
import type { Instant } from '../../base/time.ts';
import type { AnalysisPolicy } from '../settings/policy.ts';
import type { AbTestVerdict } from './ab-test.ts';
import type { BlockRow, Grid, OpenBlock } from './block.ts';
import { addClosed, benchOf, newJudge, startStep, type Bench, type JudgeState, type StepMark } from './judge.ts';
import { look, type Judgement, type LookContext } from './look.ts';
import { reportOf, type ClassicalReport } from './report.ts';

/** What a look saw besides the closed blocks. */
export interface Moment {
  readonly context: LookContext;
  readonly started_at: Instant;
  readonly steps: readonly StepMark[];
  readonly open: OpenBlock;
  readonly state: Pick<JudgeState, 'step' | 'drawn' | 'total' | 'violations' | 'health' | 'unusable' | 'stepStartedAt'>;
}

export function momentOf(state: JudgeState, context: LookContext): Moment {
  const { step, drawn, total, violations, health, unusable, stepStartedAt } = state;
  return {
    context,
    started_at: state.startedAt,
    steps: state.steps,
    open: state.open,
    state: { step, drawn, total, violations, health, unusable, stepStartedAt },
  };
}

/** The file evidence.json. */
export interface EvidenceRecord {
  readonly format: 1;
  readonly code_version: string;
  readonly service: string;
  readonly deployment_id: string;
  readonly settings_digest: string;
  readonly judgement: Judgement;
  /** Of an A/B test: what its arms say of each other, `judgement` being about one of them. Absent elsewhere. */
  readonly comparison?: AbTestVerdict;
  /** Fixed-horizon tests of the present step, which decide nothing. */
  readonly classical: ClassicalReport;
  readonly policy: AnalysisPolicy;
  readonly grid: Grid;
  readonly moment: Moment;
  readonly blocks: readonly BlockRow[];
}

export type EvidenceSource = Pick<
  EvidenceRecord,
  'code_version' | 'service' | 'deployment_id' | 'settings_digest' | 'judgement' | 'comparison' | 'policy' | 'moment' | 'blocks'
>;

export function recordEvidence(source: EvidenceSource): EvidenceRecord {
  const { policy, moment, judgement } = source;
  return { format: 1, ...source, classical: reportOf(moment.state.step, policy, judgement.criteria), grid: benchOf(policy).grid };
}

export interface Replayed {
  readonly judgement: Judgement;
  /** The first look at the end of a block that would have ended the rollout or stopped it; null when none would. */
  readonly first: { readonly at: Instant; readonly weight: number; readonly judgement: Judgement } | null;
}

/** Judges the record once more, by `policy`. By its own policy the verdict at its end is the recorded one. */
export function replay(record: EvidenceRecord, policy: AnalysisPolicy = record.policy): Replayed {
  // The counts were kept for the thresholds of the recorded policy; another one is read off the nearest of them.
  const bench: Bench = { ...benchOf(policy), grid: record.grid };
  const { context, steps, started_at: startedAt, open, state: last } = record.moment;
  let state = newJudge(startedAt, steps[0]?.weight ?? 0);
  let first: Replayed['first'] = null;
  for (const [index, row] of record.blocks.entries()) {
    for (const mark of steps.slice(state.steps.length)) if (mark.blocks <= index) state = startStep(state, mark.weight, mark.at);
    state = withStepSamples(addClosed(state, row, bench), row);
    const then = { ...context, weight: row.weight, now: row.at, drawn: null };
    const looked = look({ ...state, open: { ...state.open, weight: row.weight } }, bench, then);
    state = { ...state, violations: looked.state.violations };
    first ??= decisive(looked.judgement, row.at, row.weight);
  }
  for (const mark of steps.slice(state.steps.length)) state = startStep(state, mark.weight, mark.at);
  const { judgement } = look({ ...state, ...last, open }, bench, context);
  return { judgement, first: first ?? decisive(judgement, context.now, context.weight) };
}

/** What would have ended a rollout, or stopped it. */
function decisive(judgement: Judgement, at: Instant, weight: number): Replayed['first'] {
  return isDecisive(judgement) ? { at, weight, judgement } : null;
}

function isDecisive({ verdict }: Judgement): boolean {
  return verdict === 'fail' || verdict === 'incident' || verdict === 'warn';
}

/** The samples of a step are not kept block by block; their numbers are, which is what gates ask for. */
function withStepSamples(state: JudgeState, row: BlockRow): JudgeState {
  const add = (counts: JudgeState['total']['canary'], requests: number, errors: number): JudgeState['total']['canary'] => ({
    requests: counts.requests + requests,
    errors: counts.errors + errors,
  });
  return {
    ...state,
    total: { canary: add(state.total.canary, row.nc, row.xc), stable: add(state.total.stable, row.ns, row.xs) },
    step: {
      canary: { ...state.step.canary, ...add(state.step.canary, row.nc, row.xc) },
      stable: { ...state.step.stable, ...add(state.step.stable, row.ns, row.xs) },
    },
  };
}

/** Whether the verdict can be made again from the record, to the last digit. */
export function agrees(record: EvidenceRecord): boolean {
  return canonicalJson(replay(record).judgement) === canonicalJson(record.judgement);
}

/** Who waits for whom: pending-approvals, review, safety-check, approve, reject. */
import type { Command } from 'commander';
import { oneLine } from '../../base/text.ts';
import { formatDuration } from '../../base/time.ts';
import type { ApprovalRequest } from '../../generated/types.ts';
import { accepted, connect, withApi } from '../api-options.ts';
import { ExitError, type CliContext } from '../context.ts';
import { print, renderTable, withOutput } from '../output.ts';
import { nameOf, targetOf, withTarget, type Ordered, type TargetFlags } from './operate.ts';

interface Flags extends TargetFlags {
  readonly approver?: string;
  readonly comment?: string;
  readonly pullRequest?: number;
}

interface Waiting {
  readonly pending: readonly Pending[];
  readonly pull_requests: readonly { readonly number: number; readonly title: string; readonly author: string; readonly url: string }[];
  readonly code_host_problem: string | null;
}

interface Reviewed {
  readonly pull_request: number;
  readonly services: readonly { readonly service: string; readonly digest: string }[];
  readonly review_left: boolean;
}

interface Pending {
  readonly service: string;
  readonly deployment_id: string;
  readonly commit: string;
  readonly digest: string;
  readonly author: string;
  readonly since: string;
  readonly plan: string;
  readonly waits_for: readonly string[];
  readonly approvals: readonly { readonly approver: string; readonly comment: string | null; readonly at: string }[];
  readonly approvals_needed: number;
  readonly pull_request?: string | null;
}

interface Check {
  readonly name: string;
  readonly limit: number;
  readonly expected: number | null;
  readonly verdict: string;
  readonly because: string;
}

const base = '/api/v1/actuator';

export function addApprovals(program: Command, context: CliContext): void {
  withApi(
    withOutput(
      program.command('pending-approvals').description('deployments that have not started and what they wait for, and open pull requests'),
    ),
  ).action(async (flags: Flags) => {
    const waiting = accepted<Waiting>(await (await connect(context, flags)).get(`${base}/approvals`));
    print(context, flags.outputFormat, waiting, () => renderWaiting(waiting, context.now()));
  });
  withApi(
    withOutput(
      program
        .command('review')
        .description('what a pending deployment would do: author, change, plan, checks')
        .option('--deployment-id <id>', 'the deployment')
        .option('--service <name>', 'the service, where several wait'),
    ),
  ).action(async (flags: Flags) => {
    const client = await connect(context, flags);
    const found = one(accepted<{ readonly pending: readonly Pending[] }>(await client.get(`${base}/approvals`)).pending, flags);
    const { patch } = accepted<{ readonly patch: readonly object[] }>(await client.get(`${base}/deployments/${found.deployment_id}/diff`));
    const { checks } = accepted<{ readonly checks: readonly Check[] }>(
      await client.get(`${base}/deployments/${found.deployment_id}/safety`),
    );
    print(context, flags.outputFormat, { ...found, patch, checks }, () => renderReview(found, patch, checks));
  });
  withApi(
    withOutput(
      program
        .command('safety-check')
        .description('what is to be expected of a deployment, against the bounds of settings; exit code 1 when it is beyond them')
        .requiredOption('--deployment-id <id>', 'the deployment'),
    ),
  ).action(async (flags: Flags & { readonly deploymentId: string }) => {
    const client = await connect(context, flags);
    const { checks } = accepted<{ readonly checks: readonly Check[] }>(
      await client.get(`${base}/deployments/${encodeURIComponent(flags.deploymentId)}/safety`),
    );
    print(context, flags.outputFormat, checks, () => renderChecks(checks));
    if (checks.some(({ verdict }) => verdict === 'beyond')) throw new ExitError(1, '');
  });
  addDecisions(program, context);
}

function addDecisions(program: Command, context: CliContext): void {
  for (const [name, done, description] of [
    ['approve', 'approved', 'approve a pending deployment, as somebody other than its author'],
    ['reject', 'rejected', 'turn a pending deployment down; needs --reason'],
  ] as const) {
    const command = withTarget(program.command(name).description(description));
    command.option('--pull-request <number>', 'an open pull request, in the place of a deployment; a review is left there', numberOfPull);
    command.option('--approver <name>', 'who it is; must be the one that the API key belongs to');
    if (name === 'approve') command.option('--comment <text>', 'what the approver has to say; --reason says the same');
    command.action(async (flags: Flags) => {
      const request: ApprovalRequest = {
        ...targetOf(flags),
        ...(flags.approver === undefined ? {} : { approver: flags.approver }),
        ...(flags.comment === undefined ? {} : { comment: flags.comment }),
        ...(flags.pullRequest === undefined ? {} : { pull_request: flags.pullRequest }),
      };
      if (flags.pullRequest !== undefined) {
        const reviewed = accepted<Reviewed>(await (await connect(context, flags)).post(`${base}/${name}`, request));
        print(context, flags.outputFormat, reviewed, () => describeReviewed(reviewed, done));
        return;
      }
      const ordered = accepted<Ordered>(await (await connect(context, flags)).post(`${base}/${name}`, request));
      print(context, flags.outputFormat, ordered, () => `${done} ${nameOf(ordered)}\n`);
    });
  }
}

function one(pending: readonly Pending[], flags: Flags): Pending {
  const meant = pending.filter(
    ({ deployment_id: id, service }) => (flags.deploymentId ?? id) === id && (flags.service ?? service) === service,
  );
  const [only, ...others] = meant;
  if (only !== undefined && others.length === 0) return only;
  throw new ExitError(
    3,
    meant.length === 0
      ? 'No such deployment waits.'
      : `Several wait; name one with --deployment-id: ${meant.map(({ deployment_id: id }) => id).join(', ')}.`,
  );
}

function numberOfPull(text: string): number {
  const number = Number(text.replace(/^#/, ''));
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new ExitError(2, `--pull-request takes a number, not "${text}".`);
}

function describeReviewed({ pull_request: number, services, review_left: isLeft }: Reviewed, done: string): string {
  const what = services.map(({ service, digest }) => `${service} ${digest.slice(7, 19)}`).join(', ');
  return `${done} #${number} (${what})${isLeft ? '' : '; the code host has it as a comment, and may want a review by somebody there before it is merged'}\n`;
}

function renderWaiting({ pending, pull_requests: pulls, code_host_problem: problem }: Waiting, now: number): string {
  const open = pulls.map(({ number, title, author, url }) => [`#${number}`, author, oneLine(title, 80), url]);
  return [
    pending.length === 0 ? 'nothing waits\n' : renderPending(pending, now),
    open.length === 0 ? '' : `\n${renderTable([['PULL REQUEST', 'AUTHOR', 'TITLE', ''], ...open])}`,
    problem === null ? '' : `pull requests are not shown: ${problem}\n`,
  ].join('');
}

function renderPending(pending: readonly Pending[], now: number): string {
  const rows = pending.map((each) => [
    each.service,
    each.deployment_id,
    each.author,
    formatDuration(now - Date.parse(each.since)),
    `${each.approvals.length}/${each.approvals_needed}`,
    each.waits_for.join('; '),
  ]);
  return renderTable([['SERVICE', 'DEPLOYMENT', 'AUTHOR', 'SINCE', 'APPROVALS', 'WAITS FOR'], ...rows]);
}

function renderReview(found: Pending, patch: readonly object[], checks: readonly Check[]): string {
  return [
    `${found.service}  ${found.deployment_id}  by ${found.author}\n`,
    `commit ${found.commit.slice(0, 12)}, digest ${found.digest}\n`,
    `plan: ${found.plan}\n`,
    ...patch.map((operation) => `  ${JSON.stringify(operation)}\n`),
    ...found.approvals.map(({ approver, comment, at }) => `approved by ${approver} at ${at}${comment === null ? '' : `: ${comment}`}\n`),
    ...(found.pull_request == null ? [] : [`pull request: ${found.pull_request}\n`]),
    ...found.waits_for.map((what) => `waits for: ${what}\n`),
    renderChecks(checks),
  ].join('');
}

function renderChecks(checks: readonly Check[]): string {
  if (checks.length === 0) return 'settings name no safety checks\n';
  const percent = (fraction: number | null): string => (fraction === null ? 'unknown' : `${Math.round(fraction * 1000) / 10} %`);
  return renderTable([
    ['CHECK', 'EXPECTED', 'ALLOWED', 'VERDICT', 'BECAUSE'],
    ...checks.map(({ name, limit, expected, verdict, because }) => [name, percent(expected), percent(limit), verdict, because]),
  ]);
}

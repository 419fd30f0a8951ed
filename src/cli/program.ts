/** The command line: every verb, its errors and its exit codes (0 ok, 1 failed, 2 usage, 3 refused). */
import { Command, CommanderError } from 'commander';
import { messageOf, StalledError } from '../base/failures.ts';
import { ExitError, type CliContext } from './context.ts';
import { addApprovals } from './verbs/approvals.ts';
import { addDeploy } from './verbs/deploy.ts';
import { addDiff } from './verbs/diff.ts';
import { addClientKey, addGateway } from './verbs/gateway.ts';
import { addHistory } from './verbs/history.ts';
import { addMetrics } from './verbs/metrics.ts';
import { addOperate } from './verbs/operate.ts';
import { addPlan } from './verbs/plan.ts';
import { addRollback } from './verbs/roll-back.ts';
import { addServe } from './verbs/serve.ts';
import { addHealthCheck, addInit, addKey, addResync, addVersion } from './verbs/small.ts';
import { addAbTests } from './verbs/ab-test.ts';
import { addSampleSize } from './verbs/evidence.ts';
import { addJudge } from './verbs/judge.ts';
import { addListActive, addStatus } from './verbs/status.ts';
import { addTrafficVerbs } from './verbs/traffic.ts';
import { addValidate } from './verbs/validate.ts';

export async function runProgram(context: CliContext, args: readonly string[]): Promise<number> {
  const program = createProgram(context);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (thrown) {
    return exitCodeOf(context, thrown);
  }
}

function createProgram(context: CliContext): Command {
  const program = new Command('actuator')
    .description('GitOps reconciler for LLM configuration: a commit becomes a canary on real traffic, then a promotion or a revert commit.')
    .version(context.version)
    .exitOverride()
    .configureOutput({ writeOut: context.stdout, writeErr: context.stderr })
    .showHelpAfterError('(actuator --help lists the verbs, actuator <verb> --help its flags)');
  program.commandsGroup('Run:');
  addServe(program, context);
  addGateway(program, context);
  addClientKey(program, context);
  program.commandsGroup('Offline, on a checkout:');
  addInit(program, context);
  addValidate(program, context);
  addPlan(program, context);
  addDiff(program, context);
  addJudge(program, context);
  program.commandsGroup('Look:');
  addStatus(program, context);
  addListActive(program, context);
  addMetrics(program, context);
  addHistory(program, context);
  addTrafficVerbs(program, context);
  addSampleSize(program, context);
  addHealthCheck(program, context);
  addVersion(program, context);
  program.commandsGroup('Act:');
  addDeploy(program, context);
  addAbTests(program, context);
  addRollback(program, context);
  addOperate(program, context);
  program.commandsGroup('Agree:');
  addApprovals(program, context);
  addKey(program, context);
  program.commandsGroup('Repair:');
  addResync(program, context);
  for (const command of program.commands) command.exitOverride().configureOutput({ writeOut: context.stdout, writeErr: context.stderr });
  return program;
}

function exitCodeOf(context: CliContext, thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  if (thrown instanceof ExitError) {
    if (thrown.message !== '') context.stderr(`${thrown.message}\n`);
    return thrown.code;
  }
  context.stderr(`${messageOf(thrown)}\n`);
  return thrown instanceof StalledError ? 3 : 1;
}

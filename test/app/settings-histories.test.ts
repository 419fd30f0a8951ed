/**
 * Commits of settings and of services in any order, by pull requests, pushes, and while the code host is away: whether each is looked at
 * by itself, or all at once, with failed looks and restarts in between, the outcome is the same; and the same as when the host is never away. `ACTUATOR_SEEDS=from-to` runs others.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { seededRng, type Rng } from '../../src/base/random.ts';
import { base, service } from '../support/control-plane-world.ts';
import { aHostedWorld, type Files, type Way } from '../support/hosted-history.ts';

interface Commit {
  readonly what: string;
  readonly way: Way;
  readonly change: (files: Files) => Files;
}

const chat = 'services/chat/config.yaml';
// Frozen: what is compared is what would start, and under which plan.
const settings = (versioning: string): string => `${base['actuator.yaml']}freeze: { reason: waits }
people: [{ name: Ada, emails: [ada@example.com], logins: [ada], roles: [sre] }]
versioning: { approval_roles: [sre]${versioning} }
`;
const strict = settings(', require_approver: true');
const first: Files = { ...base, 'actuator.yaml': strict, [chat]: service('m'), 'services/other/config.yaml': service('m') };

/** Never the same twice: content that comes again while it is on trial goes on under the plan that it began with. */
const another = (index: number): string => `llm: { model: n, parameters: { max_tokens: ${100 + index} } }\n`;

const write =
  (path: string, text: string) =>
  (files: Files): Files => ({ ...files, [path]: text });

function pickOf<T>(rng: Rng, choices: readonly T[]): T {
  return choices[Math.floor(rng() * choices.length)] as T;
}

function aCommit(rng: Rng, index: number): Commit {
  const pick = <T>(...choices: readonly T[]): T => pickOf(rng, choices);
  const anySettings = (): string => pick(strict, settings(''), settings(', direct_pushes: allow'), settings(', direct_pushes: hold'));
  const anyWay = (): Way => pick<Way>('pull request', 'pull request', 'away', 'push');
  switch (pick('settings', 'overrides', 'others', 'change', 'change', 'comment', 'models', 'both', 'another')) {
    case 'settings':
      return { what: 'settings', way: anyWay(), change: write('actuator.yaml', anySettings()) };
    case 'overrides':
      return {
        what: 'overrides',
        way: anyWay(),
        change: write('services/chat/rollout.yaml', `versioning: { require_approver: ${pick('true', 'false')} }\n`),
      };
    case 'others':
      return { what: 'others', way: anyWay(), change: write('services/other/rollout.yaml', `# ${index}\nversioning: {}\n`) };
    case 'comment':
      return { what: 'comment', way: 'pull request', change: (files) => ({ ...files, [chat]: `${files[chat] ?? ''}# ${index}\n` }) };
    case 'models': {
      // Another address makes another digest of every service.
      const edit = pick(
        (text: string) => `${text}# ${index}\n`,
        (text: string) => text.replace(/p[^.]*\.example/, `p${index}.example`),
      );
      return {
        what: 'models',
        way: pick('pull request', 'away'),
        change: (files) => ({ ...files, 'models.yaml': edit(files['models.yaml'] ?? '') }),
      };
    }
    case 'another':
      return { what: 'another', way: 'pull request', change: write('services/other/config.yaml', another(index)) };
    case 'both': {
      const text = anySettings();
      return { what: 'both', way: 'pull request', change: (files) => ({ ...files, 'actuator.yaml': text, [chat]: another(index) }) };
    }
    default:
      return { what: 'change', way: 'pull request', change: write(chat, pick(service('m'), another(index), another(index))) };
  }
}

type Looking = 'after each' | 'at the end' | 'now and then, with failures and restarts';

interface Outcome {
  readonly accepted: unknown;
  readonly chat: unknown;
}

async function outcomeOf(commits: readonly Commit[], looking: Looking, rng: Rng): Promise<Outcome> {
  const w = await aHostedWorld(first);
  let files = first;
  for (const { change, way } of commits) {
    files = change(files);
    w.push(files, way);
    if (looking === 'after each') await w.look();
    else if (looking !== 'at the end' && rng() < 0.5) {
      w.fail(pickOf(rng, [null, null, 0, 1]));
      await w.look().catch(() => undefined);
      w.fail(null);
      if (rng() < 0.3) await w.restart();
    }
  }
  await w.look();
  w.back();
  // A push is told apart some time after it was asked about first, and of two to one file the second only after the first.
  for (let round = 0; round < 3; round++) {
    await w.look();
    w.clock.advance(31 * 60_000);
  }
  await w.look();
  const { active, stable, rejection } = w.bench.state('chat');
  const outcome = {
    accepted: w.bench.controlPlane.reconciler.accepted(),
    chat: {
      stable: stable?.digest,
      active: active === null ? null : [active.revision.digest, active.plan.gates.approvals, active.plan.gates.directPushes],
      rejection: rejection?.problems,
    },
  };
  await w.close();
  return outcome;
}

const [from = 1, to = 60] = (process.env['ACTUATOR_SEEDS'] ?? '').split('-').filter(Boolean).map(Number);

it(`has one outcome, however it is looked at (seeds ${from} to ${to})`, async () => {
  for (let seed = from; seed <= to; seed++) {
    const rng = seededRng(seed);
    const commits = Array.from({ length: 3 + Math.floor(rng() * 8) }, (_, index) => aCommit(rng, index));
    const told = commits.map(({ what, way }) => `${what} (${way})`).join(', ');
    const neverAway = commits.map((one) => (one.way === 'away' ? { ...one, way: 'pull request' as const } : one));
    const expected = await outcomeOf(neverAway, 'after each', rng);
    for (const looking of ['after each', 'at the end', 'now and then, with failures and restarts'] as const)
      assert.deepEqual(await outcomeOf(commits, looking, rng), expected, `seed ${seed}, ${looking}: ${told}`);
  }
});

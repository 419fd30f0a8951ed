/** `npm run simulate -- --seeds N [--from SEED]`: runs seeds, and cuts the first broken one down to its shortest history. */
import { parseArgs } from 'node:util';
import { describeScenario, runSeed, shrink } from './run.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '100' }, from: { type: 'string', default: '1' } } });
const seeds = Number(values.seeds);
const from = Number(values.from);
const broken: number[] = [];
const startedAt = Date.now();
for (let seed = from; seed < from + seeds; seed++) {
  const failure = await runSeed(seed);
  if ((seed - from) % 5000 === 4999) process.stderr.write(`${seed - from + 1} seeds\n`);
  if (failure === null) continue;
  broken.push(seed);
  process.stdout.write(`seed ${seed} breaks "${failure.message}"\n`);
  if (broken.length > 3) continue;
  const { scenario, error } = await shrink(failure);
  process.stdout.write(`${describeScenario(scenario)}\n  ${error}\nalone: npm run simulate -- --from ${seed} --seeds 1\n`);
}
process.stdout.write(`${((Date.now() - startedAt) / seeds).toFixed(1)} ms a seed\n`);
process.stdout.write(`${seeds} seeds, ${broken.length} broken\n`);
process.exitCode = broken.length === 0 ? 0 : 1;

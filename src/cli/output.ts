/** `-o table|json|yaml`, and tables. */
import { Option, type Command } from 'commander';
import { stringify } from 'yaml';
import { oneLine } from '../base/text.ts';
import type { CliContext } from './context.ts';

export type OutputFormat = 'table' | 'json' | 'yaml';

/** `more`: formats that only this verb has. */
export function withOutput(command: Command, more: readonly string[] = []): Command {
  return command.addOption(
    new Option('-o, --output-format <format>', 'how to print').choices(['table', 'json', 'yaml', ...more]).default('table'),
  );
}

export function print(context: CliContext, format: OutputFormat, value: unknown, table: () => string): void {
  if (format === 'json') context.stdout(`${JSON.stringify(value, null, 2)}\n`);
  else if (format === 'yaml') context.stdout(stringify(value));
  else context.stdout(table());
}

/** Columns as wide as their widest cell, two spaces apart. Cells come from outside and are made harmless. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => oneLine(cell, 120)));
  const widths = (clean[0] ?? []).map((_, column) => Math.max(...clean.map((row) => (row[column] ?? '').length)));
  return clean
    .map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ')}\n`)
    .join('');
}

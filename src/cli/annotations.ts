/** Problems as workflow commands of GitHub Actions, which shows them on the lines that they are about. */
import { posix } from 'node:path';
import type { Problem } from '../base/problem.ts';

/** `directory`: where the checked files lie below the repository's root. One line each. */
export function renderAnnotations(problems: readonly Problem[], directory: string): string {
  return problems.map((problem) => `${annotation(problem, directory)}\n`).join('');
}

function annotation({ code, message, file, line, column, path }: Problem, directory: string): string {
  const place = [
    ...(file === undefined ? [] : [['file', posix.join(directory, file)] as const]),
    ...(line === undefined ? [] : [['line', String(line)] as const]),
    ...(column === undefined ? [] : [['col', String(column)] as const]),
    ['title', `actuator: ${code}`] as const,
  ];
  const where = path === undefined || path === '' ? '' : ` (${path})`;
  return `::error ${place.map(([key, value]) => `${key}=${escapeProperty(value)}`).join(',')}::${escapeData(message + where)}`;
}

/** As the runner unescapes them: a message can begin no command of its own. */
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

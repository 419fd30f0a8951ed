import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the package, whether it runs from src/ or from dist/. */
export const version: string = (
  JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as { version: string }
).version;

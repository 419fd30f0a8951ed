/** Files checked against our schemas, with errors that say where, what was expected and what was probably meant. */
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';
import { isObject, pointerToken } from '../../base/json.ts';
import type { Problem } from '../../base/problem.ts';
import { ok, refuse } from '../../base/result.ts';
import { nearest, oneLine } from '../../base/text.ts';
import { locate, type DocumentReader } from '../../domain/config/document.ts';
import { schemas } from '../../generated/schemas.ts';
import type { SchemaTypes } from '../../generated/types.ts';
import { isCron, isTimeZone } from '../system/next-time.ts';
import { parseYaml } from './yaml.ts';

const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, verbose: true, discriminator: true });
ajv.addKeyword('x-secret');
ajv.addKeyword('x-not-in-effect');
ajv.addFormat('cron', isCron);
ajv.addFormat('time-zone', isTimeZone);
(formatsPlugin as unknown as (instance: Ajv2020) => void)(ajv);
for (const schema of Object.values(schemas)) ajv.addSchema(schema);

function validator(schema: keyof SchemaTypes): ValidateFunction {
  const found = ajv.getSchema(schema);
  if (found === undefined) throw new Error(`no schema ${schema}`);
  return found as ValidateFunction;
}

/** Problems of a value that has no file: a request body, an assignment. Empty when it is valid. */
export function schemaProblems(schema: keyof SchemaTypes, value: unknown): readonly Problem[] {
  const validate = validator(schema);
  return validate(value) ? [] : explain(validate.errors ?? []);
}

export const readDocument: DocumentReader = <K extends keyof SchemaTypes>(schema: K, text: string, file: string) => {
  const parsed = parseYaml(text, file);
  if (!parsed.ok) return parsed;
  const validate = validator(schema);
  const { value, positions } = parsed.value;
  if (validate(value)) return ok({ file, value: value as SchemaTypes[K], positions });
  return refuse(locate(explain(validate.errors ?? []), { file, value, positions }));
};

/** `anyOf` reports each branch and then itself; the last one alone tells what was expected. */
function explain(errors: readonly ErrorObject[]): readonly Problem[] {
  const alternatives = errors.filter((error) => error.keyword === 'anyOf').map((error) => error.instancePath);
  const seen = new Set<string>();
  return errors
    .filter((error) => error.keyword === 'anyOf' || !alternatives.includes(error.instancePath))
    .map(toProblem)
    .filter(({ path, message }) => !seen.has(`${path} ${message}`) && seen.add(`${path} ${message}`))
    .slice(0, 50);
}

function toProblem(error: ErrorObject): Problem {
  const path = error.instancePath;
  const params = error.params as Readonly<Record<string, unknown>>;
  if (error.keyword === 'additionalProperties') return unknownKey(error, String(params['additionalProperty']));
  if (error.keyword === 'required') {
    return { code: 'missing', path, message: `${subject(path)} needs the key "${String(params['missingProperty'])}".` };
  }
  return { code: 'schema', path, message: `${subject(path)} ${expectation(error, params)}, and is ${shown(error.data)}.` };
}

function unknownKey(error: ErrorObject, key: string): Problem {
  const known = Object.keys(isObject(error.parentSchema?.['properties']) ? error.parentSchema['properties'] : {});
  const meant = nearest(key, known);
  const hint = meant !== undefined ? ` Did you mean "${meant}"?` : known.length <= 15 ? ` Known keys: ${known.join(', ')}.` : '';
  return {
    code: 'unknown-key',
    path: error.instancePath + pointerToken(key),
    message: `The key "${oneLine(key, 100)}" is not known here.${hint}`,
  };
}

function subject(path: string): string {
  return path === '' ? 'The file' : `"${path.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~')}"`;
}

function expectation(error: ErrorObject, params: Readonly<Record<string, unknown>>): string {
  switch (error.keyword) {
    case 'type':
      return `must be ${withArticle(String(params['type']))}`;
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).map(String).join(', ')}`;
    case 'format':
      return formats[String(params['format'])] ?? error.message ?? 'is not allowed';
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return `must be ${String(params['comparison'])} ${String(params['limit'])}`;
    case 'anyOf':
      return `must be ${String(error.parentSchema?.['description'] ?? 'one of the allowed forms')
        .replace(/\.$/, '')
        .replace(/^./, (letter) => letter.toLowerCase())}`;
    default:
      return error.message ?? 'is not allowed';
  }
}

const formats: Readonly<Record<string, string>> = {
  cron: 'must be a cron expression of five fields, such as "0 9 * * 1-5"',
  'time-zone': 'must be an IANA time zone, such as "Europe/Berlin"',
};

function withArticle(type: string): string {
  const word = type === 'object' ? 'map' : type === 'array' ? 'list' : type === 'string' ? 'text' : type;
  return word === 'text' ? word : `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`;
}

function shown(data: unknown): string {
  if (Array.isArray(data)) return 'a list';
  if (isObject(data)) return 'a map';
  return data === undefined ? 'missing' : oneLine(JSON.stringify(data), 80);
}

/** Writes src/generated/ and docs/reference/ from schemas/. `--check` changes nothing and fails on drift. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { compile } from 'json-schema-to-typescript';
import { format } from 'prettier';
import { renderStateDiagram } from './state-diagram.ts';
import { renderReference, type SchemaNode } from './reference.ts';

const root = join(import.meta.dirname, '..');
const checkOnly = process.argv.includes('--check');
const banner = '/* Generated from schemas/ by `npm run generate`. Do not edit. */\n';

interface SchemaFile extends SchemaNode {
  readonly $id: string;
  readonly title: string;
}

const schemas = readdirSync(join(root, 'schemas'))
  .filter((file) => file.endsWith('.schema.json'))
  .sort()
  .map((file) => {
    const schema = JSON.parse(readFileSync(join(root, 'schemas', file), 'utf8')) as SchemaFile;
    if (schema.$id !== basename(file, '.schema.json')) throw new Error(`${file}: $id must be the file's name`);
    return schema;
  });
const titleOf = new Map(schemas.map((schema) => [schema.$id, schema.title]));

function capitalize(word: string): string {
  return word.replace(/(^|_)([a-z])/g, (_match, _bar: string, letter: string) => letter.toUpperCase());
}

/** The name in the bundle of what `ref` points at, seen from schema `id`. */
function bundledRef(ref: string, id: string): string {
  const [file = '', pointer = ''] = ref.split('#');
  const title = titleOf.get(file === '' ? id : file);
  if (title === undefined) throw new Error(`${id}: unknown $ref ${ref}`);
  const def = pointer.replace('/$defs/', '');
  return `#/definitions/${def === '' ? title : title + capitalize(def)}`;
}

function rewrite(node: unknown, id: string): unknown {
  if (Array.isArray(node)) return node.map((item) => rewrite(item, id));
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).filter(([key]) => !['$id', '$schema', '$defs', 'title'].includes(key));
  const isRef = '$ref' in node;
  return Object.fromEntries(
    entries
      .filter(([key]) => !(isRef && key === 'description'))
      .map(([key, value]) => [key, key === '$ref' ? bundledRef(value as string, id) : rewrite(value, id)]),
  );
}

async function types(): Promise<string> {
  const definitions: Record<string, unknown> = {};
  for (const schema of schemas) {
    definitions[schema.title] = rewrite(schema, schema.$id);
    for (const [name, def] of Object.entries(schema.$defs ?? {})) {
      definitions[schema.title + capitalize(name)] = rewrite(def, schema.$id);
    }
  }
  const source = await compile({ title: 'Bundle', type: 'object', additionalProperties: false, definitions } as object, 'Bundle', {
    bannerComment: '',
    unreachableDefinitions: true,
    ignoreMinAndMaxItems: true,
    format: false,
  });
  const names = schemas.map((schema) => `  ${JSON.stringify(schema.$id)}: ${schema.title};`).join('\n');
  const table = `\n/** Ties the name of a schema to the type of what it accepts. */\nexport interface SchemaTypes {\n${names}\n}\n`;
  return format(banner + source.replace(/export interface Bundle \{\}\n?/, '') + table, {
    parser: 'typescript',
    singleQuote: true,
    printWidth: 140,
  });
}

async function embedded(): Promise<string> {
  const body = Object.fromEntries(schemas.map((schema) => [schema.$id, schema]));
  const text = `${banner}export const schemas: Readonly<Record<string, object>> = ${JSON.stringify(body)};\n`;
  return format(text, { parser: 'typescript', singleQuote: true, printWidth: 140 });
}

const outputs: readonly (readonly [string, string])[] = [
  ['src/generated/types.ts', await types()],
  ['src/generated/schemas.ts', await embedded()],
  ['docs/reference/configuration.md', renderReference(schemas)],
  ['docs/reference/lifecycle.md', renderStateDiagram()],
];

const drifted: string[] = [];
for (const [file, text] of outputs) {
  const path = join(root, file);
  mkdirSync(join(path, '..'), { recursive: true });
  let present = '';
  try {
    present = readFileSync(path, 'utf8');
  } catch {
    // The first run writes the file.
  }
  if (present === text) continue;
  drifted.push(file);
  if (!checkOnly) writeFileSync(path, text);
}
if (checkOnly && drifted.length > 0) {
  console.error(`Out of date: ${drifted.join(', ')}. Run "npm run generate" and commit the result.`);
  process.exit(1);
}

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { it } from 'node:test';

const src = join(import.meta.dirname, '../src');
/** What each layer may import besides itself; see docs/architecture.md. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  base: [],
  generated: [],
  domain: ['base', 'generated'],
  ports: ['base', 'generated', 'domain'],
  app: ['base', 'generated', 'domain', 'ports'],
  adapters: ['base', 'generated', 'domain', 'ports'],
  api: ['base', 'generated', 'domain', 'ports', 'app'],
  gateway: ['base', 'generated', 'domain', 'ports'],
  cli: ['base', 'generated', 'domain', 'ports'],
};
const librariesOf: Readonly<Record<string, readonly string[]>> = {
  base: ['node:crypto'],
  domain: ['fast-json-patch', '@marcbachmann/cel-js', 'ignore'],
  ports: [],
  app: ['yaml'],
};

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const importsOf = new Map(
  files.map((file) => [
    file,
    [...readFileSync(join(src, file), 'utf8').matchAll(/^(?:import|export)[^;]*?from '([^']+)'/gm)].map((match) => match[1] ?? ''),
  ]),
);
const layerOf = (file: string): string => file.split('/')[0] ?? '';

it('imports point left only', () => {
  for (const [file, imports] of importsOf) {
    const layer = layerOf(file);
    const others = allowed[layer];
    if (others === undefined) continue;
    for (const path of imports) {
      if (path.startsWith('.')) {
        const target = layerOf(relative(src, resolve(src, dirname(file), path)));
        assert.ok(target === layer || others.includes(target), `${file} imports ${path}`);
      } else if (librariesOf[layer] !== undefined) assert.ok(librariesOf[layer].includes(path), `${file} imports ${path}`);
    }
  }
});

it('each foreign library of the domain stands behind one file', () => {
  for (const library of librariesOf['domain'] ?? []) {
    const users = [...importsOf].filter(([file, imports]) => layerOf(file) === 'domain' && imports.includes(library));
    assert.equal(users.length, 1, library);
  }
});

it('no file imports itself through others', () => {
  const targets = (file: string): string[] =>
    (importsOf.get(file) ?? []).filter((path) => path.startsWith('.')).map((path) => relative(src, resolve(src, dirname(file), path)));
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), [...path.slice(path.indexOf(file)), file].join(' -> '));
    if (done.has(file)) return;
    for (const target of targets(file)) if (!isTypeOnly(file, target)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

/** Types leave nothing behind at run time. */
function isTypeOnly(file: string, target: string): boolean {
  const text = readFileSync(join(src, file), 'utf8');
  const name = target.split('/').at(-1) ?? '';
  return (
    new RegExp(`import type [^;]*${name.replaceAll('.', '\\.')}'`).test(text) &&
    !new RegExp(`import \\{[^;]*${name.replaceAll('.', '\\.')}'`).test(text)
  );
}

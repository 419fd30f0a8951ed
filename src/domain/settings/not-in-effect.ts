/** Keys that are accepted and checked, and change nothing yet. Marked in the schemas, so that no list can forget one. */
import { isObject, pointerToken } from '../../base/json.ts';
import { schemas } from '../../generated/schemas.ts';

type Node = Readonly<Record<string, unknown>>;

/** JSON pointers of what is written in vain, outermost only. */
export function notInEffect(written: unknown): readonly string[] {
  return find(root('settings'), written, '');
}

/** Every key that a settings file can have at its top level. */
export function settingsKeys(): readonly string[] {
  const { properties } = root('settings');
  return isObject(properties) ? Object.keys(properties) : [];
}

function root(schema: string): Node {
  return (schemas[schema] ?? {}) as Node;
}

function find(node: Node, value: unknown, path: string): readonly string[] {
  const meant = resolve(node);
  if (node['x-not-in-effect'] === true || meant['x-not-in-effect'] === true) return [path];
  if (!isObject(value)) return [];
  const { properties } = meant;
  return Object.entries(value).flatMap(([key, member]) => {
    const child = isObject(properties) ? properties[key] : undefined;
    return isObject(child) ? find(child, member, path + pointerToken(key)) : [];
  });
}

/** What a `$ref` of the settings schema points at. */
function resolve(node: Node): Node {
  const { $ref: ref } = node;
  if (typeof ref !== 'string') return node;
  const [file = '', pointer = ''] = ref.split('#');
  const defs = root(file === '' ? 'settings' : file)['$defs'];
  const found = isObject(defs) ? defs[pointer.replace('/$defs/', '')] : undefined;
  return isObject(found) ? found : node;
}

/** Renders the schemas that people write files for as one Markdown page. */
export interface SchemaNode {
  readonly $id?: string;
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly anyOf?: readonly SchemaNode[];
  readonly items?: SchemaNode;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: boolean | SchemaNode;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
}

const written = ['llm-config', 'settings', 'models'];

export function renderReference(schemas: readonly SchemaNode[]): string {
  const byId = new Map(schemas.map((schema) => [schema.$id ?? '', schema]));
  const pages = written.map((id) => {
    const schema = byId.get(id);
    if (schema === undefined) throw new Error(`no schema ${id}`);
    const rows = propertyRows(schema, '', id, byId);
    return `## ${id}\n\n${schema.description ?? ''}\n\n| key | value | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  const intro =
    'Generated from `schemas/` by `npm run generate`; do not edit. Keys that are not in effect yet are refused by `actuator validate` with their name.';
  return `# Configuration reference\n\n${intro}\n\n${pages.join('\n')}`;
}

function resolve(node: SchemaNode, id: string, byId: ReadonlyMap<string, SchemaNode>): readonly [SchemaNode, string] {
  if (node.$ref === undefined) return [node, id];
  const [file = '', pointer = ''] = node.$ref.split('#');
  const home = file === '' ? id : file;
  const target = byId.get(home)?.$defs?.[pointer.replace('/$defs/', '')];
  if (target === undefined) throw new Error(`${id}: unknown $ref ${node.$ref}`);
  return [{ ...target, description: node.description ?? target.description ?? '' }, home];
}

function propertyRows(node: SchemaNode, prefix: string, id: string, byId: ReadonlyMap<string, SchemaNode>): string[] {
  const rows: string[] = [];
  for (const [key, raw] of Object.entries(node.properties ?? {})) {
    const [property, home] = resolve(raw, id, byId);
    const path = prefix + key;
    rows.push(`| \`${path}\` | ${valueOf(property)} | ${property.description ?? ''} |`);
    rows.push(...propertyRows(property, `${path}.`, home, byId));
    if (property.items !== undefined) {
      const [item, itemHome] = resolve(property.items, home, byId);
      rows.push(...propertyRows(item, `${path}[].`, itemHome, byId));
    }
    if (typeof property.additionalProperties === 'object') {
      rows.push(...propertyRows(property.additionalProperties, `${path}.<name>.`, home, byId));
    }
  }
  return rows;
}

function valueOf(node: SchemaNode): string {
  if (node.const !== undefined) return `\`${JSON.stringify(node.const)}\``;
  if (node.enum !== undefined) return node.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (node.anyOf !== undefined) return node.anyOf.map(valueOf).join(' or ');
  const type = Array.isArray(node.type) ? node.type.join(' or ') : String(node.type ?? '');
  const low = node.minimum ?? node.exclusiveMinimum;
  if (low === undefined && node.maximum === undefined) return type;
  const from = node.exclusiveMinimum === undefined ? `${low ?? ''}` : `>${node.exclusiveMinimum}`;
  return `${type}, ${from} to ${node.maximum ?? ''}`;
}

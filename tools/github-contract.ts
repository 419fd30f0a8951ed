/**
 * Cuts GitHub's descriptions of its APIs down to what we use: test/fixtures/github-api.json (REST) and github-api.graphql.
 * Run by hand with `api.github.com.json` of the package @octokit/openapi and `schema.graphql` of @octokit/graphql-schema, which are
 * too large to be dependencies: `node tools/github-contract.ts api.github.com.json schema.graphql`, and `npm run format` after it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildSchema,
  getNamedType,
  isInputObjectType,
  isInputType,
  isInterfaceType,
  isObjectType,
  Kind,
  parse,
  print,
  TypeInfo,
  visit,
  visitWithTypeInfo,
  type GraphQLNamedType,
  type TypeDefinitionNode,
} from 'graphql';
import { enableAutoMerge } from '../src/adapters/github/pull-requests.ts';
import { authorsOfCommits } from '../src/adapters/github/reading.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };
type Node = Readonly<Record<string, Json | undefined>>;

const used: readonly string[] = [
  'POST /app/installations/{installation_id}/access_tokens',
  'GET /app',
  'GET /repos/{owner}/{repo}/installation',
  'GET /user',
  'GET /repos/{owner}/{repo}',
  'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls',
  'GET /repos/{owner}/{repo}/commits/{ref}',
  'GET /repos/{owner}/{repo}/commits/{ref}/statuses',
  'POST /repos/{owner}/{repo}/statuses/{sha}',
  'GET /repos/{owner}/{repo}/contents/{path}',
  'GET /repos/{owner}/{repo}/collaborators/{username}/permission',
  'GET /orgs/{org}/teams/{team_slug}/memberships/{username}',
  'GET /repos/{owner}/{repo}/pulls',
  'POST /repos/{owner}/{repo}/pulls',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}',
  'PATCH /repos/{owner}/{repo}/pulls/{pull_number}',
  'PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}/files',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}/commits',
  'GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews',
  'POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews',
  'PUT /repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}/dismissals',
  'POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers',
  'POST /repos/{owner}/{repo}/issues/{issue_number}/labels',
  'GET /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'POST /repos/{owner}/{repo}/issues/{issue_number}/comments',
  'PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}',
  'GET /repos/{owner}/{repo}/deployments',
  'POST /repos/{owner}/{repo}/deployments',
  'GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses',
  'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses',
  'GET /repos/{owner}/{repo}/git/trees/{tree_sha}',
  'POST /repos/{owner}/{repo}/git/trees',
  'POST /repos/{owner}/{repo}/git/commits',
  'GET /repos/{owner}/{repo}/git/ref/{ref}',
  'POST /repos/{owner}/{repo}/git/refs',
  'PATCH /repos/{owner}/{repo}/git/refs/{ref}',
  'DELETE /repos/{owner}/{repo}/git/refs/{ref}',
];

const dropped = new Set([
  'description',
  'example',
  'examples',
  'title',
  'externalDocs',
  'summary',
  'tags',
  'deprecated',
  'readOnly',
  'format',
]);

const [, , file, graphqlFile] = process.argv;
if (file === undefined || graphqlFile === undefined) throw new Error('name the files api.github.com.json and schema.graphql');
const fixtures = join(import.meta.dirname, '..', 'test', 'fixtures');
const source = JSON.parse(readFileSync(file, 'utf8')) as Node;
const schemas = new Map<string, Json>();

const operations = Object.fromEntries(used.map((name) => [name, operation(name)]));
const out = {
  notice:
    'Cut from the package @octokit/openapi 23.0.2, (c) Octokit contributors, MIT License; made from https://github.com/github/rest-api-description, (c) GitHub, MIT License.',
  operations,
  $defs: Object.fromEntries([...schemas].sort(([a], [b]) => a.localeCompare(b))),
};
writeFileSync(join(fixtures, 'github-api.json'), `${JSON.stringify(out)}\n`);
writeFileSync(join(fixtures, 'github-api.graphql'), graphqlOf([enableAutoMerge, authorsOfCommits]));

/** The types that the documents touch: of objects the fields that are selected, of inputs all. */
function graphqlOf(documents: readonly string[]): string {
  const schema = buildSchema(readFileSync(graphqlFile ?? '', 'utf8'), { assumeValid: true });
  // A schema must have a query.
  const selected = new Map<string, Set<string>>([['Query', new Set(['id'])]]);
  const kept = new Map<string, GraphQLNamedType>();
  const keep = (type: GraphQLNamedType): void => {
    if (kept.has(type.name)) return;
    kept.set(type.name, type);
    if (isInputObjectType(type)) for (const field of Object.values(type.getFields())) keep(getNamedType(field.type));
  };
  const info = new TypeInfo(schema);
  for (const document of documents)
    visit(
      parse(document),
      visitWithTypeInfo(info, {
        Field() {
          const [parent, field] = [info.getParentType(), info.getFieldDef()];
          if (parent == null || field == null) throw new Error(`the schema does not know a field of ${document}`);
          selected.set(parent.name, (selected.get(parent.name) ?? new Set()).add(field.name));
          for (const argument of field.args) keep(getNamedType(argument.type));
          const type = getNamedType(field.type);
          if (isInputType(type) || isInterfaceType(type)) keep(type);
        },
      }),
    );
  for (const name of selected.keys()) {
    const type = schema.getType(name);
    if (isObjectType(type)) kept.set(name, type);
  }
  // Whoever implements an interface must have its fields.
  for (const type of kept.values())
    for (const parent of isObjectType(type) ? type.getInterfaces() : [])
      if (kept.has(parent.name)) selected.set(type.name, new Set([...(selected.get(type.name) ?? []), ...Object.keys(parent.getFields())]));
  const definitions = [...kept.values()].flatMap((type) =>
    type.astNode == null ? [] : [cut(type.astNode, selected.get(type.name), kept)],
  );
  const notice = `# Cut from the package @octokit/graphql-schema 15.26.1, (c) Octokit contributors, MIT License; made from GitHub's GraphQL schema.\n`;
  return `${notice}${definitions.join('\n\n')}\n`;
}

/** Without words for people, directives, and what is not kept. */
function cut(node: TypeDefinitionNode, fields: ReadonlySet<string> | undefined, kept: ReadonlyMap<string, unknown>): string {
  const bare = visit(
    { ...node, ...('interfaces' in node ? { interfaces: node.interfaces.filter(({ name }) => kept.has(name.value)) } : {}) },
    {
      enter: (inner) => ({
        ...inner,
        ...('description' in inner ? { description: undefined } : {}),
        ...('directives' in inner ? { directives: [] } : {}),
      }),
    },
  );
  return print(
    bare.kind === Kind.OBJECT_TYPE_DEFINITION
      ? { ...bare, fields: bare.fields?.filter(({ name }) => fields?.has(name.value) ?? true) ?? [] }
      : bare,
  );
}

function operation(name: string): Json {
  const [method = '', path = ''] = name.split(' ');
  const found = at(at(source['paths'], path), method.toLowerCase());
  const parameters = ((found['parameters'] ?? []) as readonly Json[]).map((parameter) => deref(parameter));
  const query = parameters.filter((parameter) => parameter['in'] === 'query');
  const responses = Object.entries(found['responses'] as Node).map(([status, response]) => {
    const schema = schemaOf(deref(response ?? null));
    return [status, schema === null ? null : trim(schema)] as const;
  });
  const body = schemaOf(deref(found['requestBody'] ?? {}));
  return {
    query: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(query.map((parameter) => [parameter['name'] as string, trim(parameter['schema'] ?? null)])),
      required: query.filter((parameter) => parameter['required'] === true).map((parameter) => parameter['name'] as string),
    },
    body: body === null ? null : trim(body),
    responses: Object.fromEntries(responses),
  };
}

function schemaOf(holder: Node): Json | null {
  const content = holder['content'];
  if (content === undefined) return null;
  return at(content, 'application/json')['schema'] ?? null;
}

/** Without words for people; names of properties are kept whatever they are. `nullable` of OpenAPI 3.0 becomes a type. */
function trim(schema: Json): Json {
  if (Array.isArray(schema)) return (schema as readonly Json[]).map(trim);
  if (typeof schema !== 'object' || schema === null) return schema;
  const node = schema as Node;
  const ref = node['$ref'];
  if (typeof ref === 'string') return named(ref);
  const entries = Object.entries(node)
    .filter(([key]) => !dropped.has(key) && !key.startsWith('x-') && key !== 'nullable' && key !== 'default')
    .map(([key, value]): readonly [string, Json] => [key, key === 'properties' ? properties(value ?? {}) : trim(value ?? null)]);
  const kept = Object.fromEntries(entries);
  return node['nullable'] === true ? { anyOf: [kept, { type: 'null' }] } : kept;
}

function properties(value: Json): Json {
  return Object.fromEntries(Object.entries(value as Node).map(([key, schema]) => [key, trim(schema ?? {})]));
}

function named(ref: string): Json {
  const name = ref.replace('#/components/schemas/', '');
  if (!schemas.has(name)) {
    schemas.set(name, {});
    schemas.set(name, trim(resolve(ref)));
  }
  return { $ref: `#/$defs/${name}` };
}

function deref(node: Json): Node {
  const ref = (node as Node)['$ref'];
  return typeof ref === 'string' ? (resolve(ref) as Node) : (node as Node);
}

function resolve(ref: string): Json {
  return ref
    .replace('#/', '')
    .split('/')
    .reduce<Json>((node, key) => at(node, key), source);
}

function at(node: Json | undefined, key: string): Node {
  const found = (node as Node | undefined)?.[key];
  if (found === undefined) throw new Error(`the description has no ${key}`);
  return found as Node;
}

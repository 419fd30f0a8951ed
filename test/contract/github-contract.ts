/** Holds requests and answers to GitHub's own description of its API, cut down by tools/github-contract.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { buildSchema, executeSync, GraphQLError, Kind, parse, validate, type DocumentNode } from 'graphql';
import { getVariableValues } from 'graphql/execution/values.js';
import type { Exchange } from '../../src/demo/github/fake-github.ts';

interface Operation {
  readonly query: object;
  readonly body: object | null;
  readonly responses: Readonly<Record<string, object | null>>;
}

interface Contract {
  readonly operations: Readonly<Record<string, Operation>>;
  readonly $defs: object;
}

const contract = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'fixtures', 'github-api.json'), 'utf8')) as Contract;
const ajv = new Ajv2020({ strict: false, coerceTypes: false, allErrors: false });
ajv.addSchema({ $id: 'github', $defs: contract.$defs });
const queries = new Ajv2020({ strict: false, coerceTypes: true });
const compiled = new Map<object, (value: unknown) => string | null>();

function problemWith(schema: object, value: unknown, by = ajv): string | null {
  let check = compiled.get(schema);
  if (check === undefined) {
    const validate = by.compile(relocated(schema) as object);
    check = (given) => (validate(given) ? null : by.errorsText(validate.errors));
    compiled.set(schema, check);
  }
  return check(value);
}

/** `#/$defs/x` stands in the shared schema. */
function relocated(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"github#/$defs/'));
}

/** What is wrong with an exchange; null: it is as GitHub describes it. Undescribed answers are allowed where a test made them up. */
export function contractProblem(exchange: Exchange): string | null {
  const { operation, query, requestBody, status, body, isFailure } = exchange;
  if (operation === null) return 'GitHub describes no such operation';
  if (operation === 'POST /graphql') return isFailure || status === 401 ? null : graphqlProblem(requestBody, body);
  const described = contract.operations[operation];
  if (described === undefined) return `${operation} is not in the contract; add it to tools/github-contract.ts`;
  const problems = [
    ['query', problemWith(described.query, { ...query }, queries)],
    ['request', described.body === null || requestBody === null ? null : problemWith(described.body, requestBody)],
    ['answer', isFailure || status === 304 || status === 401 ? null : answerProblem(described, status, body)],
  ] as const;
  const found = problems.filter(([, problem]) => problem !== null).map(([where, problem]) => `${where}: ${problem ?? ''}`);
  return found.length === 0 ? null : `${operation} ${status}: ${found.join('; ')}`;
}

const graphql = buildSchema(readFileSync(join(import.meta.dirname, '..', 'fixtures', 'github-api.graphql'), 'utf8'));

interface GraphqlRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** By the schema itself: a document that it does not allow, and an answer that it would not have given. */
function graphqlProblem(request: unknown, answer: unknown): string | null {
  const { query, variables = {} } = request as GraphqlRequest;
  const document = parse(query);
  const { data } = answer as { readonly data?: unknown };
  const problems = [...validate(graphql, document), ...variableProblems(document, variables)];
  if (problems.length > 0) return `graphql: ${problems.map(({ message }) => message).join('; ')}`;
  if (data == null) return null;
  const executed = executeSync({ schema: graphql, document, rootValue: data, variableValues: variables });
  const isAnswer = executed.errors === undefined && JSON.stringify(executed.data) === JSON.stringify(data);
  return isAnswer ? null : `graphql: ${JSON.stringify(data)} does not answer ${query}: ${JSON.stringify(executed)}`;
}

function variableProblems(document: DocumentNode, variables: Readonly<Record<string, unknown>>): readonly GraphQLError[] {
  const operation = document.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  return getVariableValues(graphql, operation?.variableDefinitions ?? [], variables).errors ?? [];
}

function answerProblem({ responses }: Operation, status: number, body: unknown): string | null {
  // Not described, and seen on github.com: anything about a commit that is not there.
  if (!(status in responses)) return status === 422 ? null : status === 403 || status === 404 ? null : `GitHub describes no ${status}`;
  const schema = responses[status];
  return schema == null ? null : problemWith(schema, body);
}

/** Operations of the contract, for tests that all of them are tried. */
export const operations: readonly string[] = Object.keys(contract.operations);

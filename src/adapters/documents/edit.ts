/** Changes a YAML file and leaves what is not changed as it was written, comments included. */
import { isMap, parseDocument, stringify, type Document } from 'yaml';
import { isObject } from '../../base/json.ts';

/** RFC 7396 on text: members of `patch` replace, null removes, maps are merged. `text` must be valid YAML. */
export function mergeIntoYaml(text: string | null, patch: Readonly<Record<string, unknown>>): string {
  if (text === null || text.trim() === '') return stringify(patch);
  const document = parseDocument(text);
  merge(document, [], patch);
  return document.toString({ lineWidth: 0 });
}

function merge(document: Document, path: readonly string[], patch: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(patch)) {
    const at = [...path, key];
    if (value === null) document.deleteIn(at);
    else if (isObject(value) && isMap(document.getIn(at, true))) merge(document, at, value);
    else document.setIn(at, document.createNode(value));
  }
}

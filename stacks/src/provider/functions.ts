import { isObject, type Json, type JsonObject, objectAt, text } from '@delos/kube';
import { parseAllDocuments, type Tags } from 'yaml';

/**
 * The function behind the SDK's `yaml.ConfigFile` and `yaml.ConfigGroup`: the objects in a text of YAML documents.
 * @throws Error with the place of what is no YAML
 */
export function decodeYaml(args: JsonObject): JsonObject {
  const namespace = text(args, 'defaultNamespace');
  const documents = parseAllDocuments(text(args, 'text'), {
    version: '1.1',
    logLevel: 'error',
    customTags: asKubernetes,
  });
  const objects = ('empty' in documents ? [] : documents).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`not YAML: ${error.message}`);
    const value = document.toJS({ maxAliasCount: 1000 }) as Json;
    if (value === null) return [];
    if (!isObject(value) || text(value, 'kind') === '') throw new Error('a YAML document has no kind');
    const items = value.items;
    return text(value, 'kind') === 'List' && Array.isArray(items) ? items.filter(isObject) : [value];
  });
  return { result: objects.map((object) => inNamespace(object, namespace)) };
}

/** Kubernetes reads YAML 1.1, in which `yes` is true, but knows neither dates nor numbers to the base of sixty. */
function asKubernetes(tags: Tags): Tags {
  return tags.filter((tag) => typeof tag === 'string' || !(tag.tag.endsWith(':timestamp') || isTime(tag)));
}

const isTime = (tag: object): boolean => 'format' in tag && tag.format === 'TIME';

function inNamespace(object: JsonObject, namespace: string): JsonObject {
  if (namespace === '' || text(object, 'metadata', 'namespace') !== '') return object;
  return { ...object, metadata: { ...objectAt(object, 'metadata'), namespace } };
}

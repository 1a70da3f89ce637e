import { isObject, type Json, type JsonObject, listAt, objectAt, type Path, text } from '@delos/kube';

/*
 * The OpenAPI v3 schemas that an API server publishes, as far as a comparison needs them: what kind of value a field
 * holds, what tells the items of a list apart, and whether an empty value means the same as none.
 */

/** Names of Kubernetes' own types. The server stores these in normal form; it stores custom resources as they are sent. */
const BUILT_IN = /^io\.k8s\.(api|apimachinery|kube-aggregator|apiextensions-apiserver)\./;
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
/** Custom resource rules by which a value stays as it was first set. */
const STAYS = /^\s*(self\s*==\s*oldSelf|oldSelf\s*==\s*self)\s*$/;

export type ValueKind = 'quantity' | 'time' | 'bytes' | 'map' | 'struct' | 'list' | 'scalar' | 'any';

/** The type of one field. */
export class FieldType {
  readonly #document: JsonObject;
  readonly #node: JsonObject;
  readonly #outer: JsonObject;
  /** Whether the field is of one of Kubernetes' own types. */
  readonly builtIn: boolean;
  readonly kind: ValueKind;

  constructor(document: JsonObject, node: JsonObject, builtIn: boolean) {
    const { target, name } = resolved(document, node);
    this.#document = document;
    this.#outer = node;
    this.#node = target;
    this.builtIn = name === '' ? builtIn : BUILT_IN.test(name);
    this.kind = kindOf(name, target);
  }

  /** The type of a member of an object. */
  member(key: string): FieldType {
    const own = objectAt(this.#node, 'properties')[key];
    const inner = isObject(own) ? own : this.#node.additionalProperties;
    return isObject(inner) ? new FieldType(this.#document, inner, this.builtIn) : ANY;
  }

  /** The type of the items of a list. */
  get item(): FieldType {
    const inner = this.#node.items;
    return isObject(inner) ? new FieldType(this.#document, inner, this.builtIn) : ANY;
  }

  /** How the server merges a list. One that says nothing is replaced as a whole. */
  get listType(): 'atomic' | 'set' | 'map' {
    const said = text(this.#outer, 'x-kubernetes-list-type') || text(this.#node, 'x-kubernetes-list-type');
    return said === 'set' || said === 'map' ? said : 'atomic';
  }

  /** What tells an item of a `map` list from the others, as one text. Undefined where it has no such key. */
  keyOf(item: Json | undefined): string | undefined {
    const own = listAt(this.#outer, 'x-kubernetes-list-map-keys');
    const keys = own.length > 0 ? own : listAt(this.#node, 'x-kubernetes-list-map-keys');
    if (!isObject(item) || keys.length === 0) return undefined;
    const values = keys.map((key) => item[String(key)] ?? this.item.member(String(key)).default ?? null);
    return values.every((value) => value === null) ? undefined : JSON.stringify(values);
  }

  /** What the server fills in where the field is left out. */
  get default(): Json | undefined {
    return this.#outer.default ?? this.#node.default;
  }

  /** True where the server keeps no difference between an empty value and none. */
  get emptyIsAbsent(): boolean {
    if (!this.builtIn) return false;
    if (this.kind === 'map' || this.kind === 'list') return true;
    // A struct that is always there has {} as its default; one that may be missing has none, and then {} says something.
    return this.kind === 'struct' && isObject(this.default) && Object.keys(this.default).length === 0;
  }

  /** True where the definition of a custom resource says that the field cannot change. */
  get immutable(): boolean {
    const rules = [
      ...listAt(this.#outer, 'x-kubernetes-validations'),
      ...listAt(this.#node, 'x-kubernetes-validations'),
    ];
    return rules.some((rule) => STAYS.test(text(rule, 'rule')));
  }

  /** True where the field at `path`, or one that holds it, cannot change. */
  immutableAt(path: Path): boolean {
    if (this.immutable) return true;
    const [key, ...rest] = path;
    if (key === undefined) return false;
    return (typeof key === 'number' ? this.item : this.member(key)).immutableAt(rest);
  }
}

/** The type of what no schema tells of: values are the same only where they are written the same. */
export const ANY = new FieldType({}, {}, false);

function resolved(document: JsonObject, node: JsonObject): { readonly target: JsonObject; readonly name: string } {
  let target = node;
  let name = '';
  // A reference leads to a component, which may again be one. None leads further than that.
  for (let step = 0; step < 4; step++) {
    const reference = text(target, '$ref') || text(listAt(target, 'allOf')[0], '$ref');
    if (reference === '') break;
    name = reference.slice(reference.lastIndexOf('/') + 1);
    target = objectAt(document, 'components', 'schemas', name);
  }
  return { target, name };
}

function kindOf(name: string, node: JsonObject): ValueKind {
  if (name === QUANTITY) return 'quantity';
  const type = text(node, 'type');
  const format = text(node, 'format');
  if (format === 'date-time') return 'time';
  if (format === 'byte') return 'bytes';
  if (type === 'array') return 'list';
  if (type === 'object') {
    if (node['x-kubernetes-preserve-unknown-fields'] === true) return 'any';
    if (isObject(node.properties)) return 'struct';
    return isObject(node.additionalProperties) ? 'map' : 'any';
  }
  return type === '' ? 'any' : 'scalar';
}

/** The schemas of one server, each fetched once. */
export class Schemas {
  readonly #get: (path: string) => Promise<Json>;
  readonly #documents = new Map<string, Promise<JsonObject>>();

  constructor(get: (path: string) => Promise<Json>) {
    this.#get = get;
  }

  /** The type of an object; undefined where the server publishes none, or cannot be asked. */
  async of(apiVersion: string, kind: string): Promise<FieldType | undefined> {
    try {
      return find(await this.#document(apiVersion), apiVersion, kind) ?? (await this.#anew(apiVersion, kind));
    } catch {
      return undefined;
    }
  }

  /** The schema of a definition that was just added comes a moment after it. */
  async #anew(apiVersion: string, kind: string): Promise<FieldType | undefined> {
    this.#documents.delete(apiVersion);
    return find(await this.#document(apiVersion), apiVersion, kind);
  }

  #document(apiVersion: string): Promise<JsonObject> {
    const cached = this.#documents.get(apiVersion);
    if (cached !== undefined) return cached;
    const found = this.#fetch(apiVersion);
    this.#documents.set(apiVersion, found);
    found.catch(() => this.#documents.delete(apiVersion));
    return found;
  }

  async #fetch(apiVersion: string): Promise<JsonObject> {
    const index = await this.#get('/openapi/v3');
    const key = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`;
    const path = text(index, 'paths', key, 'serverRelativeURL');
    const document = path === '' ? {} : await this.#get(path);
    return isObject(document) ? document : {};
  }
}

function find(document: JsonObject, apiVersion: string, kind: string): FieldType | undefined {
  const [first = '', second] = apiVersion.split('/');
  const [group, version] = second === undefined ? ['', first] : [first, second];
  for (const [name, node] of Object.entries(objectAt(document, 'components', 'schemas'))) {
    const said = listAt(node, 'x-kubernetes-group-version-kind');
    const is = said.some(
      (item) => text(item, 'group') === group && text(item, 'version') === version && text(item, 'kind') === kind,
    );
    if (is && isObject(node)) return new FieldType(document, { $ref: `#/components/schemas/${name}` }, false);
  }
  return undefined;
}

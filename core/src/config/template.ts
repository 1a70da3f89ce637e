import { Document, type Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { z } from 'zod';
import { quantityOf } from '../quantity.ts';
import { plainSchemas } from '../yaml/schema.ts';

/** A description may sit on any wrapper. */
export function descriptionOf(schema: z.core.$ZodType): string | undefined {
  const own = z.globalRegistry.get(schema)?.description;
  if (own !== undefined) return own;
  const inner = (schema as { readonly def?: { readonly innerType?: unknown } }).def?.innerType;
  return inner instanceof z.core.$ZodType ? descriptionOf(inner) : undefined;
}

/** True where the file has a quantity (`512Mi`) and the parsed configuration bytes. */
export function isQuantity(schema: z.core.$ZodType): boolean {
  return formatOf(schema) === 'quantity';
}

/** How a value is written, where the schema says so; it may sit on any wrapper. */
export function formatOf(schema: z.core.$ZodType): string | undefined {
  const own = z.globalRegistry.get(schema)?.format;
  if (typeof own === 'string') return own;
  const inner = (schema as { readonly def?: { readonly innerType?: unknown } }).def?.innerType;
  return inner instanceof z.core.$ZodType ? formatOf(inner) : undefined;
}

/** The schema of a mapping's keys, where it is one. */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | undefined {
  const [plain] = plainSchemas(schema);
  return plain instanceof z.ZodObject ? plain.shape : undefined;
}

const HEAD = ` Configuration of a Delos platform. Every key may be left out; the values here are the defaults.
 Check it: delos preflight --config FILE    Use it: delos up --config FILE`;

/** Whether a key is filled in by the profile, by its dotted path. */
type ByProfile = (path: string) => boolean;

/**
 * A commented delos.yaml of all keys with their defaults, `domain` first; it parses to the defaults. Keys that the profile
 * fills in are comments: written out, they would stay as they are when the profile is changed.
 */
export function configTemplate(schema: z.ZodType, byProfile: ByProfile = () => false): string {
  const value = z.record(z.string(), z.unknown()).parse(schema.parse({}));
  const document = new Document(mapping(shapeOf(schema) ?? {}, value, 'sections', '', byProfile));
  document.commentBefore = HEAD;
  return document.toString({ lineWidth: 0, indentSeq: true });
}

function mapping(
  shape: Readonly<Record<string, z.core.$ZodType>>,
  value: Readonly<Record<string, unknown>>,
  level: 'sections' | 'keys' | 'repeated',
  path: string,
  byProfile: ByProfile,
): YAMLMap {
  const map = new YAMLMap();
  const left: string[] = [];
  for (const [key, schema] of Object.entries(shape)) {
    const keys = isEmptyMapping(schema, value[key]) ? `: ${Object.keys(shapeOf(schema) ?? {}).join(', ')}` : '';
    const description = `${descriptionOf(schema) ?? ''}${keys}`;
    const here = path === '' ? key : `${path}.${key}`;
    if (byProfile(here)) {
      left.push(` ${key}: ${flowText(schema, value[key])}${description === '' ? '' : `  # ${description}`}`);
      continue;
    }
    if (value[key] === undefined) {
      left.push(` ${key}:${description === '' ? '' : `  # ${description}`}`);
      continue;
    }
    const name = new Scalar(key);
    if (level !== 'repeated' && description !== '') name.commentBefore = ` ${description}`;
    if (level === 'sections' && map.items.length > 0) name.spaceBefore = true;
    map.add({ key: name, value: nodeOf(schema, value[key], level === 'repeated', here, byProfile) } as Pair);
  }
  if (level !== 'repeated' && map.items.length > 0 && left.length > 0) map.comment = left.join('\n');
  return map;
}

/** A value on one line. */
function flowText(schema: z.core.$ZodType, value: unknown): string {
  const node = nodeOf(schema, value, true, '', () => false);
  if (node instanceof YAMLMap) node.flow = true;
  return new Document(node).toString({ lineWidth: 0, flowCollectionPadding: false }).trim();
}

const isEmptyMapping = (schema: z.core.$ZodType, value: unknown): boolean =>
  shapeOf(schema) !== undefined && typeof value === 'object' && value !== null && Object.keys(value).length === 0;

function nodeOf(
  schema: z.core.$ZodType,
  value: unknown,
  repeated: boolean,
  path: string,
  byProfile: ByProfile,
): unknown {
  if (typeof value === 'number' && isQuantity(schema)) return new Scalar(quantityOf(value));
  const shape = shapeOf(schema);
  if (shape !== undefined) {
    return mapping(shape, value as Readonly<Record<string, unknown>>, repeated ? 'repeated' : 'keys', path, byProfile);
  }
  const [plain] = plainSchemas(schema);
  if (plain instanceof z.ZodArray && Array.isArray(value)) {
    const element = plain.def.element;
    const list = new YAMLSeq();
    // What a key means is said at the first entry.
    for (const [index, item] of value.entries())
      list.add(nodeOf(element, item, repeated || index > 0, `${path}[]`, byProfile));
    if (value.length === 0) list.flow = true;
    return list;
  }
  if (typeof value === 'string') {
    const scalar = new Scalar(value);
    if (/^[\d.]+$/.test(value)) scalar.type = Scalar.QUOTE_DOUBLE;
    return scalar;
  }
  return new Document(value).contents;
}

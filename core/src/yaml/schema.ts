import { z } from 'zod';

/*
 * Looking at a schema from outside: which keys an object has, what lies at a path. Wrappers (optional, default,
 * transforms) are looked through; a union is all of its members.
 */

/** The plain schemas behind the wrappers of one. */
export function plainSchemas(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly
  ) {
    return plainSchemas(schema.def.innerType);
  }
  // What is done to the input before it is looked at (`preprocess`) has no shape of its own.
  if (schema instanceof z.ZodPipe) {
    return plainSchemas(schema.def.in instanceof z.ZodTransform ? schema.def.out : schema.def.in);
  }
  if (schema instanceof z.ZodLazy) return plainSchemas(schema.def.getter());
  if (schema instanceof z.ZodUnion) return schema.def.options.flatMap(plainSchemas);
  return [schema];
}

/** Schemas of what lies at a path of the input. Empty where the schema has no such place. */
export function schemasAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly z.core.$ZodType[] {
  let here = plainSchemas(schema);
  for (const step of path) here = here.flatMap((parent) => childrenOf(parent, step)).flatMap(plainSchemas);
  return here;
}

/** Keys that an object of the input may have, in the schema's order. */
export function keysOf(schemas: readonly z.core.$ZodType[]): readonly string[] {
  return [...new Set(schemas.flatMap((schema) => (schema instanceof z.ZodObject ? Object.keys(schema.shape) : [])))];
}

/** Dotted paths of the objects, anywhere in the schema, that have this key. */
export function placesOf(schema: z.core.$ZodType, key: string, at = ''): readonly string[] {
  return plainSchemas(schema).flatMap((plain) => {
    if (plain instanceof z.ZodArray) return placesOf(plain.def.element, key, `${at}[]`);
    if (!(plain instanceof z.ZodObject)) return [];
    const here = key in plain.shape ? [at] : [];
    const below = Object.entries(plain.shape).flatMap(([name, child]) =>
      placesOf(child as z.core.$ZodType, key, at === '' ? name : `${at}.${name}`),
    );
    return [...here, ...below];
  });
}

function childrenOf(schema: z.core.$ZodType, step: PropertyKey): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const child: unknown = schema.shape[String(step)];
    return child instanceof z.core.$ZodType ? [child] : [];
  }
  if (schema instanceof z.ZodArray) return [schema.def.element];
  if (schema instanceof z.ZodRecord) return [schema.def.valueType];
  if (schema instanceof z.ZodTuple) {
    const child = typeof step === 'number' ? schema.def.items[step] : undefined;
    return child === undefined ? [] : [child];
  }
  return [];
}

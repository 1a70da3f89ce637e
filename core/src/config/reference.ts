import { z } from 'zod';
import { quantityOf } from '../quantity.ts';
import { plainSchemas } from '../yaml/schema.ts';
import { descriptionOf, formatOf, isQuantity, shapeOf } from './template.ts';

/** JSON Schema (draft 2020-12) of delos.yaml, for editors. */
export function configJsonSchema(schema: z.ZodType): Readonly<Record<string, unknown>> {
  return { title: 'delos.yaml', ...z.toJSONSchema(schema, { io: 'input' }) };
}

/** Markdown tables of every key: what it is, what it may hold, what it is when left out. */
export function configReference(whole: z.ZodType): string {
  const rows: string[] = [];
  for (const [key, schema] of Object.entries(shapeOf(whole) ?? {})) {
    const inner = [...section(schema, key)];
    rows.push(`## ${key}`, '', `${descriptionOf(schema) ?? ''}.`, '');
    if (inner.length === 0) rows.push(`${kindOf(schema)}, default ${defaultOf(schema)}.`, '');
    else rows.push('| key | holds | default | meaning |', '| --- | --- | --- | --- |', ...inner, '');
  }
  return rows.join('\n');
}

function* section(schema: z.core.$ZodType, path: string): Iterable<string> {
  const [plain] = plainSchemas(schema);
  if (plain instanceof z.ZodArray) return yield* section(plain.def.element, `${path}[]`);
  if (plain instanceof z.ZodRecord) return yield* section(plain.def.valueType, `${path}.NAME`);
  for (const [key, child] of Object.entries(shapeOf(schema) ?? {})) {
    const here = `${path}.${key}`;
    const below = [...section(child, here)];
    const row = [`\`${here}\``, kindOf(child), defaultOf(child), (descriptionOf(child) ?? '').replaceAll('|', '\\|')];
    if (below.length === 0 || descriptionOf(child) !== undefined) yield `| ${row.join(' | ')} |`;
    yield* below;
  }
}

/** The default as the file would have it. */
function defaultOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodOptional) return '';
  if (!(schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)) return 'required';
  const value: unknown = schema.def.defaultValue;
  if (schema instanceof z.ZodPrefault) return typeof value === 'string' ? `\`${value}\`` : '';
  if (Array.isArray(value) && value.length > 0) {
    const names = value.map((item: unknown) => z.object({ name: z.string() }).safeParse(item).data?.name ?? '…');
    return names.map((name) => `\`${name}\``).join(', ');
  }
  return `\`${typeof value === 'number' && isQuantity(schema) ? quantityOf(value) : JSON.stringify(value)}\``;
}

function kindOf(schema: z.core.$ZodType): string {
  if (isQuantity(schema)) return 'quantity';
  if (formatOf(schema) === 'cores') return 'cores';
  const [plain] = plainSchemas(schema);
  if (plain instanceof z.ZodEnum) return plain.options.map((option) => `\`${option}\``).join(', ');
  if (plain instanceof z.ZodArray) return 'list';
  if (plain instanceof z.ZodObject || plain instanceof z.ZodRecord) return 'keys';
  if (plain instanceof z.ZodNumber) return 'number';
  if (plain instanceof z.ZodBoolean) return '`true`, `false`';
  return 'text';
}

import { readFile } from 'node:fs/promises';
import { DelosError, fieldOf, parseYaml, readYaml, type YamlDocument } from '@delos/core';
import type { SnapshotFault } from '@delos/runtime/scheduling';
import type { z } from 'zod';

/** @throws DelosError ERR_CONFIG_NOT_FOUND */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_NOT_FOUND', 'the file cannot be read', {
      where: { file },
      hint: 'check its name and that you may read it',
      cause,
    });
  }
}

/** A document of the scheduler's, YAML or JSON, with every fault told by file, line, column and field. */
export function readDocument<T extends z.ZodType>(
  schema: T,
  source: { readonly file: string; readonly text: string },
  faults: (data: z.output<T>) => readonly SnapshotFault[],
): z.output<T> {
  // JSON as large as a state of a million jobs is not read with places: it is written by programs.
  if (source.file.endsWith('.json')) return checked(schema, source.file, parseJson(source), faults);
  const data = readYaml(schema, source);
  refuse(source.file, faults(data), parseYaml(source));
  return data;
}

/** The same for data that was put together from several files: places are fields only. */
export function checked<T extends z.ZodType>(
  schema: T,
  file: string,
  data: unknown,
  faults: (data: z.output<T>) => readonly SnapshotFault[],
): z.output<T> {
  const parsed = schema.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new DelosError('ERR_CONFIG_VALUE', issue?.message ?? 'it is not as expected', {
      where: { file, field: fieldOf(issue?.path ?? []) },
      hint: 'docs/guides/scheduling.md describes the document',
    });
  }
  refuse(file, faults(parsed.data));
  return parsed.data;
}

function parseJson({ file, text }: { readonly file: string; readonly text: string }): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DelosError('ERR_CONFIG_SYNTAX', `it is not valid JSON: ${(cause as Error).message}`, {
      where: { file },
      hint: 'correct it there, or write it anew',
      cause,
    });
  }
}

function refuse(file: string, faults: readonly SnapshotFault[], document?: YamlDocument): void {
  const [first, ...more] = faults;
  if (first === undefined) return;
  const place = document === undefined ? { file } : document.valueAt(first.path);
  throw new DelosError('ERR_CONFIG_VALUE', first.message, {
    where: { ...place, field: fieldOf(first.path) },
    hint: more.length === 0 ? first.hint : `${first.hint}\n  ${more.length} more faults follow`,
  });
}
